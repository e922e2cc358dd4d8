//! Connections to the nodes of a cluster, one for each node and purpose, and who is asked first.
//!
//! Invariant: one connection attempt to a node at a time; after a failure, none before its backoff has passed.

use std::sync::Arc;

use model::NodeId;
use protocol::Request;
use tokio::time::Instant;

use super::{Broker, Inner};
use crate::chance;
use crate::connection::Connection;
use crate::error::{Error, Result};

/// What a connection is for. Group requests have their own, so that no long poll of a fetch is before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Produce, fetch, metadata and admin requests.
    Data,
    /// Requests to a group's coordinator.
    Coordinator,
}

/// The place of one node's connection.
#[derive(Debug, Default)]
pub(super) struct Slot {
    state: tokio::sync::Mutex<SlotState>,
    /// What `state` holds, for those who cannot wait.
    open: std::sync::Mutex<Option<Connection>>,
}

#[derive(Debug, Default)]
struct SlotState {
    failures: u32,
    not_before: Option<Instant>,
}

impl Slot {
    fn open(&self) -> Option<Connection> {
        let now = Instant::now();
        let open = self.open.lock().expect("no holder panics");
        open.as_ref().filter(|connection| connection.is_open() && !connection.needs_renewal(now)).cloned()
    }
}

impl Inner {
    fn slot(&self, node: NodeId, purpose: Purpose) -> Arc<Slot> {
        let mut slots = self.slots.lock().expect("no holder panics");
        Arc::clone(slots.entry((node, purpose)).or_default())
    }

    pub(super) fn open_connection(&self, node: NodeId, purpose: Purpose) -> Option<Connection> {
        self.slot(node, purpose).open()
    }

    fn broker(&self, node: NodeId) -> Result<Broker> {
        let broker = self.view.borrow().metadata.brokers.get(&node).cloned();
        broker.ok_or_else(|| Error::Disconnected(format!("Node {node} is not known")))
    }

    /// Takes a broker that an answer named, unless it is known already.
    pub(super) fn learn_broker(&self, broker: Broker) {
        self.view.send_if_modified(|view| {
            if view.metadata.brokers.get(&broker.id).is_some_and(|known| known.address() == broker.address())
            {
                return false;
            }
            let mut next = (*view.metadata).clone();
            next.brokers.insert(broker.id, broker);
            view.metadata = Arc::new(next);
            true
        });
    }

    pub(super) async fn connection(&self, node: NodeId, purpose: Purpose) -> Result<Connection> {
        let slot = self.slot(node, purpose);
        if let Some(open) = self.current(&slot, node) {
            return Ok(open);
        }
        let mut state = slot.state.lock().await;
        if let Some(open) = self.current(&slot, node) {
            return Ok(open);
        }
        if let Some(at) = state.not_before {
            tokio::time::sleep_until(at).await;
        }
        let address = self.broker(node)?.address();
        let setup = self.settings.setup_timeout.delay(state.failures, 511);
        let opened = Connection::open(&address, &self.settings, setup, self.traffic.clone()).await;
        match &opened {
            Ok(connection) => {
                *state = SlotState::default();
                *slot.open.lock().expect("no holder panics") = Some(connection.clone());
            }
            Err(error) => {
                tracing::debug!(node = node.0, %address, %error, "cannot connect");
                let wait = self.settings.reconnect_backoff.delay(state.failures, chance::number());
                state.failures = state.failures.saturating_add(1);
                state.not_before = Some(Instant::now() + wait);
            }
        }
        opened
    }

    /// The node's open connection, unless the node has moved to another address since.
    fn current(&self, slot: &Slot, node: NodeId) -> Option<Connection> {
        let open = slot.open()?;
        match self.broker(node) {
            Ok(broker) if broker.address() != *open.address() => None,
            _ => Some(open),
        }
    }

    /// The nodes, in the order in which they should be asked. Kafka: `NetworkClient.leastLoadedNode`.
    pub(super) fn nodes_by_load(&self) -> Vec<NodeId> {
        let nodes: Vec<NodeId> = self.view.borrow().metadata.brokers.keys().copied().collect();
        if nodes.is_empty() {
            return nodes;
        }
        let start = chance::number() as usize % nodes.len();
        let mut order: Vec<NodeId> = nodes[start..].iter().chain(&nodes[..start]).copied().collect();
        order.sort_by_key(|node| {
            self.open_connection(*node, Purpose::Data).map_or(usize::MAX, |connection| connection.in_flight())
        });
        order
    }

    /// A connection to whichever node can be reached, the least busy first.
    pub(super) async fn any_connection(&self) -> Result<Connection> {
        let mut last = Error::Disconnected("No node of the cluster is known".into());
        for node in self.nodes_by_load() {
            match self.connection(node, Purpose::Data).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub(super) async fn send_to_any<R: Request + 'static>(&self, request: &R) -> Result<R::Response> {
        let mut last = Error::Disconnected("No node of the cluster is known".into());
        for node in self.nodes_by_load() {
            match self.connection(node, Purpose::Data).await {
                Ok(connection) => match connection.send(request).await {
                    Err(error @ Error::Disconnected(_)) => last = error,
                    answer => return answer,
                },
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The level of a feature, and the epoch of the cluster's features that it is of: the newest that an open
    /// connection was told. Kafka: `ApiVersions.getFinalizedFeaturesInfo`.
    pub(super) fn finalized_feature(&self, name: &str) -> Option<(i64, i16)> {
        let slots = self.slots.lock().expect("no holder panics");
        let open = slots.values().filter_map(|slot| slot.open());
        let of = |connection: Connection| {
            let versions = connection.versions();
            let level = versions.finalized_features.get(name).copied().unwrap_or(0);
            Some((versions.finalized_features_epoch?, level))
        };
        open.filter_map(of).max()
    }

    pub(super) fn close_connections(&self) {
        let slots = std::mem::take(&mut *self.slots.lock().expect("no holder panics"));
        for slot in slots.into_values() {
            if let Some(open) = slot.open() {
                open.close(Error::Closed("the client was closed".into()));
            }
        }
    }

    /// Forgets where nodes of the bootstrap list were, so that names are resolved anew.
    pub(super) fn forget_connections(&self) {
        self.slots.lock().expect("no holder panics").clear();
    }
}
