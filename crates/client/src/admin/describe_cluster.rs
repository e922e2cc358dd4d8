//! Describing the cluster. Kafka: `Admin.describeCluster`.

use model::NodeId;
use protocol::DescribeClusterRequest;

use super::Admin;
use crate::cluster::Broker;
use crate::error::{Error, Result};
use crate::settings::Bootstrap;

/// A cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterDescription {
    /// Its id.
    pub cluster_id: String,
    /// The node that takes requests for the controller.
    pub controller: Option<NodeId>,
    /// Its brokers; or its controllers, of a client of those.
    pub nodes: Vec<Broker>,
}

impl Admin {
    /// Describes the cluster; brokers that are registered and not alive too, if `fenced`.
    pub async fn describe_cluster(&self, fenced: bool) -> Result<ClusterDescription> {
        let of_controllers = matches!(self.cluster().settings().bootstrap, Bootstrap::Controllers(_));
        let request = DescribeClusterRequest {
            endpoint_type: if of_controllers { 2 } else { 1 },
            include_fenced_brokers: fenced,
            ..Default::default()
        };
        let response = match self.on_any("listNodes", &request, |response| response.error_code).await {
            Ok(response) => response,
            Err(Error::UnsupportedVersion(_)) if !fenced => return self.describe_cluster_by_metadata().await,
            Err(error) => return Err(error),
        };
        Error::check_with(response.error_code, response.error_message)?;
        let nodes = response.brokers.into_iter().map(|broker| Broker {
            id: NodeId(broker.broker_id),
            host: broker.host,
            port: broker.port as u16,
            rack: broker.rack,
            fenced: broker.is_fenced,
        });
        Ok(ClusterDescription {
            cluster_id: response.cluster_id,
            controller: Some(NodeId(response.controller_id)).filter(|id| id.0 >= 0),
            nodes: nodes.collect(),
        })
    }

    async fn describe_cluster_by_metadata(&self) -> Result<ClusterDescription> {
        let metadata = self.call("listNodes").metadata().await?;
        Ok(ClusterDescription {
            cluster_id: metadata.cluster_id.clone().unwrap_or_default(),
            controller: metadata.controller,
            nodes: metadata.brokers.values().cloned().collect(),
        })
    }
}
