//! Kafka's client configurations: tables of keys, and the settings read from them.
//!
//! Invariants: names, defaults, limits and error texts are Kafka's; a key that no table has is warned of and ignored;
//! a value is read once, when a client is made.

mod admin;
mod common;
mod consumer;
mod producer;
mod share_consumer;

use std::collections::BTreeMap;

pub use ::config::{ConfigMap, Key, Values, parse_properties};
pub use admin::{ADMIN_KEYS, AdminConfig};
pub use common::{COMMON_KEYS, SECURITY_KEYS};
pub use consumer::{AutoOffsetReset, CONSUMER_KEYS, ConsumerConfig, GroupProtocol, IsolationLevel};
pub use producer::{Acks, PRODUCER_KEYS, PartitionerClass, ProducerConfig};
pub use share_consumer::ShareConsumerConfig;

use crate::error::{Error, Result};

impl From<::config::ConfigError> for Error {
    fn from(error: ::config::ConfigError) -> Self {
        Self::Config(error.to_string())
    }
}

/// A configuration with what a client of this kind needs to know of it.
pub(crate) struct Parsed {
    pub values: Values,
    map: ConfigMap,
}

impl Parsed {
    /// Parses `map` with the keys of `tables` and warns of those that none has.
    pub(crate) fn new(tables: &[&'static [Key]], map: &ConfigMap) -> Result<Self> {
        // A later table's row takes the place of an earlier one with its name.
        let mut rows = BTreeMap::new();
        for key in tables.iter().flat_map(|table| table.iter()) {
            rows.insert(key.name, key);
        }
        let values = Values::parse(rows.values().copied(), map)?;
        let unknown: Vec<&str> =
            map.keys().map(String::as_str).filter(|name| !rows.contains_key(name)).collect();
        if !unknown.is_empty() {
            tracing::warn!(
                "These configurations '[{}]' were supplied but are not used yet.",
                unknown.join(", ")
            );
        }
        Ok(Self { values, map: map.clone() })
    }

    /// Tells whether the user set `name`.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }
}

/// Makes a configuration of pairs.
pub fn config_map<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> ConfigMap {
    pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

#[cfg(test)]
mod tests;
