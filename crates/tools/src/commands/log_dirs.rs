//! `kafka-log-dirs`: how much each partition takes in the log dirs of brokers. Kafka: `LogDirsCommand`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use client::admin::LogDirDescription;
use model::NodeId;
use serde_json::{Value, json};

use crate::Failure;
use crate::options::{Opt, Options, flag, value};
use crate::session::{admin, block_on, client_config, exception, failed};

const INTRO: &str = "Tells how much each partition takes in the log dirs of brokers.";

const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String: server(s)", "REQUIRED: The brokers to connect to."),
    value(
        "broker-list",
        "String: Broker list",
        "The ids of the brokers to ask, between commas; all, if unset.",
    ),
    value("command-config", "String: properties file", "A file with properties of the client."),
    flag("describe", "Tell about the log dirs."),
    value("topic-list", "String: Topic list", "The topics to tell about, between commas; all, if unset."),
];

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    options.require(&["bootstrap-server", "describe"])?;
    let mut config = client_config(options.value("command-config")?, options.value("bootstrap-server")?)?;
    config.entry("client.id".into()).or_insert_with(|| "log-dirs-tool".into());
    let words =
        |text: &str| text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let topics: BTreeSet<String> = words(options.value_or("topic-list", "")?).into_iter().collect();
    let asked = words(options.value_or("broker-list", "")?);
    let number = |text: &String| {
        text.parse().map(NodeId).map_err(|_| Failure::message(format!("For input string: \"{text}\"")))
    };
    let asked: BTreeSet<NodeId> = asked.iter().map(number).collect::<Result<_, _>>()?;
    block_on(async {
        let admin = admin(&config)?;
        let known: BTreeSet<_> =
            admin.brokers().await.map_err(failed)?.into_iter().map(|broker| broker.id).collect();
        let list =
            |ids: &mut dyn Iterator<Item = &NodeId>| ids.map(NodeId::to_string).collect::<Vec<_>>().join(",");
        if !asked.is_subset(&known) {
            return Err(Failure::message(format!(
                "ERROR: The given brokers do not exist from --broker-list: {}. Current existent brokers: {}",
                list(&mut asked.difference(&known)),
                list(&mut known.iter())
            )));
        }
        let asked: Vec<_> = if asked.is_empty() { known } else { asked }.into_iter().collect();
        writeln!(out, "Querying brokers for log directories information")?;
        let mut brokers = Vec::new();
        for (broker, dirs) in admin.describe_log_dirs(&asked).await {
            brokers.push(json!({"broker": broker.0, "logDirs": show_dirs(dirs.map_err(failed)?, &topics)}));
        }
        writeln!(out, "Received log directory information from brokers {}", list(&mut asked.iter()))?;
        Ok(writeln!(out, "{}", json!({"brokers": brokers, "version": 1}))?)
    })
}

fn show_dirs(dirs: BTreeMap<String, LogDirDescription>, topics: &BTreeSet<String>) -> Vec<Value> {
    let show = |(path, dir): (String, LogDirDescription)| {
        let replicas =
            dir.replicas.iter().filter(|(name, _)| topics.is_empty() || topics.contains(&*name.topic));
        let partitions: Vec<_> = replicas
            .map(|(name, replica)| {
                json!({
                    "partition": name.to_string(),
                    "size": replica.size,
                    "offsetLag": replica.offset_lag,
                    "isFuture": replica.is_future,
                })
            })
            .collect();
        let error = dir.error.map(|error| exception(&error));
        json!({"partitions": partitions, "error": error, "logDir": path})
    };
    dirs.into_iter().map(show).collect()
}
