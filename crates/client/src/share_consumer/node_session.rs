//! A share session with one node, as its client keeps it. Kafka: `ShareSessionHandler`.
//!
//! Invariants:
//! - one request at a time; each has the epoch after that of the last one that was answered

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::deliveries::ShareKey;

/// A share session with one node.
#[derive(Debug, Default)]
pub(super) struct NodeSession {
    /// The epoch of the next request; 0 opens the session.
    pub epoch: i32,
    /// The partitions that the node knows of.
    partitions: BTreeSet<ShareKey>,
    /// Whether a request is under way.
    pub busy: bool,
    /// Not before then is the node asked again.
    pub retry_at: Option<Instant>,
    /// How often it failed in a row.
    pub failures: u32,
}

impl NodeSession {
    /// Whether a request may be sent.
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        !self.busy && self.retry_at.is_none_or(|at| at <= now)
    }

    /// Returns what is to be added to the session and what to be forgotten, so that it has `wanted`.
    pub(super) fn plan(&mut self, wanted: BTreeSet<ShareKey>) -> (BTreeSet<ShareKey>, BTreeSet<ShareKey>) {
        let added = wanted.difference(&self.partitions).copied().collect();
        let forgotten = self.partitions.difference(&wanted).copied().collect();
        self.partitions = wanted;
        (added, forgotten)
    }

    /// The node answered.
    pub(super) fn advance(&mut self) {
        self.epoch = if self.epoch == i32::MAX { 1 } else { self.epoch + 1 };
        (self.failures, self.retry_at) = (0, None);
    }

    /// The node knows nothing of the session any more, or may not.
    pub(super) fn reset(&mut self) {
        self.epoch = 0;
        self.partitions.clear();
    }
}
