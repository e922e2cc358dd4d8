//! Deleting what groups have committed. Kafka: `Admin.deleteConsumerGroupOffsets`.

use std::collections::BTreeMap;

use model::TopicPartition;
use protocol::OffsetDeleteRequest;
use protocol::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};

use super::Admin;
use crate::error::{Error, Result};
use crate::offsets::by_topic;

impl Admin {
    /// Deletes committed offsets of `group`; the result of each partition is under its name.
    pub async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Result<()>>> {
        let partition = |(partition_index, ()): (i32, ())| OffsetDeleteRequestPartition {
            partition_index,
            ..Default::default()
        };
        let topic = |(name, partitions): (&str, Vec<(i32, ())>)| OffsetDeleteRequestTopic {
            name: name.to_owned(),
            partitions: partitions.into_iter().map(partition).collect(),
            ..Default::default()
        };
        let make = |_| OffsetDeleteRequest {
            group_id: group.to_owned(),
            topics: by_topic(partitions.iter().map(|name| (name, ()))).into_iter().map(topic).collect(),
            ..Default::default()
        };
        let (_, response) = self
            .on_coordinator("deleteConsumerGroupOffsets", group, i16::MAX, make, |response| {
                response.error_code
            })
            .await?;
        Error::check(response.error_code)?;
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
