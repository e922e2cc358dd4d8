//! Reading what groups have committed. Kafka: `Admin.listConsumerGroupOffsets`.

use std::collections::BTreeMap;

use model::{Offset, TopicPartition};
use protocol::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::{ErrorCode, OffsetFetchRequest, OffsetFetchResponse};

use super::Admin;
use super::call::first_retriable;
use crate::error::{Error, Result};
use crate::offsets::{OffsetAndMetadata, by_topic, known_epoch};

/// The last version that names topics.
pub(crate) const NAMED_VERSION: i16 = 9;

/// What was committed for each partition; `None` where nothing was.
pub(crate) type Committed = BTreeMap<TopicPartition, Result<Option<OffsetAndMetadata>>>;

impl Admin {
    /// Reads what `group` has committed for `partitions`, or for all that it has if `None`.
    /// `require_stable`: wait for transactions that commit offsets.
    pub async fn list_group_offsets(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
        require_stable: bool,
    ) -> Result<BTreeMap<TopicPartition, Result<Option<OffsetAndMetadata>>>> {
        let make = |version| request(group, partitions, require_stable, version);
        let (_, response) = self
            .on_coordinator("listConsumerGroupOffsets", group, NAMED_VERSION, make, |response| {
                let topics = response.groups.iter().flat_map(|group| &group.topics);
                let codes = topics.flat_map(|topic| &topic.partitions).map(|partition| partition.error_code);
                let unstable = first_retriable(codes);
                if unstable.is_error() { unstable } else { group_error(response) }
            })
            .await?;
        read(response)
    }
}

pub(crate) fn group_error(response: &OffsetFetchResponse) -> ErrorCode {
    response.groups.first().map_or(response.error_code, |group| group.error_code)
}

/// The request for one group, as `version` has it.
pub(crate) fn request(
    group: &str,
    partitions: Option<&[TopicPartition]>,
    require_stable: bool,
    version: i16,
) -> OffsetFetchRequest {
    let topics = partitions.map(|partitions| by_topic(partitions.iter().map(|name| (name, ()))));
    let indexes = |partitions: Vec<(i32, ())>| partitions.into_iter().map(|(index, ())| index).collect();
    let mut request =
        OffsetFetchRequest { require_stable: require_stable && version >= 7, ..Default::default() };
    if version < 8 {
        request.group_id = group.to_owned();
        request.topics = topics.map(|topics| {
            let topic = |(name, partitions): (&str, _)| OffsetFetchRequestTopic {
                name: name.to_owned(),
                partition_indexes: indexes(partitions),
                ..Default::default()
            };
            topics.into_iter().map(topic).collect()
        });
        return request;
    }
    let topics = topics.map(|topics| {
        let topic = |(name, partitions): (&str, _)| OffsetFetchRequestTopics {
            name: name.to_owned(),
            partition_indexes: indexes(partitions),
            ..Default::default()
        };
        topics.into_iter().map(topic).collect()
    });
    request.groups =
        vec![OffsetFetchRequestGroup { group_id: group.to_owned(), topics, ..Default::default() }];
    request
}

/// What the answer says of the one group.
pub(crate) fn read(response: OffsetFetchResponse) -> Result<Committed> {
    Error::check(group_error(&response))?;
    let mut done = BTreeMap::new();
    let mut add =
        |topic: &str, index: i32, offset: i64, epoch: i32, metadata: Option<String>, code: ErrorCode| {
            let metadata = metadata.unwrap_or_default();
            let committed =
                OffsetAndMetadata { offset: Offset(offset), leader_epoch: known_epoch(epoch), metadata };
            let result =
                Error::check(code).map(|()| Some(committed).filter(|committed| committed.offset.0 >= 0));
            done.insert(TopicPartition::new(topic, index), result);
        };
    for topic in response.topics {
        for p in topic.partitions {
            add(
                &topic.name,
                p.partition_index,
                p.committed_offset,
                p.committed_leader_epoch,
                p.metadata,
                p.error_code,
            );
        }
    }
    for topic in response.groups.into_iter().flat_map(|group| group.topics) {
        for p in topic.partitions {
            add(
                &topic.name,
                p.partition_index,
                p.committed_offset,
                p.committed_leader_epoch,
                p.metadata,
                p.error_code,
            );
        }
    }
    Ok(done)
}
