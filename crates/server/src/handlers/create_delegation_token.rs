//! CreateDelegationToken (key 38): answers that there are no delegation tokens.
//!
//! Versions: 1–3. 2 flexible · 3 tokens for others.
//! Not yet: tokens; `delegation.token.secret.key` has no effect. Kafka: `KafkaApis.handleCreateTokenRequest`.

use model::{AclOperation, AclResourceType};
use protocol::create_delegation_token_request::CreatableRenewers;
use protocol::{CreateDelegationTokenRequest, CreateDelegationTokenResponse, ErrorCode};

use crate::authorize::may_ask_for_tokens;
use crate::broker::Broker;
use crate::request::RequestContext;

/// Answers that whoever asks may not, or that there are no tokens.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &CreateDelegationTokenRequest,
) -> CreateDelegationTokenResponse {
    let (kind, name) = context.principal.split_once(':').unwrap_or(("User", context.user()));
    let own = (kind.to_owned(), name.to_owned());
    let owner = match (&request.owner_principal_type, &request.owner_principal_name) {
        (kind, Some(name)) if !name.is_empty() => (kind.clone().unwrap_or_default(), name.clone()),
        _ => own.clone(),
    };
    let mut response = CreateDelegationTokenResponse {
        error_code: ErrorCode::DELEGATION_TOKEN_AUTH_DISABLED,
        principal_type: owner.0,
        principal_name: owner.1,
        ..Default::default()
    };
    if context.version >= 3 {
        (response.token_requester_principal_type, response.token_requester_principal_name) = own;
    }
    if let Err(error) = permitted(broker, context, request, &response) {
        response.error_code = error;
        (response.issue_timestamp_ms, response.expiry_timestamp_ms, response.max_timestamp_ms) = (-1, -1, -1);
    }
    response
}

/// A token of somebody else's needs a permission, and only users can be renewers.
fn permitted(
    broker: &Broker,
    context: &RequestContext,
    request: &CreateDelegationTokenRequest,
    response: &CreateDelegationTokenResponse,
) -> Result<(), ErrorCode> {
    if !may_ask_for_tokens(context) {
        return Err(ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED);
    }
    let owner = format!("{}:{}", response.principal_type, response.principal_name);
    if owner != *context.principal {
        broker.gate(context).check(AclOperation::CreateTokens, AclResourceType::User, &owner)?;
    }
    let is_user = |renewer: &CreatableRenewers| renewer.principal_type == "User";
    if request.renewers.iter().all(is_user) { Ok(()) } else { Err(ErrorCode::INVALID_PRINCIPAL_TYPE) }
}
