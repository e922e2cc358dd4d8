//! `kafka-streams-groups`: lists, describes, resets and deletes streams groups. Kafka: `StreamsGroupCommand`.
//!
//! What the cluster refuses is told on standard output; the exit code is then 1.

mod check;
mod delete;
mod describe;
mod reset;

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use client::Admin;
use client::admin::{GroupListing, StreamsGroupDescription};

use super::consumer_groups::print_error;
use crate::Failure;
use crate::group_list;
use crate::options::{Opt, Options, flag, maybe, value};
use crate::session::{admin, block_on, client_config, failed};

const INTRO: &str = "This tool helps to list, or describe streams groups.";

const OPTIONS: &[Opt] = &[
    flag("all-groups", "All streams groups."),
    flag(
        "all-input-topics",
        "With --reset-offsets and --delete-offsets: all topics that the application reads.",
    ),
    value("bootstrap-server", "String: server to connect to", "REQUIRED: The brokers to connect to."),
    value("by-duration", "String: duration", "Reset to what was written so long ago: PnDTnHnMnS."),
    value("command-config", "String: command config property file", "A file with properties of the client."),
    flag("delete", "Delete groups without members."),
    flag(
        "delete-all-internal-topics",
        "With --delete, and with --reset-offsets --execute: delete the application's own topics too.",
    ),
    value(
        "delete-internal-topic",
        "String",
        "With --reset-offsets --execute: delete this topic of the application too; may be repeated.",
    ),
    flag("delete-offsets", "Delete a group's offsets of topics."),
    flag("describe", "Tell about groups, and how much they have still to read."),
    flag("dry-run", "With --reset-offsets: only tell what would be done."),
    flag("execute", "With --reset-offsets: do it."),
    flag("export", "With --reset-offsets: show it as CSV."),
    value("from-file", "String: path to CSV file", "Reset to the offsets in a CSV file."),
    value("group", "String: streams group", "The group; may be repeated."),
    value(
        "input-topic",
        "String: topic",
        "The topic, or topic:0,1,2 for some of its partitions; may be repeated.",
    ),
    flag("list", "List the streams groups."),
    flag("members", "With --describe: the members and their tasks."),
    flag("offsets", "With --describe: how much is left to read, which is shown otherwise too."),
    flag("reset-offsets", "Set where a group without members goes on reading."),
    value("shift-by", "Long: number-of-offsets", "Reset by so many records forward, or back."),
    maybe(
        "state",
        "String",
        "With --describe: the state. With --list: the state too; or only groups in these: Empty, NotReady, Stable, Assigning, Reconciling, Dead.",
    ),
    value("timeout", "Long: timeout (ms)", "How long to wait for the cluster, in ms. (default: 30000)"),
    flag("to-current", "Reset to the offsets that are committed."),
    value("to-datetime", "String: datetime", "Reset to a time: YYYY-MM-DDThh:mm:ss.sss."),
    flag("to-earliest", "Reset to the first record."),
    flag("to-latest", "Reset to the end."),
    value("to-offset", "Long: offset", "Reset to an offset."),
    flag("verbose", "With --describe: more."),
];

const KIND: &str = "Streams";
const STATES: [&str; 6] = ["Empty", "NotReady", "Stable", "Assigning", "Reconciling", "Dead"];

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse_or_usage(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    check::check(&options)?;
    let config = client_config(options.value("command-config")?, options.value("bootstrap-server")?)?;
    let timeout = Duration::from_millis(options.number("timeout")?.unwrap_or(30_000));
    block_on(async {
        let admin = admin(&config)?.with_timeout(timeout);
        let done = if options.has("list") {
            list(&admin, &options, out).await
        } else if options.has("describe") {
            describe::run(&admin, &options, out).await
        } else if options.has("delete") {
            delete::groups(&admin, &options, out).await
        } else if options.has("reset-offsets") {
            reset::run(&admin, &options, out).await
        } else {
            delete::offsets(&admin, &options, out).await
        };
        match done {
            Err(Failure::Message(text, _)) => {
                print_error(&format!("Executing streams group command failed due to {text}"), out)?;
                Err(Failure::Code(1))
            }
            other => other,
        }
    })
}

/// The streams groups.
async fn listings(admin: &Admin) -> Result<Vec<GroupListing>, Failure> {
    group_list::of_kind(admin, KIND, BTreeSet::new()).await.map_err(failed)
}

/// The groups that are meant.
async fn groups(admin: &Admin, options: &Options) -> Result<Vec<String>, Failure> {
    if options.has("all-groups") {
        let listed = listings(admin).await?;
        return Ok(listed.into_iter().map(|group| group.group_id).collect());
    }
    let mut groups: Vec<String> = options.values("group").into_iter().map(str::to_owned).collect();
    groups.dedup();
    Ok(groups)
}

async fn described(admin: &Admin, group: &str) -> Result<StreamsGroupDescription, Failure> {
    let described = admin.describe_streams_groups(&[group.to_owned()]).await.remove(group);
    described.unwrap_or_else(|| unreachable!("each group has its result")).map_err(failed)
}

/// The topics that the application reads: those of others, and where asked its own.
fn input_topics(group: &StreamsGroupDescription, with_own: bool) -> BTreeSet<&str> {
    let own = group.subtopologies.iter().flat_map(|it| &it.repartition_source_topics).filter(|_| with_own);
    let others = group.subtopologies.iter().flat_map(|it| &it.source_topics);
    others.chain(own).map(String::as_str).collect()
}

async fn list(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let states = group_list::named(options, "state", &STATES)?;
    let groups = group_list::of_kind(admin, KIND, states).await.map_err(failed)?;
    Ok(group_list::show(&groups, options.has("state"), out)?)
}
