//! `kafka-streams-groups --describe`: offsets, members or state.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use client::Admin;
use client::admin::{OffsetSpec, StreamsGroupDescription, StreamsTasks};
use model::TopicPartition;

use super::{described, groups, input_topics, print_error};
use crate::Failure;
use crate::commands::consumer_groups::reset::find;
use crate::options::Options;
use crate::session::failed;

const NONE: &str = "-";

pub(super) async fn run(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let verbose = options.has("verbose");
    for group in groups(admin, options).await? {
        let group = described(admin, &group).await?;
        if options.has("members") {
            show_members(&group, verbose, out)?;
        } else if options.has("state") {
            show_state(&group, verbose, out)?;
        } else {
            show_offsets(admin, &group, verbose, out).await?;
        }
    }
    Ok(())
}

/// Writes rows, each before a line feed. A column is as wide as its cells, and as `least` at least; the last is not padded.
fn table<const N: usize>(
    least: [usize; N],
    rows: &[Vec<String>],
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let widest = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..N).map(|column| widest(column).max(least[column])).collect();
    for row in rows {
        for (cell, width) in row.iter().zip(&widths) {
            write!(out, "{cell:<width$} ")?;
        }
        writeln!(out, "{}", row.last().map_or("", String::as_str))?;
    }
    Ok(())
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn is_dead(group: &StreamsGroupDescription) -> bool {
    group.state.eq_ignore_ascii_case("dead")
}

/// Tells what is special about the state.
fn note_state(group: &StreamsGroupDescription, out: &mut dyn Write) -> std::io::Result<()> {
    let name = &group.group_id;
    if is_dead(group) {
        return print_error(&format!("Streams group '{name}' does not exist."), out);
    }
    if group.state.eq_ignore_ascii_case("empty") {
        return print_error(&format!("Streams group '{name}' has no active members."), out);
    }
    Ok(())
}

fn show_state(group: &StreamsGroupDescription, verbose: bool, out: &mut dyn Write) -> Result<(), Failure> {
    note_state(group, out)?;
    let node = group.coordinator.as_ref();
    let coordinator =
        node.map_or_else(|| NONE.to_owned(), |node| format!("{}:{} ({})", node.host, node.port, node.id));
    let members = group.members.len().to_string();
    if !verbose {
        let header = row(["GROUP", "COORDINATOR (ID)", "STATE", "#MEMBERS"]);
        let rows = [header, row([&group.group_id, &coordinator, &group.state, &members])];
        return Ok(table([15, 25, 25], &rows, out)?);
    }
    let (epoch, target) = (group.group_epoch.to_string(), group.target_assignment_epoch.to_string());
    let header =
        row(["GROUP", "COORDINATOR (ID)", "STATE", "GROUP-EPOCH", "TARGET-ASSIGNMENT-EPOCH", "#MEMBERS"]);
    let rows = [header, row([&group.group_id, &coordinator, &group.state, &epoch, &target, &members])];
    Ok(table([15, 25, 25, 15, 25], &rows, out)?)
}

fn show_members(group: &StreamsGroupDescription, verbose: bool, out: &mut dyn Write) -> Result<(), Failure> {
    if is_dead(group) || group.members.is_empty() {
        return Ok(());
    }
    let mut members: Vec<_> = group.members.iter().collect();
    members.sort_by(|a, b| a.member_id.cmp(&b.member_id));
    let id = &*group.group_id;
    if !verbose {
        let mut rows = vec![row(["GROUP", "MEMBER", "PROCESS", "CLIENT-ID", "ASSIGNMENTS"])];
        rows.extend(members.into_iter().map(|member| {
            row([
                id,
                &member.member_id,
                &member.process_id,
                &member.client_id,
                &tasks(&member.assignment, ""),
            ])
        }));
        return Ok(table([15, 15, 15, 15], &rows, out)?);
    }
    let mut rows = vec![row([
        "GROUP",
        "TARGET-ASSIGNMENT-EPOCH",
        "TOPOLOGY-EPOCH",
        "MEMBER",
        "MEMBER-PROTOCOL",
        "MEMBER-EPOCH",
        "PROCESS",
        "CLIENT-ID",
        "ASSIGNMENTS",
    ])];
    let (target, topology) = (group.target_assignment_epoch.to_string(), group.topology_epoch.to_string());
    rows.extend(members.into_iter().map(|member| {
        let protocol = if member.is_classic { "classic" } else { "streams" };
        let both = tasks(&member.assignment, "") + &tasks(&member.target_assignment, "TARGET-");
        row([
            id,
            &target,
            &topology,
            &member.member_id,
            protocol,
            &member.member_epoch.to_string(),
            &member.process_id,
            &member.client_id,
            &both,
        ])
    }));
    Ok(table([15, 25, 14, 15, 15, 15, 15, 15], &rows, out)?)
}

