//! How many connections there may be: in all, on a listener, from an address; and how many a second.
//!
//! Invariants:
//! - connections of protected listeners, which brokers and controllers use among each other, are let in over
//!   `max.connections`; then as many of others are told to go, the one that was silent for the longest first
//!
//! Kafka: `ConnectionQuotas`, `SocketServer.Processor.closeExcessConnections`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use quota::Window;
use tokio::sync::Notify;

use crate::connection_rates::RateSensors;
use crate::{AddressRates, ConnectionRates, ListenerMetrics};

/// The configured limits; all may change at run time.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// `max.connections`.
    pub total_max: usize,
    /// `max.connections.per.ip`.
    pub per_ip_max: usize,
    /// `listener.name.<name>.max.connections`, by lower-case listener name.
    pub per_listener_max: HashMap<String, usize>,
    /// How many connections a second are let in.
    pub rates: ConnectionRates,
    /// The listeners of other nodes, where clients have their own: `max.connections` and the node's rate do not hold
    /// them back.
    pub protected_listeners: HashSet<String>,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            total_max: usize::MAX,
            per_ip_max: usize::MAX,
            per_listener_max: HashMap::new(),
            rates: ConnectionRates::default(),
            protected_listeners: HashSet::new(),
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
    /// `max.connections.per.ip.overrides`.
    per_ip_overrides: HashMap<IpAddr, usize>,
    /// The number of the newest overrides.
    overrides_number: i64,
    /// The number of the newest rates of addresses.
    rates_number: i64,
    total: usize,
    by_ip: HashMap<IpAddr, usize>,
    by_listener: BTreeMap<String, usize>,
    metrics: BTreeMap<String, Arc<ListenerMetrics>>,
    next_id: u64,
    open: HashMap<u64, Open>,
    /// How many were told to go, and have not gone yet.
    leaving: usize,
}

/// A connection that may be told to go.
#[derive(Debug)]
struct Open {
    listener: String,
    seat: Arc<Seat>,
}

/// What a connection and its limits tell each other.
#[derive(Debug, Default)]
struct Seat {
    /// When it was last used: nanoseconds since the quotas were made.
    used_ns: AtomicU64,
    /// Whether it waits for a request.
    idle: AtomicBool,
    /// Whether it was told to go.
    leaving: AtomicBool,
    leave: Notify,
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// There are as many connections as there may be; this one is to wait.
    #[error("there are as many connections as there may be")]
    NoRoom,
    /// Its address makes too many in a second; it is to be kept waiting for so long, and then closed.
    #[error("the address makes connections too fast")]
    TooFast(Duration),
    /// Its address has as many connections as it may have.
    #[error(
        "Rejected connection from /{ip}, address already has the configured maximum of {limit} connections."
    )]
    TooMany {
        /// The address.
        ip: IpAddr,
        /// Its limit.
        limit: usize,
    },
}

/// A counted connection; uncounted when dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    quotas: Arc<ConnectionQuotas>,
    listener: String,
    ip: IpAddr,
    id: u64,
    seat: Arc<Seat>,
    metrics: Arc<ListenerMetrics>,
}

impl ConnectionPermit {
    /// Takes note that the connection waits for a request, or no longer does.
    pub(crate) fn set_idle(&self, idle: bool) {
        self.seat.used_ns.store(self.quotas.now_ns(), Ordering::Relaxed);
        self.seat.idle.store(idle, Ordering::Relaxed);
    }

    /// Comes back when the connection is to go.
    pub(crate) async fn told_to_leave(&self) {
        self.seat.leave.notified().await;
    }

    /// Returns where the connection's listener is counted.
    pub(crate) fn metrics(&self) -> &Arc<ListenerMetrics> {
        &self.metrics
    }
}

