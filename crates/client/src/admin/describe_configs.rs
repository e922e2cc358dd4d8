//! Reading configurations. Kafka: `Admin.describeConfigs`.

use std::collections::BTreeMap;

use model::NodeId;
use protocol::describe_configs_request::DescribeConfigsResource;
use protocol::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use protocol::{DescribeConfigsRequest, ErrorCode};

use super::{Admin, ConfigEntry, ConfigResource, ConfigSource, ConfigSynonym, ConfigType, ResourceType};
use crate::error::{Error, Result};

impl Admin {
    /// Reads the configuration of each resource. `synonyms`: also where else each key is set;
    /// `documentation`: also what it is for.
    pub async fn describe_configs(
        &self,
        resources: &[ConfigResource],
        synonyms: bool,
        documentation: bool,
    ) -> Result<BTreeMap<ConfigResource, Result<Vec<ConfigEntry>>>> {
        let mut by_node: BTreeMap<Option<NodeId>, Vec<&ConfigResource>> = BTreeMap::new();
        for resource in resources {
            by_node.entry(resource.node()).or_default().push(resource);
        }
        let mut done = BTreeMap::new();
        for (node, asked) in by_node {
            let request = DescribeConfigsRequest {
                resources: asked.iter().map(|resource| wire(resource)).collect(),
                include_synonyms: synonyms,
                include_documentation: documentation,
                ..Default::default()
            };
            let response = match node {
                Some(node) => {
                    self.on_node("describeBrokerConfigs", node, &request, |_| ErrorCode::NONE).await
                }
                None => self.on_any("describeConfigs", &request, |_| ErrorCode::NONE).await,
            };
            match response {
                Ok(response) => done.extend(response.results.into_iter().map(result)),
                Err(error) => {
                    done.extend(asked.into_iter().map(|resource| (resource.clone(), Err(error.clone()))));
                }
            }
        }
        Ok(done)
    }
}

fn wire(resource: &ConfigResource) -> DescribeConfigsResource {
    DescribeConfigsResource {
        resource_type: resource.resource_type as i8,
        resource_name: resource.name.clone(),
        configuration_keys: None,
        ..Default::default()
    }
}

fn result(result: DescribeConfigsResult) -> (ConfigResource, Result<Vec<ConfigEntry>>) {
    let resource = ConfigResource::new(ResourceType::from_id(result.resource_type), result.resource_name);
    let checked = Error::check_with(result.error_code, result.error_message);
    (resource, checked.map(|()| result.configs.into_iter().map(entry).collect()))
}

fn entry(config: DescribeConfigsResourceResult) -> ConfigEntry {
    let synonym = |synonym: DescribeConfigsSynonym| ConfigSynonym {
        name: synonym.name,
        value: synonym.value,
        source: ConfigSource::from_id(synonym.source),
    };
    ConfigEntry {
        name: config.name,
        value: config.value,
        source: ConfigSource::from_id(config.config_source),
        is_sensitive: config.is_sensitive,
        is_read_only: config.read_only,
        synonyms: config.synonyms.into_iter().map(synonym).collect(),
        config_type: ConfigType(config.config_type),
        documentation: config.documentation,
    }
}
