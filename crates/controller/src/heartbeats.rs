//! When each broker was last heard of, how far it has read the metadata, and whether it is stopping: soft state.
//!
//! Kafka: `BrokerHeartbeatManager`.

use std::collections::BTreeMap;
use std::time::Duration;

use machine::Instant;
use model::NodeId;

#[derive(Clone, Copy, Debug)]
struct Heartbeat {
    last_contact: Instant,
    metadata_offset: i64,
    /// The offset every active broker must reach before this one may stop; `None` if it is not stopping.
    shutdown_offset: Option<i64>,
}

#[derive(Debug)]
pub(crate) struct Heartbeats {
    session_timeout: Duration,
    brokers: BTreeMap<NodeId, Heartbeat>,
}

impl Heartbeats {
    pub(crate) fn new(session_timeout: Duration) -> Self {
        Self { session_timeout, brokers: BTreeMap::new() }
    }

    pub(crate) fn touch(&mut self, id: NodeId, now: Instant, metadata_offset: i64) {
        let shutdown_offset = self.brokers.get(&id).and_then(|broker| broker.shutdown_offset);
        self.brokers.insert(id, Heartbeat { last_contact: now, metadata_offset, shutdown_offset });
    }

    pub(crate) fn remove(&mut self, id: NodeId) {
        self.brokers.remove(&id);
    }

    /// Tells whether a broker that is not fenced was heard of within the session timeout.
    pub(crate) fn has_valid_session(&self, id: NodeId, now: Instant) -> bool {
        self.brokers.get(&id).is_some_and(|broker| broker.last_contact + self.session_timeout >= now)
    }

    pub(crate) fn is_shutting_down(&self, id: NodeId) -> bool {
        self.shutdown_offset(id).is_some()
    }

    pub(crate) fn shutdown_offset(&self, id: NodeId) -> Option<i64> {
        self.brokers.get(&id)?.shutdown_offset
    }

    /// Marks a broker as stopping; the first offset given counts.
    pub(crate) fn begin_shutdown(&mut self, id: NodeId, offset: i64) {
        if let Some(broker) = self.brokers.get_mut(&id) {
            broker.shutdown_offset.get_or_insert(offset);
        }
    }

    pub(crate) fn end_shutdown(&mut self, id: NodeId) {
        if let Some(broker) = self.brokers.get_mut(&id) {
            broker.shutdown_offset = None;
        }
    }

    /// The lowest metadata offset of the brokers that `is_unfenced` and are not stopping.
    pub(crate) fn lowest_active_offset(&self, is_unfenced: impl Fn(NodeId) -> bool) -> i64 {
        let active =
            self.brokers.iter().filter(|(id, broker)| broker.shutdown_offset.is_none() && is_unfenced(**id));
        active.map(|(_, broker)| broker.metadata_offset).min().unwrap_or(i64::MAX)
    }

    /// When the first session of a broker that `is_unfenced` ends, if nothing is heard of it.
    pub(crate) fn next_expiry(&self, is_unfenced: impl Fn(NodeId) -> bool) -> Option<Instant> {
        let unfenced = self.brokers.iter().filter(|(id, _)| is_unfenced(**id));
        let at_once_after = self.session_timeout + Duration::from_millis(1);
        unfenced.map(|(_, broker)| broker.last_contact + at_once_after).min()
    }
}
