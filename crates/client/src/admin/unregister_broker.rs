//! Unregistering a broker that will not come back. Kafka: `Admin.unregisterBroker`.

use model::NodeId;
use protocol::UnregisterBrokerRequest;

use super::Admin;
use crate::error::{Error, Result};

impl Admin {
    /// Makes the cluster forget `broker`.
    pub async fn unregister_broker(&self, broker: NodeId) -> Result<()> {
        let request = UnregisterBrokerRequest { broker_id: broker.0, ..Default::default() };
        let response = self.on_any("unregisterBroker", &request, |response| response.error_code).await?;
        Error::check_with(response.error_code, response.error_message)
    }
}