impl ConnectionQuotas {
    /// Makes quotas with these limits, whose rates are measured over `window`.
    pub fn new(limits: ConnectionLimits, window: Window) -> Arc<Self> {
        let mut rates = RateSensors::new(window);
        rates.set_rates(limits.rates.clone());
        let state = Mutex::new(State {
            limits,
            rates,
            per_ip_overrides: HashMap::new(),
            overrides_number: i64::MIN,
            rates_number: i64::MIN,
            total: 0,
            by_ip: HashMap::new(),
            by_listener: BTreeMap::new(),
            metrics: BTreeMap::new(),
            next_id: 0,
            open: HashMap::new(),
            leaving: 0,
        });
        Arc::new(Self { state, freed: Notify::new(), started: Instant::now() })
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Returns where a listener is counted.
    pub fn metrics(&self, listener: &str) -> Arc<ListenerMetrics> {
        let mut state = self.state.lock().expect("no holder panics");
        state.metrics.entry(listener.to_owned()).or_default().clone()
    }

    /// Returns what is counted of all listeners.
    pub fn all_metrics(&self) -> BTreeMap<String, Arc<ListenerMetrics>> {
        self.state.lock().expect("no holder panics").metrics.clone()
    }

    /// Changes the limits; over a lower `max.connections` the connections that were silent for the longest go.
    pub fn set_limits(&self, limits: ConnectionLimits) {
        let mut state = self.state.lock().expect("no holder panics");
        state.rates.set_rates(limits.rates.clone());
        state.limits = limits;
        state.close_excess();
        drop(state);
        self.freed.notify_waiters();
    }

    /// Changes how many connections a second addresses may make, unless rates with a higher number came before.
    pub fn set_address_rates(&self, number: i64, rates: AddressRates) {
        let mut state = self.state.lock().expect("no holder panics");
        if number >= state.rates_number {
            state.rates_number = number;
            state.rates.set_address_rates(rates);
        }
    }

    /// Changes how many connections single addresses may have (`max.connections.per.ip.overrides`), unless overrides with a
    /// higher number came before.
    pub fn set_per_ip_overrides(&self, number: i64, overrides: HashMap<IpAddr, usize>) {
        let mut state = self.state.lock().expect("no holder panics");
        if number >= state.overrides_number {
            state.overrides_number = number;
            state.per_ip_overrides = overrides;
        }
    }

    /// Returns how many connections an address may have.
    pub fn per_ip_max(&self, ip: IpAddr) -> usize {
        self.state.lock().expect("no holder panics").per_ip_max(ip)
    }

    /// Counts a new connection on a listener; returns how long the listener waits before it takes it up.
    pub(crate) fn wait_on_listener(&self, listener: &str) -> Duration {
        let mut state = self.state.lock().expect("no holder panics");
        let protected = state.is_protected(listener);
        state.rates.on_listener(listener, protected, self.started.elapsed())
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
        self.state.lock().expect("no holder panics").has_room(listener)
    }

    /// Counts a connection from `ip`, or refuses it. Kafka: `ConnectionQuotas.inc`.
    ///
    /// # Errors
    /// There is no room, or the address makes too many connections or has `max.connections.per.ip` (or its override)
    /// already.
    pub(crate) fn admit(self: &Arc<Self>, listener: &str, ip: IpAddr) -> Result<ConnectionPermit, Refusal> {
        let mut state = self.state.lock().expect("no holder panics");
        if !state.has_room(listener) {
            return Err(Refusal::NoRoom);
        }
        let protected = state.is_protected(listener);
        let wait = state.rates.on_address(listener, protected, ip, self.started.elapsed());
        if !wait.is_zero() {
            return Err(Refusal::TooFast(wait));
        }
        let limit = state.per_ip_max(ip);
        if state.by_ip.get(&ip).copied().unwrap_or(0) >= limit {
            return Err(Refusal::TooMany { ip, limit });
        }
        *state.by_ip.entry(ip).or_default() += 1;
        state.total += 1;
        *state.by_listener.entry(listener.to_owned()).or_default() += 1;
        let metrics = state.metrics.entry(listener.to_owned()).or_default().clone();
        metrics.created.add(1);
        state.next_id += 1;
        let (id, seat) = (state.next_id, Arc::new(Seat::default()));
        seat.used_ns.store(self.now_ns(), Ordering::Relaxed);
        state.open.insert(id, Open { listener: listener.to_owned(), seat: seat.clone() });
        state.close_excess();
        Ok(ConnectionPermit { quotas: self.clone(), listener: listener.to_owned(), ip, id, seat, metrics })
    }
}

impl State {
    fn has_room(&self, listener: &str) -> bool {
        let here = self.by_listener.get(listener).copied().unwrap_or(0);
        let here_max = self.limits.per_listener_max.get(&listener.to_lowercase()).copied();
        let in_total = self.total < self.limits.total_max || self.is_protected(listener);
        in_total && here < here_max.unwrap_or(usize::MAX)
    }

    fn per_ip_max(&self, ip: IpAddr) -> usize {
        self.per_ip_overrides.get(&ip).copied().unwrap_or(self.limits.per_ip_max)
    }

    fn is_protected(&self, listener: &str) -> bool {
        self.limits.protected_listeners.contains(listener)
    }

    /// Tells as many connections to go as there are too many: those that wait for a request first, and of them the one
    /// that was silent for the longest. Kafka: `Selector.lowestPriorityChannel`.
    fn close_excess(&mut self) {
        let excess = (self.total - self.leaving).saturating_sub(self.limits.total_max);
        if excess == 0 {
            return;
        }
        let others = self.open.iter().filter(|(_, open)| {
            !self.is_protected(&open.listener) && !open.seat.leaving.load(Ordering::Relaxed)
        });
        let mut others: Vec<_> = others
            .map(|(id, Open { seat, .. })| {
                let busy = !seat.idle.load(Ordering::Relaxed);
                (busy, seat.used_ns.load(Ordering::Relaxed), *id)
            })
            .collect();
        // One look at each, however many have to go.
        others.sort_unstable();
        for (.., id) in others.into_iter().take(excess) {
            let seat = &self.open[&id].seat;
            seat.leaving.store(true, Ordering::Relaxed);
            seat.leave.notify_one();
            self.leaving += 1;
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut state = self.quotas.state.lock().expect("no holder panics");
        state.total -= 1;
        state.open.remove(&self.id);
        if self.seat.leaving.load(Ordering::Relaxed) {
            state.leaving -= 1;
            self.metrics.made_room.add(1);
        }
        self.metrics.closed.add(1);
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
mod tests;
