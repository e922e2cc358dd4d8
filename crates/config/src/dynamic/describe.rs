//! The lines of `DescribeConfigs`: value, source and synonyms in Kafka's order. Kafka: `ConfigHelper`.

use super::{DynamicBrokerConfig, broker_synonyms, exact_key};
use crate::group_config::{GROUP_KEYS, group_synonym};
use crate::{
    ConfigEntry, ConfigError, ConfigMap, ConfigSource, ConfigSynonym, Key, Scope, TOPIC_KEYS, Value, Values,
    broker_keys, topic_synonyms,
};

/// Tells the value of a key in one layer.
type ValueOf<'a> = &'a dyn Fn(&str) -> Option<String>;

impl DynamicBrokerConfig {
    /// All keys of this broker, and those that were set and are not known.
    pub fn describe_broker(&self) -> Vec<ConfigEntry> {
        let originals = self.current.originals();
        let known = broker_keys().filter(|key| !key.internal || originals.contains_key(key.name));
        let unknown = originals.iter().filter(|(name, _)| crate::broker_key(name).is_none());
        let known = known.map(|key| (key.name, self.current.values().get(key.name).to_config_text()));
        let unknown = unknown.map(|(name, text)| (name.as_str(), Some(text.clone())));
        known.chain(unknown).map(|(name, value)| self.broker_entry(name, value, true)).collect()
    }

    /// What was set for all brokers.
    pub fn describe_default(&self) -> Vec<ConfigEntry> {
        let entries = self.for_all.iter();
        entries.map(|(name, text)| self.broker_entry(name, Some(text.clone()), false)).collect()
    }

    /// All keys of a topic that has these overrides.
    pub fn describe_topic(&self, overrides: &ConfigMap) -> Result<Vec<ConfigEntry>, ConfigError> {
        let synonyms = |name: &str| {
            let first = topic_synonyms(name).first();
            first.map(|synonym| self.synonyms(synonym.name, false)).unwrap_or_default()
        };
        describe_layered(TOPIC_KEYS, &self.current.topic_defaults(), overrides, ConfigSource::Topic, |key| {
            synonyms(key.name)
        })
    }

    /// All keys of a group that has these overrides.
    pub fn describe_group(&self, overrides: &ConfigMap) -> Result<Vec<ConfigEntry>, ConfigError> {
        let synonyms = |key: &Key| match group_synonym(key.name) {
            Some(synonym) => self.synonyms(synonym, false),
            None => {
                let value = key.default_value().ok().and_then(|value| value.to_config_text());
                vec![ConfigSynonym { name: key.name.to_owned(), value, source: ConfigSource::Default }]
            }
        };
        let defaults = self.current.group_defaults();
        describe_layered(GROUP_KEYS, &defaults, overrides, ConfigSource::Group, synonyms)
    }

    fn broker_entry(&self, name: &str, value: Option<String>, for_this: bool) -> ConfigEntry {
        let names = broker_synonyms(name, true);
        let exact = exact_key(name);
        let key = exact.or_else(|| names.iter().find_map(|name| exact_key(name)));
        let is_sensitive = key.is_none_or(Key::is_sensitive);
        let mut synonyms = self.synonyms(name, is_sensitive);
        if !for_this {
            synonyms.retain(|synonym| synonym.source == ConfigSource::DynamicDefaultBroker);
        }
        ConfigEntry {
            name: name.to_owned(),
            value: value.filter(|_| !is_sensitive),
            source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
            is_sensitive,
            read_only: exact.is_none_or(|key| key.scope == Scope::ReadOnly),
            synonyms,
            config_type: key.map_or(0, |key| key.kind.id()),
            documentation: exact.map(|key| key.doc),
        }
    }

    /// Kafka: `ConfigHelper.configSynonyms`.
    fn synonyms(&self, name: &str, is_sensitive: bool) -> Vec<ConfigSynonym> {
        let default = |name: &str| crate::broker_key(name).and_then(default_text);
        let layers: [(ConfigSource, ValueOf<'_>); 4] = [
            (ConfigSource::DynamicBroker, &|name| self.for_this.get(name).cloned()),
            (ConfigSource::DynamicDefaultBroker, &|name| self.for_all.get(name).cloned()),
            (ConfigSource::StaticBroker, &|name| self.fixed.originals().get(name).cloned()),
            (ConfigSource::Default, &default),
        ];
        let names = broker_synonyms(name, true);
        let mut synonyms = Vec::new();
        for (source, value_of) in layers {
            for name in &names {
                if let Some(value) = value_of(name) {
                    let value = Some(value).filter(|_| !is_sensitive);
                    synonyms.push(ConfigSynonym { name: name.clone(), value, source });
                }
            }
        }
        let hidden = synonyms.iter().position(|synonym| synonym.name == name).unwrap_or(synonyms.len());
        synonyms.split_off(hidden)
    }
}

fn default_text(key: &Key) -> Option<String> {
    key.default_value().ok().as_ref().and_then(Value::to_config_text)
}

fn describe_layered(
    keys: &'static [Key],
    defaults: &ConfigMap,
    overrides: &ConfigMap,
    own: ConfigSource,
    synonyms_of: impl Fn(&Key) -> Vec<ConfigSynonym>,
) -> Result<Vec<ConfigEntry>, ConfigError> {
    let mut merged = defaults.clone();
    merged.extend(overrides.clone());
    let values = Values::parse(keys, &merged)?;
    let shown = keys.iter().filter(|key| !key.internal || merged.contains_key(key.name));
    let describe = |key: &'static Key| {
        let value = values.get(key.name).to_config_text();
        let mut synonyms = synonyms_of(key);
        if overrides.contains_key(key.name) {
            let first = ConfigSynonym { name: key.name.to_owned(), value: value.clone(), source: own };
            synonyms.insert(0, first);
        }
        ConfigEntry {
            name: key.name.to_owned(),
            value,
            source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
            is_sensitive: false,
            read_only: false,
            synonyms,
            config_type: key.kind.id(),
            documentation: Some(key.doc),
        }
    };
    Ok(shown.map(describe).collect())
}
