//! `kafka-client-metrics`: which clients send which metrics (KIP-714). Kafka: `ClientMetricsCommand`.

use std::io::Write;

use client::Admin;
use client::admin::{AlterConfigOp, ConfigEntry, ConfigResource, ResourceType};

use super::storage::random_uuid;
use crate::Failure;
use crate::options::{Opt, Options, flag, value};
use crate::session::{admin, block_on, client_config, failed};

const INTRO: &str = "Shows and changes which clients send which of their metrics.";

const OPTIONS: &[Opt] = &[
    flag("alter", "Change a subscription, or make it."),
    value("bootstrap-server", "String: server to connect to", "REQUIRED: The brokers to connect to."),
    value("command-config", "String: command config property file", "A file with properties of the client."),
    flag("delete", "Delete a subscription."),
    flag("describe", "Tell about subscriptions."),
    flag("generate-name", "Give the new subscription a name of its own."),
    value(
        "interval",
        "String: push interval",
        "How often clients send, in milliseconds; empty for the default.",
    ),
    flag("list", "List the subscriptions."),
    value(
        "match",
        "String: k1=v1,k2=v2",
        "Which clients: client_id, client_instance_id, client_software_name, client_software_version, \
         client_source_address, client_source_port, each with a regular expression.",
    ),
    value("metrics", "String: m1,m2", "How the names of the metrics begin."),
    value("name", "String: name", "The subscription's name."),
];

const CHANGES: [&str; 4] = ["generate-name", "interval", "match", "metrics"];

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse_or_usage(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    check(&options)?;
    let config = client_config(options.value("command-config")?, options.value("bootstrap-server")?)?;
    let name = options.value("name")?.map(str::to_owned);
    block_on(async {
        let admin = admin(&config)?;
        let done = if options.has("alter") {
            alter(&admin, &options, new_name(name)?, out).await
        } else if options.has("describe") {
            describe(&admin, name, out).await
        } else if options.has("delete") {
            delete(&admin, &name.unwrap_or_default(), out).await
        } else {
            list(&admin, out).await
        };
        match done {
            Err(Failure::Message(text, code)) => {
                writeln!(out, "Error while executing client metrics command : {text}")?;
                Err(Failure::Code(code))
            }
            other => other,
        }
    })
}

fn new_name(name: Option<String>) -> Result<String, Failure> {
    name.map_or_else(|| Ok(random_uuid()?.to_string()), Ok)
}

fn check(options: &Options) -> Result<(), Failure> {
    let actions = ["alter", "delete", "describe", "list"];
    if actions.iter().filter(|action| options.has(action)).count() != 1 {
        let text = "Command must include exactly one action: --alter, --delete, --describe or --list.";
        return Err(options.usage(text));
    }
    if !options.has("bootstrap-server") {
        return Err(Failure::message("--bootstrap-server must be specified."));
    }
    options.exclude("delete", &CHANGES)?;
    options.exclude("describe", &CHANGES)?;
    options.exclude("list", &["name", "generate-name", "interval", "match", "metrics"])?;
    if options.has("alter") {
        if options.has("name") == options.has("generate-name") {
            let text = "One of --name or --generate-name must be specified with --alter.";
            return Err(Failure::message(text));
        }
        let interval = options.value("interval")?.unwrap_or_default();
        if !interval.is_empty() && interval.parse::<i32>().is_err() {
            let text = "Invalid interval value. Enter an integer, or leave empty to reset.";
            return Err(Failure::message(text));
        }
    }
    if options.has("delete") && !options.has("name") {
        return Err(Failure::message("A client metrics resource name must be specified with --delete."));
    }
    Ok(())
}

fn resource(name: &str) -> ConfigResource {
    ConfigResource::new(ResourceType::ClientMetrics, name)
}

async fn change(admin: &Admin, name: &str, changes: Vec<AlterConfigOp>) -> Result<(), Failure> {
    let changes = [(resource(name), changes)].into();
    let done = admin.incremental_alter_configs(&changes, false).await.map_err(failed)?;
    done.into_values().try_for_each(|result| result.map_err(failed))
}

async fn alter(admin: &Admin, options: &Options, name: String, out: &mut dyn Write) -> Result<(), Failure> {
    let mut changes = Vec::new();
    for (option, key) in [("interval", "interval.ms"), ("metrics", "metrics"), ("match", "match")] {
        if options.has(option) {
            let value = options.values(option).join(",");
            changes.push(match value.is_empty() {
                true => AlterConfigOp::delete(key),
                false => AlterConfigOp::set(key, value),
            });
        }
    }
    change(admin, &name, changes).await?;
    Ok(writeln!(out, "Altered client metrics config for {name}.")?)
}

async fn entries(admin: &Admin, name: &str) -> Result<Vec<ConfigEntry>, Failure> {
    let resource = resource(name);
    let described = admin.describe_configs(std::slice::from_ref(&resource), false, false).await;
    described.map_err(failed)?.into_values().next().unwrap_or(Ok(Vec::new())).map_err(failed)
}

async fn delete(admin: &Admin, name: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let entries = entries(admin, name).await?;
    let changes = entries.into_iter().map(|entry| AlterConfigOp::delete(entry.name)).collect();
    change(admin, name, changes).await?;
    Ok(writeln!(out, "Deleted client metrics config for {name}.")?)
}

async fn names(admin: &Admin) -> Result<Vec<String>, Failure> {
    let listed = admin.list_config_resources(&[ResourceType::ClientMetrics]).await.map_err(failed)?;
    Ok(listed.into_iter().map(|resource| resource.name).collect())
}

async fn describe(admin: &Admin, name: Option<String>, out: &mut dyn Write) -> Result<(), Failure> {
    let mut names = names(admin).await?;
    if let Some(name) = name {
        if !names.contains(&name) {
            let text =
                format!("The client metric resource {name} doesn't exist and doesn't have dynamic config.");
            return Ok(writeln!(out, "{text}")?);
        }
        names = vec![name];
    }
    for name in names {
        writeln!(out, "Client metrics configs for {name} are:")?;
        for entry in entries(admin, &name).await? {
            writeln!(out, "  {}={}", entry.name, entry.value.unwrap_or_default())?;
        }
    }
    Ok(())
}

async fn list(admin: &Admin, out: &mut dyn Write) -> Result<(), Failure> {
    Ok(writeln!(out, "{}", names(admin).await?.join("\n"))?)
}
