//! DescribeConfigs (key 32): what a topic, broker, group or metrics subscription is configured to, and why.
//!
//! Versions: 1–4. 1 synonyms · 3 types and documentation.
//! Kafka: `ConfigHelper.handleDescribeConfigsRequest`.

use config::{ConfigEntry, ConfigError, ResourceType, describe_client_metrics};
use metadata::MetadataImage;
use model::{AclOperation, topic_name};
use protocol::describe_configs_request::DescribeConfigsResource;
use protocol::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use protocol::{DescribeConfigsRequest, DescribeConfigsResponse, ErrorCode};

use crate::authorize::{Gate, Refusal};
use crate::broker::Broker;
use crate::handlers::broker_loggers;
use crate::handlers::config_changes::{authorize, invalid_request};
use crate::handlers::each_once::each_once;
use crate::request::RequestContext;

/// Describes each resource by itself.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    mut request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let gate = broker.gate(context);
    let image = broker.metadata.image();
    each_once(&mut request.resources, |resource| {
        let all = resource.configuration_keys.as_ref().is_none_or(Vec::is_empty);
        all.then(|| (resource.resource_type, resource.resource_name.clone()))
    });
    let results = request
        .resources
        .iter()
        .map(|resource| describe_one(broker, &gate, &image, &request, resource))
        .collect();
    DescribeConfigsResponse { results, ..Default::default() }
}

fn describe_one(
    broker: &Broker,
    gate: &Gate<'_>,
    image: &MetadataImage,
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
) -> DescribeConfigsResult {
    let wanted = |entry: &ConfigEntry| {
        // An empty list, too, stands for all keys. Kafka: `ConfigHelperUtils.createResponseConfig`.
        let keys = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty());
        keys.is_none_or(|keys| keys.contains(&entry.name))
    };
    let (error_code, error_message, configs) =
        match permitted(gate, resource).and_then(|()| entries(broker, image, resource)) {
            Ok(entries) => {
                let configs = entries.into_iter().filter(wanted).map(|entry| line(request, entry)).collect();
                (ErrorCode::NONE, Some(String::new()), configs)
            }
            Err((code, message)) => (code, message, Vec::new()),
        };
    DescribeConfigsResult {
        error_code,
        error_message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        configs,
        ..Default::default()
    }
}

fn permitted(gate: &Gate<'_>, resource: &DescribeConfigsResource) -> Result<(), Refusal> {
    match ResourceType::from_id(resource.resource_type) {
        Some(kind) => authorize(gate, AclOperation::DescribeConfigs, kind, &resource.resource_name),
        // What is unknown is told below to be so.
        None => Ok(()),
    }
}

fn entries(
    broker: &Broker,
    image: &MetadataImage,
    resource: &DescribeConfigsResource,
) -> Result<Vec<ConfigEntry>, Refusal> {
    let name = resource.resource_name.as_str();
    let overrides = || {
        let resource = metadata::ConfigResource::new(metadata::ResourceType(resource.resource_type), name);
        image.configs().resource(&resource).map(|set| set.as_ref().clone()).unwrap_or_default()
    };
    let config = &broker.dynamic_config;
    let invalid = |error: ConfigError| (ErrorCode::INVALID_CONFIG, Some(error.to_string()));
    match ResourceType::from_id(resource.resource_type) {
        Some(ResourceType::Topic) => {
            topic_name::validate(name).map_err(|error| (ErrorCode::INVALID_TOPIC_EXCEPTION, Some(error)))?;
            if image.topics().by_name(name).is_none() {
                return Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, Some(String::new())));
            }
            config.with(|config| config.describe_topic(&overrides())).map_err(invalid)
        }
        Some(ResourceType::Broker) if name.is_empty() => Ok(config.with(|config| config.describe_default())),
        Some(ResourceType::Broker) => {
            let expected = format!("{} or empty string,", broker.node_id);
            check_broker(broker, name, &expected)?;
            Ok(config.with(|config| config.describe_broker()))
        }
        Some(ResourceType::BrokerLogger) if name.is_empty() => {
            Err(invalid_request("Broker id must not be empty"))
        }
        Some(ResourceType::BrokerLogger) => {
            check_broker(broker, name, &broker.node_id.to_string())?;
            Ok(broker_loggers::describe(broker))
        }
        Some(ResourceType::ClientMetrics) if name.is_empty() => {
            Err(invalid_request("Client metrics subscription name must not be empty"))
        }
        Some(ResourceType::ClientMetrics) => describe_client_metrics(&overrides()).map_err(invalid),
        Some(ResourceType::Group) if name.is_empty() => Err(invalid_request("Group name must not be empty")),
        Some(ResourceType::Group) => {
            config.with(|config| config.describe_group(&overrides())).map_err(invalid)
        }
        None => {
            let kind = "UNKNOWN";
            Err(invalid_request(format!("Unexpected resource type {kind} for resource {name}")))
        }
    }
}

fn check_broker(broker: &Broker, name: &str, expected: &str) -> Result<(), Refusal> {
    match name.parse::<i32>() {
        Err(_) => Err(invalid_request(format!("Broker id must be an integer, but it is: {name}"))),
        Ok(id) if id != broker.node_id.0 => {
            Err(invalid_request(format!("Unexpected broker id, expected {expected} but received {name}")))
        }
        Ok(_) => Ok(()),
    }
}

fn line(request: &DescribeConfigsRequest, entry: ConfigEntry) -> DescribeConfigsResourceResult {
    let synonyms = entry.synonyms.into_iter().map(|synonym| DescribeConfigsSynonym {
        name: synonym.name,
        value: synonym.value,
        source: synonym.source.id(),
        ..Default::default()
    });
    DescribeConfigsResourceResult {
        name: entry.name,
        value: entry.value,
        read_only: entry.read_only,
        config_source: entry.source.id(),
        is_sensitive: entry.is_sensitive,
        synonyms: if request.include_synonyms { synonyms.collect() } else { Vec::new() },
        config_type: entry.config_type,
        documentation: entry.documentation.filter(|_| request.include_documentation).map(str::to_owned),
        ..Default::default()
    }
}
