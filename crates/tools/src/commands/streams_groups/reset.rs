//! `kafka-streams-groups --reset-offsets`.

use std::collections::BTreeMap;
use std::io::Write;

use client::{Admin, OffsetAndMetadata};
use model::{Offset, TopicPartition};
use protocol::ErrorCode;

use super::delete::{delete_topics, internal_topics};
use super::{described, groups, input_topics, print_error};
use crate::Failure;
use crate::commands::consumer_groups::partitions;
use crate::commands::consumer_groups::reset::{Offsets, plan_for, show};
use crate::options::Options;
use crate::session::failed;

pub(super) async fn run(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let groups = groups(admin, options).await?;
    let alone = groups.len() == 1;
    let mut planned: BTreeMap<String, Offsets> = BTreeMap::new();
    for group in groups {
        let state = described(admin, &group).await?.state;
        if !matches!(state.to_ascii_lowercase().as_str(), "empty" | "dead") {
            let text = format!(
                "Assignments can only be reset if the group '{group}' is inactive, but the current state is {state}."
            );
            print_error(&text, out)?;
            planned.insert(group, Offsets::new());
            continue;
        }
        let partitions = scope(admin, options, &group, out).await?;
        let offsets = plan_for(admin, options, &group, alone, partitions, out).await?;
        if options.has("execute") {
            execute(admin, &group, &offsets).await?;
            delete_internal_topics(admin, options, &group, out).await?;
        }
        planned.insert(group, offsets);
    }
    if options.has("export") {
        return show(&planned, true, alone, out);
    }
    tell(&planned, out)
}

/// The partitions that are meant: of all topics that are read, or of some.
async fn scope(
    admin: &Admin,
    options: &Options,
    group: &str,
    out: &mut dyn Write,
) -> Result<Vec<TopicPartition>, Failure> {
    if !options.has("all-input-topics") && !options.has("input-topic") {
        return Ok(Vec::new());
    }
    let committed = admin.list_group_offsets(group, None, false).await.map_err(failed)?;
    if options.has("all-input-topics") {
        let described = described(admin, group).await?;
        let topics = input_topics(&described, false);
        return Ok(committed.into_keys().filter(|name| topics.contains(&*name.topic)).collect());
    }
    let partitions = partitions(admin, &options.values("input-topic")).await?;
    if partitions.iter().all(|partition| committed.contains_key(partition)) {
        return Ok(partitions);
    }
    print_error(&format!("One or more topics are not part of the group '{group}'."), out)?;
    Ok(Vec::new())
}

async fn execute(admin: &Admin, group: &str, offsets: &Offsets) -> Result<(), Failure> {
    let one =
        |(name, offset): (&TopicPartition, &i64)| (name.clone(), OffsetAndMetadata::new(Offset(*offset)));
    let offsets = offsets.iter().map(one).collect();
    let results = admin.alter_group_offsets(group, &offsets).await.map_err(failed)?;
    results.into_values().try_for_each(|result| result.map_err(failed))
}

async fn delete_internal_topics(
    admin: &Admin,
    options: &Options,
    group: &str,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let topics = if options.has("delete-all-internal-topics") {
        internal_topics(&described(admin, group).await?, out)?
    } else {
        options.values("delete-internal-topic").into_iter().map(str::to_owned).collect()
    };
    if topics.is_empty() {
        return Ok(());
    }
    let Some(error) = delete_topics(admin, &topics, out).await? else { return Ok(()) };
    let begin = format!("Deleting internal topics for group '{group}' failed");
    let text = match error.is(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) {
        true => format!("{begin} because the topics do not exist."),
        false => format!("{begin} due to {error}"),
    };
    Ok(print_error(&text, out)?)
}

fn tell(planned: &BTreeMap<String, Offsets>, out: &mut dyn Write) -> Result<(), Failure> {
    if !planned.is_empty() {
        write!(out, "\n{:<30} {:<30} {:<10} {:<15}", "GROUP", "TOPIC", "PARTITION", "NEW-OFFSET")?;
    }
    for (group, offsets) in planned {
        for (name, offset) in offsets {
            write!(out, "\n{group:<30} {:<30} {:<10} {offset:<15}", name.topic, name.partition)?;
        }
    }
    Ok(writeln!(out)?)
}
