//! DescribeCluster (key 60): the cluster's id, its brokers, and whom to ask for what the controller does.
//!
//! Versions: 0–2. 1 endpoint type (KIP-919) · 2 fenced brokers on request (KIP-1073).
//! Kafka: `KafkaApis.handleDescribeCluster`, `AuthHelper.computeDescribeClusterResponse`.

use std::sync::Arc;

use metadata::{BrokerRegistration, ControllerRegistration, MetadataImage};
use model::NodeId;
use protocol::describe_cluster_response::DescribeClusterBroker;
use protocol::{DescribeClusterRequest, DescribeClusterResponse, ErrorCode};

use crate::broker::Broker;
use crate::broker::metadata_cache::controller_id_for_clients;
use crate::request::RequestContext;

/// The endpoint type of brokers.
const BROKERS: i8 = 1;
/// The endpoint type of controllers.
const CONTROLLERS: i8 = 2;

/// Describes the cluster as its brokers' clients see it.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &DescribeClusterRequest,
) -> DescribeClusterResponse {
    if request.endpoint_type != BROKERS {
        return wrong_endpoint_type(context.version, request.endpoint_type, "BROKER");
    }
    let image = broker.metadata.image();
    let brokers = brokers(&image, &context.listener.name, request.include_fenced_brokers);
    let controller_id = controller_id_for_clients(&image).0;
    let mut response = DescribeClusterResponse {
        cluster_id: broker.cluster_id.clone(),
        controller_id: brokers
            .iter()
            .find(|node| node.broker_id == controller_id)
            .map_or(-1, |_| controller_id),
        brokers,
        endpoint_type: BROKERS,
        ..Default::default()
    };
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = broker.gate(context).cluster_operations();
    }
    response
}

/// Describes the cluster as its controllers' clients see it: the nodes are the controllers.
/// Kafka: `ControllerApis.handleDescribeCluster`.
pub fn on_controller(
    broker: &Broker,
    leader: NodeId,
    context: &RequestContext,
    request: &DescribeClusterRequest,
) -> DescribeClusterResponse {
    if request.endpoint_type != CONTROLLERS {
        return wrong_endpoint_type(context.version, request.endpoint_type, "CONTROLLER");
    }
    let image = broker.metadata.image();
    let node = |controller: &Arc<ControllerRegistration>| {
        let endpoint = controller.listeners.get(&context.listener.name)?;
        Some(DescribeClusterBroker {
            broker_id: controller.id.0,
            host: endpoint.host.clone(),
            port: endpoint.port.into(),
            ..Default::default()
        })
    };
    let mut response = DescribeClusterResponse {
        cluster_id: broker.cluster_id.clone(),
        controller_id: leader.0,
        brokers: image.cluster().controllers().filter_map(node).collect(),
        endpoint_type: CONTROLLERS,
        ..Default::default()
    };
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = broker.gate(context).cluster_operations();
    }
    response
}

/// Answers a request that wants to know of the other kind of node.
pub fn wrong_endpoint_type(version: i16, asked: i8, ours: &str) -> DescribeClusterResponse {
    let (error_code, text) = match asked {
        1 | 2 => {
            let wanted = if asked == 1 { "BROKER" } else { "CONTROLLER" };
            let text = format!(
                "The request was sent to an endpoint of type {ours}, but we wanted an endpoint of type {wanted}"
            );
            (ErrorCode::MISMATCHED_ENDPOINT_TYPE, text)
        }
        _ => (ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, format!("Unsupported endpoint type {asked}")),
    };
    let error_code = if version == 0 { ErrorCode::INVALID_REQUEST } else { error_code };
    DescribeClusterResponse { error_code, error_message: Some(text), ..Default::default() }
}

fn brokers(image: &MetadataImage, listener: &str, fenced_too: bool) -> Vec<DescribeClusterBroker> {
    let row = |broker: &BrokerRegistration| {
        let endpoint = broker.listeners.get(listener)?;
        Some(DescribeClusterBroker {
            broker_id: broker.id.0,
            host: endpoint.host.clone(),
            port: endpoint.port.into(),
            rack: broker.rack.clone(),
            is_fenced: broker.fenced,
            ..Default::default()
        })
    };
    let wanted = image.cluster().brokers().filter(|broker| fenced_too || !broker.fenced);
    wanted.filter_map(|broker| row(broker)).collect()
}
