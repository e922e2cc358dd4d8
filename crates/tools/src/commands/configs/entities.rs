//! What `kafka-configs` is to show or change, by its general options or by the special ones.

use client::Admin;
use client::admin::{ConfigSource, ListGroupsOptions, ResourceType};

use crate::Failure;
use crate::options::Options;
use crate::session::failed;

const KINDS: [&str; 8] =
    ["topics", "clients", "users", "brokers", "ips", "client-metrics", "groups", "broker-loggers"];

/// The special options: name, kind.
const NAMED: [(&str, &str); 8] = [
    ("topic", "topics"),
    ("client", "clients"),
    ("user", "users"),
    ("broker", "brokers"),
    ("broker-logger", "broker-loggers"),
    ("ip", "ips"),
    ("client-metrics", "client-metrics"),
    ("group", "groups"),
];

const DEFAULTS: [(&str, &str); 4] = [
    ("client-defaults", "clients"),
    ("user-defaults", "users"),
    ("broker-defaults", "brokers"),
    ("ip-defaults", "ips"),
];

/// Something that has a configuration.
pub(super) struct Entity {
    /// Its kind: one of [`KINDS`].
    pub(super) kind: String,
    /// Its name; empty for the default of all; none if none was said.
    pub(super) name: Option<String>,
    /// Kind and name, and another where users and clients are meant together.
    pub(super) parts: Vec<(String, Option<String>)>,
}

/// Reads the entity from the options.
pub(super) fn entity(options: &Options, args: &[String]) -> Result<Entity, Failure> {
    let mut kinds: Vec<String> = options.values("entity-type").into_iter().map(str::to_owned).collect();
    let mut names = general_names(args);
    let is_general = !kinds.is_empty() || !names.is_empty() || options.has("entity-default");
    let mut is_special = false;
    for (option, kind) in NAMED {
        for name in options.values(option) {
            kinds.push(kind.to_owned());
            names.push(name.to_owned());
            is_special = true;
        }
    }
    for (option, kind) in DEFAULTS.into_iter().filter(|(option, _)| options.has(option)) {
        debug_assert!(!option.is_empty());
        kinds.push(kind.to_owned());
        names.push(String::new());
        is_special = true;
    }
    if let Some(kind) =
        kinds.iter().enumerate().find(|(at, kind)| kinds[..*at].contains(kind)).map(|(_, kind)| kind)
    {
        return Err(Failure::message(format!("Duplicate entity type(s) specified: {kind}")));
    }
    if let Some(kind) = kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        return Err(Failure::message(format!(
            "Invalid entity type {kind}, the entity type must be one of {} with a --bootstrap-server or \
             --bootstrap-controller argument",
            KINDS.join(", ")
        )));
    }
    if is_general && is_special {
        let text =
            "--entity-{type,name,default} should not be used in conjunction with specific entity flags";
        return Err(Failure::message(text));
    }
    let mut named = names.iter().cloned();
    let parts = kinds.iter().map(|kind| (kind.clone(), named.next())).collect();
    let mut kinds = kinds.into_iter();
    let kind = kinds.next().ok_or_else(|| Failure::message("At least one entity type must be specified"))?;
    if let Some(second) = kinds.next() {
        let both = [kind.as_str(), second.as_str()];
        if !(both.contains(&"users") && both.contains(&"clients")) {
            return Err(Failure::message(
                "Only 'users' and 'clients' entity types may be specified together",
            ));
        }
    }
    if named.next().is_some() {
        return Err(Failure::message("More entity names specified than entity types"));
    }
    let name = names.into_iter().next();
    Ok(Entity { kind, name, parts })
}

/// The names of the general options in the order in which they were said, since kinds are matched with them.
fn general_names(args: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.split_once('=').unwrap_or((arg, "")) {
            ("--entity-default", _) => names.push(String::new()),
            ("--entity-name", name) if arg.contains('=') => names.push(name.to_owned()),
            ("--entity-name", _) => names.extend(args.next().cloned()),
            _ => {}
        }
    }
    names
}

