//! DescribeAcls (key 29): answers that there is no authorizer.
//!
//! Versions: 1–3. 2 flexible · 3 users as resources.
//! Not yet: an authorizer; a node whose `authorizer.class.name` is set does not start. Kafka: `AclApis.handleDescribeAcls`.

use protocol::{DescribeAclsResponse, ErrorCode};

/// Answers that there is no authorizer.
pub fn handle() -> DescribeAclsResponse {
    DescribeAclsResponse {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some("No Authorizer is configured on the broker".to_owned()),
        ..Default::default()
    }
}
