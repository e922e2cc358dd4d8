//! Listing what has a configuration. Kafka: `Admin.listConfigResources`.

use protocol::ListConfigResourcesRequest;

use super::{Admin, ConfigResource, ResourceType};
use crate::error::{Error, Result};

impl Admin {
    /// Lists the resources of `types` that have a configuration; of all types if none is named.
    pub async fn list_config_resources(&self, types: &[ResourceType]) -> Result<Vec<ConfigResource>> {
        let resource_types = types.iter().map(|kind| *kind as i8).collect();
        let request = ListConfigResourcesRequest { resource_types, ..Default::default() };
        let response = self.on_any("listConfigResources", &request, |response| response.error_code).await?;
        Error::check(response.error_code)?;
        let resources = response.config_resources.into_iter();
        let named =
            resources.map(|resource| (ResourceType::from_id(resource.resource_type), resource.resource_name));
        Ok(named.map(|(kind, name)| ConfigResource::new(kind, name)).collect())
    }
}
