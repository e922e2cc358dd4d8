//! `kafka-consumer-groups --reset-offsets`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use client::admin::OffsetSpec;
use client::config::IsolationLevel;
use client::{Admin, OffsetAndMetadata};
use model::{Offset, Timestamp, TopicPartition};

use super::{groups, partitions, print_error};
use crate::Failure;
use crate::datetime::{now_ms, parse_date_time, parse_duration};
use crate::options::Options;
use crate::session::failed;

pub(crate) type Offsets = BTreeMap<TopicPartition, i64>;

pub(super) async fn run(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let groups = groups(admin, options).await?;
    let mut planned: BTreeMap<String, Offsets> = BTreeMap::new();
    for (group, described) in admin.describe_consumer_groups(&groups).await {
        let state = match described {
            Ok(group) => group.state,
            Err(error) if error.is(protocol::ErrorCode::GROUP_ID_NOT_FOUND) => "Dead".to_owned(),
            Err(error) => return Err(failed(error)),
        };
        if !matches!(state.to_ascii_lowercase().as_str(), "empty" | "dead") {
            let text = format!(
                "Assignments can only be reset if the group '{group}' is inactive, but the current state is {state}."
            );
            print_error(&text, out)?;
            planned.insert(group, Offsets::new());
            continue;
        }
        let offsets = plan(admin, options, &group, groups.len() == 1, out).await?;
        if options.has("execute") {
            execute(admin, &group, &offsets).await?;
        }
        planned.insert(group, offsets);
    }
    show(&planned, options.has("export"), groups.len() == 1, out)
}

async fn execute(admin: &Admin, group: &str, offsets: &Offsets) -> Result<(), Failure> {
    let offsets = offsets
        .iter()
        .map(|(partition, offset)| (partition.clone(), OffsetAndMetadata::new(Offset(*offset))));
    let results = admin.alter_group_offsets(group, &offsets.collect()).await.map_err(failed)?;
    results.into_values().try_for_each(|result| result.map_err(failed))
}

async fn plan(
    admin: &Admin,
    options: &Options,
    group: &str,
    alone: bool,
    out: &mut dyn Write,
) -> Result<Offsets, Failure> {
    let partitions = if options.has("from-file") {
        Vec::new()
    } else if options.has("all-topics") {
        committed(admin, group).await?.into_keys().collect()
    } else {
        partitions(admin, &options.values("topic")).await?
    };
    plan_for(admin, options, group, alone, partitions, out).await
}

/// Plans a reset of these partitions, or of those that a file names.
pub(crate) async fn plan_for(
    admin: &Admin,
    options: &Options,
    group: &str,
    alone: bool,
    partitions: Vec<TopicPartition>,
    out: &mut dyn Write,
) -> Result<Offsets, Failure> {
    if let Some(path) = options.value("from-file")? {
        let offsets = read_csv(path, group, alone)?;
        refuse_unknown(admin, &offsets.keys().cloned().collect::<Vec<_>>()).await?;
        return within_logs(admin, offsets).await;
    }
    refuse_unknown(admin, &partitions).await?;
    let committed = committed(admin, group).await?;
    if let Some(offset) = options.number::<i64>("to-offset")? {
        return within_logs(admin, partitions.into_iter().map(|partition| (partition, offset)).collect())
            .await;
    }
    if let Some(shift) = options.number::<i64>("shift-by")? {
        let shifted = |partition: TopicPartition| match committed.get(&partition) {
            Some(offset) => Ok((partition, offset.saturating_add(shift))),
            None => Err(Failure::message(format!(
                "Cannot shift offset for partition {partition} since there is no current committed offset"
            ))),
        };
        return within_logs(admin, partitions.into_iter().map(shifted).collect::<Result<_, _>>()?).await;
    }
    if options.has("to-current") {
        let (known, unknown): (Vec<_>, Vec<_>) =
            partitions.into_iter().partition(|partition| committed.contains_key(partition));
        let mut offsets: Offsets =
            known.into_iter().map(|partition| (partition.clone(), committed[&partition])).collect();
        offsets.extend(find(admin, &unknown, OffsetSpec::Latest).await?);
        return Ok(offsets);
    }
    if options.has("to-earliest") {
        return find(admin, &partitions, OffsetSpec::Earliest).await;
    }
    if options.has("to-latest") {
        return find(admin, &partitions, OffsetSpec::Latest).await;
    }
    let time = match (options.value("to-datetime")?, options.value("by-duration")?) {
        (Some(text), _) => parse_date_time(text)?,
        (None, text) => now_ms() - parse_duration(text.unwrap_or_default())?,
    };
    find_by_time(admin, &partitions, time, out).await
}

/// Refuses partitions that do not exist, whose leaders would be waited for. Kafka: `OffsetsUtils.checkAllTopicPartitionsValid`.
async fn refuse_unknown(admin: &Admin, partitions: &[TopicPartition]) -> Result<(), Failure> {
    let topics: BTreeSet<String> = partitions.iter().map(|name| name.topic.to_string()).collect();
    let described = admin.describe_topics(&topics.into_iter().collect::<Vec<_>>()).await.map_err(failed)?;
    let exists = |name: &&TopicPartition| {
        let topic = described.get(&*name.topic).and_then(|topic| topic.as_ref().ok());
        topic.is_some_and(|topic| topic.partitions.iter().any(|info| info.partition == name.partition))
    };
    let missing: Vec<String> =
        partitions.iter().filter(|name| !exists(name)).map(ToString::to_string).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::message(format!("The partitions \"{}\" do not exist", missing.join(",")))),
    }
}

