//! The offsets at which share groups begin: reading, moving and deleting them.
//! Kafka: `Admin.listShareGroupOffsets`, `Admin.alterShareGroupOffsets`, `Admin.deleteShareGroupOffsets`.

use std::collections::BTreeMap;

use model::{LeaderEpoch, Offset, TopicPartition};
use protocol::alter_share_group_offsets_request::{
    AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use protocol::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic;
use protocol::describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestGroup;
use protocol::describe_share_group_offsets_response::DescribeShareGroupOffsetsResponsePartition;
use protocol::{
    AlterShareGroupOffsetsRequest, DeleteShareGroupOffsetsRequest, DescribeShareGroupOffsetsRequest,
    ErrorCode,
};

use super::Admin;
use crate::error::{Error, Result};
use crate::offsets::{by_topic, known_epoch};

/// Where a share group stands in a partition. Kafka: `SharePartitionOffsetInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharePartitionOffset {
    /// The first offset that is not yet done with.
    pub start: Offset,
    /// The epoch of the partition's leader, if known.
    pub leader_epoch: Option<LeaderEpoch>,
    /// How many records are still to be delivered, if known.
    pub lag: Option<i64>,
}

impl Admin {
    /// Reads where `group` stands in each partition that it has; `None` where it has not begun.
    /// A partition that the coordinator cannot tell of is left out.
    pub async fn list_share_group_offsets(
        &self,
        group: &str,
    ) -> Result<BTreeMap<TopicPartition, Option<SharePartitionOffset>>> {
        let make = |_| DescribeShareGroupOffsetsRequest {
            groups: vec![DescribeShareGroupOffsetsRequestGroup {
                group_id: group.to_owned(),
                topics: None,
                ..Default::default()
            }],
            ..Default::default()
        };
        let (_, response) = self
            .on_coordinator("describeShareGroupOffsets", group, i16::MAX, make, |response| {
                response.groups.first().map_or(ErrorCode::NONE, |group| group.error_code)
            })
            .await?;
        let mut done = BTreeMap::new();
        for described in response.groups {
            Error::check_with(described.error_code, described.error_message)?;
            for topic in described.topics {
                for partition in topic.partitions.iter().filter(|one| !one.error_code.is_error()) {
                    let name = TopicPartition::new(topic.topic_name.as_str(), partition.partition_index);
                    done.insert(name, stands(partition));
                }
            }
        }
        Ok(done)
    }

    /// Makes `group`, which must have no members, begin at these offsets; the result of each partition is under its name.
    pub async fn alter_share_group_offsets(
        &self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, Offset>,
    ) -> Result<BTreeMap<TopicPartition, Result<()>>> {
        let partition = |(partition_index, offset): (i32, &Offset)| AlterShareGroupOffsetsRequestPartition {
            partition_index,
            start_offset: offset.0,
            ..Default::default()
        };
        let topic = |(name, partitions): (&str, Vec<_>)| AlterShareGroupOffsetsRequestTopic {
            topic_name: name.to_owned(),
            partitions: partitions.into_iter().map(partition).collect(),
            ..Default::default()
        };
        let make = |_| AlterShareGroupOffsetsRequest {
            group_id: group.to_owned(),
            topics: by_topic(offsets).into_iter().map(topic).collect(),
            ..Default::default()
        };
        let (_, response) = self
            .on_coordinator("alterShareGroupOffsets", group, i16::MAX, make, |response| response.error_code)
            .await?;
        Error::check_with(response.error_code, response.error_message)?;
        let mut done = BTreeMap::new();
        for topic in response.responses {
            for partition in topic.partitions {
                let name = TopicPartition::new(topic.topic_name.as_str(), partition.partition_index);
                done.insert(name, Error::check_with(partition.error_code, partition.error_message));
            }
        }
        Ok(done)
    }

    /// Makes `group`, which must have no members, forget topics; the result of each is under its name.
    pub async fn delete_share_group_offsets(
        &self,
        group: &str,
        topics: &[String],
    ) -> Result<BTreeMap<String, Result<()>>> {
        let topic = |name: &String| DeleteShareGroupOffsetsRequestTopic {
            topic_name: name.clone(),
            ..Default::default()
        };
        let make = |_| DeleteShareGroupOffsetsRequest {
            group_id: group.to_owned(),
            topics: topics.iter().map(topic).collect(),
            ..Default::default()
        };
        let (_, response) = self
            .on_coordinator("deleteShareGroupOffsets", group, i16::MAX, make, |response| response.error_code)
            .await?;
        Error::check_with(response.error_code, response.error_message)?;
        let results = response.responses.into_iter();
        Ok(results
            .map(|topic| (topic.topic_name, Error::check_with(topic.error_code, topic.error_message)))
            .collect())
    }
}

fn stands(partition: &DescribeShareGroupOffsetsResponsePartition) -> Option<SharePartitionOffset> {
    (partition.start_offset >= 0).then(|| SharePartitionOffset {
        start: Offset(partition.start_offset),
        leader_epoch: known_epoch(partition.leader_epoch),
        lag: Some(partition.lag).filter(|lag| *lag >= 0),
    })
}
