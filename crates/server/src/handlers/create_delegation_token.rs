//! CreateDelegationToken (key 38): makes a token with which others can log in as its owner.
//!
//! Versions: 1–3. 2 flexible · 3 tokens for others. Decided by the controller. Kafka: `KafkaApis.handleCreateTokenRequest`.

use controller::{ControllerRequest, TokenRequest, token_owner};
use model::{AclOperation, AclResourceType};
use protocol::create_delegation_token_request::CreatableRenewers;
use protocol::{CreateDelegationTokenRequest, CreateDelegationTokenResponse, ErrorCode, ResponseBody};
use security::Principal;

use crate::authorize::may_ask_for_tokens;
use crate::broker::Broker;
use crate::request::RequestContext;

/// Has a token made.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: CreateDelegationTokenRequest,
) -> ResponseBody {
    let asker = context.to_principal();
    if let Err((error_code, owner)) = permitted(broker, context, &request, &asker) {
        let response = CreateDelegationTokenResponse {
            error_code,
            principal_type: owner.principal_type.to_string(),
            principal_name: owner.name.to_string(),
            token_requester_principal_type: asker.principal_type.to_string(),
            token_requester_principal_name: asker.name.to_string(),
            issue_timestamp_ms: -1,
            expiry_timestamp_ms: -1,
            max_timestamp_ms: -1,
            ..Default::default()
        };
        return of_version(response, context.version).into();
    }
    let request = ControllerRequest::Token(TokenRequest::Create(Box::new(request)), asker);
    match broker.decide(request).await {
        ResponseBody::CreateDelegationToken(response) => of_version(*response, context.version).into(),
        other => other,
    }
}

/// A token of somebody else's needs a permission, and only users can be renewers.
fn permitted(
    broker: &Broker,
    context: &RequestContext,
    request: &CreateDelegationTokenRequest,
    asker: &Principal,
) -> Result<(), (ErrorCode, Principal)> {
    let owner = token_owner(request, asker);
    let is_user = |renewer: &CreatableRenewers| renewer.principal_type == Principal::USER_TYPE;
    let error = if !may_ask_for_tokens(context) {
        ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
    } else if owner != *asker
        && !broker.gate(context).may(AclOperation::CreateTokens, AclResourceType::User, &owner.to_string())
    {
        ErrorCode::DELEGATION_TOKEN_AUTHORIZATION_FAILED
    } else if !request.renewers.iter().all(is_user) {
        ErrorCode::INVALID_PRINCIPAL_TYPE
    } else {
        return Ok(());
    };
    Err((error, owner))
}

/// Leaves out what an older version cannot say.
fn of_version(response: CreateDelegationTokenResponse, version: i16) -> CreateDelegationTokenResponse {
    if version >= 3 {
        return response;
    }
    CreateDelegationTokenResponse {
        token_requester_principal_type: String::new(),
        token_requester_principal_name: String::new(),
        ..response
    }
}
