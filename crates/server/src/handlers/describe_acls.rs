//! DescribeAcls (key 29): the access control entries that a filter means.
//!
//! Versions: 1–3. 2 flexible · 3 users as resources. Kafka: `AclApis.handleDescribeAcls`.

use std::collections::BTreeMap;

use metadata::acl_binding;
use model::{AclBinding, AclBindingFilter, AclOperation, AclPatternType, AclPermission, AclResourceType};
use protocol::describe_acls_response::{AclDescription, DescribeAclsResource};
use protocol::{DescribeAclsRequest, DescribeAclsResponse, ErrorCode};

use crate::broker::Broker;
use crate::dispatch::Answer;
use crate::request::RequestContext;

/// Describes the entries that the filter means, resource by resource. A filter with unknown parts ends the connection.
pub fn handle(broker: &Broker, context: &RequestContext, request: DescribeAclsRequest) -> Answer {
    if is_unknown(&request) {
        return Answer::Close("a DescribeAcls request with unknown elements".to_owned());
    }
    describe(broker, context, &filter(request)).into()
}

fn describe(broker: &Broker, context: &RequestContext, filter: &AclBindingFilter) -> DescribeAclsResponse {
    let gate = broker.gate(context);
    if let Err((error_code, error_message)) = gate.require_cluster(AclOperation::Describe) {
        return DescribeAclsResponse { error_code, error_message, ..Default::default() };
    }
    if gate.is_open() {
        return DescribeAclsResponse {
            error_code: ErrorCode::SECURITY_DISABLED,
            error_message: Some("No Authorizer is configured on the broker".to_owned()),
            ..Default::default()
        };
    }
    let image = broker.metadata.image();
    let entries = image.acls().acls().map(|record| acl_binding(record)).filter(|acl| filter.matches(acl));
    DescribeAclsResponse { resources: by_resource(entries), ..Default::default() }
}

fn by_resource(entries: impl Iterator<Item = AclBinding>) -> Vec<DescribeAclsResource> {
    let mut resources: BTreeMap<_, Vec<AclDescription>> = BTreeMap::new();
    for acl in entries {
        let description = AclDescription {
            principal: acl.principal,
            host: acl.host,
            operation: acl.operation as i8,
            permission_type: acl.permission as i8,
            ..Default::default()
        };
        let resource = (acl.resource_type, acl.resource_name, acl.pattern_type);
        resources.entry(resource).or_default().push(description);
    }
    let resource = |((kind, resource_name, pattern), acls)| DescribeAclsResource {
        resource_type: kind as i8,
        resource_name,
        pattern_type: pattern as i8,
        acls,
        ..Default::default()
    };
    resources.into_iter().map(resource).collect()
}

fn filter(request: DescribeAclsRequest) -> AclBindingFilter {
    AclBindingFilter {
        resource_type: AclResourceType::from_id(request.resource_type_filter),
        resource_name: request.resource_name_filter,
        pattern_type: AclPatternType::from_id(request.pattern_type_filter),
        principal: request.principal_filter,
        host: request.host_filter,
        operation: AclOperation::from_id(request.operation),
        permission: AclPermission::from_id(request.permission_type),
    }
}

/// Kafka: `DescribeAclsRequest.normalizeAndValidate`.
fn is_unknown(request: &DescribeAclsRequest) -> bool {
    let DescribeAclsRequest { resource_type_filter, pattern_type_filter, operation, permission_type, .. } =
        request;
    [resource_type_filter, pattern_type_filter, operation, permission_type].contains(&&0)
}
