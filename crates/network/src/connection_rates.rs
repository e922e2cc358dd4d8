//! How many connections a second are let in: by the node, by a listener, from an address.
//!
//! Over the node's or a listener's rate the next connection waits; over an address's rate it is kept waiting and then
//! closed, and counts for nothing else.
//!
//! Kafka: `ConnectionQuotas`, KIP-612.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use quota::{QuotaRate, Recent, Window};

/// How many addresses fit one generation of those that are measured.
const ADDRESSES_MAX: usize = 10_000;

/// The configured rates, in connections a second; what has none is not bounded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectionRates {
    /// `max.connection.creation.rate`.
    pub total: Option<f64>,
    /// `listener.name.<name>.max.connection.creation.rate`, by lower-case listener name.
    pub per_listener: HashMap<String, f64>,
}

/// The rates of addresses, which are client quotas.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddressRates {
    /// Of addresses that have no rate of their own.
    pub default: Option<f64>,
    /// By address.
    pub per_address: BTreeMap<IpAddr, f64>,
}

#[derive(Debug)]
pub(crate) struct RateSensors {
    window: Window,
    total: QuotaRate,
    per_listener: HashMap<String, QuotaRate>,
    per_address: Recent<IpAddr, QuotaRate>,
    rates: ConnectionRates,
    addresses: AddressRates,
}

impl RateSensors {
    pub(crate) fn new(window: Window) -> Self {
        Self {
            window,
            total: QuotaRate::new(window, f64::MAX),
            per_listener: HashMap::new(),
            per_address: Recent::new(ADDRESSES_MAX, |_: &IpAddr| 1),
            rates: ConnectionRates::default(),
            addresses: AddressRates::default(),
        }
    }

    pub(crate) fn set_rates(&mut self, rates: ConnectionRates) {
        self.total.set_bound(rates.total.unwrap_or(f64::MAX));
        for (listener, sensor) in &mut self.per_listener {
            sensor.set_bound(rates.per_listener.get(listener).copied().unwrap_or(f64::MAX));
        }
        self.rates = rates;
    }

    pub(crate) fn set_address_rates(&mut self, addresses: AddressRates) {
        self.per_address.retain(|ip, sensor| {
            let rate = addresses.per_address.get(ip).copied().or(addresses.default);
            rate.inspect(|rate| sensor.set_bound(*rate)).is_some()
        });
        self.addresses = addresses;
    }

    /// Counts a connection on a listener; returns how long it waits. The listener of other brokers is not held back by
    /// the node's rate.
    pub(crate) fn on_listener(&mut self, listener: &str, protected: bool, now: Duration) -> Duration {
        let mut wait = Duration::ZERO;
        if !protected {
            self.total.record(1.0, now);
            wait = self.total.throttle_time(now);
        }
        let name = listener.to_lowercase();
        let bound = self.rates.per_listener.get(&name).copied().unwrap_or(f64::MAX);
        let window = self.window;
        let sensor = self.per_listener.entry(name).or_insert_with(|| QuotaRate::new(window, bound));
        sensor.record(1.0, now);
        wait.max(sensor.throttle_time(now)).min(self.longest())
    }

    /// Counts a connection from an address; returns how long it is kept waiting before it is closed, or zero if it is
    /// let in.
    pub(crate) fn on_address(
        &mut self,
        listener: &str,
        protected: bool,
        ip: IpAddr,
        now: Duration,
    ) -> Duration {
        let Some(rate) = self.addresses.per_address.get(&ip).copied().or(self.addresses.default) else {
            return Duration::ZERO;
        };
        let window = self.window;
        let sensor = self.per_address.get_or_insert_with(ip, || QuotaRate::new(window, rate));
        sensor.record(1.0, now);
        let wait = sensor.throttle_time(now);
        if !wait.is_zero() {
            sensor.record(-1.0, now);
            self.take_back(listener, protected, now);
        }
        wait.min(self.longest())
    }

    fn take_back(&mut self, listener: &str, protected: bool, now: Duration) {
        if !protected {
            self.total.record(-1.0, now);
        }
        if let Some(sensor) = self.per_listener.get_mut(&listener.to_lowercase()) {
            sensor.record(-1.0, now);
        }
    }

    fn longest(&self) -> Duration {
        Duration::from_millis(self.window.sample_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const WINDOW: Window = Window { samples: 2, sample_ms: 1000 };

    fn count(sensors: &mut RateSensors, connections: usize) -> Duration {
        let waits = (0..connections).map(|_| sensors.on_listener("PLAINTEXT", false, Duration::ZERO));
        waits.last().unwrap_or_default()
    }

    #[test]
    fn over_the_nodes_rate_a_connection_waits_for_one_sample_at_most() {
        let mut sensors = RateSensors::new(WINDOW);
        sensors.set_rates(ConnectionRates { total: Some(10.0), ..Default::default() });
        assert_eq!(count(&mut sensors, 10), Duration::ZERO);
        assert_eq!(count(&mut sensors, 1), Duration::from_millis(100));
        assert_eq!(count(&mut sensors, 100), Duration::from_secs(1));
        assert_eq!(sensors.on_listener("INTERNAL", true, Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn a_listener_has_its_own_rate() {
        let mut sensors = RateSensors::new(WINDOW);
        let per_listener = HashMap::from([("plaintext".to_owned(), 2.0)]);
        sensors.set_rates(ConnectionRates { total: None, per_listener });
        assert_eq!(count(&mut sensors, 2), Duration::ZERO);
        assert!(count(&mut sensors, 1) > Duration::ZERO);
    }

    /// This ends only where addresses are not looked through for each that is new.
    #[test]
    fn a_crowd_of_addresses_is_forgotten_but_for_the_last() {
        let mut sensors = RateSensors::new(WINDOW);
        sensors.set_address_rates(AddressRates { default: Some(1.0), ..Default::default() });
        for number in 0..200_000 {
            let ip = IpAddr::V4(std::net::Ipv4Addr::from_bits(number));
            sensors.on_address("PLAINTEXT", false, ip, Duration::ZERO);
        }
        assert!(sensors.per_address.iter_mut().count() <= 2 * ADDRESSES_MAX);
    }

    #[test]
    fn over_an_addresss_rate_a_connection_counts_for_nothing() {
        let mut sensors = RateSensors::new(WINDOW);
        sensors.set_address_rates(AddressRates { default: Some(1.0), ..Default::default() });
        assert_eq!(sensors.on_address("PLAINTEXT", false, HOME, Duration::ZERO), Duration::ZERO);
        for _ in 0..10 {
            let wait = sensors.on_address("PLAINTEXT", false, HOME, Duration::ZERO);
            assert_eq!(wait, Duration::from_secs(1));
        }
        let later = Duration::from_secs(2);
        assert_eq!(sensors.on_address("PLAINTEXT", false, HOME, later), Duration::ZERO);
        sensors.set_address_rates(AddressRates::default());
        assert_eq!(sensors.on_address("PLAINTEXT", false, HOME, later), Duration::ZERO);
    }
}
