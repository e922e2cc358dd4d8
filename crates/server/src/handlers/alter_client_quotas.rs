//! AlterClientQuotas (key 49): sets and removes what users, client ids and addresses may use.
//!
//! Versions: 0–1. 1 flexible. Decided by the controller, to which the names of hosts that stand for addresses are resolved
//! here. Kafka: `ClientQuotaControlManager.alterClientQuotas`.

use std::collections::BTreeSet;
use std::net::IpAddr;

use controller::ControllerRequest;
use model::AclOperation;
use protocol::alter_client_quotas_response::{EntityData, EntryData};
use protocol::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, ErrorCode, ResponseBody, alter_client_quotas_request,
};
use tokio::net::lookup_host;

use crate::broker::Broker;
use crate::request::RequestContext;

/// Has quotas set and removed.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: AlterClientQuotasRequest,
) -> ResponseBody {
    if let Err(error_code) = broker.gate(context).check_cluster(AclOperation::AlterConfigs) {
        let entries = request.entries.into_iter().map(|entry| refuse(entry, error_code)).collect();
        return AlterClientQuotasResponse { entries, ..Default::default() }.into();
    }
    broker.decide(with_hosts(request).await).await
}

/// Finds out which names of hosts among the addresses can be resolved. Kafka: `InetAddress.getByName`.
async fn with_hosts(request: AlterClientQuotasRequest) -> ControllerRequest {
    let parts = request.entries.iter().flat_map(|entry| &entry.entity);
    let addresses = parts.filter(|part| part.entity_type == "ip").filter_map(|part| part.entity_name.clone());
    let names: BTreeSet<String> =
        addresses.filter(|name| !name.is_empty() && name.parse::<IpAddr>().is_err()).collect();
    let mut hosts = BTreeSet::new();
    for name in names {
        if lookup_host((name.as_str(), 0)).await.is_ok_and(|mut found| found.next().is_some()) {
            hosts.insert(name);
        }
    }
    ControllerRequest::WithHosts(Box::new(request), hosts)
}

fn refuse(entry: alter_client_quotas_request::EntryData, error_code: ErrorCode) -> EntryData {
    let part = |part: alter_client_quotas_request::EntityData| EntityData {
        entity_type: part.entity_type,
        entity_name: part.entity_name,
        ..Default::default()
    };
    let error_message = Some(error_code.message().to_owned());
    let entity = entry.entity.into_iter().map(part).collect();
    EntryData { error_code, error_message, entity, ..Default::default() }
}
