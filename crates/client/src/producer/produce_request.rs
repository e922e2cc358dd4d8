//! Batches as a Produce request carries them, and what its answer tells of leaders.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::{LeaderEpoch, NodeId, TopicPartition, Uuid};
use protocol::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::produce_response::PartitionProduceResponse;
use protocol::{ProduceRequest, Records};

use super::batch::BatchId;
use crate::cluster::{ClusterMetadata, LeaderAndEpoch};
use crate::config::Acks;

/// From this version on a produce request names topics by id.
pub(super) const ID_VERSION: i16 = 13;

/// The leader that a broker named, if it did.
pub(super) fn leader_of(
    name: &TopicPartition,
    answer: &PartitionProduceResponse,
) -> Option<(TopicPartition, LeaderAndEpoch)> {
    let known = answer.current_leader.leader_id >= 0 && answer.current_leader.leader_epoch >= 0;
    let leader = Some(NodeId(answer.current_leader.leader_id));
    let epoch = LeaderEpoch(answer.current_leader.leader_epoch);
    known.then(|| (name.clone(), LeaderAndEpoch { leader, epoch }))
}

/// The request that carries `batches`.
pub(super) fn request(
    batches: Vec<(BatchId, TopicPartition, Bytes)>,
    metadata: &ClusterMetadata,
    version: i16,
    acks: Acks,
    timeout: Duration,
) -> ProduceRequest {
    let mut topics: BTreeMap<Arc<str>, Vec<PartitionProduceData>> = BTreeMap::new();
    for (_, partition, bytes) in batches {
        let data = PartitionProduceData {
            index: partition.partition,
            records: Some(Records::Bytes(bytes)),
            ..Default::default()
        };
        topics.entry(partition.topic).or_default().push(data);
    }
    let by_id = version >= ID_VERSION;
    let topic = |(name, partition_data): (Arc<str>, Vec<PartitionProduceData>)| TopicProduceData {
        topic_id: metadata.topic_id(&name).filter(|_| by_id).unwrap_or(Uuid::ZERO),
        name: if by_id { String::new() } else { name.to_string() },
        partition_data,
        ..Default::default()
    };
    ProduceRequest {
        transactional_id: None,
        acks: acks.id(),
        timeout_ms: i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX),
        topic_data: topics.into_iter().map(topic).collect(),
        ..Default::default()
    }
}
