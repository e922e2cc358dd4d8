//! A broker's configuration in its layers: the properties file, what was set for all brokers, what was set for this one.
//!
//! A change that the whole does not allow is refused, or, if it comes from the metadata log, left out.
//! Kafka: `DynamicBrokerConfig`, in the parts that decide.

mod describe;

#[cfg(test)]
mod tests;

use crate::{BrokerConfig, ConfigError, ConfigMap, Importance, Key, LogConfig, Scope, broker_key};

/// Keys that exist only as dynamic configurations. Kafka: `QuotaConfig.brokerQuotaConfigs`.
pub const DYNAMIC_ONLY_KEYS: &[Key] = &[
    Key::long(
        "follower.replication.throttled.rate",
        "9223372036854775807",
        Importance::Medium,
        "How many bytes a second the throttled followers on this broker fetch at most.",
    )
    .at_least(0)
    .cluster_wide(),
    Key::long(
        "leader.replication.throttled.rate",
        "9223372036854775807",
        Importance::Medium,
        "How many bytes a second the leaders on this broker send to throttled followers at most.",
    )
    .at_least(0)
    .cluster_wide(),
    Key::long(
        "replica.alter.log.dirs.io.max.bytes.per.second",
        "9223372036854775807",
        Importance::Medium,
        "How many bytes a second moves between log dirs take at most.",
    )
    .at_least(0)
    .cluster_wide(),
];

/// Keys of TLS that can be changed at run time, but for one listener only.
const SECURITY_KEYS: &[&str] = &[
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

/// Keys that one listener can have and that may still be set for all brokers.
const CLUSTER_LISTENER_KEYS: &[&str] =
    &["max.connection.creation.rate", "max.connections", "num.network.threads"];

/// Keys that stand behind a listener and a SASL mechanism.
const MECHANISM_KEYS: &[&str] = &[
    "connections.max.reauth.ms",
    "sasl.jaas.config",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.server.callback.handler.class",
];

/// Thread counts that may only be halved or doubled in one step.
const THREAD_KEYS: &[&str] = &[
    "background.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
];

/// A broker's configuration in its layers.
#[derive(Clone, Debug)]
pub struct DynamicBrokerConfig {
    fixed: BrokerConfig,
    for_this: ConfigMap,
    for_all: ConfigMap,
    current: BrokerConfig,
}

impl DynamicBrokerConfig {
    /// Starts with what the properties file says.
    pub fn new(fixed: BrokerConfig) -> Self {
        Self { current: fixed.clone(), fixed, for_this: ConfigMap::new(), for_all: ConfigMap::new() }
    }

    /// The configuration as it is now.
    pub fn current(&self) -> &BrokerConfig {
        &self.current
    }

    /// What was set for this broker alone.
    pub fn broker_overrides(&self) -> &ConfigMap {
        &self.for_this
    }

    /// What was set for all brokers.
    pub fn default_overrides(&self) -> &ConfigMap {
        &self.for_all
    }

    /// A topic's configuration under its own `overrides`.
    pub fn topic(&self, overrides: &ConfigMap) -> Result<LogConfig, ConfigError> {
        LogConfig::new(&self.current.topic_defaults(), overrides)
    }

    /// Takes what the metadata log says of this broker. Returns the keys that were left out because their values are
    /// not valid. If the whole is not valid, everything stays as it was.
    pub fn update_broker(&mut self, props: &ConfigMap) -> Result<Vec<String>, ConfigError> {
        let (kept, left_out) = without_invalid(props);
        self.current = BrokerConfig::parse(&layered(self.fixed.originals(), [&self.for_all, &kept]))?;
        self.for_this = kept;
        Ok(left_out)
    }

    /// Takes what the metadata log says of all brokers; see [`DynamicBrokerConfig::update_broker`].
    pub fn update_default(&mut self, props: &ConfigMap) -> Result<Vec<String>, ConfigError> {
        let (kept, left_out) = without_invalid(props);
        self.current = BrokerConfig::parse(&layered(self.fixed.originals(), [&kept, &self.for_this]))?;
        self.for_all = kept;
        Ok(left_out)
    }

    /// Judges a change before it is made: `props` is all that would be set for this broker, or for all brokers.
    /// Kafka: `DynamicBrokerConfig.validate`.
    pub fn validate(&self, props: &ConfigMap, for_this: bool) -> Result<(), ConfigError> {
        check_scopes(props, for_this)?;
        let layers = if for_this { [&self.for_all, props] } else { [props, &self.for_this] };
        let changed = BrokerConfig::parse(&layered(self.fixed.originals(), layers))?;
        self.check_steps(&changed).map_err(|error| {
            ConfigError::Invalid(format!(
                "Invalid value org.apache.kafka.common.config.ConfigException: {error} for configuration \
                 Invalid dynamic configuration"
            ))
        })
    }

    fn check_steps(&self, changed: &BrokerConfig) -> Result<(), ConfigError> {
        for key in THREAD_KEYS {
            let (old, new) = (self.current.values().long(key), changed.values().long(key));
            let refused = |reason: String| {
                ConfigError::Invalid(format!(
                    "Dynamic thread count update validation failed for {key}={new}, {reason}"
                ))
            };
            if new < old / 2 {
                return Err(refused(format!("value should be at least half the current value {old}")));
            }
            if new > old * 2 {
                return Err(refused(format!(
                    "value should not be greater than double the current value {old}"
                )));
            }
        }
        let (old, new) = (self.current.log.log_cleaner_threads, changed.log.log_cleaner_threads);
        check_cleaner_threads(old, new)?;
        check_local_retention(
            "bytes",
            "log.retention.bytes",
            changed.values().long("log.retention.bytes"),
            changed,
        )?;
        check_local_retention("ms", "log.retention.ms", changed.log_retention_ms(), changed)
    }
}

/// What stays on local disk of a tiered partition is not more than what is kept of it at all.
/// Kafka: `DynamicLogConfig.validateReconfiguration`.
fn check_local_retention(
    unit: &str,
    key: &str,
    whole: i64,
    changed: &BrokerConfig,
) -> Result<(), ConfigError> {
    let name = format!("log.local.retention.{unit}");
    let local = changed.values().long(&name);
    let reason = match local {
        _ if whole == -1 || local == -2 => return Ok(()),
        -1 => format!("Value must not be -1 as {key} value is set as {whole}."),
        _ if local > whole => format!("Value must not be more than {key} property value: {whole}"),
        _ => return Ok(()),
    };
    Err(ConfigError::value(&name, local, reason))
}

fn check_cleaner_threads(old: i32, new: i32) -> Result<(), ConfigError> {
    if new == old {
        return Ok(());
    }
    if new < 1 {
        return Err(ConfigError::invalid("Log cleaner threads should be at least 1"));
    }
    if new < old / 2 {
        return Err(ConfigError::Invalid(format!(
            "Log cleaner threads cannot be reduced to less than half the current value {old}"
        )));
    }
    if new > old.saturating_mul(2) {
        return Err(ConfigError::Invalid(format!(
            "Log cleaner threads cannot be increased to more than double the current value {old}"
        )));
    }
    Ok(())
}

/// The row of a broker key, dynamic ones included, by its exact name.
pub(crate) fn exact_key(name: &str) -> Option<&'static Key> {
    broker_key(name).or_else(|| DYNAMIC_ONLY_KEYS.iter().find(|key| key.name == name))
}

