//! `kafka-share-groups --reset-offsets`.

use std::collections::BTreeMap;
use std::io::Write;

use client::Admin;
use client::admin::OffsetSpec;
use model::{Offset, TopicPartition};
use protocol::ErrorCode;

use super::Ended;
use crate::Failure;
use crate::commands::consumer_groups::partitions;
use crate::commands::consumer_groups::reset::{Offsets, find, find_by_time, show};
use crate::datetime::parse_date_time;
use crate::options::Options;

pub(super) async fn run(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Ended> {
    let group = options.value("group")?.unwrap_or_default().to_owned();
    let described = admin.describe_share_groups(std::slice::from_ref(&group)).await.remove(&group);
    match described {
        Some(Ok(group)) if !matches!(group.state.to_ascii_lowercase().as_str(), "empty" | "dead") => {
            let text = format!("Share group '{}' is not empty.", group.group_id);
            return Err(Failure::message(text).into());
        }
        Some(Err(error)) if !error.is(ErrorCode::GROUP_ID_NOT_FOUND) => {
            return Err(Failure::message(error.to_string()).into());
        }
        _ => {}
    }
    let partitions = match options.has("topic") {
        true => partitions(admin, &options.values("topic")).await.map_err(refused)?,
        false => admin.list_share_group_offsets(&group).await?.into_keys().collect(),
    };
    check_partitions(admin, &partitions).await?;
    let offsets = plan(admin, options, &partitions, out).await?;
    if options.has("execute") {
        let wanted = offsets.iter().map(|(name, offset)| (name.clone(), Offset(*offset))).collect();
        for result in admin.alter_share_group_offsets(&group, &wanted).await?.into_values() {
            result?;
        }
    }
    Ok(show(&BTreeMap::from([(group, offsets)]), false, true, out)?)
}

/// What a step that other tools share failed with is told here as what the cluster refused.
fn refused(failure: Failure) -> Ended {
    match failure {
        Failure::Message(text, _) => Ended::Failed(text),
        other => Ended::Stop(other),
    }
}

/// Kafka: `OffsetsUtils.checkAllTopicPartitionsValid`.
async fn check_partitions(admin: &Admin, partitions: &[TopicPartition]) -> Result<(), Ended> {
    let mut topics: Vec<String> = partitions.iter().map(|name| name.topic.to_string()).collect();
    topics.dedup();
    let described = admin.describe_topics(&topics).await?;
    let info = |name: &TopicPartition| {
        let topic = described.get(&*name.topic)?.as_ref().ok()?;
        topic.partitions.iter().find(|info| info.partition == name.partition)
    };
    let list = |names: Vec<&TopicPartition>| {
        names.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    };
    let missing: Vec<_> = partitions.iter().filter(|name| info(name).is_none()).collect();
    if !missing.is_empty() {
        return Err(Ended::Failed(format!("The partitions \"{}\" do not exist", list(missing))));
    }
    let leaderless: Vec<_> =
        partitions.iter().filter(|name| info(name).is_some_and(|info| info.leader.is_none())).collect();
    if !leaderless.is_empty() {
        return Err(Ended::Failed(format!("The partitions \"{}\" have no leader", list(leaderless))));
    }
    Ok(())
}

async fn plan(
    admin: &Admin,
    options: &Options,
    partitions: &[TopicPartition],
    out: &mut dyn Write,
) -> Result<Offsets, Ended> {
    if let Some(text) = options.value("to-datetime")? {
        return find_by_time(admin, partitions, parse_date_time(text)?, out).await.map_err(refused);
    }
    let spec = if options.has("to-earliest") { OffsetSpec::Earliest } else { OffsetSpec::Latest };
    find(admin, partitions, spec).await.map_err(refused)
}
