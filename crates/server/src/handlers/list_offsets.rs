//! ListOffsets (key 2): finds offsets by timestamp, or by what a sentinel stands for.
//!
//! Versions: 1–11. Sentinels: -1 latest · -2 earliest · 7 -3 greatest timestamp (KIP-734) · 8 -4 earliest local (KIP-405) ·
//! 9 -5 latest tiered (KIP-1005) · 10 timeout for tiers (KIP-1075) · 11 -6 earliest pending upload (KIP-1023).
//! 2 isolation level · 4 leader epochs · 6 flexible.
//! Not yet: tiers; their sentinels find nothing. Kafka: `KafkaApis.handleListOffsetRequest`, `ReplicaManager.fetchOffset`.

use std::collections::BTreeSet;

use metadata::MetadataImage;
use model::{AclOperation, LeaderEpoch, Timestamp};
use protocol::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use protocol::{ErrorCode, ListOffsetsRequest, ListOffsetsResponse};
use storage::FetchIsolation;

use crate::authorize::Permitted;
use crate::broker::Broker;
use crate::broker::fetch_session::TopicKey;
use crate::broker::partition::PartitionError;
use crate::request::RequestContext;

/// The least sentinel of each version that brought one.
const SENTINELS: [(i16, i64); 4] = [(7, -3), (8, -4), (9, -5), (11, -6)];
/// The least sentinel of the versions before.
const EARLIEST: i64 = -2;

/// Finds each partition's offset.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &ListOffsetsRequest,
) -> ListOffsetsResponse {
    let image = broker.metadata.image();
    let names = request.topics.iter().map(|topic| topic.name.as_str());
    let permitted = broker.gate(context).permitted_topics(AclOperation::Describe, names);
    let repeated = repeated(&request.topics);
    let listing = Listing { broker, image: &image, version: context.version, request, permitted, repeated };
    let topics = request.topics.iter().map(|topic| listing.topic(topic)).collect();
    ListOffsetsResponse { topics, ..Default::default() }
}

struct Listing<'a> {
    broker: &'a Broker,
    image: &'a MetadataImage,
    version: i16,
    request: &'a ListOffsetsRequest,
    permitted: Permitted,
    repeated: BTreeSet<(&'a str, i32)>,
}

/// The partitions that are asked for more than once, which is no question. Kafka: `ListOffsetsRequest.duplicatePartitions`.
fn repeated(topics: &[ListOffsetsTopic]) -> BTreeSet<(&str, i32)> {
    let mut seen = BTreeSet::new();
    let named = topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|asked| (topic.name.as_str(), asked.partition_index)));
    named.filter(|partition| !seen.insert(*partition)).collect()
}

impl Listing<'_> {
    fn topic(&self, topic: &ListOffsetsTopic) -> ListOffsetsTopicResponse {
        let key = TopicKey::Name(topic.name.as_str().into());
        let permitted = self.permitted.contains(&topic.name);
        let row = |asked: &ListOffsetsPartition| {
            let found = match self.repeated.contains(&(topic.name.as_str(), asked.partition_index)) {
                _ if !permitted => Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED),
                true => Err(ErrorCode::INVALID_REQUEST),
                false => self.partition(&key, asked),
            };
            found.unwrap_or_else(|error_code| refused(asked.partition_index, error_code))
        };
        let partitions = topic.partitions.iter().map(row).collect();
        ListOffsetsTopicResponse { name: topic.name.clone(), partitions, ..Default::default() }
    }

    fn partition(
        &self,
        key: &TopicKey,
        asked: &ListOffsetsPartition,
    ) -> Result<ListOffsetsPartitionResponse, ErrorCode> {
        if asked.timestamp < self.least_timestamp() {
            return Err(ErrorCode::UNSUPPORTED_VERSION);
        }
        let partition = self.broker.replicas.find(self.image, key, asked.partition_index)?;
        let known = Some(LeaderEpoch(asked.current_leader_epoch)).filter(|epoch| *epoch != LeaderEpoch::NONE);
        let found = partition.offset_for_timestamp(known, Timestamp(asked.timestamp), self.isolation());
        let found = found.map_err(|error: PartitionError| error.code())?;
        let mut row = refused(asked.partition_index, ErrorCode::NONE);
        if let Some(found) = found {
            row.timestamp = found.timestamp.0;
            row.offset = found.offset.0;
            if self.version >= 4 {
                row.leader_epoch = found.leader_epoch.map_or(-1, |epoch| epoch.0);
            }
        }
        Ok(row)
    }

    fn least_timestamp(&self) -> i64 {
        let known = SENTINELS.iter().filter(|(since, _)| *since <= self.version);
        known.map(|(_, sentinel)| *sentinel).min().unwrap_or(EARLIEST)
    }

    /// A replica or a debugger (-2) sees the whole log; a client what is committed.
    fn isolation(&self) -> FetchIsolation {
        match (self.request.replica_id, self.request.isolation_level) {
            (-1, 1) => FetchIsolation::TxnCommitted,
            (-1, _) => FetchIsolation::HighWatermark,
            _ => FetchIsolation::LogEnd,
        }
    }
}

fn refused(partition_index: i32, error_code: ErrorCode) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse {
        partition_index,
        error_code,
        timestamp: -1,
        offset: -1,
        leader_epoch: -1,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_repeated_also_where_its_topic_is() {
        let topic = |name: &str, indexes: &[i32]| ListOffsetsTopic {
            name: name.to_owned(),
            partitions: indexes
                .iter()
                .map(|index| ListOffsetsPartition { partition_index: *index, ..Default::default() })
                .collect(),
            ..Default::default()
        };
        let topics = [topic("a", &[0, 1]), topic("b", &[0, 7, 7]), topic("a", &[1])];
        assert_eq!(repeated(&topics), BTreeSet::from([("a", 1), ("b", 7)]));
    }
}
