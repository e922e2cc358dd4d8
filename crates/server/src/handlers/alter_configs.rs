//! AlterConfigs (key 33): replaces all that is set on a resource; older clients use it.
//!
//! Versions: 0–2. 2 flexible. Kafka: `KafkaApis.handleAlterConfigsRequest`, `ConfigAdminManager.preprocess`.

use config::{ConfigMap, ResourceType};
use model::AclOperation;
use protocol::alter_configs_request::AlterConfigsResource;
use protocol::{AlterConfigsRequest, AlterConfigsResponse, ErrorCode, ResponseBody};

use crate::authorize::{Gate, Refusal};
use crate::broker::Broker;
use crate::handlers::config_changes::{
    Change, authorize, check_broker_config, check_changes, decide, invalid_request,
};
use crate::request::RequestContext;

/// Judges what concerns this broker, and has the controller decide on the rest.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let gate = broker.gate(context);
    let validate_only = request.validate_only;
    let forward = async |passed: Vec<&AlterConfigsResource>| {
        let resources = passed.into_iter().cloned().collect();
        let request = AlterConfigsRequest { resources, validate_only, ..Default::default() };
        match broker.decide(request.into()).await {
            ResponseBody::AlterConfigs(answer) => Ok(answer.responses),
            _ => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
        }
    };
    let responses = decide(request.resources, |resource| judge(broker, &gate, resource), forward).await;
    AlterConfigsResponse { responses, ..Default::default() }
}

fn judge(broker: &Broker, gate: &Gate<'_>, resource: &AlterConfigsResource) -> Result<(), Refusal> {
    let configs = resource.configs.iter();
    let changes: Vec<_> = configs
        .map(|config| Change { name: &config.name, value: config.value.as_deref(), deletes: false })
        .collect();
    let kind = check_changes(resource.resource_type, &changes)?;
    match kind {
        ResourceType::Broker => {
            let value =
                |change: &Change<'_>| (change.name.to_owned(), change.value.unwrap_or_default().to_owned());
            let props: ConfigMap = changes.iter().map(value).collect();
            check_broker_config(broker, &resource.resource_name, &props)?;
        }
        ResourceType::BrokerLogger => {
            return Err(invalid_request(format!("Unknown resource type {}", resource.resource_type)));
        }
        ResourceType::Topic | ResourceType::ClientMetrics | ResourceType::Group => {}
    }
    authorize(gate, AclOperation::AlterConfigs, kind, &resource.resource_name)
}
