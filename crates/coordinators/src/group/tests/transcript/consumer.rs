//! What transcripts say of consumer groups.
//!
//! ```text
//! topics t=3 u=2                       the topics that there are, with their partitions
//! beat ann epoch=0 topics=t            a heartbeat; owned=t-0,t-1 or owned=none, regex=, assignor=, instance=, rebalance=
//! describe-consumer admin
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use metadata::{MetadataDelta, MetadataImage};
use model::Uuid;
use protocol::consumer_group_describe_response::DescribedGroup;
use protocol::consumer_group_heartbeat_request::TopicPartitions;
use protocol::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ConsumerProtocolAssignment, ErrorCode,
    MetadataRecord, PartitionRecord, TopicRecord, from_bytes,
};

use super::offsets::partition;
use super::{Command, list};
use crate::group::{ConsumerEntry, GroupRequest, MetadataChange, RequestContext};

/// Makes the metadata of some topics, each with its count of partitions. A topic's id follows from its name.
pub(in crate::group::tests) fn image(topics: &[(&str, i32)], version: i64) -> Arc<MetadataImage> {
    let mut image = MetadataImage::default();
    let mut replay = |record| image.replay(&record).expect("the record fits");
    for (name, count) in topics {
        let topic_id = id_of(name);
        let topic = TopicRecord { name: (*name).into(), topic_id, ..Default::default() };
        replay(MetadataRecord::TopicRecord(topic));
        for partition_id in 0..*count {
            let partition = PartitionRecord {
                partition_id,
                topic_id,
                replicas: vec![1],
                isr: vec![1],
                leader: 1,
                directories: vec![Uuid::from_u128(7)],
                ..Default::default()
            };
            replay(MetadataRecord::PartitionRecord(partition));
        }
    }
    image.set_provenance(metadata::MetadataProvenance {
        last_contained_offset: model::Offset(version),
        ..image.provenance()
    });
    Arc::new(image)
}

pub(super) fn id_of(name: &str) -> Uuid {
    let number = name.bytes().fold(1000, |number: u128, byte| number * 256 + u128::from(byte));
    Uuid::from_u128(number)
}

/// Makes the request that tells of other topics than there were.
pub(in crate::group::tests) fn change(
    old: &MetadataImage,
    topics: &[(&str, i32)],
) -> (Arc<MetadataImage>, GroupRequest) {
    let image = image(topics, old.provenance().last_contained_offset.0 + 1);
    let delta = MetadataDelta::between(old, &image);
    let change = MetadataChange::new(image.clone(), &delta);
    (image, GroupRequest::MetadataChanged(Arc::new(change)))
}

pub(super) fn topics<'a>(command: &Command<'a>) -> Vec<(&'a str, i32)> {
    let one = |(name, count): (&&'a str, &&str)| (*name, count.parse().expect("a number"));
    command.options.iter().map(one).collect()
}

pub(super) fn heartbeat(group_id: String, fresh: u64, command: &Command<'_>) -> GroupRequest {
    let member_epoch = command.number("epoch", 0);
    let owned = command.option("owned").or_else(|| (member_epoch == 0).then(|| "none".to_owned()));
    let rebalance = if member_epoch == 0 { 60_000 } else { -1 };
    let mut context: RequestContext = command.context(fresh);
    context.api_version = command.number("version", 1);
    GroupRequest::ConsumerHeartbeat(
        context,
        ConsumerGroupHeartbeatRequest {
            group_id,
            member_id: command.text("member", command.word(1)),
            member_epoch,
            instance_id: command.option("instance"),
            rack_id: command.option("rack"),
            rebalance_timeout_ms: command.millis("rebalance", rebalance),
            subscribed_topic_names: command.option("topics").map(|topics| match topics.as_str() {
                "none" => Vec::new(),
                topics => list(topics),
            }),
            subscribed_topic_regex: command.option("regex"),
            server_assignor: command.option("assignor"),
            topic_partitions: owned.map(|owned| owned_partitions(&owned)),
            ..Default::default()
        },
    )
}

fn owned_partitions(text: &str) -> Vec<TopicPartitions> {
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, index) in text.split(',').filter_map(partition) {
        by_topic.entry(topic).or_default().push(index);
    }
    let one =
        |(topic, partitions)| TopicPartitions { topic_id: id_of(topic), partitions, ..Default::default() };
    by_topic.into_iter().map(one).collect()
}

/// The names of the topics that may be spoken of: all of one or two letters.
fn name_of(id: Uuid) -> String {
    let number = u128::from_be_bytes(id.0);
    let bytes = number.to_be_bytes();
    let letters = bytes.iter().skip_while(|byte| !byte.is_ascii_lowercase());
    letters.map(|byte| char::from(*byte)).collect()
}

pub(super) fn partitions<'a>(topics: impl IntoIterator<Item = (Uuid, &'a Vec<i32>)>) -> String {
    let mut shown: Vec<String> = topics
        .into_iter()
        .flat_map(|(topic, partitions)| {
            partitions.iter().map(move |partition| format!("{}-{partition}", name_of(topic)))
        })
        .collect();
    shown.sort();
    if shown.is_empty() { "nothing".into() } else { shown.join(",") }
}

