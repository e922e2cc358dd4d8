//! `kafka-topics`: creates, deletes, describes and lists topics, and gives them more partitions.
//!
//! Kafka: `TopicCommand`.

mod change;
mod describe;

use std::io::Write;

use client::{Admin, Error};

use crate::Failure;
use crate::options::{Opt, Options, flag, value};
use crate::session::{TopicFilter, admin, block_on, client_config};

const INTRO: &str = "Creates, deletes, describes, lists and changes topics.";

const OPTIONS: &[Opt] = &[
    flag("alter", "Give a topic more partitions. (kafka-configs changes its configuration.)"),
    flag(
        "at-min-isr-partitions",
        "Describe only partitions with just as many replicas in sync as they need.",
    ),
    value(
        "bootstrap-server",
        "String: server to connect to",
        "REQUIRED: The broker to connect to, as host:port.",
    ),
    value("command-config", "String: properties file", "A file with properties of the client."),
    value(
        "config",
        "String: name=value",
        "A key of the new topic's configuration; may be repeated. With --create only.",
    ),
    flag("create", "Create a topic."),
    flag("delete", "Delete topics."),
    value("delete-config", "String: name", "No longer supported: kafka-configs does it."),
    flag("describe", "Tell about topics and their partitions."),
    flag("exclude-internal", "Leave out Kafka's own topics."),
    flag("if-exists", "Do nothing, and succeed, where the topic does not exist."),
    flag("if-not-exists", "Succeed where the topic exists already."),
    flag("list", "List the topics."),
    value(
        "partition-size-limit-per-response",
        "Integer: partitions",
        "How many partitions are asked for at a time.",
    ),
    value(
        "partitions",
        "Integer: # of partitions",
        "How many partitions the topic has; the cluster's default, if unset.",
    ),
    value(
        "replica-assignment",
        "String: broker_id_for_part1_replica1 : broker_id_for_part1_replica2 , ...",
        "The brokers of each partition, chosen by hand.",
    ),
    value("replication-factor", "Integer: replication factor", "How many replicas each partition has."),
    value("topic", "String: topic", "The topic. A regular expression, but for --create."),
    value("topic-id", "String: topic-id", "The id of the topic to describe."),
    flag("topics-with-overrides", "Describe only topics whose configuration is not the default."),
    flag("unavailable-partitions", "Describe only partitions without a leader that is alive."),
    flag("under-min-isr-partitions", "Describe only partitions with fewer replicas in sync than they need."),
    flag("under-replicated-partitions", "Describe only partitions with replicas that are not in sync."),
];

const ACTIONS: [&str; 5] = ["alter", "create", "describe", "list", "delete"];
const REPORTS: [&str; 4] = [
    "under-replicated-partitions",
    "under-min-isr-partitions",
    "at-min-isr-partitions",
    "unavailable-partitions",
];

/// Why an action ended: what the tool tells of it on standard output.
enum Ended {
    Failed(String),
    Stop(Failure),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Self {
        Self::Stop(error.into())
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Message(text, _) => Self::Failed(text),
            other => Self::Stop(other),
        }
    }
}

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    check(&options)?;
    let config = client_config(options.value("command-config")?, options.value("bootstrap-server")?)?;
    block_on(async {
        let admin = admin(&config)?;
        match act(&admin, &options, out).await {
            Ok(()) => Ok(()),
            Err(Ended::Stop(failure)) => Err(failure),
            Err(Ended::Failed(text)) => {
                writeln!(out, "Error while executing topic command : {text}")?;
                Err(Failure::Code(1))
            }
        }
    })
}

async fn act(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Ended> {
    if options.has("create") {
        change::create(admin, options, out).await
    } else if options.has("alter") {
        change::alter(admin, options).await
    } else if options.has("list") {
        let topics = matching(admin, options).await?;
        Ok(writeln!(out, "{}", topics.join("\n"))?)
    } else if options.has("describe") {
        describe::run(admin, options, out).await
    } else {
        change::delete(admin, options).await
    }
}

/// Kafka: `TopicCommandOptions.checkArgs`.
fn check(options: &Options) -> Result<(), Failure> {
    if ACTIONS.iter().filter(|action| options.has(action)).count() != 1 {
        return Err(options.usage(
            "Command must include exactly one action: --list, --describe, --create, --alter or --delete",
        ));
    }
    if !options.has("bootstrap-server") {
        return Err(Failure::message("--bootstrap-server must be specified"));
    }
    let needs_name = !(options.has("list") || options.has("describe"));
    if needs_name {
        options.require(&["topic"])?;
    }
    if options.has("alter") {
        let hint = "(To alter topic configurations, the kafka-configs tool can be used.)";
        for name in ["config", "delete-config"] {
            if options.has(name) {
                return Err(options.usage(format!(
                    "Option combination \"[[bootstrap-server], [{name}]]\" can't be used with option \"[alter]\" {hint}"
                )));
            }
        }
        options.require(&["partitions"])?;
    }
    let outside = |option: &str, allowed: &[&str]| -> Result<(), Failure> {
        let others: Vec<_> = ACTIONS.into_iter().filter(|action| !allowed.contains(action)).collect();
        options.exclude(option, &others)
    };
    outside("config", &["create", "alter"])?;
    outside("delete-config", &["alter"])?;
    outside("partitions", &["alter", "create"])?;
    outside("replication-factor", &["create"])?;
    outside("replica-assignment", &["create", "alter"])?;
    if options.has("create") {
        options.exclude("replica-assignment", &["partitions", "replication-factor"])?;
    }
    for report in REPORTS {
        outside(report, &["describe"])?;
    }
    if options.has("topics-with-overrides") {
        options.exclude("topics-with-overrides", &REPORTS)?;
    }
    outside("topics-with-overrides", &["describe"])?;
    outside("if-exists", &["alter", "delete", "describe"])?;
    outside("if-not-exists", &["create"])?;
    outside("exclude-internal", &["list", "describe"])
}

/// The topics that `--topic` means, sorted.
async fn matching(admin: &Admin, options: &Options) -> Result<Vec<String>, Ended> {
    let excludes = options.has("exclude-internal");
    let filter = options.value("topic")?.map(TopicFilter::new).transpose()?;
    let listed = admin.list_topics(!excludes).await?;
    let mut names: Vec<String> = listed.into_iter().map(|topic| topic.name).collect();
    names.retain(|name| filter.as_ref().is_none_or(|filter| filter.allows(name, excludes)));
    names.sort();
    Ok(names)
}

/// The topics that `--topic` means, of which there must be one unless `--if-exists` says otherwise.
async fn existing(admin: &Admin, options: &Options) -> Result<Vec<String>, Ended> {
    let topics = matching(admin, options).await?;
    match options.value("topic")? {
        Some(name) if topics.is_empty() && !name.is_empty() && !options.has("if-exists") => {
            Err(Ended::Failed(format!("Topic '{name}' does not exist as expected")))
        }
        _ => Ok(topics),
    }
}
