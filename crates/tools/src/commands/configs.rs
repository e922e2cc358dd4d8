//! `kafka-configs`: shows and changes the configuration of topics, brokers, loggers, groups and metrics subscriptions, and
//! the quotas and credentials of users, clients and addresses.
//!
//! Kafka: `ConfigCommand`.

mod entities;
mod quotas;

use std::collections::BTreeMap;
use std::io::Write;

use client::Admin;
use client::admin::{AlterConfigOp, ConfigEntry, ConfigResource, ConfigSource};
use config::ConfigMap;

use crate::Failure;
use crate::options::{Opt, Options, flag, value};
use crate::session::{admin, block_on, client_config, exception, failed, load_properties};

use entities::{Entity, entity};

const INTRO: &str =
    "Shows and changes the configuration of topics, brokers, groups and subscriptions to clients' metrics.";

const OPTIONS: &[Opt] = &[
    value(
        "add-config",
        "String",
        "Keys to set: k1=v1,k2=[v1,v2],k3=v3, with brackets around values that have commas.",
    ),
    value("add-config-file", "String", "A properties file with keys to set."),
    flag("all", "With --describe: all keys, not only those that are set."),
    flag("alter", "Change the configuration."),
    value("bootstrap-controller", "String: controller", "The controllers to connect to."),
    value("bootstrap-server", "String: server", "The brokers to connect to."),
    value("broker", "String", "The broker's id."),
    flag("broker-defaults", "The defaults of all brokers."),
    value("broker-logger", "String", "The id of the broker whose log levels are meant."),
    value("client", "String", "The client's id."),
    flag("client-defaults", "The defaults of all clients."),
    value("client-metrics", "String", "The name of the subscription."),
    value("command-config", "String: properties file", "A file with properties of the client."),
    value("delete-config", "String", "Keys to unset: k1,k2."),
    flag("describe", "Show the configuration."),
    flag("entity-default", "The default of all users, clients, brokers or ips."),
    value("entity-name", "String", "The name of what is meant."),
    value(
        "entity-type",
        "String",
        "What is meant: topics, clients, users, brokers, ips, client-metrics, groups or broker-loggers.",
    ),
    value("group", "String", "The group's id."),
    value("ip", "String", "The address."),
    flag("ip-defaults", "The defaults of all addresses."),
    value("topic", "String", "The topic's name."),
    value("user", "String", "The user's principal name."),
    flag("user-defaults", "The defaults of all users."),
];

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    let entity = check(&options, args)?;
    let mut config = client_config(options.value("command-config")?, options.value("bootstrap-server")?)?;
    if let Some(controllers) = options.value("bootstrap-controller")? {
        config.insert("bootstrap.controllers".into(), controllers.into());
    }
    block_on(async {
        let admin = admin(&config)?;
        if options.has("describe") && entity.has_quotas() {
            return quotas::describe(&admin, &entity, out).await;
        }
        if options.has("describe") {
            return describe(&admin, &entity, options.has("all"), out).await;
        }
        let told = |error: client::Error| {
            let cause = format!("java.util.concurrent.ExecutionException: {}: {error}", exception(&error));
            Failure::message(format!(
                "Error while executing config command with args '{}'\n{cause}",
                args.join(" ")
            ))
        };
        alter(&admin, &entity, &options, told, out).await
    })
}

/// Kafka: `ConfigCommandOptions.checkArgs`.
fn check(options: &Options, args: &[String]) -> Result<Entity, Failure> {
    if options.has("alter") == options.has("describe") {
        return Err(options.usage("Command must include exactly one action: --describe, --alter"));
    }
    options.exclude("describe", &["add-config", "delete-config"])?;
    let entity = entity(options, args)?;
    match (options.has("bootstrap-server"), options.has("bootstrap-controller")) {
        (false, false) => {
            return Err(Failure::message(
                "Either --bootstrap-server or --bootstrap-controller must be specified.",
            ));
        }
        (true, true) => {
            return Err(Failure::message(
                "Only one of --bootstrap-server or --bootstrap-controller can be specified.",
            ));
        }
        _ => {}
    }
    entity.check(options.has("alter"))?;
    if options.has("alter") {
        if options.has("add-config") && options.has("add-config-file") {
            return Err(Failure::message("Only one of --add-config or --add-config-file must be specified"));
        }
        if !["add-config", "add-config-file", "delete-config"].iter().any(|name| options.has(name)) {
            return Err(Failure::message(
                "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter",
            ));
        }
    }
    Ok(entity)
}

async fn describe(admin: &Admin, entity: &Entity, all: bool, out: &mut dyn Write) -> Result<(), Failure> {
    for name in entity.names(admin).await? {
        if entity.kind == "topics" && !topic_exists(admin, &name).await? {
            writeln!(out, "The topic '{name}' doesn't exist and doesn't have dynamic config.")?;
            continue;
        }
        let is_default = entity.kind == "brokers" && name.is_empty();
        if is_default {
            writeln!(out, "Default configs for brokers in the cluster are:")?;
        } else {
            let how = if all { "All" } else { "Dynamic" };
            writeln!(out, "{how} configs for {} {name} are:", entity.singular())?;
        }
        let resource = ConfigResource::new(entity.resource(), name);
        let described =
            admin.describe_configs(std::slice::from_ref(&resource), true, false).await.map_err(failed)?;
        let mut entries = described.into_values().next().unwrap_or_else(|| Ok(Vec::new())).map_err(failed)?;
        entries.retain(|entry| all || entry.source == entity.own_source(is_default));
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in entries {
            writeln!(out, "  {}", show(&entry))?;
        }
    }
    Ok(())
}

