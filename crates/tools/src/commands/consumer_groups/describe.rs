//! `kafka-consumer-groups --describe`: offsets, members or state.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use client::Admin;
use client::OffsetAndMetadata;
use client::admin::{ConsumerGroupDescription, MemberDescription, OffsetSpec};
use client::config::IsolationLevel;
use model::TopicPartition;

use super::{groups, print_error};
use crate::Failure;
use crate::options::Options;
use crate::session::{exception, failed};

const NONE: &str = "-";

pub(super) async fn run(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let groups = groups(admin, options).await?;
    for (name, group) in admin.describe_consumer_groups(&groups).await {
        let group = group.map_err(|error| Failure::message(format!("{}: {error}", exception(&error))))?;
        let verbose = options.has("verbose");
        if options.has("members") {
            let shown = show_state(&name, &group.state, group.members.len(), out)?;
            show_members(&group, shown, verbose, out)?;
        } else if options.has("state") {
            if show_state(&name, &group.state, 1, out)? {
                show_group(&group, verbose, out)?;
            }
        } else {
            let rows = collect(admin, &group).await?;
            if show_state(&name, &group.state, rows.len(), out)? {
                show_offsets(&rows, verbose, out)?;
            }
        }
    }
    Ok(())
}

/// Tells what is special about the state; whether there is something to show.
fn show_state(name: &str, state: &str, rows: usize, out: &mut dyn Write) -> Result<bool, Failure> {
    match state.to_ascii_lowercase().as_str() {
        "dead" => print_error(&format!("Consumer group '{name}' does not exist."), out)?,
        "empty" => complain!("\nConsumer group '{name}' has no active members."),
        "preparingrebalance" | "completingrebalance" | "assigning" | "reconciling" => {
            complain!("\nWarning: Consumer group '{name}' is rebalancing.");
        }
        _ => {}
    }
    Ok(!state.eq_ignore_ascii_case("dead") && rows > 0)
}

/// A line of offsets.
struct Row {
    group: String,
    partition: Option<TopicPartition>,
    leader_epoch: Option<i32>,
    current: Option<i64>,
    end: Option<i64>,
    consumer: Option<(String, String, String)>,
}

async fn collect(admin: &Admin, group: &ConsumerGroupDescription) -> Result<Vec<Row>, Failure> {
    let committed = admin.list_group_offsets(&group.group_id, None, false).await.map_err(failed)?;
    let mut offsets: BTreeMap<TopicPartition, Option<OffsetAndMetadata>> = BTreeMap::new();
    for (partition, offset) in committed {
        offsets.insert(partition, offset.map_err(failed)?);
    }
    let mut assigned = BTreeSet::new();
    let mut members: Vec<&MemberDescription> = group.members.iter().collect();
    members.sort_by_key(|member| std::cmp::Reverse(member.assignment.len()));
    let mut wanted: Vec<(Option<&MemberDescription>, Option<TopicPartition>)> = Vec::new();
    for member in members {
        if member.assignment.is_empty() {
            wanted.push((Some(member), None));
        }
        let mut partitions: Vec<_> = member.assignment.iter().cloned().collect();
        partitions.sort_by_key(|partition| partition.partition);
        for partition in partitions {
            assigned.insert(partition.clone());
            wanted.push((Some(member), Some(partition)));
        }
    }
    let rest = offsets.keys().filter(|partition| !assigned.contains(*partition));
    let mut rest: Vec<_> = rest.cloned().collect();
    rest.sort_by_key(|partition| partition.partition);
    wanted.extend(rest.into_iter().map(|partition| (None, Some(partition))));
    let specs =
        wanted.iter().filter_map(|(_, partition)| Some((partition.clone()?, OffsetSpec::Latest))).collect();
    let ends = admin.list_offsets(&specs, IsolationLevel::ReadUncommitted).await;
    let row = |(member, partition): (Option<&MemberDescription>, Option<TopicPartition>)| {
        let committed = partition.as_ref().and_then(|partition| offsets.get(partition)?.clone());
        let end = partition.as_ref().and_then(|partition| ends.get(partition)?.as_ref().ok());
        Row {
            group: group.group_id.clone(),
            partition,
            leader_epoch: committed
                .as_ref()
                .and_then(|committed| committed.leader_epoch)
                .map(|epoch| epoch.0),
            current: committed.map(|committed| committed.offset.0),
            end: end.map(|end| end.offset.0),
            consumer: member
                .map(|member| (member.member_id.clone(), member.host.clone(), member.client_id.clone())),
        }
    };
    Ok(wanted.into_iter().map(row).collect())
}

