//! The node's listeners: bound early, opened when the node is ready, closed first.
//!
//! Invariants:
//! - what speaks on an address that others can reach is authenticated and encrypted, unless somebody said otherwise
//! - connections leave file descriptors to the logs: over what they may have, new ones wait, as over `max.connections`
//! - a listener that cannot accept now (all file descriptors in use) tries again a little later and says so once
//!
//! Kafka: `SocketServer`.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use config::{BrokerConfig, EndPoint};
use network::{
    Connection, ConnectionLimits, ConnectionOptions, ConnectionQuotas, ConnectionRates, Incoming, Listener,
    MemoryBudget, SocketBuffers,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use world::chance::Chance;

use crate::descriptors::Descriptors;
use crate::dispatch::Dispatcher;
use crate::listener_security::{ListenerSecurity, ListenerSecurityError};
use crate::request::{ListenerContext, ListenerRole};
use crate::serve::serve;

/// Why the node cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is in use, or not this machine's. Kafka: `SocketServer.openServerSocket`.
    #[error("Socket server failed to bind to {host}:{port}: {source}.")]
    Bind {
        /// The host of `listeners`.
        host: String,
        /// The port of `listeners`.
        port: i32,
        /// What the system said.
        source: io::Error,
    },
    /// Anyone who can reach the machine could do anything.
    #[error(
        "the listener {name} on {host}:{port} can be reached from other machines, but is neither encrypted nor \
         authenticated; give it SASL_SSL or SSL, name it in a server.properties, or say --insecure"
    )]
    Open {
        /// The listener.
        name: String,
        /// Its host.
        host: String,
        /// Its port.
        port: i32,
    },
    /// Its keys, certificates, mechanisms or users cannot be used.
    #[error("the listener {listener} cannot be used: {source}")]
    Security {
        /// The listener.
        listener: String,
        /// Why.
        source: ListenerSecurityError,
    },
}

/// A listener that is bound.
#[derive(Debug)]
pub struct Bound {
    listener: Listener,
    context: Arc<ListenerContext>,
    /// Where it listens, with the port that was taken for port 0.
    pub(crate) address: SocketAddr,
    options: ConnectionOptions,
    security: Arc<ListenerSecurity>,
}

impl Bound {
    /// Returns the listener's name.
    pub(crate) fn name(&self) -> &str {
        &self.context.name
    }
}

/// Refuses what would let strangers in.
fn check_safety(endpoint: &EndPoint, security: &ListenerSecurity) -> Result<(), ListenError> {
    if security.is_safe() || is_loopback(endpoint) {
        return Ok(());
    }
    let (name, host, port) = (endpoint.listener.clone(), endpoint.host.clone(), endpoint.port);
    Err(ListenError::Open { name, host, port })
}

/// Tells whether every address of a listener's host is the machine's own.
fn is_loopback(endpoint: &EndPoint) -> bool {
    let mut addresses = resolve(endpoint).into_iter().flatten().peekable();
    addresses.peek().is_some() && addresses.all(|address| address.ip().to_canonical().is_loopback())
}

/// An empty host means every interface. Kafka: `SocketServer.openServerSocket`.
fn resolve(endpoint: &EndPoint) -> io::Result<Vec<SocketAddr>> {
    let host = if endpoint.host.is_empty() { "0.0.0.0" } else { endpoint.host.as_str() };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = u16::try_from(endpoint.port).unwrap_or(0);
    let mut addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    // `localhost` is both; clients that know one of them only know the older one.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    Ok(addresses)
}

/// Binds every listener of the configuration, without accepting yet. `open_allowed` where somebody asked for listeners
/// that anyone can use: `--insecure`, or a given `server.properties`.
pub(crate) fn bind(
    config: &BrokerConfig,
    chance: &dyn Chance,
    open_allowed: bool,
    quotas: &Arc<ConnectionQuotas>,
) -> Result<Vec<Bound>, ListenError> {
    let bind = |endpoint: &EndPoint| {
        let security = ListenerSecurity::read(config, endpoint, chance)
            .map_err(|source| ListenError::Security { listener: endpoint.listener.clone(), source })?;
        if !open_allowed {
            check_safety(endpoint, &security)?;
        }
        bind_one(config, endpoint, security, quotas)
    };
    config.listeners.listeners.iter().map(bind).collect()
}

fn bind_one(
    config: &BrokerConfig,
    endpoint: &EndPoint,
    security: ListenerSecurity,
    quotas: &Arc<ConnectionQuotas>,
) -> Result<Bound, ListenError> {
    let backlog = config.network.socket_listen_backlog_size;
    let bind = || {
        let address = *resolve(endpoint)?.first().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let buffers = socket_buffers(config);
        let listener = Listener::bind(&endpoint.listener, address, backlog, buffers, quotas.clone())?;
        let address = listener.local_address()?;
        Ok((listener, address))
    };
    let (listener, address) = bind().map_err(|source| {
        let (host, port) = (endpoint.host.clone(), endpoint.port);
        ListenError::Bind { host, port, source }
    })?;
    let role = match config.listeners.is_controller(&endpoint.listener) {
        true => ListenerRole::Controller,
        false => {
            ListenerRole::Broker { inter_broker: endpoint.listener == config.listeners.inter_broker_name }
        }
    };
    let name = endpoint.listener.clone();
    let context = Arc::new(ListenerContext { name, security_protocol: endpoint.security_protocol, role });
    Ok(Bound {
        listener,
        context,
        address,
        options: connection_options(config),
        security: Arc::new(security),
    })
}

