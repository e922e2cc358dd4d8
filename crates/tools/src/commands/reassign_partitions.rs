//! `kafka-reassign-partitions`: moves partitions between brokers, and replicas between log directories.
//! Kafka: `ReassignPartitionsCommand`.

mod cancel;
mod execute;
mod generate;
mod json;
mod log_dirs;
mod throttles;
mod verify;

use std::collections::BTreeMap;
use std::io::Write;

use client::admin::TopicDescription;
use client::{Admin, Error};
use model::{NodeId, TopicPartition};

use crate::Failure;
use crate::options::{Opt, Options, flag, maybe, value};
use crate::session::{admin, block_on, client_config, exception};

const INTRO: &str = "Moves partitions between brokers, and replicas between log directories.";

const OPTIONS: &[Opt] = &[
    flag("additional", "With --execute: though other moves are under way; also to change their throttle."),
    maybe(
        "bootstrap-controller",
        "String: bootstrap controller to connect to",
        "The controllers to connect to; for --cancel and --list.",
    ),
    maybe("bootstrap-server", "String: Server(s) to use for bootstrapping", "The brokers to connect to."),
    value("broker-list", "String: brokerlist", "With --generate: the brokers to move to: 0,1,2."),
    flag("cancel", "Stop the moves of the partitions in the file."),
    value("command-config", "String: Admin client property file", "A file with properties of the client."),
    flag("disable-rack-aware", "With --generate: do not spread replicas over racks."),
    flag(
        "disallow-replication-factor-change",
        "With --execute: refuse to change how many replicas there are.",
    ),
    flag("execute", "Begin the moves in the file."),
    flag("generate", "Print moves that would spread the topics over the brokers. Nothing is moved."),
    flag("list", "List the moves that are under way."),
    flag("preserve-throttles", "Leave throttles as they are."),
    value(
        "reassignment-json-file",
        "String: manual assignment json file path",
        "The moves: {\"partitions\": [{\"topic\": \"foo\", \"partition\": 1, \"replicas\": [1,2,3], \"log_dirs\": \
         [\"dir1\",\"any\",\"any\"]}], \"version\": 1}. log_dirs may be left out; a directory is the absolute path of \
         a log directory of its broker.",
    ),
    value(
        "replica-alter-log-dirs-throttle",
        "Long: replicaAlterLogDirsThrottle",
        "How fast replicas move between directories of a broker at most, in bytes/s.",
    ),
    value("throttle", "Long: throttle", "How fast partitions move between brokers at most, in bytes/s."),
    value(
        "timeout",
        "Long: timeout",
        "How long to wait until moves between directories have begun, in ms. (default: 10000)",
    ),
    value(
        "topics-to-move-json-file",
        "String: topics to reassign json file path",
        "With --generate: {\"topics\": [{\"topic\": \"foo\"}], \"version\": 1}",
    ),
    flag("verify", "Tell how far the moves in the file are; take off the throttles when they are done."),
];

/// An action, what it needs, and what it may have beside.
const ACTIONS: [(&str, &[&str], &[&str]); 5] = [
    ("generate", &["topics-to-move-json-file", "broker-list"], &["bootstrap-server", "disable-rack-aware"]),
    (
        "execute",
        &["reassignment-json-file"],
        &[
            "additional",
            "bootstrap-server",
            "throttle",
            "replica-alter-log-dirs-throttle",
            "timeout",
            "disallow-replication-factor-change",
        ],
    ),
    ("verify", &["reassignment-json-file"], &["bootstrap-server", "preserve-throttles"]),
    (
        "cancel",
        &["reassignment-json-file"],
        &["bootstrap-server", "bootstrap-controller", "preserve-throttles", "timeout"],
    ),
    ("list", &[], &["bootstrap-server", "bootstrap-controller"]),
];

/// A replica: the broker that has it, and the partition.
type Replica = (NodeId, TopicPartition);

/// Where partitions shall be.
type Assignment = BTreeMap<TopicPartition, Vec<NodeId>>;

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    let action = check(&options)?;
    match act(&options, action, out) {
        Err(Failure::Message(text, code)) => {
            writeln!(out, "{text}")?;
            Err(Failure::Code(code))
        }
        other => other,
    }
}

