//! `kafka-share-groups`: lists, describes, resets and deletes share groups. Kafka: `ShareGroupCommand`.
//!
//! What the cluster refuses is told on standard output, and the exit code is 0 all the same, as in Kafka.

mod check;
mod delete;
mod describe;
mod reset;

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use client::admin::GroupListing;
use client::{Admin, Error};

use super::consumer_groups::print_error;
use crate::Failure;
use crate::group_list;
use crate::options::{Opt, Options, flag, maybe, value};
use crate::session::{admin, block_on, client_config, exception};

const INTRO: &str = "Lists, describes, resets and deletes share groups.";

const OPTIONS: &[Opt] = &[
    flag("all-groups", "All share groups."),
    flag("all-topics", "With --reset-offsets: all topics that the group has."),
    value("bootstrap-server", "String: server to connect to", "REQUIRED: The brokers to connect to."),
    value("command-config", "String: command config property file", "A file with properties of the client."),
    flag("delete", "Delete groups."),
    flag("delete-offsets", "Make a group, whose members have left, forget topics."),
    flag("describe", "Tell about groups."),
    flag("dry-run", "With --reset-offsets: only tell what would be done."),
    flag("execute", "With --reset-offsets: do it."),
    value("group", "String: share group", "The group."),
    flag("list", "List the share groups."),
    flag("members", "With --describe: the members."),
    flag(
        "offsets",
        "With --describe: where the group stands in each partition. This is what is shown otherwise too.",
    ),
    flag("reset-offsets", "Make a group, whose members have left, begin elsewhere."),
    maybe(
        "state",
        "String",
        "With --describe: the state. With --list: the state too; or only groups in these: Empty, Stable, Dead.",
    ),
    value("timeout", "Long: timeout (ms)", "How long to wait for the cluster, in ms. (default: 30000)"),
    value("to-datetime", "String: datetime", "Begin at this time: YYYY-MM-DDThh:mm:ss.sss"),
    flag("to-earliest", "Begin at the first record."),
    flag("to-latest", "Begin after the last record."),
    value(
        "topic",
        "String: topic",
        "The topic; for --reset-offsets also some of its partitions: topic:0,1,2.",
    ),
    flag("verbose", "With --describe: more."),
];

const KIND: &str = "Share";
const STATES: [&str; 3] = ["Empty", "Stable", "Dead"];

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
            Err(Ended::Failed(text)) => {
                Ok(print_error(&format!("Executing share group command failed due to {text}"), out)?)
            }
            Err(Ended::Stop(failure)) => Err(failure),
            Ok(()) => Ok(()),
        }
    })
}

/// Why an action ended early.
enum Ended {
    /// The cluster refused; the reason as Java has it.
    Failed(String),
    /// The tool ends with this.
    Stop(Failure),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(format!("{}: {error}", exception(&error)))
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Stop(failure)
    }
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Self {
        Self::Stop(error.into())
    }
}

/// The share groups.
async fn listings(admin: &Admin) -> Result<Vec<GroupListing>, Error> {
    group_list::of_kind(admin, KIND, BTreeSet::new()).await
}

/// The groups that are meant.
async fn groups(admin: &Admin, options: &Options) -> Result<Vec<String>, Ended> {
    if options.has("all-groups") {
        let listed = listings(admin).await?;
        return Ok(listed.into_iter().map(|group| group.group_id).collect());
    }
    Ok(options.values("group").into_iter().map(str::to_owned).collect())
}

async fn list(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Ended> {
    let states = group_list::named(options, "state", &STATES)?;
    let groups = group_list::of_kind(admin, KIND, states).await?;
    Ok(group_list::show(&groups, options.has("state"), out)?)
}
