//! Moves the application in its input topics. Kafka: `StreamsResetter.maybeResetInputAndSeekToEndIntermediateTopicOffsets`.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use client::{ConfigMap, Consumer};
use model::{Offset, Timestamp, TopicPartition};

use super::{Application, failed, shown};
use crate::Failure;
use crate::datetime::{now_ms, parse_date_time, parse_duration};
use crate::options::Options;
use crate::session::admin;

type Offsets = BTreeMap<TopicPartition, Offset>;

/// Moves the application; whether all topics that are named are there.
pub(super) async fn reset(
    config: &ConfigMap,
    application: &Application,
    options: &Options,
    topics: &[String],
    out: &mut dyn Write,
) -> Result<bool, Failure> {
    let (inputs, intermediates) = (&application.inputs, &application.intermediates);
    if inputs.is_empty() && intermediates.is_empty() {
        writeln!(out, "No input or intermediate topics specified. Skipping seek.")?;
        return Ok(true);
    }
    if !inputs.is_empty() {
        writeln!(out, "Reset-offsets for input topics {}", shown(inputs))?;
    }
    if !intermediates.is_empty() {
        writeln!(out, "Seek-to-end for intermediate topics {}", shown(intermediates))?;
    }
    let mut all_found = true;
    for (names, kind, colon) in [(inputs, "input", ": "), (intermediates, "intermediate", ":")] {
        let missing: Vec<_> = names.iter().filter(|name| !topics.contains(name)).collect();
        if !missing.is_empty() {
            all_found = false;
            writeln!(out, "Following {kind} topics are not found, skipping them")?;
        }
        for name in missing {
            writeln!(out, "Topic{colon}{name}")?;
        }
    }
    let there =
        |names: &[String]| names.iter().filter(|name| topics.contains(name)).cloned().collect::<Vec<_>>();
    let (inputs, intermediates) = (there(inputs), there(intermediates));
    if inputs.is_empty() && intermediates.is_empty() {
        return Ok(all_found);
    }
    move_group(config, application, options, (&inputs, &intermediates), out).await?;
    writeln!(out, "Done.")?;
    Ok(all_found)
}

async fn move_group(
    config: &ConfigMap,
    application: &Application,
    options: &Options,
    (inputs, intermediates): (&[String], &[String]),
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut config = config.clone();
    for (key, value) in [
        ("group.id", application.id.as_str()),
        ("enable.auto.commit", "false"),
        ("group.protocol", "classic"),
    ] {
        config.insert(key.to_owned(), value.to_owned());
    }
    let inputs = partitions(&config, inputs).await?;
    let others = partitions(&config, intermediates).await?;
    let mut consumer = Consumer::from_map(&config).map_err(failed)?;
    let all = [inputs.clone(), others.clone()].concat();
    consumer.assign(&all).await.map_err(failed)?;
    if !inputs.is_empty() {
        let id = &application.id;
        writeln!(out, "Following input topics offsets will be reset to (for consumer group {id})")?;
        seek(&mut consumer, options, &inputs, out).await?;
        for partition in &inputs {
            let offset = consumer.position(partition).await.map_err(failed)?;
            let (topic, index) = (&partition.topic, partition.partition);
            writeln!(out, "Topic: {topic} Partition: {index} Offset: {offset}")?;
        }
    }
    if !others.is_empty() {
        let id = &application.id;
        writeln!(
            out,
            "Following intermediate topics offsets will be reset to end (for consumer group {id})"
        )?;
        for partition in &others {
            writeln!(out, "Topic: {}", partition.topic)?;
        }
        consumer.seek_to_end(&others).map_err(failed)?;
    }
    if !application.dry {
        for partition in &all {
            consumer.position(partition).await.map_err(failed)?;
        }
        consumer.commit_sync().await.map_err(failed)?;
    }
    consumer.close(Duration::from_secs(30)).await.map_err(failed)
}

async fn partitions(config: &ConfigMap, topics: &[String]) -> Result<Vec<TopicPartition>, Failure> {
    let mut found = Vec::new();
    for topic in admin(config)?.describe_topics(topics).await.map_err(failed)?.into_values() {
        let topic = topic.map_err(failed)?;
        let name = topic.name.as_str();
        found.extend(topic.partitions.iter().map(|info| TopicPartition::new(name, info.partition)));
    }
    Ok(found)
}