impl Entity {
    /// Refuses names that the kind cannot have, and kinds that need one.
    pub(super) fn check(&self, alters: bool) -> Result<(), Failure> {
        let kind = &self.kind;
        let has_default = self.name.as_deref() == Some("");
        if let ("brokers" | "broker-loggers", Some(name)) =
            (kind.as_str(), self.name.as_deref().filter(|name| !name.is_empty()))
            && name.parse::<i32>().is_err()
        {
            return Err(Failure::message(format!(
                "The entity name for {kind} must be a valid integer broker id, but it is: {name}"
            )));
        }
        let can_default = matches!(kind.as_str(), "users" | "clients" | "brokers" | "ips");
        if !alters && has_default && !can_default {
            return Err(Failure::message(format!(
                "--entity-default must not be specified with --describe of {kind}"
            )));
        }
        if !alters && kind == "broker-loggers" && self.name.is_none() {
            return Err(Failure::message(format!(
                "An entity name must be specified with --describe of {kind}"
            )));
        }
        if alters && can_default && self.name.is_none() {
            return Err(Failure::message(
                "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips",
            ));
        }
        if alters && !can_default && self.name.as_deref().is_none_or(str::is_empty) {
            return Err(Failure::message(format!("An entity name must be specified with --alter of {kind}")));
        }
        Ok(())
    }

    /// Tells whether quotas are meant, rather than configurations.
    pub(super) fn has_quotas(&self) -> bool {
        matches!(self.kind.as_str(), "users" | "clients" | "ips")
    }

    pub(super) fn singular(&self) -> &str {
        self.kind.strip_suffix('s').unwrap_or(&self.kind)
    }

    pub(super) fn resource(&self) -> ResourceType {
        match self.kind.as_str() {
            "topics" => ResourceType::Topic,
            "brokers" => ResourceType::Broker,
            "broker-loggers" => ResourceType::BrokerLogger,
            "client-metrics" => ResourceType::ClientMetrics,
            "groups" => ResourceType::Group,
            _ => ResourceType::Unknown,
        }
    }

    /// Where values come from that were set for the entity itself.
    pub(super) fn own_source(&self, is_default: bool) -> ConfigSource {
        match self.kind.as_str() {
            "topics" => ConfigSource::DynamicTopicConfig,
            "brokers" if is_default => ConfigSource::DynamicDefaultBrokerConfig,
            "brokers" => ConfigSource::DynamicBrokerConfig,
            "broker-loggers" => ConfigSource::DynamicBrokerLoggerConfig,
            "client-metrics" => ConfigSource::ClientMetricsConfig,
            _ => ConfigSource::GroupConfig,
        }
    }

    /// The name, or those of all of the kind.
    pub(super) async fn names(&self, admin: &Admin) -> Result<Vec<String>, Failure> {
        if let Some(name) = &self.name {
            return Ok(vec![name.clone()]);
        }
        Ok(match self.kind.as_str() {
            "topics" => {
                admin.list_topics(true).await.map_err(failed)?.into_iter().map(|topic| topic.name).collect()
            }
            "brokers" | "broker-loggers" => {
                let brokers = admin.brokers().await.map_err(failed)?;
                brokers.iter().map(|broker| broker.id.to_string()).chain([String::new()]).collect()
            }
            "groups" => {
                let (groups, _) = admin.list_groups(&ListGroupsOptions::default()).await.map_err(failed)?;
                let configured =
                    admin.list_config_resources(&[ResourceType::Group]).await.unwrap_or_default();
                let mut names: Vec<_> = groups.into_iter().map(|group| group.group_id).collect();
                names.extend(configured.into_iter().map(|resource| resource.name));
                names.sort();
                names.dedup();
                names
            }
            _ => {
                let found = admin.list_config_resources(&[self.resource()]).await.map_err(failed)?;
                found.into_iter().map(|resource| resource.name).collect()
            }
        })
    }
}
