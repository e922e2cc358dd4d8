//! `kafka-consumer-groups`: lists and describes groups, resets and deletes their offsets, deletes them.
//!
//! Kafka: `ConsumerGroupCommand`.

mod check;
pub(super) mod delete;
mod describe;
mod list;
pub(super) mod reset;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use client::{Admin, Error};
use model::TopicPartition;

use crate::Failure;
use crate::options::{Opt, Options, flag, maybe, value};
use crate::session::{admin, block_on, client_config, failed};

const INTRO: &str = "Lists consumer groups, tells how far they have read, resets or deletes their offsets, and deletes groups.";

const OPTIONS: &[Opt] = &[
    flag("all-groups", "All groups."),
    flag("all-topics", "All topics that the group has offsets of."),
    value(
        "bootstrap-server",
        "String: server to connect to",
        "REQUIRED but for --validate-regex: The brokers to connect to.",
    ),
    value("by-duration", "String: duration", "Reset to what was written so long ago: PnDTnHnMnS."),
    value("command-config", "String: properties file", "A file with properties of the client."),
    flag("delete", "Delete groups that have no members, with their offsets."),
    flag("delete-offsets", "Delete a group's offsets of topics."),
    flag("describe", "Tell how far groups have read and how much is left."),
    flag("dry-run", "Only show what a reset would do. The default of --reset-offsets."),
    flag("execute", "Do what --reset-offsets shows."),
    flag("export", "Show a reset as CSV."),
    value("from-file", "String: path to CSV file", "Reset to the offsets in a CSV file."),
    value("group", "String: consumer group", "The group; may be repeated."),
    flag("list", "List the groups."),
    flag("members", "With --describe: tell the members."),
    flag("offsets", "With --describe: tell the offsets, which is the default."),
    flag(
        "reset-offsets",
        "Set where groups without members go on reading. Shows it only, unless --execute is given.",
    ),
    value("shift-by", "Long: number-of-offsets", "Reset by so many records forward, or back."),
    maybe(
        "state",
        "String",
        "With --describe: tell the state. With --list: show states, or only groups in certain states.",
    ),
    value("timeout", "Long: timeout (ms)", "How long to wait for the group to be stable. (default: 30000)"),
    flag("to-current", "Reset to the offsets that are committed."),
    value("to-datetime", "String: datetime", "Reset to a time: YYYY-MM-DDThh:mm:ss.sss."),
    flag("to-earliest", "Reset to the first record."),
    flag("to-latest", "Reset to the end."),
    value("to-offset", "Long: offset", "Reset to an offset."),
    value("topic", "String: topic", "The topic, or topic:0,1,2 for some of its partitions; may be repeated."),
    maybe("type", "String", "With --list: show types, or only groups of certain types."),
    value("validate-regex", "String: regex", "Tell whether a regular expression can be subscribed."),
    flag("verbose", "With --describe: tell more."),
];

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    check::check(&options)?;
    if let Some(regex) = options.value("validate-regex")? {
        return validate_regex(regex, out);
    }
    let config = client_config(options.value("command-config")?, options.value("bootstrap-server")?)?;
    let timeout = Duration::from_millis(options.number::<u64>("timeout")?.unwrap_or(30_000));
    block_on(async {
        let admin = admin(&config)?.with_timeout(timeout);
        match act(&admin, &options, out).await {
            Err(Failure::Message(text, _)) => {
                print_error(&format!("Executing consumer group command failed due to {text}"), out)?;
                Ok(())
            }
            other => other,
        }
    })
}

async fn act(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    if options.has("list") {
        list::run(admin, options, out).await
    } else if options.has("describe") {
        describe::run(admin, options, out).await
    } else if options.has("delete") {
        delete::groups(admin, options, out).await
    } else if options.has("reset-offsets") {
        reset::run(admin, options, out).await
    } else {
        delete::offsets(admin, options, out).await
    }
}

/// Kafka: `ConsumerGroupCommand.printError`.
pub(super) fn print_error(text: &str, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "\nError: {text}")
}

/// The groups that are meant.
async fn groups(admin: &Admin, options: &Options) -> Result<Vec<String>, Failure> {
    if options.has("all-groups") {
        return list::consumer_groups(admin).await;
    }
    let mut groups: Vec<String> = options.values("group").into_iter().map(str::to_owned).collect();
    groups.dedup();
    Ok(groups)
}

/// The partitions of `topic` or `topic:0,1,2`, several such; fails if one of the topics is not there.
pub(super) async fn partitions(admin: &Admin, topics: &[&str]) -> Result<Vec<TopicPartition>, Failure> {
    let (found, unknown) = known_partitions(admin, topics).await?;
    unknown.into_values().next().map_or(Ok(found), |error| Err(failed(error)))
}

/// The partitions of `topic` or `topic:0,1,2`, several such, and of which topics they are not known, and why.
pub(super) async fn known_partitions(
    admin: &Admin,
    topics: &[&str],
) -> Result<(Vec<TopicPartition>, BTreeMap<String, Error>), Failure> {
    let mut found = Vec::new();
    let mut whole = Vec::new();
    for text in topics {
        match text.rsplit_once(':') {
            None => whole.push(text.to_string()),
            Some((topic, partitions)) => {
                for id in partitions.split(',') {
                    let id = id.parse().map_err(|_| {
                        Failure::message(format!("Invalid format specified for partitions: {partitions}"))
                    })?;
                    found.push(TopicPartition::new(topic, id));
                }
            }
        }
    }
    let mut unknown = BTreeMap::new();
    for (name, topic) in admin.describe_topics(&whole).await.map_err(failed)? {
        match topic {
            Ok(topic) => found.extend(
                topic.partitions.iter().map(|info| TopicPartition::new(name.as_str(), info.partition)),
            ),
            Err(error) => drop(unknown.insert(name, error)),
        }
    }
    found.sort();
    found.dedup();
    Ok((found, unknown))
}

fn validate_regex(regex: &str, out: &mut dyn Write) -> Result<(), Failure> {
    match regex::Regex::new(regex) {
        Ok(_) => writeln!(out, "The regular expression `{regex}` is valid.")?,
        Err(error) => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            writeln!(out, "The regular expression `{regex}` is invalid: {reason}.")?;
        }
    }
    Ok(())
}
