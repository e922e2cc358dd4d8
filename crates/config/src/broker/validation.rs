//! Rules over several broker keys, in Kafka's order and words. Kafka: `KafkaConfig.validateValues`.

use super::BrokerConfig;
use crate::ConfigError;

fn require(condition: bool, text: impl FnOnce() -> String) -> Result<(), ConfigError> {
    if condition { Ok(()) } else { Err(ConfigError::Invalid(format!("requirement failed: {}", text()))) }
}

/// A rule of a coordinator, whose text has no such beginning.
fn argument(condition: bool, text: impl FnOnce() -> String) -> Result<(), ConfigError> {
    if condition { Ok(()) } else { Err(ConfigError::Invalid(text())) }
}

impl BrokerConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        self.validate_group_protocols()?;
        self.validate_group_limits()?;
        self.validate_codecs()?;
        if self.node_id.0 != self.values.int("broker.id") {
            return Err(ConfigError::invalid("You must set `node.id` to the same value as `broker.id`."));
        }
        self.validate_log()?;
        self.validate_replication()?;
        self.validate_roles()?;
        self.validate_advertised()?;
        self.validate_sasl()?;
        super::TelemetrySinkAddress::parse(self.metrics.monedula_telemetry_sink.trim())?;
        self.validate_network()
    }

    fn validate_log(&self) -> Result<(), ConfigError> {
        let ms = |name, hours| {
            self.values.optional_long(name).unwrap_or_else(|| self.values.long(hours) * 3_600_000)
        };
        require(ms("log.roll.ms", "log.roll.hours") >= 1, || {
            "log.roll.ms must be greater than or equal to 1".into()
        })?;
        require(ms("log.roll.jitter.ms", "log.roll.jitter.hours") >= 0, || {
            "log.roll.jitter.ms must be greater than or equal to 0".into()
        })?;
        require(self.log_retention_ms() != 0, || {
            "log.retention.ms must be unlimited (-1) or, greater than or equal to 1".into()
        })?;
        require(!self.log_dirs.is_empty(), || {
            "At least one log directory must be defined via log.dirs or log.dir.".into()
        })?;
        self.validate_cordoned()?;
        let threads = i64::from(self.log.log_cleaner_threads).max(1);
        require(self.log.log_cleaner_dedupe_buffer_size / threads > 1024 * 1024, || {
            "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.".into()
        })
    }

    fn validate_cordoned(&self) -> Result<(), ConfigError> {
        let listed = self.values.list("cordoned.log.dirs");
        require(listed.len() < 2 || !listed.iter().any(|dir| dir == "*"), || {
            "When cordoned.log.dirs is set to *, it must not contain other values".into()
        })?;
        let missing: Vec<_> =
            self.cordoned_log_dirs.iter().filter(|dir| !self.log_dirs.contains(dir)).cloned().collect();
        require(missing.is_empty(), || {
            format!(
                "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : {}",
                missing.join(", ")
            )
        })
    }

    fn validate_replication(&self) -> Result<(), ConfigError> {
        let wait = self.replication.replica_fetch_wait_max_ms;
        require(wait <= self.replication.replica_socket_timeout_ms, || {
            "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary \
             socket timeouts"
                .into()
        })?;
        require(i64::from(wait) <= self.replication.replica_lag_time_max_ms, || {
            "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent \
             frequent changes in ISR"
                .into()
        })
    }

    fn voter_ids(&self) -> String {
        let ids: Vec<_> = self.quorum_voters.iter().map(|voter| voter.id.to_string()).collect();
        format!("controller.quorum.voters=Set({})", ids.join(", "))
    }

    fn validate_roles(&self) -> Result<(), ConfigError> {
        if self.quorum_voters.is_empty() && self.quorum_bootstrap_servers.is_empty() {
            return Err(ConfigError::invalid(
                "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap \
                 controllers or controller.quorum.voters must contain a parseable set of controllers.",
            ));
        }
        if self.is_controller { self.validate_controller() } else { self.validate_broker_only() }
    }

    fn validate_broker_only(&self) -> Result<(), ConfigError> {
        let listeners = &self.listeners;
        require(!self.quorum_voters.iter().any(|voter| voter.id == self.node_id), || {
            format!(
                "If process.roles contains just the 'broker' role, the node id {} must not be included in the set of \
                 voters {}",
                self.node_id,
                self.voter_ids()
            )
        })?;
        require(listeners.controller().is_empty(), || {
            "controller.listener.names must not contain a value appearing in the 'listeners' configuration when \
             running KRaft with just the broker role"
                .into()
        })?;
        match listeners
            .controller_names
            .iter()
            .find(|name| !listeners.protocols.contains_key(&name.to_uppercase()))
        {
            None => Ok(()),
            Some(name) => Err(ConfigError::Invalid(format!(
                "Controller listener with name {} defined in controller.listener.names not found in \
                 listener.security.protocol.map  (an explicit security mapping for each controller listener is \
                 required if listener.security.protocol.map is non-empty, or if there are security protocols other \
                 than PLAINTEXT in use)",
                name.to_uppercase()
            ))),
        }
    }

    fn validate_controller(&self) -> Result<(), ConfigError> {
        let listeners = &self.listeners;
        require(
            self.is_broker || listeners.advertised_controller().len() == listeners.listeners.len(),
            || {
                "The listeners config must only contain KRaft controller listeners from controller.listener.names when \
             process.roles=controller"
                .into()
            },
        )?;
        let is_voter = self.quorum_voters.iter().any(|voter| voter.id == self.node_id);
        require(self.quorum_voters.is_empty() || is_voter, || {
            format!(
                "If process.roles contains the 'controller' role, the node id {} must be included in the set of \
                 voters {}",
                self.node_id,
                self.voter_ids()
            )
        })?;
        require(!listeners.advertised_controller().is_empty(), || {
            "controller.listener.names must contain at least one value appearing in the 'listeners' configuration \
             when running the KRaft controller role"
                .into()
        })?;
        let is_listener =
            |name: &String| listeners.listeners.iter().any(|endpoint| endpoint.listener == *name);
        require(listeners.controller_names.iter().all(is_listener), || {
            "controller.listener.names must only contain values appearing in the 'listeners' configuration when \
             running the KRaft controller role"
                .into()
        })
    }

    fn validate_advertised(&self) -> Result<(), ConfigError> {
        let listeners = &self.listeners;
        if self.is_broker {
            self.validate_advertised_names()?;
        }
        let controller = listeners.advertised_controller();
        let all = listeners.advertised_broker().into_iter().chain(controller);
        require(all.into_iter().all(|endpoint| endpoint.host != "0.0.0.0"), || {
            "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address."
                .into()
        })
    }

    fn validate_advertised_names(&self) -> Result<(), ConfigError> {
        let names = |endpoints: Vec<&super::EndPoint>| -> Vec<String> {
            endpoints.iter().map(|endpoint| endpoint.listener.clone()).collect()
        };
        let advertised = names(self.listeners.advertised_broker());
        let listeners = names(self.listeners.listeners.iter().collect());
        require(!advertised.is_empty(), || {
            "There must be at least one broker advertised listener. Perhaps all listeners appear in \
             controller.listener.names?"
                .into()
        })?;
        require(advertised.contains(&self.listeners.inter_broker_name), || {
            format!(
                "inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid options \
                 based on currently configured listeners are {}",
                advertised.join(",")
            )
        })?;
        require(advertised.iter().all(|name| listeners.contains(name)), || {
            format!(
                "advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. \
                 Found {}. The valid options based on the current configuration are {}",
                advertised.join(","),
                listeners.join(",")
            )
        })
    }

    fn validate_sasl(&self) -> Result<(), ConfigError> {
        if !self.listeners.inter_broker_protocol.is_sasl() {
            return Ok(());
        }
        let enabled = self.listener_value(&self.listeners.inter_broker_name, "sasl.enabled.mechanisms")?;
        require(enabled.list().contains(&self.values.text("sasl.mechanism.inter.broker.protocol")), || {
            "sasl.mechanism.inter.broker.protocol must be included in sasl.enabled.mechanisms when SASL is used for \
             inter-broker communication"
                .into()
        })
    }

    fn validate_network(&self) -> Result<(), ConfigError> {
        let network = &self.network;
        let queued = network.queued_max_request_bytes;
        require(queued <= 0 || queued >= i64::from(network.socket_request_max_bytes), || {
            "queued.max.request.bytes must be larger or equal to socket.request.max.bytes".into()
        })?;
        let overrides = &self.max_connections_per_ip_overrides;
        require(network.max_connections_per_ip != 0 || !overrides.is_empty(), || {
            "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set."
                .into()
        })?;
        let is_host = |host: &&String| host.chars().all(|c| c.is_ascii_alphanumeric() || "-%._:".contains(c));
        let invalid: Vec<_> = overrides.keys().filter(|host| !is_host(host)).cloned().collect();
        argument(invalid.is_empty(), || {
            format!("max.connections.per.ip.overrides contains invalid addresses : {}", invalid.join(","))
        })?;
        let (delay, idle) =
            (network.connection_failed_authentication_delay_ms, network.connections_max_idle_ms);
        require(idle < 0 || i64::from(delay) < idle, || {
            format!(
                "connection.failed.authentication.delay.ms={delay} should always be less than \
                 connections.max.idle.ms={idle} to prevent failed authentication responses from timing out"
            )
        })
    }

    fn validate_group_protocols(&self) -> Result<(), ConfigError> {
        argument(
            self.groups.group_coordinator_rebalance_protocols.iter().any(|name| name == "classic"),
            || "Disabling the 'classic' protocol is not supported.".into(),
        )?;
        for (key, built_in) in
            [("group.consumer.assignors", &["uniform", "range"][..]), ("group.share.assignors", &["simple"])]
        {
            let unknown = self.values.list(key).into_iter().find(|name| !built_in.contains(&name.as_str()));
            argument(unknown.is_none(), || format!("Class {} cannot be found", unknown.unwrap_or_default()))?;
        }
        Ok(())
    }

    fn validate_codecs(&self) -> Result<(), ConfigError> {
        for key in ["offsets.topic.compression.codec", "share.coordinator.state.topic.compression.codec"] {
            let id = self.values.int(key);
            argument((0..=4).contains(&id), || format!("Unknown compression type id: {id}"))?;
        }
        Ok(())
    }

    fn validate_group_limits(&self) -> Result<(), ConfigError> {
        for kind in ["consumer", "share", "streams"] {
            for name in ["heartbeat.interval.ms", "session.timeout.ms", "assignment.interval.ms"] {
                self.check_within(&format!("group.{kind}"), name)?;
            }
            let interval = format!("group.{kind}.heartbeat.interval.ms");
            let timeout = format!("group.{kind}.session.timeout.ms");
            argument(self.values.long(&interval) < self.values.long(&timeout), || {
                format!("{interval} must be less than {timeout}")
            })?;
        }
        self.check_order("group.streams.num.standby.replicas", "group.streams.max.standby.replicas")?;
        self.check_share_limits()
    }

    fn check_share_limits(&self) -> Result<(), ConfigError> {
        for name in ["delivery.count.limit", "record.lock.duration.ms", "partition.max.record.locks"] {
            let (least, value, most) = limits("group.share", name);
            self.check_at_least(&value, &least)?;
            self.check_at_least(&most, &value)?;
        }
        self.check_at_least("group.share.max.share.sessions", "group.share.max.size")
    }

    /// Checks that the value lies within the minimum and maximum that stand beside it.
    fn check_within(&self, prefix: &str, name: &str) -> Result<(), ConfigError> {
        let (least, value, most) = limits(prefix, name);
        self.check_at_least(&most, &least)?;
        self.check_at_least(&value, &least)?;
        self.check_order(&value, &most)
    }

    fn check_at_least(&self, key: &str, least: &str) -> Result<(), ConfigError> {
        argument(self.values.long(key) >= self.values.long(least), || {
            format!("{key} must be greater than or equal to {least}")
        })
    }

    fn check_order(&self, key: &str, most: &str) -> Result<(), ConfigError> {
        argument(self.values.long(key) <= self.values.long(most), || {
            format!("{key} must be less than or equal to {most}")
        })
    }
}

/// The names of the least, the set and the greatest value.
fn limits(prefix: &str, name: &str) -> (String, String, String) {
    (format!("{prefix}.min.{name}"), format!("{prefix}.{name}"), format!("{prefix}.max.{name}"))
}