/// Kafka: `ReassignPartitionsCommand.validateAndParseArgs`.
fn check(options: &Options) -> Result<&'static str, Failure> {
    let given: Vec<_> = ACTIONS.into_iter().filter(|(action, ..)| options.has(action)).collect();
    let [(action, required, permitted)] = given[..] else {
        let names: Vec<_> = ACTIONS.iter().map(|(action, ..)| format!("--{action}")).collect();
        let names = names.join(", ");
        return Err(options.usage(format!("Command must include exactly one action: {names}")));
    };
    match (options.has("bootstrap-server"), options.has("bootstrap-controller")) {
        (true, true) => {
            let text = "Please don't specify both --bootstrap-server and --bootstrap-controller";
            return Err(options.usage(text));
        }
        (false, false) => {
            return Err(options.usage("Please specify either --bootstrap-server or --bootstrap-controller"));
        }
        _ => {}
    }
    options.require(required)?;
    let fits = |name: &str| {
        name == action || name == "command-config" || required.contains(&name) || permitted.contains(&name)
    };
    match OPTIONS.iter().find(|opt| options.has(opt.name) && !fits(opt.name)) {
        None => Ok(action),
        Some(opt) => {
            Err(options.usage(format!("Option \"[{}]\" can't be used with action \"[{action}]\"", opt.name)))
        }
    }
}

fn act(options: &Options, action: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let mut config = client_config(options.value("command-config")?, options.value("bootstrap-server")?)?;
    if let Some(controllers) = options.value("bootstrap-controller")? {
        config.insert("bootstrap.controllers".to_owned(), controllers.to_owned());
    }
    config.entry("client.id".to_owned()).or_insert_with(|| "reassign-partitions-tool".to_owned());
    block_on(async {
        let admin = admin(&config)?;
        match action {
            "generate" => generate::run(&admin, options, out).await,
            "execute" => execute::run(&admin, options, out).await,
            "verify" => verify::run(&admin, options, out).await,
            "cancel" => cancel::run(&admin, options, out).await,
            _ => list(&admin, out).await,
        }
    })
}

/// A refusal, as the tool prints it before the trace of Java's stack.
fn refused(text: impl std::fmt::Display) -> Failure {
    Failure::message(format!("Error: {text}"))
}

/// A failure of the cluster.
fn failed(error: Error) -> Failure {
    refused(format!("{}: {error}", exception(&error)))
}

fn read_file(options: &Options, name: &str) -> Result<String, Failure> {
    let path = options.value(name)?.unwrap_or_default();
    crate::session::read_file(path).map_err(|failure| refused(failure.text()))
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(",")
}

/// `s` if there is not one of something.
fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn shown(replica: &Replica) -> String {
    format!("{}-{}", replica.1, replica.0)
}

async fn topic(admin: &Admin, name: &str) -> Result<TopicDescription, Error> {
    let name = name.to_owned();
    let described = admin.describe_topics(std::slice::from_ref(&name)).await?.remove(&name);
    described.unwrap_or_else(|| Err(Error::broker(protocol::ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)))
}

/// Where the partitions of the topics are.
async fn current(admin: &Admin, topics: impl IntoIterator<Item = &str>) -> Result<Assignment, Failure> {
    let mut found = Assignment::new();
    for name in topics {
        let described = topic(admin, name).await.map_err(|error| {
            if error.is(protocol::ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) {
                refused(format!("{}: Topic {name} not found.", exception(&error)))
            } else {
                failed(error)
            }
        })?;
        for info in described.partitions {
            found.insert(TopicPartition::new(name, info.partition), info.replicas);
        }
    }
    Ok(found)
}

async fn list(admin: &Admin, out: &mut dyn Write) -> Result<(), Failure> {
    let moves = admin.list_partition_reassignments(None).await.map_err(failed)?;
    if moves.is_empty() {
        return Ok(writeln!(out, "No partition reassignments found.")?);
    }
    writeln!(out, "Current partition reassignments:")?;
    for (partition, moving) in moves {
        let part = |what: &str, nodes: &[NodeId]| {
            if nodes.is_empty() { String::new() } else { format!(" {what}: {}.", joined(nodes)) }
        };
        let (adding, removing) = (part("adding", &moving.adding), part("removing", &moving.removing));
        writeln!(out, "{partition}: replicas: {}.{adding}{removing}", joined(&moving.replicas))?;
    }
    Ok(())
}
