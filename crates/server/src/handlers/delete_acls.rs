//! DeleteAcls (key 31): answers for each filter that there is no authorizer.
//!
//! Versions: 1–3. 2 flexible · 3 users as resources.
//! Not yet: an authorizer; a node whose `authorizer.class.name` is set does not start. Kafka: `AclApis.handleDeleteAcls`.

use protocol::delete_acls_response::DeleteAclsFilterResult;
use protocol::{DeleteAclsRequest, DeleteAclsResponse, ErrorCode};

/// Answers for each filter that there is no authorizer.
pub fn handle(request: &DeleteAclsRequest) -> DeleteAclsResponse {
    let refused = DeleteAclsFilterResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some("No Authorizer is configured.".to_owned()),
        ..Default::default()
    };
    DeleteAclsResponse { filter_results: vec![refused; request.filters.len()], ..Default::default() }
}