async fn committed(admin: &Admin, group: &str) -> Result<Offsets, Failure> {
    let mut offsets = Offsets::new();
    for (partition, result) in admin.list_group_offsets(group, None, false).await.map_err(failed)? {
        if let Some(committed) = result.map_err(failed)? {
            offsets.insert(partition, committed.offset.0);
        }
    }
    Ok(offsets)
}

pub(crate) async fn find(
    admin: &Admin,
    partitions: &[TopicPartition],
    spec: OffsetSpec,
) -> Result<Offsets, Failure> {
    let specs = partitions.iter().map(|partition| (partition.clone(), spec)).collect();
    let found = admin.list_offsets(&specs, IsolationLevel::ReadUncommitted).await;
    found.into_iter().map(|(partition, result)| Ok((partition, result.map_err(failed)?.offset.0))).collect()
}

pub(crate) async fn find_by_time(
    admin: &Admin,
    partitions: &[TopicPartition],
    time: i64,
    out: &mut dyn Write,
) -> Result<Offsets, Failure> {
    let mut offsets = find(admin, partitions, OffsetSpec::Timestamp(Timestamp(time))).await?;
    let none: Vec<_> =
        offsets.iter().filter(|(_, offset)| **offset < 0).map(|(partition, _)| partition.clone()).collect();
    for partition in &none {
        writeln!(
            out,
            "\nWarn: Partition {} from topic {} is empty. Falling back to latest known offset.",
            partition.partition, partition.topic
        )?;
    }
    offsets.extend(find(admin, &none, OffsetSpec::Latest).await?);
    Ok(offsets)
}

/// Moves each offset into its log. Kafka: `OffsetsUtils.checkOffsetsRange`.
async fn within_logs(admin: &Admin, offsets: Offsets) -> Result<Offsets, Failure> {
    let partitions: Vec<_> = offsets.keys().cloned().collect();
    let starts = find(admin, &partitions, OffsetSpec::Earliest).await?;
    let ends = find(admin, &partitions, OffsetSpec::Latest).await?;
    let clamp = |(partition, offset): (TopicPartition, i64)| {
        let (start, end) = (starts[&partition], ends[&partition]);
        if offset > end {
            complain!(
                "New offset ({offset}) is higher than latest offset for topic partition {partition}. Value will be set to {end}"
            );
        } else if offset < start {
            complain!(
                "New offset ({offset}) is lower than earliest offset for topic partition {partition}. Value will be set to {start}"
            );
        }
        (partition, offset.min(end).max(start))
    };
    Ok(offsets.into_iter().map(clamp).collect())
}

/// Reads lines of `topic,partition,offset`, or of `group,topic,partition,offset` where several groups are reset.
fn read_csv(path: &str, group: &str, alone: bool) -> Result<Offsets, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|_| Failure::message(format!("java.io.IOException: Unable to read file {path}")))?;
    let mut offsets = Offsets::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let cells: Vec<_> = line.split(',').map(|cell| cell.trim().trim_matches('"')).collect();
        let refuse = || Failure::message(format!("Cannot read the line `{line}` of {path}"));
        let (owner, cells) = match cells[..] {
            [topic, partition, offset] if alone => (group, [topic, partition, offset]),
            [owner, topic, partition, offset] => (owner, [topic, partition, offset]),
            _ => return Err(refuse()),
        };
        if owner == group {
            let partition = cells[1].parse().map_err(|_| refuse())?;
            offsets.insert(TopicPartition::new(cells[0], partition), cells[2].parse().map_err(|_| refuse())?);
        }
    }
    Ok(offsets)
}

pub(crate) fn show(
    planned: &BTreeMap<String, Offsets>,
    as_csv: bool,
    alone: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if as_csv {
        for (group, offsets) in planned {
            for (partition, offset) in offsets {
                let group = if alone { String::new() } else { format!("{group},") };
                writeln!(out, "{group}{},{},{offset}", partition.topic, partition.partition)?;
            }
        }
        return Ok(writeln!(out)?);
    }
    let groups = planned.keys().map(String::len).max().unwrap_or(0).max(15);
    let names = planned.values().flat_map(|offsets| offsets.keys().map(|partition| partition.topic.len()));
    let topics = names.max().unwrap_or(0).max(15);
    if !planned.is_empty() {
        write!(out, "\n{:<groups$} {:<topics$} {:<10} NEW-OFFSET", "GROUP", "TOPIC", "PARTITION")?;
    }
    for (group, offsets) in planned {
        for (partition, offset) in offsets {
            write!(
                out,
                "\n{group:<groups$} {:<topics$} {:<10} {offset}",
                partition.topic, partition.partition
            )?;
        }
    }
    Ok(writeln!(out)?)
}