fn show_offsets(rows: &[Row], verbose: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let text = |value: Option<i64>| value.map_or_else(|| NONE.to_owned(), |value| value.to_string());
    let cells = |row: &Row| -> Vec<String> {
        let (topic, partition) = match &row.partition {
            Some(partition) => (partition.topic.to_string(), partition.partition.to_string()),
            None => (NONE.to_owned(), NONE.to_owned()),
        };
        let lag = row
            .current
            .zip(row.end)
            .filter(|(current, _)| *current != -1)
            .map(|(current, end)| end - current);
        let (consumer, host, client) =
            row.consumer.clone().unwrap_or_else(|| (NONE.to_owned(), NONE.to_owned(), NONE.to_owned()));
        let epoch = text(row.leader_epoch.map(i64::from));
        vec![
            row.group.clone(),
            topic,
            partition,
            epoch,
            text(row.current),
            text(row.end),
            text(lag),
            consumer,
            host,
            client,
        ]
    };
    let headers = [
        "GROUP",
        "TOPIC",
        "PARTITION",
        "LEADER-EPOCH",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ];
    let rows: Vec<_> = rows.iter().map(cells).collect();
    let width = |column: usize| match column {
        0 | 1 | 7 | 8 => rows.iter().map(|row| row[column].len()).max().unwrap_or(0).max(15),
        2 => 10,
        9 => 0,
        _ => 15,
    };
    let headers: Vec<String> = headers.iter().map(|header| header.to_string()).collect();
    for row in [&headers].into_iter().chain(&rows) {
        let shown = row.iter().enumerate().filter(|(column, _)| verbose || *column != 3);
        let cells: Vec<_> =
            shown.map(|(column, cell)| format!("{cell:<width$}", width = width(column))).collect();
        write!(out, "\n{}", cells.join(" "))?;
    }
    Ok(writeln!(out)?)
}

fn show_members(
    group: &ConsumerGroupDescription,
    shown: bool,
    verbose: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let members: &[MemberDescription] = if shown { &group.members } else { &[] };
    let instance = |member: &MemberDescription| member.group_instance_id.clone().unwrap_or_default();
    let has_instances = members.iter().any(|member| !instance(member).is_empty());
    let width = |cell: &dyn Fn(&MemberDescription) -> usize, least: usize| {
        members.iter().map(cell).max().unwrap_or(0).max(least)
    };
    let groups = if members.is_empty() { 15 } else { group.group_id.len().max(15) };
    let ids = width(&|member| member.member_id.len(), 15);
    let instances = width(&|member| instance(member).len(), 17);
    let (hosts, clients) =
        (width(&|member| member.host.len(), 15), width(&|member| member.client_id.len(), 15));
    let line = |group: &str, id: &str, instance: &str, host: &str, client: &str, count: &str| {
        let instance = if has_instances { format!("{instance:<instances$} ") } else { String::new() };
        format!("{group:<groups$} {id:<ids$} {instance}{host:<hosts$} {client:<clients$} {count:<15} ")
    };
    let more = |epoch: &str, assignment: &str, target_epoch: &str, target: &str| {
        if verbose {
            format!("{epoch:<15} {assignment:<25} {target_epoch:<15} {target}")
        } else {
            String::new()
        }
    };
    let header = line("GROUP", "CONSUMER-ID", "GROUP-INSTANCE-ID", "HOST", "CLIENT-ID", "#PARTITIONS");
    writeln!(
        out,
        "\n{header}{}",
        more("CURRENT-EPOCH", "CURRENT-ASSIGNMENT", "TARGET-EPOCH", "TARGET-ASSIGNMENT")
    )?;
    for member in members {
        let epoch = |epoch: Option<i32>| epoch.map_or_else(|| NONE.to_owned(), |epoch| epoch.to_string());
        let count = member.assignment.len().to_string();
        let begin = line(
            &group.group_id,
            &member.member_id,
            &instance(member),
            &member.host,
            &member.client_id,
            &count,
        );
        let target = member.target_assignment.as_ref().map_or_else(|| NONE.to_owned(), show_assignment);
        let end = more(
            &epoch(member.member_epoch),
            &show_assignment(&member.assignment),
            &epoch(group.target_assignment_epoch),
            &target,
        );
        writeln!(out, "{begin}{end}")?;
    }
    Ok(())
}

/// `a:0,1;b:0`, or a dash.
fn show_assignment(partitions: &BTreeSet<TopicPartition>) -> String {
    let mut topics: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition.to_string());
    }
    if topics.is_empty() {
        return NONE.to_owned();
    }
    topics.into_iter().map(|(topic, ids)| format!("{topic}:{}", ids.join(","))).collect::<Vec<_>>().join(";")
}

fn show_group(group: &ConsumerGroupDescription, verbose: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let node = group.coordinator.as_ref();
    let coordinator =
        node.map_or_else(|| NONE.to_owned(), |node| format!("{}:{}  ({})", node.host, node.port, node.id));
    let groups = group.group_id.len().max(15);
    let coordinators = coordinator.len().max(25);
    let assignor = if group.assignor.is_empty() { NONE } else { &group.assignor };
    let epoch = |epoch: Option<i32>| epoch.map_or_else(|| NONE.to_owned(), |epoch| epoch.to_string());
    let line = |cells: [&str; 7]| {
        let [name, coordinator, assignor, state, epoch, target, members] = cells;
        let epochs = if verbose { format!("{epoch:<15} {target:<25} ") } else { String::new() };
        format!("\n{name:<groups$} {coordinator:<coordinators$} {assignor:<20} {state:<20} {epochs}{members}")
    };
    let header = [
        "GROUP",
        "COORDINATOR (ID)",
        "ASSIGNMENT-STRATEGY",
        "STATE",
        "GROUP-EPOCH",
        "TARGET-ASSIGNMENT-EPOCH",
        "#MEMBERS",
    ];
    write!(out, "{}", line(header))?;
    let (members, own, target) =
        (group.members.len().to_string(), epoch(group.group_epoch), epoch(group.target_assignment_epoch));
    let row = line([&group.group_id, &coordinator, assignor, &group.state, &own, &target, &members]);
    Ok(writeln!(out, "{row}")?)
}
