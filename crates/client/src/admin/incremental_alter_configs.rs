//! Changing single keys of configurations. Kafka: `Admin.incrementalAlterConfigs`.

use std::collections::BTreeMap;

use model::NodeId;
use protocol::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::call::not_controller;
use super::{Admin, AlterConfigOp, ConfigResource, ResourceType};
use crate::error::{Error, Result};

impl Admin {
    /// Changes keys of each resource; only tells whether it would succeed if `validate_only`.
    pub async fn incremental_alter_configs(
        &self,
        changes: &BTreeMap<ConfigResource, Vec<AlterConfigOp>>,
        validate_only: bool,
    ) -> Result<BTreeMap<ConfigResource, Result<()>>> {
        let mut by_node: BTreeMap<Option<NodeId>, Vec<AlterConfigsResource>> = BTreeMap::new();
        for (resource, ops) in changes {
            by_node.entry(resource.node()).or_default().push(wire(resource, ops));
        }
        let error_of = |response: &IncrementalAlterConfigsResponse| {
            not_controller(response.responses.iter().map(|resource| resource.error_code))
        };
        let mut done = BTreeMap::new();
        for (node, resources) in by_node {
            let request = IncrementalAlterConfigsRequest { resources, validate_only, ..Default::default() };
            let response = match node {
                Some(node) => self.on_node("incrementalAlterConfigs", node, &request, error_of).await?,
                None => self.on_any("incrementalAlterConfigs", &request, error_of).await?,
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

fn wire(resource: &ConfigResource, ops: &[AlterConfigOp]) -> AlterConfigsResource {
    let config = |op: &AlterConfigOp| AlterableConfig {
        name: op.name.clone(),
        config_operation: op.op as i8,
        value: op.value.clone(),
        ..Default::default()
    };
    AlterConfigsResource {
        resource_type: resource.resource_type as i8,
        resource_name: resource.name.clone(),
        configs: ops.iter().map(config).collect(),
        ..Default::default()
    }
}
