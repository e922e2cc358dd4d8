//! DeleteAcls (key 31): deletes the access control entries that filters mean.
//!
//! Versions: 1–3. 2 flexible · 3 users as resources. Kafka: `AclApis.handleDeleteAcls`.

use protocol::delete_acls_request::DeleteAclsFilter;
use protocol::delete_acls_response::DeleteAclsFilterResult;
use protocol::{DeleteAclsRequest, DeleteAclsResponse};

use crate::authorize::Refusal;
use crate::broker::Broker;
use crate::dispatch::Answer;
use crate::request::RequestContext;

/// Has the controller delete the entries. A filter with unknown parts ends the connection.
pub async fn handle(broker: &Broker, context: &RequestContext, request: DeleteAclsRequest) -> Answer {
    if request.filters.iter().any(is_unknown) {
        return Answer::Close("a DeleteAcls request with unknown elements".to_owned());
    }
    if let Err(refusal) = broker.gate(context).require_alterable_acls() {
        return refuse(&request, refusal).into();
    }
    Answer::Respond(broker.decide(request.into()).await)
}

fn refuse(request: &DeleteAclsRequest, (error_code, error_message): Refusal) -> DeleteAclsResponse {
    let refused = DeleteAclsFilterResult { error_code, error_message, ..Default::default() };
    DeleteAclsResponse { filter_results: vec![refused; request.filters.len()], ..Default::default() }
}

/// What no version knows ends the connection; what a newer one knows is refused by the controller.
/// Kafka: `DeleteAclsRequest.normalizeAndValidate`.
fn is_unknown(filter: &DeleteAclsFilter) -> bool {
    [filter.resource_type_filter, filter.pattern_type_filter, filter.operation, filter.permission_type]
        .contains(&0)
}
