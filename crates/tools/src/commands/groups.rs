//! `kafka-groups`: lists groups of every kind. Kafka: `GroupsCommand`.

use std::io::Write;

use client::admin::{GroupListing, ListGroupsOptions};

use crate::Failure;
use crate::group_list;
use crate::options::{Opt, Options, flag, value};
use crate::session::{admin, block_on, client_config};

const INTRO: &str = "Lists groups of every kind.";

const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String: server to connect to", "REQUIRED: The brokers to connect to."),
    value("command-config", "String: command config property file", "A file with properties of the client."),
    flag(
        "consumer",
        "Only consumer groups: of the consumer protocol, classic ones whose members are consumers, and those that only \
         keep offsets.",
    ),
    value("group-type", "String: type", "Only groups of this kind: classic, consumer, share or streams."),
    flag("list", "List the groups."),
    value("protocol", "String: protocol", "Only groups whose members speak this protocol."),
    flag("share", "Only share groups."),
    flag("streams", "Only streams groups."),
];

const TYPES: [&str; 4] = ["Classic", "Consumer", "Share", "Streams"];
const LEAST_WIDTH: usize = 20;

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse_or_usage(INTRO, OPTIONS, args)?;
    let kind = check(&options)?;
    let config = client_config(options.value("command-config")?, options.value("bootstrap-server")?)?;
    let protocol = options.value("protocol")?;
    block_on(async {
        let listed = group_list::list(&admin(&config)?, &ListGroupsOptions::default()).await;
        let groups = match listed {
            Ok(groups) => groups,
            Err(error) => {
                writeln!(out, "Error while executing groups command : {error}")?;
                return Err(Failure::Code(1));
            }
        };
        let meant = groups.iter().filter(|group| is_meant(group, &options, kind, protocol));
        show(meant.collect(), out)
    })
}

/// Checks which options go together; the kind of group that `--group-type` means.
fn check(options: &Options) -> Result<Option<&'static str>, Failure> {
    if !options.has("bootstrap-server") {
        return Err(options.usage("Missing required option(s) [bootstrap-server]"));
    }
    if !options.has("list") {
        return Err(options.usage("Command must include exactly one action: --list."));
    }
    let kind = match options.value("group-type")? {
        None => None,
        Some(text) => Some(
            type_named(text).ok_or_else(|| Failure::message("--group-type must be a valid group type."))?,
        ),
    };
    options.exclude("consumer", &["group-type", "protocol", "share", "streams"])?;
    options.exclude("share", &["consumer", "group-type", "protocol", "streams"])?;
    options.exclude("streams", &["consumer", "group-type", "protocol", "share"])?;
    Ok(kind)
}

fn type_named(text: &str) -> Option<&'static str> {
    TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(text))
}

/// Kafka: `GroupsCommand.GroupsService.combinedFilter`.
fn is_meant(group: &GroupListing, options: &Options, kind: Option<&str>, protocol: Option<&str>) -> bool {
    let own = group.group_type.as_deref().and_then(type_named);
    if kind.is_some() || protocol.is_some() {
        return kind.is_none_or(|kind| own == Some(kind))
            && protocol.is_none_or(|protocol| group.protocol == protocol);
    }
    if options.has("consumer") {
        return matches!(group.protocol.as_str(), "" | "consumer") || own == Some("Consumer");
    }
    (!options.has("share") || own == Some("Share")) && (!options.has("streams") || own == Some("Streams"))
}

fn show(groups: Vec<&GroupListing>, out: &mut dyn Write) -> Result<(), Failure> {
    let cells = |group: &GroupListing| {
        let kind = group.group_type.as_deref().unwrap_or_default();
        let kind = type_named(kind).unwrap_or(kind).to_owned();
        [group.group_id.clone(), kind, group.protocol.clone()]
    };
    let rows: Vec<_> = groups.into_iter().map(cells).collect();
    let longest = rows.iter().flatten().map(|cell| cell.chars().count()).max().unwrap_or(0);
    let width = longest.max(LEAST_WIDTH);
    writeln!(out, "{:<width$} {:<width$} {:<width$}", "GROUP", "TYPE", "PROTOCOL")?;
    for [group, kind, protocol] in rows {
        writeln!(out, "{group:<width$} {kind:<width$} {protocol:<width$} ")?;
    }
    Ok(())
}
