//! What is counted of a listener's connections: a few atomic additions each time, no lock.
//!
//! Kafka: `SelectorMetrics`, `ConnectionQuotas`'s sensors; both under `socket-server-metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

use model::Histogram;

/// A count that only goes up.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds to it.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Returns it.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is counted of one listener.
#[derive(Debug, Default)]
pub struct ListenerMetrics {
    /// Connections that came, those among them that were refused.
    pub accepted: Count,
    /// Connections that were taken up.
    pub created: Count,
    /// Connections of those that ended.
    pub closed: Count,
    /// Connections that were closed since they were idle for too long.
    pub expired: Count,
    /// Connections that were closed to make room for those of other brokers.
    pub made_room: Count,
    /// Logins, or handshakes where there is no other login.
    pub successful_authentications: Count,
    /// Logins or handshakes that failed.
    pub failed_authentications: Count,
    /// Logins that were renewed.
    pub successful_reauthentications: Count,
    /// Renewals of logins that failed.
    pub failed_reauthentications: Count,
    /// How long renewals of logins took.
    pub reauthentication_times: Histogram,
    /// Requests that came whole.
    pub requests: Count,
    /// Bytes of these, with their lengths.
    pub incoming_bytes: Count,
    /// Responses that were written.
    pub responses: Count,
    /// Bytes of these, with their lengths.
    pub outgoing_bytes: Count,
    /// How long connections had to wait since there were too many in a second.
    pub accept_throttles: Histogram,
    /// How long connections were kept waiting, and then closed, since their address made too many in a second.
    pub ip_accept_throttles: Histogram,
}