/// `ACTIVE: 0:[0,1]; STANDBY: 1:[0]; `.
fn tasks(tasks: &StreamsTasks, prefix: &str) -> String {
    let mut text = String::new();
    for (kind, tasks) in [("ACTIVE", &tasks.active), ("STANDBY", &tasks.standby), ("WARMUP", &tasks.warmup)] {
        let shown = tasks.iter().map(|(subtopology, tasks)| {
            let tasks: Vec<_> = tasks.iter().map(ToString::to_string).collect();
            format!("{subtopology}:[{}]; ", tasks.join(","))
        });
        if !tasks.is_empty() {
            text += &format!("{prefix}{kind}: {}", shown.collect::<String>());
        }
    }
    text
}

/// The partitions of the topics that members' active tasks read.
fn partitions(group: &StreamsGroupDescription) -> Result<Vec<TopicPartition>, Failure> {
    let by_id: BTreeMap<_, _> = group.subtopologies.iter().map(|it| (&it.id, it)).collect();
    let mut partitions = BTreeSet::new();
    for (id, tasks) in group.members.iter().flat_map(|member| &member.assignment.active) {
        let Some(subtopology) = by_id.get(id) else {
            let text = format!("Subtopology {id} not found in group description!");
            return Err(Failure::message(text));
        };
        for topic in subtopology.source_topics.iter().chain(&subtopology.repartition_source_topics) {
            partitions.extend(tasks.iter().map(|task| TopicPartition::new(topic.as_str(), *task)));
        }
    }
    Ok(partitions.into_iter().collect())
}

async fn show_offsets(
    admin: &Admin,
    group: &StreamsGroupDescription,
    verbose: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let partitions = partitions(group)?;
    let starts = find(admin, &partitions, OffsetSpec::Earliest).await?;
    let ends = find(admin, &partitions, OffsetSpec::Latest).await?;
    let topics = input_topics(group, true);
    let committed = admin.list_group_offsets(&group.group_id, None, false).await.map_err(failed)?;
    if is_dead(group) || group.members.is_empty() {
        return Ok(());
    }
    note_state(group, out)?;
    let mut rows = vec![match verbose {
        false => row(["GROUP", "TOPIC", "PARTITION", "OFFSET-LAG"]),
        true => row([
            "GROUP",
            "TOPIC",
            "PARTITION",
            "CURRENT-OFFSET",
            "LEADER-EPOCH",
            "LOG-END-OFFSET",
            &format!("{:<15}", "OFFSET-LAG"),
        ]),
    }];
    for partition in &partitions {
        let stands = committed.get(partition).filter(|_| topics.contains(&*partition.topic));
        let stands = stands.and_then(|result| result.as_ref().ok()).and_then(Option::as_ref);
        let (start, end) = (starts[partition], ends[partition]);
        let lag = (end - stands.map_or(start, |stands| stands.offset.0)).to_string();
        let index = partition.partition.to_string();
        let begin = [&*group.group_id, &*partition.topic, &*index];
        rows.push(match verbose {
            false => row([begin[0], begin[1], begin[2], &lag]),
            true => {
                let current = stands.map_or_else(|| NONE.into(), |stands| stands.offset.0.to_string());
                let epoch = stands.and_then(|stands| stands.leader_epoch);
                let epoch = epoch.map_or_else(|| NONE.into(), |epoch| epoch.0.to_string());
                row([begin[0], begin[1], begin[2], &current, &epoch, &end.to_string(), &format!("{lag:<15}")])
            }
        });
    }
    match verbose {
        false => table([15, 15, 10], &rows, out)?,
        true => table([15, 15, 10, 15, 15, 15], &rows, out)?,
    }
    Ok(())
}
