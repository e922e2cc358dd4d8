//! ListConfigResources (key 74): what has configurations.
//!
//! Versions: 0–1. 0 metrics subscriptions alone · 1 any type, all supported types by default.
//! Kafka: `KafkaApis.handleListConfigResources`.

use std::collections::BTreeSet;

use config::ResourceType;
use model::AclOperation;
use protocol::list_config_resources_response::ConfigResource;
use protocol::{ErrorCode, ListConfigResourcesRequest, ListConfigResourcesResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Lists resources: those that exist of topics and brokers, those that are configured of groups and subscriptions.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let may = broker.gate(context).check_cluster(AclOperation::DescribeConfigs);
    let kinds = match may.and_then(|()| wanted(context.version, &request.resource_types)) {
        Ok(kinds) => kinds,
        Err(error_code) => return ListConfigResourcesResponse { error_code, ..Default::default() },
    };
    let config_resources = kinds.into_iter().flat_map(|kind| {
        names(broker, kind).into_iter().map(move |resource_name| ConfigResource {
            resource_name,
            resource_type: kind.id(),
            ..Default::default()
        })
    });
    ListConfigResourcesResponse { config_resources: config_resources.collect(), ..Default::default() }
}

fn wanted(version: i16, asked: &[i8]) -> Result<Vec<ResourceType>, ErrorCode> {
    if version == 0 {
        return Ok(vec![ResourceType::ClientMetrics]);
    }
    if asked.is_empty() {
        return Ok(ResourceType::ALL.to_vec());
    }
    let asked: BTreeSet<i8> = asked.iter().copied().collect();
    asked.into_iter().map(|id| ResourceType::from_id(id).ok_or(ErrorCode::UNSUPPORTED_VERSION)).collect()
}

fn names(broker: &Broker, kind: ResourceType) -> Vec<String> {
    let image = broker.metadata.image();
    match kind {
        ResourceType::Topic => image.topics().iter().map(|topic| topic.name().to_string()).collect(),
        ResourceType::Broker | ResourceType::BrokerLogger => {
            image.cluster().brokers().map(|broker| broker.id.to_string()).collect()
        }
        ResourceType::ClientMetrics | ResourceType::Group => {
            let resources = image.configs().resources();
            let of_kind = resources.filter(|(resource, _)| resource.resource_type.0 == kind.id());
            of_kind.map(|(resource, _)| resource.name.to_string()).collect()
        }
    }
}