/// Shows an assignment that consumers read.
pub(super) fn show_assignment(bytes: &Bytes) -> Option<String> {
    let body = bytes.strip_prefix(b"\0\x03")?;
    let assignment: ConsumerProtocolAssignment = from_bytes(Bytes::copy_from_slice(body), 3).ok()?;
    let topics = assignment.assigned_partitions.iter();
    Some(partitions(topics.map(|topic| (id_of(&topic.topic), &topic.partitions))))
}

pub(super) fn show_heartbeat(beat: &ConsumerGroupHeartbeatResponse) -> String {
    if beat.error_code != ErrorCode::NONE {
        return format!("{}: {}", beat.error_code.name(), beat.error_message.as_deref().unwrap_or_default());
    }
    let mut shown = format!("{} at {}", beat.member_id.as_deref().unwrap_or_default(), beat.member_epoch);
    if let Some(assignment) = &beat.assignment {
        let topics = assignment.topic_partitions.iter();
        let topics = partitions(topics.map(|topic| (topic.topic_id, &topic.partitions)));
        _ = write!(shown, " is to have {topics}");
    }
    shown
}

pub(super) fn show_groups(groups: &[DescribedGroup]) -> String {
    let one = |group: &DescribedGroup| {
        if group.error_code != ErrorCode::NONE {
            let message = group.error_message.as_deref().unwrap_or_default();
            return format!("{} {}: {message}", group.group_id, group.error_code.name());
        }
        let members = group.members.iter().map(|member| {
            let has = member.assignment.topic_partitions.iter();
            let has = partitions(has.map(|topic| (topic.topic_id, &topic.partitions)));
            let target = member.target_assignment.topic_partitions.iter();
            let target = partitions(target.map(|topic| (topic.topic_id, &topic.partitions)));
            let kind = if member.member_type == 0 { " classic" } else { "" };
            format!(" [{}{kind} at {} has {has} of {target}]", member.member_id, member.member_epoch)
        });
        format!(
            "{} {} epoch={} assigned={} by {}{}",
            group.group_id,
            group.group_state,
            group.group_epoch,
            group.assignment_epoch,
            group.assignor_name,
            members.collect::<String>()
        )
    };
    groups.iter().map(one).collect::<Vec<_>>().join("; ")
}

pub(super) fn show_entry(group: &str, entry: &ConsumerEntry) -> String {
    let what = match entry {
        ConsumerEntry::Epoch(Some(value)) => format!("epoch {}", value.epoch),
        ConsumerEntry::Epoch(None) => "gone".into(),
        ConsumerEntry::PartitionMetadata(value) => {
            format!("partition metadata{}", if value.is_some() { "" } else { " gone" })
        }
        ConsumerEntry::Member(member, None) => format!("{member} gone"),
        ConsumerEntry::Member(member, Some(value)) => {
            let topics = value.subscribed_topic_names.join(",");
            let topics = if topics.is_empty() { "nothing" } else { &topics };
            let mut shown = format!("{member} reads {topics}");
            if let Some(regex) = value.subscribed_topic_regex.as_ref().filter(|regex| !regex.is_empty()) {
                _ = write!(shown, " and /{regex}/");
            }
            if let Some(instance) = &value.instance_id {
                _ = write!(shown, " as {instance}");
            }
            if value.classic_member_metadata.is_some() {
                shown.push_str(" by the classic protocol");
            }
            shown
        }
        ConsumerEntry::TargetEpoch(Some(value)) => format!("target of epoch {}", value.assignment_epoch),
        ConsumerEntry::TargetEpoch(None) => "target gone".into(),
        ConsumerEntry::Target(member, None) => format!("{member}'s target gone"),
        ConsumerEntry::Target(member, Some(value)) => {
            let topics = value.topic_partitions.iter().map(|topic| (topic.topic_id, &topic.partitions));
            format!("{member} is to have {}", partitions(topics))
        }
        ConsumerEntry::Current(member, None) => format!("{member}'s assignment gone"),
        ConsumerEntry::Current(member, Some(value)) => {
            let assigned = value.assigned_partitions.iter();
            let assigned = partitions(assigned.map(|topic| (topic.topic_id, &topic.partitions)));
            let mut shown = format!("{member} at {} has {assigned}", value.member_epoch);
            if !value.partitions_pending_revocation.is_empty() {
                let revoking = value.partitions_pending_revocation.iter();
                let revoking = partitions(revoking.map(|topic| (topic.topic_id, &topic.partitions)));
                _ = write!(shown, ", gives up {revoking}");
            }
            if value.state == 2 {
                shown.push_str(", waits");
            }
            shown
        }
        ConsumerEntry::Regex(regex, None) => format!("/{regex}/ gone"),
        ConsumerEntry::Regex(regex, Some(value)) => format!("/{regex}/ matches {}", value.topics.join(",")),
    };
    format!("{group}: {what}")
}