async fn topic_exists(admin: &Admin, name: &str) -> Result<bool, Failure> {
    let topics = admin.list_topics(true).await.map_err(failed)?;
    Ok(topics.iter().any(|topic| topic.name == name))
}

fn show(entry: &ConfigEntry) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let synonyms: Vec<_> = entry
        .synonyms
        .iter()
        .map(|synonym| format!("{}:{}={}", source_name(synonym.source), synonym.name, text(&synonym.value)))
        .collect();
    format!(
        "{}={} sensitive={} synonyms={{{}}}",
        entry.name,
        text(&entry.value),
        entry.is_sensitive,
        synonyms.join(", ")
    )
}

fn source_name(source: ConfigSource) -> &'static str {
    source.name()
}

async fn alter(
    admin: &Admin,
    entity: &Entity,
    options: &Options,
    told: impl Fn(client::Error) -> Failure,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let set = parse_set(options)?;
    let unset: Vec<_> =
        options.values("delete-config").into_iter().flat_map(|text| text.split(',')).collect();
    let name = entity.name.clone().unwrap_or_default();
    let is_default = name.is_empty();
    if entity.has_quotas() {
        let unset: Vec<_> = unset.iter().map(|key| key.trim()).collect();
        quotas::alter(admin, entity, &set, &unset, &told).await?;
    } else {
        alter_resource(admin, entity, set, &unset, &told).await?;
    }
    if is_default {
        return Ok(writeln!(out, "Completed updating default config for {} in the cluster.", entity.kind)?);
    }
    Ok(writeln!(out, "Completed updating config for {} {name}.", entity.singular())?)
}

async fn alter_resource(
    admin: &Admin,
    entity: &Entity,
    set: ConfigMap,
    unset: &[&str],
    told: impl Fn(client::Error) -> Failure,
) -> Result<(), Failure> {
    let resource = ConfigResource::new(entity.resource(), entity.name.clone().unwrap_or_default());
    if entity.kind == "broker-loggers" {
        check_loggers(admin, &resource, &set, unset).await?;
    }
    let mut ops: Vec<AlterConfigOp> =
        set.into_iter().map(|(name, value)| AlterConfigOp::set(name, value)).collect();
    ops.extend(unset.iter().map(|name| AlterConfigOp::delete(name.trim())));
    let changes = BTreeMap::from([(resource, ops)]);
    for result in admin.incremental_alter_configs(&changes, false).await.map_err(&told)?.into_values() {
        result.map_err(&told)?;
    }
    Ok(())
}

/// The tool itself refuses loggers that the broker does not have.
async fn check_loggers(
    admin: &Admin,
    resource: &ConfigResource,
    set: &ConfigMap,
    unset: &[&str],
) -> Result<(), Failure> {
    let described =
        admin.describe_configs(std::slice::from_ref(resource), false, false).await.map_err(failed)?;
    let known = described.into_values().next().unwrap_or_else(|| Ok(Vec::new())).map_err(failed)?;
    let asked = unset.iter().map(|name| name.trim()).chain(set.keys().map(String::as_str));
    let unknown: Vec<_> = asked.filter(|name| !known.iter().any(|entry| entry.name == *name)).collect();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(Failure::message(format!("Invalid broker logger(s): {}", unknown.join(",")))),
    }
}

/// Parses `k1=v1,k2=[v1,v2]` and the file. Kafka: `ConfigCommand.parseConfigsToBeAdded`.
fn parse_set(options: &Options) -> Result<ConfigMap, Failure> {
    let mut set = options.value("add-config-file")?.map(load_properties).transpose()?.unwrap_or_default();
    for pair in options.values("add-config").into_iter().flat_map(split_outside_brackets) {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Failure::message(
                "requirement failed: Invalid entity config: all configs to be added must be in the format \"key=val\" or  \"key=[val1,val2]\" to group values which contain commas.",
            ));
        };
        set.insert(key.trim().to_owned(), value.replace(['[', ']'], "").trim().to_owned());
    }
    let is_key = |key: &&String| key.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    match set.keys().find(|key| !is_key(key)) {
        Some(key) => Err(Failure::message(format!("Invalid character found for config key: {key}"))),
        None => Ok(set),
    }
}

fn split_outside_brackets(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_inside = false;
    for c in text.chars() {
        match c {
            '[' => is_inside = true,
            ']' => is_inside = false,
            _ => {}
        }
        if c == ',' && !is_inside {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_within_brackets_belong_to_the_value() {
        assert_eq!(split_outside_brackets("a=1,b=[x,y],c="), ["a=1", "b=[x,y]", "c="]);
    }
}
