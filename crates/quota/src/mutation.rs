//! The quota of changes to the cluster that one request is counted against.
//!
//! Newer versions of CreateTopics, CreatePartitions and DeleteTopics are refused once a client owes; older ones are
//! served and throttled afterwards.
//!
//! Kafka: `ControllerMutationQuota`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::ClientQuotaManager;

/// Counts what one request changes. Clones count together.
#[derive(Clone, Debug)]
pub struct MutationQuota {
    manager: Arc<Mutex<ClientQuotaManager>>,
    user: String,
    client_id: String,
    strict: bool,
    /// How long to wait, and since when.
    throttled: Arc<Mutex<Option<(Duration, Duration)>>>,
}

impl MutationQuota {
    /// Counts for a client; `strict` where a request is refused once the client owes.
    pub fn new(
        manager: Arc<Mutex<ClientQuotaManager>>,
        user: impl Into<String>,
        client_id: impl Into<String>,
        strict: bool,
    ) -> Self {
        let (user, client_id) = (user.into(), client_id.into());
        Self { manager, user, client_id, strict, throttled: Arc::default() }
    }

    /// Counts partitions that are to be created or deleted; false if the client owes and is to be refused.
    pub fn record(&self, partitions: usize, now: Duration) -> bool {
        let mut manager = self.manager.lock().unwrap_or_else(PoisonError::into_inner);
        let value = partitions as f64;
        let wait = if self.strict {
            manager.record_strictly(&self.user, &self.client_id, value, now).err()
        } else {
            Some(manager.record(&self.user, &self.client_id, value, now)).filter(|wait| !wait.is_zero())
        };
        drop(manager);
        if let Some(wait) = wait {
            *self.throttled.lock().unwrap_or_else(PoisonError::into_inner) = Some((wait, now));
        }
        wait.is_none() || !self.strict
    }

    /// Returns how long the client is to wait from `now` on.
    pub fn throttle_time(&self, now: Duration) -> Duration {
        let throttled = *self.throttled.lock().unwrap_or_else(PoisonError::into_inner);
        throttled.map_or(Duration::ZERO, |(wait, since)| wait.saturating_sub(now.saturating_sub(since)))
    }
}