/// Buffers have the sizes that somebody asked for; -1 leaves them to the system. So does saying nothing, unlike in Kafka: its
/// default of 100 KiB keeps the system from fitting them to the connection, at a third of the throughput of fetches.
fn socket_buffers(config: &BrokerConfig) -> SocketBuffers {
    let network = &config.network;
    let size = |key: &str, value: i32| {
        let asked = config.originals().contains_key(key);
        usize::try_from(value).ok().filter(|_| asked)
    };
    SocketBuffers {
        send: size("socket.send.buffer.bytes", network.socket_send_buffer_bytes),
        receive: size("socket.receive.buffer.bytes", network.socket_receive_buffer_bytes),
    }
}

fn connection_options(config: &BrokerConfig) -> ConnectionOptions {
    let network = &config.network;
    let ms = |value: i64| u64::try_from(value).map_or(Duration::MAX, Duration::from_millis);
    let frame_size_max = network.socket_request_max_bytes.max(0) as usize;
    let budget = usize::try_from(network.request_memory_bytes).unwrap_or(usize::MAX).max(frame_size_max);
    ConnectionOptions {
        frame_size_max,
        idle_max: ms(network.connections_max_idle_ms),
        stall_max: ms(network.frame_timeout_ms.into()),
        handshake_max: ms(network.handshake_timeout_ms.into()),
        write_stall_max: ms(network.connections_max_idle_ms),
        budget: MemoryBudget::new(budget),
    }
}

/// Reads the connection limits, but for those of single addresses.
pub(crate) fn limits(config: &BrokerConfig) -> ConnectionLimits {
    let count = |value: i32| usize::try_from(value).unwrap_or(0);
    ConnectionLimits {
        total_max: count(config.network.max_connections).min(Descriptors::of_process().connections),
        per_ip_max: count(config.network.max_connections_per_ip),
        per_listener_max: per_listener(config, "max.connections"),
        rates: ConnectionRates {
            total: Some(f64::from(config.network.max_connection_creation_rate)).filter(|rate| *rate > 0.0),
            per_listener: per_listener(config, "max.connection.creation.rate"),
        },
        protected_listeners: protected_listeners(config),
    }
}

/// The controllers' listeners, whose connections Kafka counts apart, and the brokers' own where clients have another.
/// Kafka: `ConnectionQuotas.protectedListener`.
fn protected_listeners(config: &BrokerConfig) -> HashSet<String> {
    let listeners = &config.listeners;
    let names = listeners.listeners.iter().map(|endpoint| &endpoint.listener);
    let (controllers, brokers): (Vec<_>, Vec<_>) = names.partition(|name| listeners.is_controller(name));
    let own = Some(&listeners.inter_broker_name).filter(|_| brokers.len() > 1);
    controllers.into_iter().chain(own).cloned().collect()
}

/// The values of a key that are set for single listeners, by lower-case listener name.
fn per_listener<T: std::str::FromStr>(config: &BrokerConfig, key: &str) -> HashMap<String, T> {
    let value = |endpoint: &EndPoint| {
        let key = format!("{}{key}", endpoint.config_prefix());
        Some((endpoint.listener.to_lowercase(), config.originals().get(&key)?.trim().parse().ok()?))
    };
    config.listeners.listeners.iter().filter_map(value).collect()
}

/// Accepts and serves connections until `stop` says so; then ends the connections too.
pub(crate) async fn accept(bound: Bound, dispatcher: Dispatcher, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let mut refused = false;
    loop {
        let incoming = tokio::select! {
            incoming = bound.listener.accept() => incoming,
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => continue,
        };
        match incoming {
            Ok(incoming) => {
                refused = false;
                connections.spawn(handle(incoming, &bound, dispatcher.clone()));
            }
            Err(error) => {
                if !std::mem::replace(&mut refused, true) {
                    tracing::warn!(listener = bound.name(), "cannot accept connections now: {error}");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    connections.shutdown().await;
}

fn handle(incoming: Incoming, bound: &Bound, dispatcher: Dispatcher) -> impl Future<Output = ()> + use<> {
    let (options, context, security) = (bound.options.clone(), bound.context.clone(), bound.security.clone());
    async move {
        let peer = incoming.peer;
        match Connection::accept(incoming, options, security.tls.clone()).await {
            Ok(connection) => serve(connection, dispatcher, context, security).await,
            Err(error) => tracing::info!(%peer, listener = context.name, "connection closed: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use config::SecurityProtocol;

    use super::*;

    fn endpoint(host: &str) -> EndPoint {
        EndPoint {
            listener: "PLAINTEXT".to_owned(),
            security_protocol: SecurityProtocol::Plaintext,
            host: host.to_owned(),
            port: 9092,
        }
    }

    #[test]
    fn only_loopback_addresses_are_the_machines_own() {
        for (host, expected) in
            [("localhost", true), ("127.0.0.1", true), ("::1", true), ("0.0.0.0", false), ("", false)]
        {
            assert_eq!(is_loopback(&endpoint(host)), expected, "{host:?}");
        }
    }
}
