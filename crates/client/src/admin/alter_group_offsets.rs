//! Setting what groups without members have committed. Kafka: `Admin.alterConsumerGroupOffsets`.

use std::collections::BTreeMap;

use model::TopicPartition;
use protocol::OffsetCommitRequest;
use protocol::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};

use super::Admin;
use super::call::first_retriable;
use crate::error::{Error, Result};
use crate::offsets::{OffsetAndMetadata, by_topic};

/// The last version of OffsetCommit that names topics.
pub(crate) const NAMED_VERSION: i16 = 9;

impl Admin {
    /// Sets the committed offsets of `group`; the result of each partition is under its name.
    pub async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, OffsetAndMetadata>,
    ) -> Result<BTreeMap<TopicPartition, Result<()>>> {
        let make = |_| OffsetCommitRequest {
            group_id: group.to_owned(),
            topics: topics(offsets),
            ..Default::default()
        };
        let (_, response) = self
            .on_coordinator("alterConsumerGroupOffsets", group, NAMED_VERSION, make, |response| {
                let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
                first_retriable(partitions.map(|partition| partition.error_code))
            })
            .await?;
        let mut done = BTreeMap::new();
        for topic in response.topics {
            for partition in topic.partitions {
                let name = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                done.insert(name, Error::check(partition.error_code));
            }
        }
        Ok(done)
    }
}

/// Offsets as OffsetCommit carries them.
pub(crate) fn topics(offsets: &BTreeMap<TopicPartition, OffsetAndMetadata>) -> Vec<OffsetCommitRequestTopic> {
    let partition = |(index, committed): (i32, &OffsetAndMetadata)| OffsetCommitRequestPartition {
        partition_index: index,
        committed_offset: committed.offset.0,
        committed_leader_epoch: committed.leader_epoch.map_or(-1, |epoch| epoch.0),
        committed_metadata: Some(committed.metadata.clone()),
        ..Default::default()
    };
    let topic = |(name, partitions): (&str, Vec<_>)| OffsetCommitRequestTopic {
        name: name.to_owned(),
        partitions: partitions.into_iter().map(partition).collect(),
        ..Default::default()
    };
    by_topic(offsets).into_iter().map(topic).collect()
}
