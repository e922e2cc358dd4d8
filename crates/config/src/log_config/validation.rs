//! Rules over several topic keys. Kafka: `LogConfig.validate*`.
//!
//! Not yet: the rules of the 4.4 keys `remote.copy.lag.*`, which come with tiering.

use super::{LogConfig, TOPIC_KEYS};
use crate::{ConfigError, ConfigMap};

impl LogConfig {
    /// Checks the overrides that a topic would have. `existing` are those that it has; `defaults` are the broker's, as
    /// topic keys; `tiering` tells whether the broker has remote storage. Kafka: `LogConfig.validate`.
    pub fn validate(
        existing: &ConfigMap,
        overrides: &ConfigMap,
        defaults: &ConfigMap,
        tiering: bool,
    ) -> Result<(), ConfigError> {
        Self::validate_names(overrides)?;
        let config = Self::new(defaults, overrides)?;
        config.check_compaction_lags()?;
        if config.remote_storage_enable {
            config.check_tiered(tiering)
        } else {
            let was_tiered =
                existing.get("remote.storage.enable").is_some_and(|text| text.eq_ignore_ascii_case("true"));
            config.check_end_of_tiering(was_tiered)
        }
    }

    /// Checks that each name is a topic key. Kafka: `LogConfig.validateNames`.
    pub fn validate_names(overrides: &ConfigMap) -> Result<(), ConfigError> {
        match overrides.keys().find(|name| !TOPIC_KEYS.iter().any(|key| key.name == *name)) {
            None => Ok(()),
            Some(name) => Err(ConfigError::Invalid(format!("Unknown topic config name: {name}"))),
        }
    }

    /// Checks the defaults that a broker gives to topics. Kafka: `LogConfig.validateBrokerLogConfigValues`.
    pub fn validate_broker_defaults(defaults: &ConfigMap, tiering: bool) -> Result<(), ConfigError> {
        let config = Self::new(defaults, &ConfigMap::new())?;
        config.check_compaction_lags()?;
        if tiering { config.check_local_retention() } else { Ok(()) }
    }

    fn check_compaction_lags(&self) -> Result<(), ConfigError> {
        let (min, max) = (self.min_compaction_lag_ms, self.max_compaction_lag_ms);
        if min <= max {
            return Ok(());
        }
        Err(ConfigError::Invalid(format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
        )))
    }

    fn check_tiered(&self, tiering: bool) -> Result<(), ConfigError> {
        if !tiering {
            return Err(ConfigError::invalid(
                "Tiered Storage functionality is disabled in the broker. \
                 Topic cannot be configured with remote log storage.",
            ));
        }
        if self.cleanup_policy.compact {
            return Err(ConfigError::invalid(
                "Remote log storage only supports topics with cleanup.policy=delete \
                 or cleanup.policy being an empty list.",
            ));
        }
        self.check_local_retention()?;
        if self.remote_log_copy_disable { self.check_retention_without_copies() } else { Ok(()) }
    }

    fn check_local_retention(&self) -> Result<(), ConfigError> {
        check_within("bytes", self.local_retention_bytes, self.retention_bytes)?;
        check_within("ms", self.local_retention_ms, self.retention_ms)
    }

    fn check_retention_without_copies(&self) -> Result<(), ConfigError> {
        for (unit, local, whole) in [
            ("bytes", self.local_retention_bytes, self.retention_bytes),
            ("ms", self.local_retention_ms, self.retention_ms),
        ] {
            if local != -2 && local != whole {
                return Err(ConfigError::Invalid(format!(
                    "When `remote.log.copy.disable` is set to true, the `local.retention.{unit}` \
                     and `retention.{unit}` must be set to the identical value because there will be \
                     no more logs copied to the remote storage."
                )));
            }
        }
        Ok(())
    }

    fn check_end_of_tiering(&self, was_tiered: bool) -> Result<(), ConfigError> {
        if !was_tiered || self.remote_log_delete_on_disable {
            return Ok(());
        }
        Err(ConfigError::invalid(
            "It is invalid to disable remote storage without deleting remote data. \
             If you want to keep the remote data and turn to read only, please set \
             `remote.storage.enable=true,remote.log.copy.disable=true`. \
             If you want to disable remote storage and delete all remote data, please set \
             `remote.storage.enable=false,remote.log.delete.on.disable=true`.",
        ))
    }
}

fn check_within(unit: &str, local: i64, whole: i64) -> Result<(), ConfigError> {
    if whole < 0 || local == -2 {
        return Ok(());
    }
    let name = format!("local.retention.{unit}");
    if local == -1 {
        let reason = format!("Value must not be -1 as retention.{unit} value is set as {whole}.");
        return Err(ConfigError::value(&name, local, reason));
    }
    if local > whole {
        let reason = format!("Value must not be more than retention.{unit} property value: {whole}");
        return Err(ConfigError::value(&name, local, reason));
    }
    Ok(())
}
