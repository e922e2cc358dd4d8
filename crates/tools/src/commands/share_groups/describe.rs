//! `kafka-share-groups --describe`: offsets, members or state.

use std::collections::BTreeMap;
use std::io::Write;

use client::Admin;
use client::admin::{ShareGroupDescription, ShareMemberDescription};

use super::{Ended, groups, print_error};
use crate::options::Options;

const NONE: &str = "-";

pub(super) async fn run(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Ended> {
    let verbose = options.has("verbose");
    let groups = groups(admin, options).await?;
    let mut described = Vec::new();
    for group in admin.describe_share_groups(&groups).await.into_values() {
        described.push(group?);
    }
    for group in described {
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

/// Writes rows, each after a line feed, and an end. The first columns are as wide as their cells, and as `least` at
/// least; the next as wide as `fixed`; the last is not padded.
fn table(least: &[usize], fixed: &[usize], rows: &[Vec<String>], out: &mut dyn Write) -> std::io::Result<()> {
    let widest = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let padded = least.iter().enumerate().map(|(column, least)| widest(column).max(*least));
    let widths: Vec<_> = padded.chain(fixed.iter().copied()).collect();
    for row in rows {
        writeln!(out)?;
        for (cell, width) in row.iter().zip(&widths) {
            write!(out, "{cell:<width$} ")?;
        }
        write!(out, "{}", row.last().map_or("", String::as_str))?;
    }
    writeln!(out)
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// Tells what is special about the state; whether there is something to show.
fn note_state(group: &ShareGroupDescription, rows: usize, out: &mut dyn Write) -> Result<bool, Ended> {
    let (name, is_dead) = (&group.group_id, group.state.eq_ignore_ascii_case("dead"));
    if is_dead {
        print_error(&format!("Share group '{name}' does not exist."), out)?;
    } else if group.state.eq_ignore_ascii_case("empty") {
        complain!("\nShare group '{name}' has no active members.");
    }
    Ok(!is_dead && rows > 0)
}

async fn show_offsets(
    admin: &Admin,
    group: &ShareGroupDescription,
    verbose: bool,
    out: &mut dyn Write,
) -> Result<(), Ended> {
    let name = &group.group_id;
    let offsets = admin.list_share_group_offsets(name).await?;
    if offsets.is_empty() {
        return Ok(writeln!(out, "\nShare group '{name}' has no offset information.")?);
    }
    let text = |number: Option<i64>| number.map_or_else(|| NONE.to_owned(), |number| number.to_string());
    let cells = |partition: [&str; 3], epoch: &str, rest: [&str; 2]| {
        let epoch = verbose.then_some(epoch);
        row(&partition.into_iter().chain(epoch).chain(rest).collect::<Vec<_>>())
    };
    let mut rows = vec![cells(["GROUP", "TOPIC", "PARTITION"], "LEADER-EPOCH", ["START-OFFSET", "LAG"])];
    for (partition, stands) in offsets {
        let epoch = text(stands.and_then(|at| at.leader_epoch).map(|epoch| i64::from(epoch.0)));
        let start = text(stands.map(|at| at.start.0));
        let lag = text(stands.and_then(|at| at.lag));
        let index = partition.partition.to_string();
        rows.push(cells([name, &partition.topic, &index], &epoch, [&start, &lag]));
    }
    let fixed: &[usize] = if verbose { &[10, 13, 13] } else { &[10, 13] };
    Ok(table(&[15, 15], fixed, &rows, out)?)
}

fn show_state(group: &ShareGroupDescription, verbose: bool, out: &mut dyn Write) -> Result<(), Ended> {
    note_state(group, 1, out)?;
    let node = group.coordinator.as_ref();
    let coordinator =
        node.map_or_else(|| NONE.to_owned(), |node| format!("{}:{}  ({})", node.host, node.port, node.id));
    let members = group.members.len().to_string();
    let (epoch, target) = (group.group_epoch.to_string(), group.target_assignment_epoch.to_string());
    let (rows, fixed): (_, &[usize]) = if verbose {
        let header = ["GROUP", "COORDINATOR (ID)", "STATE", "GROUP-EPOCH", "ASSIGNMENT-EPOCH", "#MEMBERS"];
        let cells = [&*group.group_id, &coordinator, &group.state, &epoch, &target, &members];
        (vec![row(&header), row(&cells)], &[15, 12, 17])
    } else {
        let header = ["GROUP", "COORDINATOR (ID)", "STATE", "#MEMBERS"];
        (vec![row(&header), row(&[&group.group_id, &coordinator, &group.state, &members])], &[15])
    };
    Ok(table(&[15, 25], fixed, &rows, out)?)
}

fn show_members(group: &ShareGroupDescription, verbose: bool, out: &mut dyn Write) -> Result<(), Ended> {
    if !note_state(group, group.members.len(), out)? {
        return Ok(());
    }
    let cells = |begin: [&str; 5], epoch: &str, assignment: &str| {
        let epoch = verbose.then_some(epoch);
        row(&begin.into_iter().chain(epoch).chain([assignment]).collect::<Vec<_>>())
    };
    let header = ["GROUP", "CONSUMER-ID", "HOST", "CLIENT-ID", "#PARTITIONS"];
    let mut rows = vec![cells(header, "MEMBER-EPOCH", "ASSIGNMENT")];
    let mut members: Vec<_> = group.members.iter().collect();
    members.sort_by(|a, b| a.member_id.cmp(&b.member_id));
    for member in members {
        let (count, epoch) = (member.assignment.len().to_string(), member.member_epoch.to_string());
        let begin = [&*group.group_id, &member.member_id, &member.host, &member.client_id, &count];
        rows.push(cells(begin, &epoch, &assignment(member)));
    }
    let fixed: &[usize] = if verbose { &[12, 13] } else { &[12] };
    Ok(table(&[15, 15, 15, 15], fixed, &rows, out)?)
}

/// `a:0,1;b:0`.
fn assignment(member: &ShareMemberDescription) -> String {
    let mut topics: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for partition in &member.assignment {
        topics.entry(&partition.topic).or_default().push(partition.partition.to_string());
    }
    let topics: Vec<_> =
        topics.into_iter().map(|(topic, ids)| format!("{topic}:{}", ids.join(","))).collect();
    topics.join(";")
}
