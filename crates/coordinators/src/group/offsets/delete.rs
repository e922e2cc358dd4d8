//! OffsetDelete 0, and the end of the offsets of deleted topics.

use model::Uuid;
use protocol::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use protocol::{ErrorCode, OffsetDeleteRequest, OffsetDeleteResponse};

use super::{CommittedOffset, PerGroup};
use crate::group::GroupOutcome;
use crate::group::groups::Group;
use crate::group::machine::GroupMachine;
use crate::group::record::GroupRecord;
use crate::group::request::DeletedTopic;

impl GroupMachine {
    /// Deletes offsets of topics that no member reads. Kafka: `OffsetMetadataManager.deleteOffsets`.
    pub(in crate::group) fn delete_offsets(
        &self,
        request: OffsetDeleteRequest,
        out: &mut GroupOutcome,
    ) -> OffsetDeleteResponse {
        let group = match self.deletable_from(&request.group_id) {
            Ok(group) => group,
            Err(error_code) => return OffsetDeleteResponse { error_code, ..Default::default() },
        };
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in request.topics {
            let subscribed = match group {
                Group::Classic(group) => group.is_subscribed_to(&topic.name),
                Group::Consumer(group) => group.is_subscribed_to(&topic.name),
                Group::Streams(group) => group.is_subscribed_to(&topic.name),
                Group::Share(_) => false,
            };
            let error_code = if subscribed { ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC } else { ErrorCode::NONE };
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for partition in topic.partitions {
                let partition_index = partition.partition_index;
                partitions.push(OffsetDeleteResponsePartition {
                    partition_index,
                    error_code,
                    ..Default::default()
                });
                let known =
                    self.offsets.committed.get(&request.group_id, &topic.name, partition_index).is_some()
                        || self.offsets.is_unstable(&request.group_id, &topic.name, partition_index);
                if known && !subscribed {
                    out.records.push(GroupRecord::offset_tombstone(
                        &request.group_id,
                        &topic.name,
                        partition_index,
                    ));
                }
            }
            topics.push(OffsetDeleteResponseTopic { name: topic.name, partitions, ..Default::default() });
        }
        OffsetDeleteResponse { topics, ..Default::default() }
    }

    fn deletable_from(&self, group_id: &str) -> Result<&Group, ErrorCode> {
        let group = self.groups.get(group_id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
        match group {
            Group::Classic(classic) => classic.validate_offset_delete()?,
            Group::Consumer(_) | Group::Streams(_) => {}
            Group::Share(_) => return Err(ErrorCode::GROUP_ID_NOT_FOUND),
        }
        Ok(group)
    }

    /// Deletes the offsets, pending ones too, of topics that are gone. Kafka: `OffsetMetadataManager.onTopicsDeleted`.
    pub(in crate::group) fn delete_offsets_of_topics(&self, topics: &[DeletedTopic], out: &mut GroupOutcome) {
        tombstone_topics(&self.offsets.committed, topics, out);
        for pending in self.offsets.pending.values() {
            tombstone_topics(pending, topics, out);
        }
    }
}

fn tombstone_topics(offsets: &PerGroup<CommittedOffset>, topics: &[DeletedTopic], out: &mut GroupOutcome) {
    for (group, by_topic) in &offsets.0 {
        for deleted in topics {
            for (partition, offset) in by_topic.get(deleted.name.as_str()).into_iter().flatten() {
                if offset.topic_id == Uuid::ZERO || offset.topic_id == deleted.id {
                    out.records.push(GroupRecord::offset_tombstone(group, &deleted.name, *partition));
                }
            }
        }
    }
}
