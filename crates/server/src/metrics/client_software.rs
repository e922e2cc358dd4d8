//! Connections by the software that their clients say they are made with.
//!
//! Invariants:
//! - names are the clients' own: of a listener no more than [`MOST`] are told apart, and none longer than [`LONGEST`]; other
//!   connections are not counted here
//!
//! Kafka: `Selector.SelectorMetrics` (`connectionsByClient`), `IntGaugeSuite`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use telemetry::{Metric, Page, Row, Source};

use crate::broker::Broker;
use crate::request::ClientSoftware;

const CONNECTIONS: Metric = Metric::new(
    "kafka.server:type=socket-server-metrics,name=connections",
    "Connections by the software that the client says it is made with",
);
/// How many names, with their versions, are told apart on a listener.
const MOST: usize = 100;
/// How many bytes a name, or a version, may have to be told.
const LONGEST: usize = 256;
/// What is told of clients that do not say.
const UNKNOWN: &str = "unknown";

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    listener: String,
    name: String,
    version: String,
}

/// Counts connections by their clients' software.
#[derive(Debug, Default)]
pub struct SoftwareConnections {
    counts: Mutex<BTreeMap<Key, usize>>,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub struct Counted {
    counts: Arc<SoftwareConnections>,
    key: Key,
}

impl SoftwareConnections {
    /// Counts a connection on a listener.
    pub fn count(self: &Arc<Self>, listener: &str, software: Option<&ClientSoftware>) -> Option<Counted> {
        let (name, version) =
            software.map_or((UNKNOWN, UNKNOWN), |one| (one.name.as_str(), one.version.as_str()));
        if name.len().max(version.len()) > LONGEST {
            return None;
        }
        let key = Key { listener: listener.to_owned(), name: name.to_owned(), version: version.to_owned() };
        let mut counts = self.lock();
        let is_full = || counts.keys().filter(|known| known.listener == listener).count() >= MOST;
        if !counts.contains_key(&key) && is_full() {
            return None;
        }
        *counts.entry(key.clone()).or_default() += 1;
        drop(counts);
        Some(Counted { counts: self.clone(), key })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, usize>> {
        self.counts.lock().expect("no holder panics")
    }

    fn rows(&self) -> Vec<Row<f64>> {
        let row = |(key, count): (&Key, &usize)| {
            let labels = vec![
                ("listener", key.listener.clone()),
                ("clientSoftwareName", key.name.clone()),
                ("clientSoftwareVersion", key.version.clone()),
            ];
            (labels, *count as f64)
        };
        self.lock().iter().map(row).collect()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Software(pub(super) Arc<Broker>);

impl Source for Software {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        page.gauges(CONNECTIONS, self.0.metrics.software.rows())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn software(name: &str) -> ClientSoftware {
        ClientSoftware { name: name.to_owned(), version: "1".to_owned() }
    }

    #[test]
    fn connections_are_counted_by_software_while_they_last() {
        let counts = Arc::<SoftwareConnections>::default();
        let one = counts.count("A", Some(&software("a")));
        let others = [counts.count("A", Some(&software("a"))), counts.count("B", None)];
        let told = |counts: &SoftwareConnections| -> Vec<_> {
            let rows = counts.rows().into_iter();
            rows.map(|(labels, count)| (labels[0].1.clone(), labels[1].1.clone(), count)).collect()
        };
        let row = |listener: &str, name: &str, count| (listener.to_owned(), name.to_owned(), count);
        assert_eq!(told(&counts), [row("A", "a", 2.0), row("B", "unknown", 1.0)]);
        drop(others);
        assert_eq!(told(&counts), [row("A", "a", 1.0)]);
        drop(one);
        assert!(counts.rows().is_empty());
    }

    #[test]
    fn names_that_clients_make_up_are_bounded() {
        let counts = Arc::<SoftwareConnections>::default();
        let counted: Vec<_> =
            (0..2 * MOST).filter_map(|n| counts.count("A", Some(&software(&n.to_string())))).collect();
        assert_eq!((counted.len(), counts.rows().len()), (MOST, MOST));
        assert!(counts.count("A", Some(&software("0"))).is_some(), "one that is known");
        assert!(counts.count("B", Some(&software("new"))).is_some(), "another listener");
        assert!(counts.count("B", Some(&software(&"n".repeat(LONGEST + 1)))).is_none());
    }
}
