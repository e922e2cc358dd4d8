//! OffsetFetch 1-10 of one group: the offsets of some partitions or of all.

use model::Uuid;
use protocol::ErrorCode;
use protocol::offset_fetch_request::OffsetFetchRequestGroup;
use protocol::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};

use super::CommittedOffset;
use crate::group::groups::Group;
use crate::group::machine::GroupMachine;

const INVALID_OFFSET: i64 = -1;

impl GroupMachine {
    /// Fetches offsets. Kafka: `OffsetMetadataManager.fetchOffsets`, `fetchAllOffsets`.
    pub(in crate::group) fn fetch_offsets(
        &self,
        request: OffsetFetchRequestGroup,
        require_stable: bool,
    ) -> OffsetFetchResponseGroup {
        let group_id = request.group_id;
        if let Err(error_code) =
            self.validate_fetch(&group_id, request.member_id.as_deref(), request.member_epoch)
        {
            return OffsetFetchResponseGroup { group_id, error_code, ..Default::default() };
        }
        let mut topics = Vec::new();
        match request.topics {
            Some(asked) => {
                for topic in asked {
                    let fetch = |partition| {
                        self.fetch_one(&group_id, &topic.name, topic.topic_id, partition, require_stable)
                    };
                    topics.push(OffsetFetchResponseTopics {
                        partitions: topic.partition_indexes.iter().copied().map(fetch).collect(),
                        topic_id: topic.topic_id,
                        name: topic.name.clone(),
                        ..Default::default()
                    });
                }
            }
            None => {
                for (topic, partitions) in
                    self.offsets.committed.0.get(group_id.as_str()).into_iter().flatten()
                {
                    let fetch =
                        |partition| self.fetch_one(&group_id, topic, Uuid::ZERO, partition, require_stable);
                    topics.push(OffsetFetchResponseTopics {
                        partitions: partitions.keys().copied().map(fetch).collect(),
                        name: topic.to_string(),
                        ..Default::default()
                    });
                }
            }
        }
        OffsetFetchResponseGroup { group_id, topics, ..Default::default() }
    }

    /// Checks who fetches: a member of a newer protocol names itself and its epoch.
    fn validate_fetch(&self, group: &str, member_id: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        match self.groups.get(group) {
            Some(Group::Consumer(group)) => group.validate_offset_fetch(member_id, epoch),
            Some(Group::Streams(group)) => group.validate_offset_fetch(member_id, epoch),
            _ => Ok(()),
        }
    }

    fn fetch_one(
        &self,
        group: &str,
        topic: &str,
        topic_id: Uuid,
        partition_index: i32,
        require_stable: bool,
    ) -> OffsetFetchResponsePartitions {
        if require_stable && self.offsets.is_unstable(group, topic, partition_index) {
            return no_offset(partition_index, ErrorCode::UNSTABLE_OFFSET_COMMIT);
        }
        match self.offsets.committed.get(group, topic, partition_index) {
            Some(committed) if same_topic(committed, topic_id) => OffsetFetchResponsePartitions {
                partition_index,
                committed_offset: committed.offset,
                committed_leader_epoch: committed.leader_epoch,
                metadata: Some(committed.metadata.to_string()),
                ..Default::default()
            },
            _ => no_offset(partition_index, ErrorCode::NONE),
        }
    }
}

/// Tells whether an offset is of the topic that is meant, and not of an earlier one of the same name.
fn same_topic(committed: &CommittedOffset, topic_id: Uuid) -> bool {
    committed.topic_id == Uuid::ZERO || topic_id == Uuid::ZERO || committed.topic_id == topic_id
}

fn no_offset(partition_index: i32, error_code: ErrorCode) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: INVALID_OFFSET,
        committed_leader_epoch: -1,
        metadata: Some(String::new()),
        error_code,
        ..Default::default()
    }
}