/// What stands behind `listener.name.NAME.`. Kafka: `ListenerConfigRegex`.
fn listener_key(name: &str) -> Option<&str> {
    name.strip_prefix("listener.name.")?.split_once('.').map(|(_, key)| key)
}

/// The keys from which the value of `name` can come, the strongest first. Kafka: `brokerConfigSynonyms`.
pub fn broker_synonyms(name: &str, with_listeners: bool) -> Vec<String> {
    const FAMILIES: &[&[&str]] = &[
        &["log.roll.ms", "log.roll.hours"],
        &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    ];
    if name == "log.flush.interval.ms" {
        return vec![name.to_owned(), "log.flush.scheduler.interval.ms".to_owned()];
    }
    if let Some(family) = FAMILIES.iter().find(|family| family.contains(&name)) {
        return family.iter().map(|key| key.to_string()).collect();
    }
    match listener_key(name) {
        Some(base) if with_listeners => {
            let base = MECHANISM_KEYS.iter().find(|key| base.ends_with(*key)).copied().unwrap_or(base);
            vec![name.to_owned(), base.to_owned()]
        }
        _ => vec![name.to_owned()],
    }
}

/// Lays `layers` over `fixed`; a key drives out the other keys of its family. Kafka: `overrideProps`.
fn layered(fixed: &ConfigMap, layers: [&ConfigMap; 2]) -> ConfigMap {
    let mut props = fixed.clone();
    for (key, text) in layers.into_iter().flatten() {
        for synonym in broker_synonyms(key, false) {
            props.remove(&synonym);
        }
        props.insert(key.clone(), text.clone());
    }
    props
}

/// Drops each entry whose value its row refuses. Kafka: `removeInvalidConfigs`, `fromPersistentProps`.
fn without_invalid(props: &ConfigMap) -> (ConfigMap, Vec<String>) {
    let is_valid = |name: &str, text: &str| {
        let key = exact_key(listener_key(name).unwrap_or(name));
        key.is_none_or(|key| key.scope != Scope::ReadOnly && key.parse(text).is_ok())
    };
    let (kept, left_out): (Vec<_>, Vec<_>) = props
        .iter()
        .map(|(name, text)| (name.clone(), text.clone()))
        .partition(|(name, text)| is_valid(name, text));
    (kept.into_iter().collect(), left_out.into_iter().map(|(name, _)| name).collect())
}

/// Kafka: `DynamicBrokerConfig.validateConfigs`.
fn check_scopes(props: &ConfigMap, for_this: bool) -> Result<(), ConfigError> {
    let refuse = |text: &str, is_wrong: &dyn Fn(&str) -> bool| {
        let wrong: Vec<_> = props.keys().map(String::as_str).filter(|name| is_wrong(name)).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(ConfigError::Invalid(format!("{text}: [{}]", wrong.join(", "))))
    };
    refuse("Cannot update these configs dynamically", &|name| {
        exact_key(name).is_some_and(|key| key.scope == Scope::ReadOnly)
    })?;
    refuse(
        "These security configs can be dynamically updated only per-listener using the listener prefix",
        &|name| SECURITY_KEYS.contains(&name),
    )?;
    for (name, text) in props {
        if let Some(key) = exact_key(listener_key(name).unwrap_or(name)) {
            key.parse(text)?;
        }
    }
    if for_this {
        return Ok(());
    }
    refuse("Cannot update these configs at default cluster level, broker id must be specified", &|name| {
        exact_key(name).is_some_and(|key| key.scope == Scope::PerBroker)
            || listener_key(name).is_some_and(|base| !CLUSTER_LISTENER_KEYS.contains(&base))
    })
}
