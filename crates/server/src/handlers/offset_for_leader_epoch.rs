//! OffsetForLeaderEpoch (key 23): where a leader epoch ends in a partition's log, so that a client notices truncation.
//!
//! Versions: 2–4. 3 replica id · 4 flexible.
//! Kafka: `KafkaApis.handleOffsetForLeaderEpochRequest`, `Partition.lastOffsetForLeaderEpoch`.

use metadata::MetadataImage;
use model::{AclOperation, LeaderEpoch};
use protocol::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use protocol::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use protocol::{ErrorCode, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use crate::authorize::Permitted;
use crate::broker::Broker;
use crate::broker::fetch_session::TopicKey;
use crate::request::RequestContext;

/// Finds the end of each epoch asked for; -1 where the log knows nothing of it.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let gate = broker.gate(context);
    let permitted = match gate.may_act_for_the_cluster_quietly() {
        true => Permitted::All,
        false => {
            gate.permitted_topics(AclOperation::Describe, request.topics.iter().map(|topic| &*topic.topic))
        }
    };
    let image = broker.metadata.image();
    let topic = |topic: &OffsetForLeaderTopic| {
        let key = TopicKey::Name(topic.topic.as_str().into());
        let row = |asked: &OffsetForLeaderPartition| {
            let found = match permitted.contains(&topic.topic) {
                true => find(broker, &image, &key, asked),
                false => Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED),
            };
            found.unwrap_or_else(|error_code| EpochEndOffset {
                error_code,
                partition: asked.partition,
                ..Default::default()
            })
        };
        let partitions = topic.partitions.iter().map(row).collect();
        OffsetForLeaderTopicResult { topic: topic.topic.clone(), partitions, ..Default::default() }
    };
    OffsetForLeaderEpochResponse { topics: request.topics.iter().map(topic).collect(), ..Default::default() }
}

fn find(
    broker: &Broker,
    image: &MetadataImage,
    key: &TopicKey,
    asked: &OffsetForLeaderPartition,
) -> Result<EpochEndOffset, ErrorCode> {
    let partition = broker.replicas.find(image, key, asked.partition)?;
    let known = Some(LeaderEpoch(asked.current_leader_epoch)).filter(|epoch| *epoch != LeaderEpoch::NONE);
    let log = partition.leader_log(known).map_err(|error| error.code())?;
    let end = log.end_offset_for_epoch(LeaderEpoch(asked.leader_epoch));
    Ok(EpochEndOffset {
        partition: asked.partition,
        leader_epoch: end.map_or(-1, |(epoch, _)| epoch.0),
        end_offset: end.map_or(-1, |(_, offset)| offset.0),
        ..Default::default()
    })
}
