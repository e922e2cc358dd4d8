//! AlterReplicaLogDirs (key 34): moves replicas of this broker to other log dirs.
//!
//! Versions: 1–2. 2 flexible. The move goes on in the background; DescribeLogDirs shows how far it has come.
//! A replica that is not here yet is refused, and made there when it comes.
//! Kafka: `KafkaApis.handleAlterReplicaLogDirsRequest`, `ReplicaManager.alterReplicaLogDirs`.

use std::collections::BTreeMap;
use std::path::Path;

use metadata::MetadataImage;
use model::{AclOperation, TopicPartition, Uuid};
use protocol::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use protocol::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, ErrorCode};

use crate::broker::Broker;
use crate::broker::fetch_session::TopicKey;
use crate::request::RequestContext;

/// Begins each move that can be begun. A topic is answered for once, whatever dirs its partitions go to.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &AlterReplicaLogDirsRequest,
) -> AlterReplicaLogDirsResponse {
    let permitted = broker.gate(context).check_cluster(AclOperation::Alter);
    let image = broker.metadata.image();
    let mut results: BTreeMap<&str, Vec<AlterReplicaLogDirPartitionResult>> = BTreeMap::new();
    for dir in &request.dirs {
        let target = target_dir(broker, &dir.path);
        for topic in &dir.topics {
            let row = |index: &i32| {
                let name = TopicPartition::new(topic.name.as_str(), *index);
                let moved =
                    permitted.and(target).and_then(|target| start_move(broker, &image, &name, target));
                AlterReplicaLogDirPartitionResult {
                    partition_index: *index,
                    error_code: moved.err().unwrap_or(ErrorCode::NONE),
                    ..Default::default()
                }
            };
            results.entry(&topic.name).or_default().extend(topic.partitions.iter().map(row));
        }
    }
    let topic = |(name, partitions): (&str, _)| AlterReplicaLogDirTopicResult {
        topic_name: name.to_owned(),
        partitions,
        ..Default::default()
    };
    AlterReplicaLogDirsResponse { results: results.into_iter().map(topic).collect(), ..Default::default() }
}

fn target_dir(broker: &Broker, path: &str) -> Result<Uuid, ErrorCode> {
    let logs = broker.replicas.logs();
    let found = logs.dirs().iter().find(|dir| dir.path() == Path::new(path));
    match found {
        Some(dir) if dir.is_offline() => Err(ErrorCode::KAFKA_STORAGE_ERROR),
        Some(dir) if dir.is_cordoned() => Err(ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        Some(dir) => Ok(dir.id()),
        None => Err(ErrorCode::LOG_DIR_NOT_FOUND),
    }
}

fn start_move(
    broker: &Broker,
    image: &MetadataImage,
    name: &TopicPartition,
    target: Uuid,
) -> Result<(), ErrorCode> {
    let logs = broker.replicas.logs();
    match broker.replicas.find(image, &TopicKey::Name(name.topic.clone()), name.partition) {
        Ok(_) => logs.start_move(name, target).map_err(|error| error.code()),
        Err(ErrorCode::KAFKA_STORAGE_ERROR) => Err(ErrorCode::KAFKA_STORAGE_ERROR),
        Err(missing) => {
            logs.prefer_dir(name, target);
            // As it was called before clients knew the newer name.
            let is_elsewhere = missing == ErrorCode::NOT_LEADER_OR_FOLLOWER;
            Err(if is_elsewhere { ErrorCode::REPLICA_NOT_AVAILABLE } else { missing })
        }
    }
}
