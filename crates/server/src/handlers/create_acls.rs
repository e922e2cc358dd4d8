//! CreateAcls (key 30): answers for each entry that there is no authorizer.
//!
//! Versions: 1–3. 2 flexible · 3 users as resources.
//! Not yet: an authorizer; a node whose `authorizer.class.name` is set does not start. Kafka: `AclApis.handleCreateAcls`.

use protocol::create_acls_response::AclCreationResult;
use protocol::{CreateAclsRequest, CreateAclsResponse, ErrorCode};

/// Answers for each entry that there is no authorizer.
pub fn handle(request: &CreateAclsRequest) -> CreateAclsResponse {
    let refused = AclCreationResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some("No Authorizer is configured.".to_owned()),
        ..Default::default()
    };
    CreateAclsResponse { results: vec![refused; request.creations.len()], ..Default::default() }
}
