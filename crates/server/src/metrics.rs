//! The node's metrics: what handlers count, and what is looked up when somebody reads.
//!
//! Every family is documented in `docs/metrics.md`; a test compares.

mod broker_state;
mod cleaner;
mod client_metrics;
mod client_software;
mod connections;
mod controller;
mod groups;
mod logs;
mod quorum;
mod quotas;
mod replicas;
mod share_coordinator;
mod share_partitions;
mod threads;
mod transactions;

use std::net::ToSocketAddrs;
use std::sync::Arc;

use config::BrokerConfig;
use network::ConnectionQuotas;
use telemetry::{
    BrokerTopicMetrics, MetricsEndpoint, ProcessSource, Purgatory, RequestMetrics, ShareCoordinatorMetrics,
    ShareGroupMetrics,
};

use crate::broker::Broker;
use crate::controller::ControllerService;
use crate::listeners::ListenError;

pub use client_software::{Counted, SoftwareConnections};
pub use transactions::TransactionMetrics;

/// What is counted while requests are served.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Requests by API.
    pub requests: Arc<RequestMetrics>,
    /// What goes into topics and out of them.
    pub topics: Arc<BrokerTopicMetrics>,
    /// Requests that wait.
    pub purgatory: Arc<Purgatory>,
    /// What share groups do with their records.
    pub share: Arc<ShareGroupMetrics>,
    /// Writes of the state of share groups.
    pub share_coordinator: Arc<ShareCoordinatorMetrics>,
    /// Transactions.
    pub transactions: TransactionMetrics,
    /// Connections by their clients' software.
    pub software: Arc<SoftwareConnections>,
}

/// Binds `monedula.metrics.listener`, if it names an address. `open_allowed` where others may read without a login.
pub(crate) fn bind(
    config: &BrokerConfig,
    open_allowed: bool,
) -> Result<Option<MetricsEndpoint>, ListenError> {
    let wanted = config.metrics.monedula_metrics_listener.trim();
    if wanted.is_empty() {
        return Ok(None);
    }
    let (host, port) = wanted.rsplit_once(':').unwrap_or((wanted, "9404"));
    let name = "monedula.metrics.listener".to_owned();
    let fail = |source| ListenError::Bind { host: host.to_owned(), port: port.parse().unwrap_or(-1), source };
    let address = wanted.to_socket_addrs().map_err(fail)?.next();
    let address = address.ok_or_else(|| fail(std::io::ErrorKind::AddrNotAvailable.into()))?;
    if !open_allowed && !address.ip().to_canonical().is_loopback() {
        return Err(ListenError::Open { name, host: host.to_owned(), port: address.port().into() });
    }
    MetricsEndpoint::bind(address).map(Some).map_err(fail)
}

/// Adds all that this node can tell.
pub(crate) fn add_sources(
    endpoint: &mut MetricsEndpoint,
    broker: &Arc<Broker>,
    controller: &Arc<ControllerService>,
    connections: &Arc<ConnectionQuotas>,
) {
    endpoint.add(broker.metrics.requests.clone());
    endpoint.add(broker.metrics.topics.clone());
    endpoint.add(broker.metrics.purgatory.clone());
    endpoint.add(broker_state::BrokerState(broker.clone()));
    endpoint.add(replicas::Replicas(broker.clone()));
    endpoint.add(logs::Logs(broker.replicas.logs().clone()));
    endpoint.add(cleaner::Cleaner(broker.replicas.logs().clone()));
    endpoint.add(groups::Groups(broker.clone()));
    endpoint.add(broker.metrics.share.clone());
    endpoint.add(broker.metrics.share_coordinator.clone());
    endpoint.add(share_coordinator::ShareCoordinator(broker.clone()));
    endpoint.add(share_partitions::SharePartitions(broker.clone()));
    endpoint.add(transactions::Transactions(broker.clone()));
    endpoint.add(client_metrics::ClientMetrics(broker.clone()));
    endpoint.add(controller::Controller::new(controller.clone()));
    endpoint.add(quorum::Quorum(controller.clone()));
    endpoint.add(connections::Connections(connections.clone()));
    endpoint.add(client_software::Software(broker.clone()));
    endpoint.add(quotas::Quotas(broker.clone()));
    endpoint.add(threads::Threads::new(broker.clock.clone()));
    endpoint.add(ProcessSource);
}
