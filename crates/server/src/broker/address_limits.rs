//! What single addresses may do: how many connections they may have, and how many a second they may make.
//!
//! Invariants:
//! - names of hosts are resolved beside everything else: who acts on new metadata never waits for that
//! - what was resolved for an older state of the metadata never replaces what is newer
//!
//! Kafka: `ConnectionQuotas.updateMaxConnectionsPerIpOverride`, `ClientQuotaMetadataManager.handleIpQuota`.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};

use config::BrokerConfig;
use metadata::{ClientQuotasImage, MetadataImage};
use network::{AddressRates, ConnectionQuotas};
use tokio::task::JoinHandle;

/// Finds a host's address, which may take a while.
type Resolve = dyn Fn(&str) -> Option<IpAddr> + Send + Sync;

/// Has the limits of addresses follow the configuration and the quotas.
pub struct AddressLimits {
    quotas: Arc<ConnectionQuotas>,
    resolve: Arc<Resolve>,
    /// The overrides that were asked for last; what did not change is not resolved anew.
    overrides: Mutex<BTreeMap<String, i32>>,
}

impl fmt::Debug for AddressLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressLimits").field("quotas", &self.quotas).finish_non_exhaustive()
    }
}

impl AddressLimits {
    /// Begins without limits; the system says where hosts are.
    pub fn new(quotas: Arc<ConnectionQuotas>) -> Self {
        Self::with_resolver(quotas, Arc::new(address))
    }

    fn with_resolver(quotas: Arc<ConnectionQuotas>, resolve: Arc<Resolve>) -> Self {
        Self { quotas, resolve, overrides: Mutex::default() }
    }

    /// Returns what is limited.
    pub fn quotas(&self) -> &Arc<ConnectionQuotas> {
        &self.quotas
    }

    /// Takes over `max.connections.per.ip.overrides` as it is at offset `number` of the metadata log. What comes back ends
    /// when names that had to be resolved hold.
    pub fn set_overrides(&self, number: i64, config: &BrokerConfig) -> Option<JoinHandle<()>> {
        let asked = config.max_connections_per_ip_overrides.clone();
        let mut known = self.overrides.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == asked {
            return None;
        }
        known.clone_from(&asked);
        drop(known);
        let has_names = asked.keys().any(|host| is_name(host));
        let (quotas, resolve) = (self.quotas.clone(), self.resolve.clone());
        beside_if(has_names, move || quotas.set_per_ip_overrides(number, overrides(&asked, &*resolve)))
    }

    /// Takes over how many connections a second addresses may make.
    pub fn set_rates(&self, image: &Arc<MetadataImage>) {
        let names = image.client_quotas().entities().filter_map(|(entity, _)| entity.get("ip")?.as_ref());
        let has_names = names.into_iter().any(|name| is_name(name));
        let (quotas, resolve, image) = (self.quotas.clone(), self.resolve.clone(), image.clone());
        beside_if(has_names, move || {
            let rates = rates(image.client_quotas(), &*resolve);
            quotas.set_address_rates(image.provenance().last_contained_offset.0, rates);
        });
    }
}

/// Does something, on a thread of its own if it may take a while.
fn beside_if(is_slow: bool, work: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
    if is_slow {
        return Some(tokio::task::spawn_blocking(work));
    }
    work();
    None
}

fn is_name(host: &str) -> bool {
    host.parse::<IpAddr>().is_err()
}

/// Finds a host's address; of several the first, and an older one if there is one, as Java does.
fn address(host: &str) -> Option<IpAddr> {
    let mut found: Vec<IpAddr> = (host, 0).to_socket_addrs().ok()?.map(|found| found.ip()).collect();
    found.sort_by_key(IpAddr::is_ipv6);
    found.first().copied()
}

/// Reads a host as it is configured; says so if it cannot be found.
fn configured(host: &str, resolve: &Resolve) -> Option<IpAddr> {
    let found = host.parse().ok().or_else(|| resolve(host)).map(|ip| ip.to_canonical());
    if found.is_none() {
        tracing::warn!(
            host,
            "a host cannot be resolved, so its limits of connections do not hold; set them anew once it can"
        );
    }
    found
}

fn overrides(asked: &BTreeMap<String, i32>, resolve: &Resolve) -> HashMap<IpAddr, usize> {
    let count = |max: i32| usize::try_from(max).unwrap_or(0);
    asked.iter().filter_map(|(host, max)| Some((configured(host, resolve)?, count(*max)))).collect()
}

fn rates(image: &ClientQuotasImage, resolve: &Resolve) -> AddressRates {
    let mut rates = AddressRates::default();
    for (entity, quotas) in image.entities() {
        let (Some(ip), Some(rate)) = (entity.get("ip"), quotas.get("connection_creation_rate")) else {
            continue;
        };
        match ip {
            None => rates.default = Some(*rate),
            Some(host) => rates.per_address.extend(configured(host, resolve).map(|ip| (ip, *rate))),
        }
    }
    rates
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use config::ConfigMap;
    use network::ConnectionLimits;
    use quota::Window;

    use super::*;

    const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn config(overrides: &str) -> BrokerConfig {
        let rows = [
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            ("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"),
            ("controller.listener.names", "CONTROLLER"),
            ("controller.quorum.voters", "1@127.0.0.1:9093"),
            ("max.connections.per.ip.overrides", overrides),
        ];
        let map: ConfigMap = rows.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        BrokerConfig::parse(&map).expect("a valid configuration")
    }

    fn quotas() -> Arc<ConnectionQuotas> {
        ConnectionQuotas::new(ConnectionLimits::default(), Window { samples: 2, sample_ms: 1000 })
    }

    #[tokio::test]
    async fn nobody_waits_until_a_host_is_found_and_newer_overrides_stay() {
        let (found, answer) = mpsc::channel();
        let answer = Mutex::new(answer);
        let slow = move |_: &str| answer.lock().expect("no holder panics").recv().ok();
        let limits = AddressLimits::with_resolver(quotas(), Arc::new(slow));
        let at_work = limits.set_overrides(1, &config("slow.example:3")).expect("it is resolved elsewhere");
        assert_eq!(limits.quotas().per_ip_max(HOST), usize::MAX);
        assert!(limits.set_overrides(2, &config("192.0.2.7:9")).is_none());
        assert_eq!(limits.quotas().per_ip_max(HOST), 9);
        found.send(HOST).expect("somebody waits");
        at_work.await.expect("resolving does not panic");
        assert_eq!(limits.quotas().per_ip_max(HOST), 9, "what is newer stays");
    }

    #[tokio::test]
    async fn a_host_is_not_asked_for_again_while_its_override_stays() {
        let limits = AddressLimits::with_resolver(quotas(), Arc::new(|_: &str| Some(HOST)));
        let first = limits.set_overrides(1, &config("a.example:3")).expect("it is resolved elsewhere");
        first.await.expect("resolving does not panic");
        assert!(limits.set_overrides(2, &config("a.example:3")).is_none());
        assert_eq!(limits.quotas().per_ip_max(HOST), 3);
    }
}
