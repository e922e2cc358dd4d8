//! IncrementalAlterConfigs (key 44): sets, deletes, and adds to or takes from lists.
//!
//! Versions: 0–1. 1 flexible.
//! Kafka: `KafkaApis.handleIncrementalAlterConfigsRequest`, `ConfigAdminManager.preprocess`.

use config::{ConfigMap, KeyType, ResourceType};
use metadata::ConfigResource;
use model::AclOperation;
use protocol::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::{ErrorCode, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, ResponseBody};

use crate::authorize::{Gate, Refusal};
use crate::broker::Broker;
use crate::handlers::broker_loggers;
use crate::handlers::config_changes::{
    Change, authorize, check_broker_config, check_changes, decide, invalid_request,
};
use crate::request::RequestContext;

/// What is done with a value. Kafka: `AlterConfigOp.OpType`.
const OPERATION_SET: i8 = 0;
const OPERATION_DELETE: i8 = 1;
const OPERATION_APPEND: i8 = 2;
const OPERATION_SUBTRACT: i8 = 3;

/// Judges what concerns this broker, and has the controller decide on the rest.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let gate = broker.gate(context);
    let validate_only = request.validate_only;
    let forward = async |passed: Vec<&AlterConfigsResource>| {
        let resources = passed.into_iter().cloned().collect();
        let request = IncrementalAlterConfigsRequest { resources, validate_only, ..Default::default() };
        match broker.decide(request.into()).await {
            ResponseBody::IncrementalAlterConfigs(answer) => Ok(answer.responses),
            _ => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
        }
    };
    let responses =
        decide(request.resources, |resource| judge(broker, &gate, resource, validate_only), forward).await;
    IncrementalAlterConfigsResponse { responses, ..Default::default() }
}

/// What is judged to be all right and done here already is answered like what is refused, but without an error.
const DONE: Refusal = (ErrorCode::NONE, None);

fn judge(
    broker: &Broker,
    gate: &Gate<'_>,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), Refusal> {
    let changes: Vec<_> = resource.configs.iter().map(change).collect();
    let kind = check_changes(resource.resource_type, &changes)?;
    let permitted = || authorize(gate, AclOperation::AlterConfigs, kind, &resource.resource_name);
    match kind {
        ResourceType::BrokerLogger => {
            permitted().map_err(|(code, _)| (code, None))?;
            broker_loggers::alter(broker, resource, validate_only)?;
            Err(DONE)
        }
        ResourceType::Broker => {
            let props = changed(broker, resource)?;
            check_broker_config(broker, &resource.resource_name, &props)?;
            permitted()
        }
        ResourceType::Topic | ResourceType::ClientMetrics | ResourceType::Group => permitted(),
    }
}

fn change(config: &AlterableConfig) -> Change<'_> {
    let deletes = config.config_operation == OPERATION_DELETE;
    Change { name: &config.name, value: config.value.as_deref(), deletes }
}

/// Returns all that would be set on the broker. Kafka: `ConfigAdminManager.prepareIncrementalConfigs`.
fn changed(broker: &Broker, resource: &AlterConfigsResource) -> Result<ConfigMap, Refusal> {
    let image = broker.metadata.image();
    let name = ConfigResource::new(metadata::ResourceType::BROKER, resource.resource_name.as_str());
    let mut props: ConfigMap =
        image.configs().resource(&name).map(|set| set.as_ref().clone()).unwrap_or_default();
    for config in &resource.configs {
        let value = config.value.clone().unwrap_or_default();
        match config.config_operation {
            OPERATION_SET => drop(props.insert(config.name.clone(), value)),
            OPERATION_DELETE => drop(props.remove(&config.name)),
            operation @ (OPERATION_APPEND | OPERATION_SUBTRACT) => {
                let old = list_of(broker, &props, &config.name)?;
                props.insert(config.name.clone(), combined(&old, &value, operation == OPERATION_APPEND));
            }
            other => return Err(invalid_request(format!("Unknown operations type {other}"))),
        }
    }
    Ok(props)
}

/// The list that is added to or taken from: what is set, or the default.
fn list_of(broker: &Broker, props: &ConfigMap, name: &str) -> Result<String, Refusal> {
    let key = config::broker_key(name).filter(|key| key.kind == KeyType::List);
    let Some(key) = key else {
        let text = format!("Config value append is not allowed for config key: {name}");
        return Err((ErrorCode::INVALID_CONFIG, Some(text)));
    };
    let current = || broker.config().values().get(key.name).to_config_text().unwrap_or_default();
    Ok(props.get(name).cloned().unwrap_or_else(current))
}

fn combined(old: &str, value: &str, add: bool) -> String {
    let old: Vec<&str> = old.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    let value: Vec<&str> = value.split(',').map(str::trim).collect();
    let kept = old.iter().filter(|item| add || !value.contains(item)).copied();
    let added = value.iter().filter(|item| add && !old.contains(item)).copied();
    kept.chain(added).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::combined;

    #[test]
    fn a_list_takes_what_it_has_not_and_gives_what_it_has() {
        assert_eq!(combined("a, b", "b,c", true), "a,b,c");
        assert_eq!(combined("a,b", "b,c", false), "a");
        assert_eq!(combined("", "a", true), "a");
    }
}
