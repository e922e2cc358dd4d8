//! Committed offsets in transcripts: `t-0@5` is offset 5 of partition 0 of topic t.

use std::fmt::Write;

use protocol::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::offset_fetch_response::OffsetFetchResponseGroup;
use protocol::txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use protocol::{
    ErrorCode, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
    TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};

use super::{Command, topic_id};

/// Reads `t-0@5` as partition 0 of t at offset 5.
pub(super) fn offset(text: &str) -> Option<(&str, i32, i64)> {
    let (partition, offset) = text.split_once('@')?;
    let (topic, partition) = partition.rsplit_once('-')?;
    Some((topic, partition.parse().ok()?, offset.parse().ok()?))
}

/// Reads `t-0` as partition 0 of t.
pub(super) fn partition(text: &str) -> Option<(&str, i32)> {
    let (topic, partition) = text.rsplit_once('-')?;
    Some((topic, partition.parse().ok()?))
}

pub(super) fn commit(group_id: String, command: &Command<'_>) -> OffsetCommitRequest {
    let topics =
        command.words.iter().filter_map(|word| offset(word)).map(|(topic, partition, committed_offset)| {
            let partition = OffsetCommitRequestPartition {
                partition_index: partition,
                committed_offset,
                committed_metadata: command.option("metadata"),
                ..Default::default()
            };
            OffsetCommitRequestTopic {
                name: topic.into(),
                topic_id: topic_id(command),
                partitions: vec![partition],
                ..Default::default()
            }
        });
    OffsetCommitRequest {
        group_id,
        generation_id_or_member_epoch: command.number("generation", -1),
        member_id: command.text("member", ""),
        group_instance_id: command.option("instance"),
        retention_time_ms: i64::from(command.millis("retention", -1)),
        topics: topics.collect(),
        ..Default::default()
    }
}

pub(super) fn txn_commit(group_id: String, command: &Command<'_>) -> TxnOffsetCommitRequest {
    let topics =
        command.words.iter().filter_map(|word| offset(word)).map(|(topic, partition, committed_offset)| {
            let partition = TxnOffsetCommitRequestPartition {
                partition_index: partition,
                committed_offset,
                ..Default::default()
            };
            TxnOffsetCommitRequestTopic {
                name: topic.into(),
                partitions: vec![partition],
                ..Default::default()
            }
        });
    TxnOffsetCommitRequest {
        transactional_id: "t".into(),
        group_id,
        producer_id: command.number("producer", 1),
        generation_id_or_member_epoch: command.number("generation", -1),
        member_id: command.text("member", ""),
        topics: topics.collect(),
        ..Default::default()
    }
}

pub(super) fn fetch(group_id: String, command: &Command<'_>) -> OffsetFetchRequestGroup {
    let topics = command.words.iter().skip(2).filter_map(|word| partition(word)).map(|(topic, partition)| {
        OffsetFetchRequestTopics {
            name: topic.into(),
            topic_id: topic_id(command),
            partition_indexes: vec![partition],
            ..Default::default()
        }
    });
    let topics: Vec<_> = topics.collect();
    OffsetFetchRequestGroup {
        group_id,
        topics: Some(topics).filter(|topics| !topics.is_empty()),
        member_id: command.option("member"),
        member_epoch: command.number("epoch", -1),
        ..Default::default()
    }
}

pub(super) fn delete_offsets(group_id: String, command: &Command<'_>) -> OffsetDeleteRequest {
    let topics = command.words.iter().skip(2).filter_map(|word| partition(word)).map(|(topic, partition)| {
        OffsetDeleteRequestTopic {
            name: topic.into(),
            partitions: vec![OffsetDeleteRequestPartition {
                partition_index: partition,
                ..Default::default()
            }],
            ..Default::default()
        }
    });
    OffsetDeleteRequest { group_id, topics: topics.collect(), ..Default::default() }
}

pub(super) fn show_committed(committed: &OffsetCommitResponse) -> String {
    let topics = committed.topics.iter().flat_map(|topic| {
        let of = |partition: &protocol::offset_commit_response::OffsetCommitResponsePartition| {
            format!("{}-{} {}", topic.name, partition.partition_index, partition.error_code.name())
        };
        topic.partitions.iter().map(of).collect::<Vec<_>>()
    });
    topics.collect::<Vec<_>>().join(", ")
}

pub(super) fn show_txn_committed(committed: &TxnOffsetCommitResponse) -> String {
    let topics = committed.topics.iter().flat_map(|topic| {
        let of = |partition: &protocol::txn_offset_commit_response::TxnOffsetCommitResponsePartition| {
            format!("{}-{} {}", topic.name, partition.partition_index, partition.error_code.name())
        };
        topic.partitions.iter().map(of).collect::<Vec<_>>()
    });
    topics.collect::<Vec<_>>().join(", ")
}

pub(super) fn show_fetched(fetched: &OffsetFetchResponseGroup) -> String {
    if fetched.error_code != ErrorCode::NONE {
        return fetched.error_code.name().into();
    }
    let topics = fetched.topics.iter().flat_map(|topic| {
        let of = |partition: &protocol::offset_fetch_response::OffsetFetchResponsePartitions| {
            let metadata = partition.metadata.as_deref().unwrap_or("null");
            let mut shown =
                format!("{}-{}@{}", topic.name, partition.partition_index, partition.committed_offset);
            if partition.error_code != ErrorCode::NONE {
                _ = write!(shown, " {}", partition.error_code.name());
            }
            if !metadata.is_empty() {
                _ = write!(shown, " \"{metadata}\"");
            }
            shown
        };
        topic.partitions.iter().map(of).collect::<Vec<_>>()
    });
    let shown = topics.collect::<Vec<_>>().join(", ");
    if shown.is_empty() { "no offsets".into() } else { shown }
}

pub(super) fn show_deleted(deleted: &OffsetDeleteResponse) -> String {
    if deleted.error_code != ErrorCode::NONE {
        return deleted.error_code.name().into();
    }
    let topics = deleted.topics.iter().flat_map(|topic| {
        let of = |partition: &protocol::offset_delete_response::OffsetDeleteResponsePartition| {
            format!("{}-{} {}", topic.name, partition.partition_index, partition.error_code.name())
        };
        topic.partitions.iter().map(of).collect::<Vec<_>>()
    });
    topics.collect::<Vec<_>>().join(", ")
}
