//! Deleting records before an offset. Kafka: `Admin.deleteRecords`.

use std::collections::BTreeMap;

use model::{Offset, TopicPartition};
use protocol::DeleteRecordsRequest;
use protocol::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};

use super::Admin;
use super::call::millis;
use crate::error::{Error, Result};
use crate::offsets::by_topic;

impl Admin {
    /// Deletes the records before each offset (-1 for all that can be read); gives each partition's new first offset.
    pub async fn delete_records(
        &self,
        before: &BTreeMap<TopicPartition, Offset>,
    ) -> BTreeMap<TopicPartition, Result<Offset>> {
        let timeout_ms = millis(self.cluster().settings().request_timeout);
        self.on_leaders("deleteRecords", before.clone(), |leader, asked| async move {
            let request = request(&asked, timeout_ms);
            let response = self.cluster().send(leader, &request).await?;
            let mut done = Vec::new();
            for topic in response.topics {
                for partition in topic.partitions {
                    let name = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                    let first = Offset(partition.low_watermark);
                    done.push((name, Error::check(partition.error_code).map(|()| first)));
                }
            }
            Ok(done)
        })
        .await
    }
}

fn request(asked: &[(TopicPartition, Offset)], timeout_ms: i32) -> DeleteRecordsRequest {
    let partition = |(partition_index, offset): (i32, Offset)| DeleteRecordsPartition {
        partition_index,
        offset: offset.0,
        ..Default::default()
    };
    let topic = |(name, partitions): (&str, Vec<_>)| DeleteRecordsTopic {
        name: name.to_owned(),
        partitions: partitions.into_iter().map(partition).collect(),
        ..Default::default()
    };
    let topics = by_topic(asked.iter().map(|(name, offset)| (name, *offset)));
    DeleteRecordsRequest { topics: topics.into_iter().map(topic).collect(), timeout_ms, ..Default::default() }
}
