//! The commands of transcripts about share groups.
//!
//! ```text
//! share ann epoch=0 topics=t       a ShareGroupHeartbeat of member ann
//! begun shell t-0,t-1              the states of partitions have begun; `failed`: they could not be begun
//! alter admin t-0@5                AlterShareGroupOffsets
//! delete-share admin t             DeleteShareGroupOffsets; `forgotten shell t`: the states of t are forgotten
//! prepare-delete admin             what DeleteGroups asks for first
//! ```

use std::collections::BTreeSet;

use model::Uuid;
use protocol::alter_share_group_offsets_request::{
    AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use protocol::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic;
use protocol::share_group_describe_response::DescribedGroup;
use protocol::share_group_state_partition_metadata_value::TopicPartitionsInfo;
use protocol::{
    AlterShareGroupOffsetsRequest, DeleteShareGroupOffsetsRequest, ErrorCode, ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
};

use super::consumer::{id_of, partitions};
use super::offsets::{offset, partition};
use super::{Command, list};
use crate::group::{ShareEntry, ShareGroupRequest, ShareGroupResponse, SharePartitions};

/// Reads a command; none if it is not about share groups.
pub(super) fn request(name: &str, group: String, command: &Command<'_>) -> Option<ShareGroupRequest> {
    Some(match name {
        "share" => ShareGroupRequest::Heartbeat(
            command.context(0),
            ShareGroupHeartbeatRequest {
                group_id: group,
                member_id: command.text("member", command.word(1)),
                member_epoch: command.number("epoch", 0),
                rack_id: command.option("rack"),
                subscribed_topic_names: command.option("topics").map(|topics| match topics.as_str() {
                    "none" => Vec::new(),
                    topics => list(topics),
                }),
                ..Default::default()
            },
        ),
        "describe-share" => ShareGroupRequest::Describe(vec![group]),
        "begun" => ShareGroupRequest::StatesBegun(group, some(command.word(2))),
        "failed" => ShareGroupRequest::StatesFailed(group, some(command.word(2))),
        "states" => ShareGroupRequest::Partitions(group),
        "alter" => ShareGroupRequest::Alter(alter(group, command)),
        "delete-share" => {
            let topic = |name: &&str| DeleteShareGroupOffsetsRequestTopic {
                topic_name: (*name).into(),
                ..Default::default()
            };
            let topics = command.words[2..].iter().map(topic).collect();
            ShareGroupRequest::DeleteOffsets(DeleteShareGroupOffsetsRequest {
                group_id: group,
                topics,
                ..Default::default()
            })
        }
        "forgotten" => {
            let topics: BTreeSet<Uuid> = command.words[2..].iter().map(|name| id_of(name)).collect();
            ShareGroupRequest::OffsetsDeleted(group, topics)
        }
        "prepare-delete" => ShareGroupRequest::PrepareDelete(list(&group)),
        _ => return None,
    })
}

fn some(text: &str) -> SharePartitions {
    let mut some = SharePartitions::new();
    for (topic, index) in text.split(',').filter_map(partition) {
        some.entry(id_of(topic)).or_default().insert(index);
    }
    some
}

fn alter(group_id: String, command: &Command<'_>) -> AlterShareGroupOffsetsRequest {
    let topics = command.words.iter().filter_map(|word| offset(word)).map(|(topic, index, start_offset)| {
        let partition = AlterShareGroupOffsetsRequestPartition {
            partition_index: index,
            start_offset,
            ..Default::default()
        };
        AlterShareGroupOffsetsRequestTopic {
            topic_name: topic.into(),
            partitions: vec![partition],
            ..Default::default()
        }
    });
    AlterShareGroupOffsetsRequest { group_id, topics: topics.collect(), ..Default::default() }
}

pub(super) fn show_response(response: &ShareGroupResponse) -> String {
    match response {
        ShareGroupResponse::Heartbeat(beat) => show_heartbeat(beat),
        ShareGroupResponse::Describe(groups) => groups.iter().map(show_group).collect::<Vec<_>>().join("; "),
        ShareGroupResponse::Partitions(some) => show_some(some),
        ShareGroupResponse::Alter(Err((code, message)))
        | ShareGroupResponse::DeleteOffsets(Err((code, message))) => format!("{}: {message}", code.name()),
        ShareGroupResponse::Alter(Ok(altered)) => {
            let topics = altered.topics.iter().flat_map(|topic| {
                let row = |row: &protocol::alter_share_group_offsets_response::AlterShareGroupOffsetsResponsePartition| {
                    format!("{}-{} {}", topic.topic_name, row.partition_index, row.error_code.name())
                };
                topic.partitions.iter().map(row)
            });
            let topics = topics.collect::<Vec<_>>().join(", ");
            let begun =
                altered.offsets.iter().map(|(topic, offsets)| (*topic, offsets.keys().copied().collect()));
            format!("{topics}; {} begin at epoch {}", show_some(&begun.collect()), altered.state_epoch)
        }
        ShareGroupResponse::DeleteOffsets(Ok(deletion)) => {
            let refused = deletion.refused.iter().map(|topic| {
                let message = topic.error_message.as_deref().unwrap_or_default();
                format!("; {} {}: {message}", topic.topic_name, topic.error_code.name())
            });
            format!("to forget {}{}", show_some(&deletion.partitions), refused.collect::<String>())
        }
        ShareGroupResponse::PrepareDelete(groups) => {
            let one = |(group, prepared): &(String, Result<SharePartitions, ErrorCode>)| match prepared {
                Ok(some) => format!("{group} to forget {}", show_some(some)),
                Err(error) => format!("{group} {}", error.name()),
            };
            groups.iter().map(one).collect::<Vec<_>>().join("; ")
        }
        ShareGroupResponse::BeginStates { group, state_epoch, partitions } => {
            format!("{group}: {} begin at epoch {state_epoch}", show_some(partitions))
        }
        ShareGroupResponse::Done => "done".into(),
    }
}

fn show_some(some: &SharePartitions) -> String {
    let lists: Vec<(Uuid, Vec<i32>)> =
        some.iter().map(|(topic, partitions)| (*topic, partitions.iter().copied().collect())).collect();
    partitions(lists.iter().map(|(topic, partitions)| (*topic, partitions)))
}

fn show_heartbeat(beat: &ShareGroupHeartbeatResponse) -> String {
    if beat.error_code != ErrorCode::NONE {
        return format!("{}: {}", beat.error_code.name(), beat.error_message.as_deref().unwrap_or_default());
    }
    let has = beat.assignment.as_ref().map(|assignment| {
        let topics = assignment.topic_partitions.iter();
        format!(" has {}", partitions(topics.map(|topic| (topic.topic_id, &topic.partitions))))
    });
    let member = beat.member_id.as_deref().unwrap_or_default();
    format!("{member} at {}{}", beat.member_epoch, has.unwrap_or_default())
}

fn show_group(group: &DescribedGroup) -> String {
    if group.error_code != ErrorCode::NONE {
        let message = group.error_message.as_deref().unwrap_or_default();
        return format!("{} {}: {message}", group.group_id, group.error_code.name());
    }
    let members = group.members.iter().map(|member| {
        let has = member.assignment.topic_partitions.iter();
        let has = partitions(has.map(|topic| (topic.topic_id, &topic.partitions)));
        format!(" [{} at {} has {has}]", member.member_id, member.member_epoch)
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
}

pub(super) fn show_entry(group: &str, entry: &ShareEntry) -> String {
    let what = match entry {
        ShareEntry::Epoch(Some(value)) => format!("epoch {}", value.epoch),
        ShareEntry::Epoch(None) => "gone".into(),
        ShareEntry::Member(member, None) => format!("{member} gone"),
        ShareEntry::Member(member, Some(value)) => {
            let topics = value.subscribed_topic_names.join(",");
            format!("{member} reads {}", if topics.is_empty() { "nothing" } else { &topics })
        }
        ShareEntry::TargetEpoch(Some(value)) => format!("target of epoch {}", value.assignment_epoch),
        ShareEntry::TargetEpoch(None) => "target gone".into(),
        ShareEntry::Target(member, None) => format!("{member}'s target gone"),
        ShareEntry::Target(member, Some(value)) => {
            let topics = value.topic_partitions.iter().map(|topic| (topic.topic_id, &topic.partitions));
            format!("{member} is to have {}", partitions(topics))
        }
        ShareEntry::Current(member, None) => format!("{member}'s assignment gone"),
        ShareEntry::Current(member, Some(value)) => {
            let topics = value.assigned_partitions.iter();
            let assigned = partitions(topics.map(|topic| (topic.topic_id, &topic.partitions)));
            format!("{member} at {} has {assigned}", value.member_epoch)
        }
        ShareEntry::States(None) => "states gone".into(),
        ShareEntry::States(Some(value)) => {
            let some = |topics: &[TopicPartitionsInfo]| {
                partitions(topics.iter().map(|topic| (topic.topic_id, &topic.partitions)))
            };
            let deleting: Vec<&str> =
                value.deleting_topics.iter().map(|topic| topic.topic_name.as_str()).collect();
            let deleting = if deleting.is_empty() { "nothing".into() } else { deleting.join(",") };
            let (begun, beginning) = (some(&value.initialized_topics), some(&value.initializing_topics));
            format!("states of {begun}, to begin {beginning}, to forget {deleting}")
        }
    };
    format!("{group}: {what}")
}
