//! DescribeDelegationToken (key 41): shows tokens, and what proves them.
//!
//! Versions: 1–3. 2 flexible · 3 who asked for a token. Kafka: `KafkaApis.handleDescribeTokensRequest`.

use std::collections::BTreeSet;

use model::{AclOperation, AclResourceType};
use protocol::describe_delegation_token_request::DescribeDelegationTokenOwner;
use protocol::describe_delegation_token_response::{
    DescribedDelegationToken, DescribedDelegationTokenRenewer,
};
use protocol::{
    DelegationTokenRecord, DescribeDelegationTokenRequest, DescribeDelegationTokenResponse, ErrorCode,
};
use security::TokenSecret;

use crate::authorize::{Gate, may_ask_for_tokens};
use crate::broker::Broker;
use crate::request::RequestContext;

/// Shows the tokens that are asked for and that the asker may see: its own, and those it has a permission for.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &DescribeDelegationTokenRequest,
) -> DescribeDelegationTokenResponse {
    let refuse = |error_code| DescribeDelegationTokenResponse { error_code, ..Default::default() };
    if !may_ask_for_tokens(context) {
        return refuse(ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED);
    }
    let Some(secret) = TokenSecret::of(&broker.config()) else {
        return refuse(ErrorCode::DELEGATION_TOKEN_AUTH_DISABLED);
    };
    let text =
        |owner: &DescribeDelegationTokenOwner| format!("{}:{}", owner.principal_type, owner.principal_name);
    let owners: Option<BTreeSet<String>> =
        request.owners.as_ref().map(|owners| owners.iter().map(text).collect());
    let image = broker.metadata.image();
    let gate = broker.gate(context);
    let asked = |token: &DelegationTokenRecord| {
        owners.as_ref().is_none_or(|owners| principals(token).any(|principal| owners.contains(principal)))
    };
    let tokens = image.delegation_tokens().tokens();
    let shown = tokens.filter(|token| asked(token) && may_see(&gate, &context.principal, token));
    let tokens = shown.map(|token| describe(token, &secret, context.version)).collect();
    DescribeDelegationTokenResponse { tokens, ..Default::default() }
}

/// Whom a token concerns. Kafka: `TokenInformation.ownerOrRenewer`.
fn principals(token: &DelegationTokenRecord) -> impl Iterator<Item = &str> {
    [&token.owner, &token.requester].into_iter().chain(&token.renewers).map(String::as_str)
}

fn may_see(gate: &Gate<'_>, principal: &str, token: &DelegationTokenRecord) -> bool {
    principals(token).any(|own| own == principal)
        || gate.may(AclOperation::Describe, AclResourceType::DelegationToken, &token.token_id)
        || gate.may(AclOperation::DescribeTokens, AclResourceType::User, &token.owner)
}

fn describe(token: &DelegationTokenRecord, secret: &TokenSecret, version: i16) -> DescribedDelegationToken {
    let (principal_type, principal_name) = parts(&token.owner);
    let requester = if version >= 3 { parts(&token.requester) } else { Default::default() };
    let renewer = |renewer: &String| {
        let (principal_type, principal_name) = parts(renewer);
        DescribedDelegationTokenRenewer { principal_type, principal_name, ..Default::default() }
    };
    DescribedDelegationToken {
        principal_type,
        principal_name,
        token_requester_principal_type: requester.0,
        token_requester_principal_name: requester.1,
        issue_timestamp: token.issue_timestamp,
        expiry_timestamp: token.expiration_timestamp,
        max_timestamp: token.max_timestamp,
        token_id: token.token_id.clone(),
        hmac: secret.hmac(&token.token_id),
        renewers: token.renewers.iter().map(renewer).collect(),
        ..Default::default()
    }
}

/// The type and the name of a principal.
fn parts(principal: &str) -> (String, String) {
    let (kind, name) = principal.split_once(':').unwrap_or_default();
    (kind.to_owned(), name.to_owned())
}
