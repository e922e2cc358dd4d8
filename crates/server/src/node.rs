//! A node: its roles, in the order in which they start and stop.
//!
//! Start: check the listeners, bind them, open and lock the log dirs, start the controller role, start the broker role,
//! accept connections. Stop: the other way round.
//!
//! Kafka: `KafkaRaftServer`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use config::BrokerConfig;
use network::ConnectionQuotas;
use protocol::broker_registration_request::Listener;
use quota::Window;
use security::TlsError;
use storage::LogManager;
use telemetry::MetricsEndpoint;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::broker::Broker;
use crate::broker::start::{self, ControllerLink, RunningBroker, StartError, World};
use crate::broker::telemetry_sink::SinkTarget;
use crate::dispatch::Dispatcher;
use crate::essential::Essential;
use crate::listeners::{self, Bound, ListenError};
use crate::metrics;

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A listener is unsafe or cannot be bound.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The collector of clients' metrics cannot be spoken to.
    #[error("monedula.telemetry.sink cannot be used: {0}")]
    TelemetrySink(#[from] TlsError),
    /// The broker role cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// A node whose listeners are bound and whose log dirs are locked.
#[derive(Debug)]
pub struct PreparedNode {
    config: Arc<BrokerConfig>,
    world: World,
    bound: Vec<Bound>,
    metrics: Option<MetricsEndpoint>,
    telemetry_sink: Option<SinkTarget>,
    quotas: Arc<ConnectionQuotas>,
    logs: Arc<LogManager>,
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    running: RunningBroker,
    addresses: Vec<(String, SocketAddr)>,
    stop: watch::Sender<bool>,
    accepting: Vec<JoinHandle<()>>,
}

impl PreparedNode {
    /// Checks and binds the listeners and opens the log dirs. `open_allowed` where somebody asked for listeners that
    /// others can reach without a login: `--insecure`, or a given `server.properties`.
    ///
    /// # Errors
    /// A listener is unsafe or taken, or no log dir is usable.
    pub fn new(config: Arc<BrokerConfig>, world: World, open_allowed: bool) -> Result<Self, NodeError> {
        let window = Window::new(config.quotas.quota_window_num, config.quotas.quota_window_size_seconds);
        let quotas = ConnectionQuotas::new(listeners::limits(&config), window);
        let bound = listeners::bind(&config, &*world.chance, open_allowed, &quotas)?;
        let metrics = metrics::bind(&config, open_allowed)?;
        let telemetry_sink = SinkTarget::read(&config)?;
        let logs = start::open_logs(&config, &world)?;
        Ok(Self { config, world, bound, metrics, telemetry_sink, quotas, logs })
    }

    /// Returns the logs, for the controller role.
    pub fn logs(&self) -> &Arc<LogManager> {
        &self.logs
    }

    /// Starts the broker role over a controller, and accepts connections.
    ///
    /// # Errors
    /// The logs cannot be loaded, or the controller does not let the broker in.
    pub async fn start(self, cluster_id: String, link: ControllerLink) -> Result<Node, NodeError> {
        let advertised = advertised(&self.config, &self.bound);
        let controller = link.service.clone();
        let (config, logs, sink) = (self.config, self.logs, self.telemetry_sink);
        let running = start::start(config, cluster_id, logs, link, self.world, advertised, sink).await?;
        running.broker.limit_connections(self.quotas.clone()).await;
        let (stop, stopped) = watch::channel(false);
        let mut addresses: Vec<_> =
            self.bound.iter().map(|bound| (bound.name().to_owned(), bound.address)).collect();
        let mut accepting = Vec::new();
        if let Some(mut endpoint) = self.metrics {
            addresses.extend(endpoint.address().ok().map(|address| ("metrics".to_owned(), address)));
            metrics::add_sources(&mut endpoint, &running.broker, &controller, &self.quotas);
            accepting.push(tokio::spawn(serve_metrics(endpoint, stopped.clone())));
        }
        let dispatcher = Dispatcher { broker: running.broker.clone(), controller };
        for bound in self.bound {
            let work = listeners::accept(bound, dispatcher.clone(), stopped.clone());
            accepting.push(start_to_accept(&running.broker.essential, work));
        }
        Ok(Node { running, addresses, stop, accepting })
    }
}

/// Starts a task that accepts connections. Its listener would be deaf without it, while all else goes on.
fn start_to_accept(essential: &Essential, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    essential.watch("a task that accepts connections", tokio::spawn(work))
}

/// How long a reader of the metrics may take once the node stops.
const METRICS_PATIENCE: Duration = Duration::from_secs(1);

async fn serve_metrics(endpoint: MetricsEndpoint, stop: watch::Receiver<bool>) {
    // Who waits to be told is gone when the node is, which ends it too.
    let stopped = |mut stop: watch::Receiver<bool>| async move { _ = stop.wait_for(|stop| *stop).await };
    let patience = async {
        stopped(stop.clone()).await;
        tokio::time::sleep(METRICS_PATIENCE).await;
    };
    let served = tokio::select! {
        served = endpoint.serve(stopped(stop.clone())) => served,
        // A reader that asks slowly, or takes nothing, does not keep the node from stopping.
        () = patience => Ok(()),
    };
    if let Err(error) = served {
        tracing::error!("the metrics can no longer be read until the node is restarted: {error}");
    }
}

/// The endpoints that clients are told; a listener on port 0 is told with the port it got.
fn advertised(config: &BrokerConfig, bound: &[Bound]) -> Vec<Listener> {
    let endpoint = |endpoint: &config::EndPoint| {
        let own = bound.iter().find(|bound| bound.name() == endpoint.listener);
        let port = match (endpoint.port, own) {
            (0, Some(own)) => own.address.port(),
            (port, _) => u16::try_from(port).unwrap_or(0),
        };
        Listener {
            name: endpoint.listener.clone(),
            host: if endpoint.host.is_empty() { host_name() } else { endpoint.host.clone() },
            port,
            security_protocol: endpoint.security_protocol.id(),
            ..Default::default()
        }
    };
    config.listeners.advertised_broker().into_iter().map(endpoint).collect()
}

/// An endpoint without a host is advertised under the machine's name. Kafka: `InetAddress.getLocalHost`.
fn host_name() -> String {
    rustix::system::uname().nodename().to_str().map_or_else(|_| "localhost".to_owned(), str::to_owned)
}

impl Node {
    /// Returns the broker role's parts.
    pub fn broker(&self) -> &Arc<Broker> {
        &self.running.broker
    }

    /// Returns where each listener listens.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// Stops: hands leaderships over, ends the connections, and closes the logs cleanly.
    pub async fn stop(self) {
        self.running.prepare_to_stop().await;
        self.stop.send_replace(true);
        for accepting in self.accepting {
            // Whether it panicked was told when it did.
            _ = accepting.await;
        }
        self.running.stop().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_who_accepts_connections_is_told_of() {
        let essential = Essential::default();
        let mut failure = essential.failure();
        assert!(start_to_accept(&essential, async { panic!("as it is to") }).await.is_ok());
        let told = failure.borrow_and_update().clone().expect("nobody is told");
        assert!(told.starts_with("a task that accepts connections panicked"), "{told}");
    }
}
