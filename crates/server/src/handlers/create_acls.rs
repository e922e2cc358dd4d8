//! CreateAcls (key 30): makes access control entries.
//!
//! Versions: 1–3. 2 flexible · 3 users as resources. Kafka: `AclApis.handleCreateAcls`.

use model::{AclOperation, AclPatternType, AclPermission, AclResourceType};
use protocol::create_acls_request::AclCreation;
use protocol::create_acls_response::AclCreationResult;
use protocol::{CreateAclsRequest, CreateAclsResponse, ErrorCode};

use crate::authorize::Refusal;
use crate::broker::Broker;
use crate::dispatch::Answer;
use crate::request::RequestContext;

/// Has the controller make the entries. One with unknown parts ends the connection.
pub async fn handle(broker: &Broker, context: &RequestContext, request: CreateAclsRequest) -> Answer {
    if request.creations.iter().any(is_unknown) {
        return Answer::Close("a CreateAcls request with unknown elements".to_owned());
    }
    if let Err(refusal) = broker.gate(context).require_alterable_acls() {
        return refuse(&request, refusal).into();
    }
    if request.creations.iter().any(is_for_filters) {
        return refuse(&request, (ErrorCode::UNKNOWN_SERVER_ERROR, None)).into();
    }
    Answer::Respond(broker.decide(request.into()).await)
}

fn refuse(request: &CreateAclsRequest, (error_code, error_message): Refusal) -> CreateAclsResponse {
    let refused = AclCreationResult { error_code, error_message, ..Default::default() };
    CreateAclsResponse { results: vec![refused; request.creations.len()], ..Default::default() }
}

/// What only filters may say of one entry refuses them all. Kafka: `AclBinding`, whose constructor throws.
fn is_for_filters(acl: &AclCreation) -> bool {
    AclResourceType::from_id(acl.resource_type) == AclResourceType::Any
        || matches!(
            AclPatternType::from_id(acl.resource_pattern_type),
            AclPatternType::Any | AclPatternType::Match
        )
        || AclOperation::from_id(acl.operation) == AclOperation::Any
        || AclPermission::from_id(acl.permission_type) == AclPermission::Any
}

/// What no version knows ends the connection; what a newer one knows is refused by the controller.
/// Kafka: `CreateAclsRequest.validate`.
fn is_unknown(acl: &AclCreation) -> bool {
    [acl.resource_type, acl.resource_pattern_type, acl.operation, acl.permission_type].contains(&0)
}
