//! Replacing configurations whole: the older way, which Kafka's own admin client no longer has.

use std::collections::BTreeMap;

use protocol::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::{AlterConfigsRequest, AlterConfigsResponse};

use super::call::not_controller;
use super::{Admin, ConfigResource, ResourceType};
use crate::error::{Error, Result};

/// The new configuration of each resource; keys that are not named are unset.
pub type AlterConfigs = BTreeMap<ConfigResource, BTreeMap<String, String>>;

impl Admin {
    /// Replaces the configuration of each resource.
    pub async fn alter_configs(
        &self,
        configs: &AlterConfigs,
        validate_only: bool,
    ) -> Result<BTreeMap<ConfigResource, Result<()>>> {
        let error_of = |response: &AlterConfigsResponse| {
            not_controller(response.responses.iter().map(|resource| resource.error_code))
        };
        let mut done = BTreeMap::new();
        for (resource, keys) in configs {
            let resources = vec![wire(resource, keys)];
            let request = AlterConfigsRequest { resources, validate_only, ..Default::default() };
            let response = match resource.node() {
                Some(node) => self.on_node("alterConfigs", node, &request, error_of).await?,
                None => self.on_any("alterConfigs", &request, error_of).await?,
            };
            for resource in response.responses {
                let key = ConfigResource::new(
                    ResourceType::from_id(resource.resource_type),
                    resource.resource_name,
                );
                done.insert(key, Error::check_with(resource.error_code, resource.error_message));
            }
        }
        Ok(done)
    }
}

fn wire(resource: &ConfigResource, keys: &BTreeMap<String, String>) -> AlterConfigsResource {
    let config = |(name, value): (&String, &String)| AlterableConfig {
        name: name.clone(),
        value: Some(value.clone()),
        ..Default::default()
    };
    AlterConfigsResource {
        resource_type: resource.resource_type as i8,
        resource_name: resource.name.clone(),
        configs: keys.iter().map(config).collect(),
        ..Default::default()
    }
}
