//! The quotas of clients, shared by all connections: what they used, and how long they are to keep silent.
//!
//! Where no quota of a kind is set, asking costs one look at a flag.
//!
//! Kafka: `QuotaFactory.QuotaManagers`, `ClientQuotaMetadataManager`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metadata::ClientQuotasImage;
use quota::{ClientQuotaManager, MutationQuota, QuotaKind, QuotaSensor, Window};

use crate::request::RequestContext;

/// The kinds, in the order in which they are kept.
const KINDS: [QuotaKind; 4] =
    [QuotaKind::Produce, QuotaKind::Fetch, QuotaKind::Request, QuotaKind::ControllerMutation];

/// The quotas of all kinds.
#[derive(Debug)]
pub struct Quotas {
    managers: [Arc<Mutex<ClientQuotaManager>>; 4],
    enabled: [AtomicBool; 4],
}

fn lock(manager: &Mutex<ClientQuotaManager>) -> MutexGuard<'_, ClientQuotaManager> {
    manager.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Quotas {
    /// Makes quotas that nobody has set, measured as the configuration says.
    pub fn new(config: &config::QuotaConfig) -> Self {
        let clients = Window::new(config.quota_window_num, config.quota_window_size_seconds);
        let cluster =
            Window::new(config.controller_quota_window_num, config.controller_quota_window_size_seconds);
        let window = |kind| if kind == QuotaKind::ControllerMutation { cluster } else { clients };
        let manager = |kind| Arc::new(Mutex::new(ClientQuotaManager::new(kind, window(kind))));
        Self { managers: KINDS.map(manager), enabled: Default::default() }
    }

    fn at(kind: QuotaKind) -> usize {
        KINDS.iter().position(|known| *known == kind).expect("all kinds are kept")
    }

    /// Takes over the quotas of the metadata.
    pub fn update(&self, image: &ClientQuotasImage) {
        for (manager, enabled) in self.managers.iter().zip(&self.enabled) {
            enabled.store(lock(manager).update(image), Ordering::Release);
        }
    }

    /// Tells whether there are quotas of a kind.
    pub fn is_enabled(&self, kind: QuotaKind) -> bool {
        self.enabled[Self::at(kind)].load(Ordering::Acquire)
    }

    /// Counts `value` for the asker, and returns how long its connection keeps silent.
    pub fn record(&self, kind: QuotaKind, context: &RequestContext, value: f64, now: Duration) -> Duration {
        if !self.is_enabled(kind) {
            return Duration::ZERO;
        }
        lock(&self.managers[Self::at(kind)]).record(context.user(), context.client_id(), value, now)
    }

    /// Counts `value` for the asker, who is not held back for it; negative to take back.
    pub fn record_only(&self, kind: QuotaKind, context: &RequestContext, value: f64, now: Duration) {
        if self.is_enabled(kind) {
            let mut manager = lock(&self.managers[Self::at(kind)]);
            manager.record_only(context.user(), context.client_id(), value, now);
        }
    }

    /// Returns the most bytes that one response may bring to the asker.
    pub fn fetch_bytes_max(&self, context: &RequestContext) -> usize {
        let kind = QuotaKind::Fetch;
        if !self.is_enabled(kind) {
            return usize::MAX;
        }
        lock(&self.managers[Self::at(kind)]).max_in_window(context.user(), context.client_id()) as usize
    }

    /// Returns what the asker's changes to the cluster count against. From version `strict_since` on a request is
    /// refused once its client owes.
    pub fn mutation(&self, context: &RequestContext, strict_since: i16) -> MutationQuota {
        let manager = self.managers[Self::at(QuotaKind::ControllerMutation)].clone();
        MutationQuota::new(manager, context.user(), context.client_id(), context.version >= strict_since)
    }

    /// Returns what is measured of each client, for metrics; empty while there are no quotas of the kind.
    pub fn sensors(&self, kind: QuotaKind, now: Duration) -> Vec<QuotaSensor> {
        lock(&self.managers[Self::at(kind)]).sensors(now)
    }
}
