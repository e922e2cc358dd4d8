//! Tells the controller which log dirs this broker chose for its replicas.
//!
//! Kafka: `AssignmentsManager`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{TopicIdPartition, Uuid};
use protocol::assign_replicas_to_dirs_request::{DirectoryData, PartitionData, TopicData};
use protocol::{AssignReplicasToDirsRequest, ResponseBody};

use super::Broker;

/// How long to wait before the controller is told again after it refused.
const RETRY: Duration = Duration::from_secs(1);

/// Tells the controller until it agrees; nobody waits for that. Must be called within a tokio runtime.
pub fn tell(broker: &Arc<Broker>, chosen: &[(Uuid, TopicIdPartition)]) {
    if chosen.is_empty() {
        return;
    }
    let (broker, directories) = (broker.clone(), directories(chosen));
    tokio::spawn(async move {
        loop {
            let request = AssignReplicasToDirsRequest {
                broker_id: broker.node_id.0,
                broker_epoch: broker.epoch(),
                directories: directories.clone(),
                ..Default::default()
            };
            match broker.controller.submit(request.into()).await {
                ResponseBody::AssignReplicasToDirs(response) if response.error_code.is_error() => {
                    let error = response.error_code.name();
                    tracing::info!(
                        error,
                        "the controller does not take the choice of log dirs yet; it is told again"
                    );
                    tokio::time::sleep(RETRY).await;
                }
                _ => return,
            }
        }
    });
}

fn directories(chosen: &[(Uuid, TopicIdPartition)]) -> Vec<DirectoryData> {
    let mut by_dir: BTreeMap<Uuid, BTreeMap<Uuid, Vec<PartitionData>>> = BTreeMap::new();
    for (dir, name) in chosen {
        let row = PartitionData { partition_index: name.topic_partition.partition, ..Default::default() };
        by_dir.entry(*dir).or_default().entry(name.topic_id).or_default().push(row);
    }
    let topic = |(topic_id, partitions)| TopicData { topic_id, partitions, ..Default::default() };
    let directory = |(id, topics): (Uuid, BTreeMap<Uuid, Vec<PartitionData>>)| DirectoryData {
        id,
        topics: topics.into_iter().map(topic).collect(),
        ..Default::default()
    };
    by_dir.into_iter().map(directory).collect()
}
