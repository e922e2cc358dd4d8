//! How many connections there may be: in all, on a listener, from an address; and how many a second.
//!
//! Not yet: an idle connection is not closed to make room for one of another broker.
//!
//! Kafka: `ConnectionQuotas`.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use quota::Window;
use tokio::sync::Notify;

use crate::connection_rates::RateSensors;
use crate::{AddressRates, ConnectionRates};

/// The configured limits; all may change at run time.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// `max.connections`.
    pub total_max: usize,
    /// `max.connections.per.ip`.
    pub per_ip_max: usize,
    /// `max.connections.per.ip.overrides`.
    pub per_ip_overrides: HashMap<IpAddr, usize>,
    /// `listener.name.<name>.max.connections`, by lower-case listener name.
    pub per_listener_max: HashMap<String, usize>,
    /// How many connections a second are let in.
    pub rates: ConnectionRates,
    /// The listener of other brokers, where there are more: `max.connections` and the node's rate do not hold it back.
    pub protected_listener: Option<String>,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            total_max: usize::MAX,
            per_ip_max: usize::MAX,
            per_ip_overrides: HashMap::new(),
            per_listener_max: HashMap::new(),
            rates: ConnectionRates::default(),
            protected_listener: None,
        }
    }
}

/// Counts a node's connections against its limits.
#[derive(Debug)]
pub struct ConnectionQuotas {
    state: Mutex<State>,
    freed: Notify,
    started: Instant,
}

#[derive(Debug)]
struct State {
    limits: ConnectionLimits,
    rates: RateSensors,
    total: usize,
    by_ip: HashMap<IpAddr, usize>,
    by_listener: BTreeMap<String, usize>,
}

/// An address has as many connections as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Rejected connection from /{ip}, address already has the configured maximum of {limit} connections.")]
pub struct TooManyConnections {
    /// The address.
    pub ip: IpAddr,
    /// Its limit.
    pub limit: usize,
}

/// A counted connection; uncounted when dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    quotas: Arc<ConnectionQuotas>,
    listener: String,
    ip: IpAddr,
}

impl ConnectionQuotas {
    /// Makes quotas with these limits, whose rates are measured over `window`.
    pub fn new(limits: ConnectionLimits, window: Window) -> Arc<Self> {
        let mut rates = RateSensors::new(window);
        rates.set_rates(limits.rates.clone());
        let (by_ip, by_listener) = (HashMap::new(), BTreeMap::new());
        let state = Mutex::new(State { limits, rates, total: 0, by_ip, by_listener });
        Arc::new(Self { state, freed: Notify::new(), started: Instant::now() })
    }

    /// Changes the limits; connections that are open stay.
    pub fn set_limits(&self, limits: ConnectionLimits) {
        let mut state = self.state.lock().expect("no holder panics");
        state.rates.set_rates(limits.rates.clone());
        state.limits = limits;
        drop(state);
        self.freed.notify_waiters();
    }

    /// Changes how many connections a second addresses may make.
    pub fn set_address_rates(&self, rates: AddressRates) {
        self.state.lock().expect("no holder panics").rates.set_address_rates(rates);
    }

    /// Counts a new connection on a listener; returns how long the listener waits before it takes it up.
    pub(crate) fn wait_on_listener(&self, listener: &str) -> Duration {
        let mut state = self.state.lock().expect("no holder panics");
        let protected = state.is_protected(listener);
        state.rates.on_listener(listener, protected, self.started.elapsed())
    }

    /// Counts a new connection of an address; returns how long it is kept waiting before it is closed, or zero if it
    /// is let in.
    pub(crate) fn wait_of_address(&self, listener: &str, ip: IpAddr) -> Duration {
        let mut state = self.state.lock().expect("no holder panics");
        let protected = state.is_protected(listener);
        state.rates.on_address(listener, protected, ip, self.started.elapsed())
    }

    /// Returns the limits.
    pub fn limits(&self) -> ConnectionLimits {
        self.state.lock().expect("no holder panics").limits.clone()
    }

    /// Returns the number of connections.
    pub fn total(&self) -> usize {
        self.state.lock().expect("no holder panics").total
    }

    /// Returns the number of connections of each listener that ever had one.
    pub fn by_listener(&self) -> BTreeMap<String, usize> {
        self.state.lock().expect("no holder panics").by_listener.clone()
    }

    /// Waits until `listener` may have one more connection: over `max.connections` new ones wait in the backlog.
    pub async fn wait_for_room(&self, listener: &str) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.has_room(listener) {
                return;
            }
            freed.await;
        }
    }

    fn has_room(&self, listener: &str) -> bool {
        let state = self.state.lock().expect("no holder panics");
        let here = state.by_listener.get(listener).copied().unwrap_or(0);
        let here_max = state.limits.per_listener_max.get(&listener.to_lowercase()).copied();
        let in_total = state.total < state.limits.total_max || state.is_protected(listener);
        in_total && here < here_max.unwrap_or(usize::MAX)
    }

    /// Counts a connection from `ip`, or refuses it.
    ///
    /// # Errors
    /// The address has `max.connections.per.ip` (or its override) already.
    pub fn admit(
        self: &Arc<Self>,
        listener: &str,
        ip: IpAddr,
    ) -> Result<ConnectionPermit, TooManyConnections> {
        let mut state = self.state.lock().expect("no holder panics");
        let limit = state.limits.per_ip_overrides.get(&ip).copied().unwrap_or(state.limits.per_ip_max);
        let from_ip = state.by_ip.entry(ip).or_default();
        if *from_ip >= limit {
            return Err(TooManyConnections { ip, limit });
        }
        *from_ip += 1;
        state.total += 1;
        *state.by_listener.entry(listener.to_owned()).or_default() += 1;
        Ok(ConnectionPermit { quotas: self.clone(), listener: listener.to_owned(), ip })
    }
}

impl State {
    fn is_protected(&self, listener: &str) -> bool {
        self.limits.protected_listener.as_deref() == Some(listener)
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut state = self.quotas.state.lock().expect("no holder panics");
        state.total -= 1;
        if let Some(count) = state.by_listener.get_mut(&self.listener) {
            *count -= 1;
        }
        if let Some(count) = state.by_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                state.by_ip.remove(&self.ip);
            }
        }
        drop(state);
        self.quotas.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { samples: 11, sample_ms: 1000 };
    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn an_address_gets_its_limit_and_no_more() {
        let quotas =
            ConnectionQuotas::new(ConnectionLimits { per_ip_max: 1, ..ConnectionLimits::default() }, WINDOW);
        let first = quotas.admit("PLAINTEXT", HOME).unwrap();
        assert_eq!(quotas.admit("PLAINTEXT", HOME).unwrap_err(), TooManyConnections { ip: HOME, limit: 1 });
        drop(first);
        assert!(quotas.admit("PLAINTEXT", HOME).is_ok());
    }

    #[tokio::test]
    async fn over_the_total_a_connection_waits_for_another_to_end() {
        let quotas =
            ConnectionQuotas::new(ConnectionLimits { total_max: 1, ..ConnectionLimits::default() }, WINDOW);
        let first = quotas.admit("PLAINTEXT", HOME).unwrap();
        let waiting = tokio::spawn({
            let quotas = quotas.clone();
            async move { quotas.wait_for_room("PLAINTEXT").await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        waiting.await.unwrap();
    }
}