/// Kafka: `StreamsResetter.maybeReset`.
async fn seek(
    consumer: &mut Consumer,
    options: &Options,
    partitions: &[TopicPartition],
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if let Some(offset) = options.number("to-offset")? {
        let wanted = partitions.iter().map(|name| (name.clone(), Offset(offset))).collect();
        return seek_within(consumer, wanted, out).await;
    }
    if let Some(shift) = options.number::<i64>("shift-by")? {
        let mut wanted = Offsets::new();
        for name in partitions {
            let position = consumer.position(name).await.map_err(failed)?;
            wanted.insert(name.clone(), Offset(position.0.saturating_add(shift)));
        }
        return seek_within(consumer, wanted, out).await;
    }
    if let Some(path) = options.value("from-file")? {
        let mut wanted = plan(path)?;
        wanted.retain(|name, _| partitions.contains(name));
        return seek_within(consumer, wanted, out).await;
    }
    if let Some(text) = options.value("to-datetime")? {
        return seek_to_time(consumer, partitions, parse_date_time(text)?, out).await;
    }
    if let Some(text) = options.value("by-duration")? {
        return seek_to_time(consumer, partitions, now_ms() - parse_duration(text)?, out).await;
    }
    match options.has("to-latest") {
        true => consumer.seek_to_end(partitions),
        false => consumer.seek_to_beginning(partitions),
    }
    .map_err(failed)
}

async fn seek_to_time(
    consumer: &mut Consumer,
    partitions: &[TopicPartition],
    time: i64,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let times = partitions.iter().map(|name| (name.clone(), Timestamp(time))).collect();
    let found = consumer.offsets_for_times(&times).await.map_err(failed)?;
    for name in partitions {
        match found.get(name).and_then(|found| found.as_ref()) {
            Some(found) => consumer.seek(name, found.offset).map_err(failed)?,
            None => {
                consumer.seek_to_end(std::slice::from_ref(name)).map_err(failed)?;
                writeln!(
                    out,
                    "Partition {} from topic {} is empty, without a committed record. Falling back to latest known \
                     offset.",
                    name.partition, name.topic
                )?;
            }
        }
    }
    Ok(())
}

/// Seeks, each offset moved into its log. Kafka: `StreamsResetter.checkOffsetRange`.
async fn seek_within(consumer: &mut Consumer, wanted: Offsets, out: &mut dyn Write) -> Result<(), Failure> {
    let partitions: Vec<_> = wanted.keys().cloned().collect();
    let starts = consumer.beginning_offsets(&partitions).await.map_err(failed)?;
    let ends = consumer.end_offsets(&partitions).await.map_err(failed)?;
    let known = |offsets: &BTreeMap<TopicPartition, Offset>, name: &TopicPartition| {
        offsets.get(name).copied().unwrap_or_default()
    };
    for (name, offset) in wanted {
        let (start, end) = (known(&starts, &name), known(&ends, &name));
        let (bound, kind, which) = if offset >= end {
            (end, "higher", "latest")
        } else if offset <= start {
            (start, "lower", "earliest")
        } else {
            consumer.seek(&name, offset).map_err(failed)?;
            continue;
        };
        writeln!(out, "New offset ({offset}) is {kind} than {which} offset. Value will be set to {bound}")?;
        consumer.seek(&name, bound).map_err(failed)?;
    }
    Ok(())
}

/// Reads lines of `topic,partition,offset`.
fn plan(path: &str) -> Result<Offsets, Failure> {
    let refuse = |text: &str| Failure::message(format!("java.text.ParseException: {text}"));
    let text = std::fs::read_to_string(path).map_err(|error| Failure::message(format!("{path}: {error}")))?;
    if text.is_empty() {
        return Err(refuse("Error parsing reset plan CSV file. It is empty,"));
    }
    let mut offsets = Offsets::new();
    for line in text.lines() {
        let shape = || refuse("Reset plan CSV file is not following the format `TOPIC,PARTITION,OFFSET`.");
        let [topic, partition, offset] = line.split(',').collect::<Vec<_>>()[..] else { return Err(shape()) };
        let number = |text: &str| text.parse::<i64>().map_err(|_| shape());
        let partition = i32::try_from(number(partition)?).map_err(|_| shape())?;
        offsets.insert(TopicPartition::new(topic, partition), Offset(number(offset)?));
    }
    Ok(offsets)
}
