//! Moving replicas between log directories of their brokers. Kafka: `Admin.alterReplicaLogDirs`.

use std::collections::BTreeMap;

use model::{NodeId, TopicPartition};
use protocol::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use protocol::{AlterReplicaLogDirsRequest, ErrorCode};

use super::Admin;
use crate::error::{Error, Result};
use crate::offsets::by_topic;

impl Admin {
    /// Moves each replica to the directory given; the result of each is under the replica.
    pub async fn alter_replica_log_dirs(
        &self,
        moves: &BTreeMap<(NodeId, TopicPartition), String>,
    ) -> BTreeMap<(NodeId, TopicPartition), Result<()>> {
        let mut by_broker: BTreeMap<NodeId, BTreeMap<&str, Vec<&TopicPartition>>> = BTreeMap::new();
        for ((broker, partition), dir) in moves {
            by_broker.entry(*broker).or_default().entry(dir).or_default().push(partition);
        }
        let mut done = BTreeMap::new();
        for (broker, dirs) in by_broker {
            let asked: Vec<TopicPartition> = dirs.values().flatten().map(|name| (*name).clone()).collect();
            let dirs = dirs.into_iter().map(|(path, partitions)| wire(path, &partitions)).collect();
            let request = AlterReplicaLogDirsRequest { dirs, ..Default::default() };
            match self.on_node("alterReplicaLogDirs", broker, &request, |_| ErrorCode::NONE).await {
                Ok(response) => {
                    for topic in response.results {
                        for partition in topic.partitions {
                            let name =
                                TopicPartition::new(topic.topic_name.as_str(), partition.partition_index);
                            done.insert((broker, name), Error::check(partition.error_code));
                        }
                    }
                }
                Err(error) => done.extend(asked.into_iter().map(|name| ((broker, name), Err(error.clone())))),
            }
        }
        done
    }
}

fn wire(path: &str, partitions: &[&TopicPartition]) -> AlterReplicaLogDir {
    let topic = |(name, partitions): (&str, Vec<(i32, ())>)| AlterReplicaLogDirTopic {
        name: name.to_owned(),
        partitions: partitions.into_iter().map(|(index, ())| index).collect(),
        ..Default::default()
    };
    let topics = by_topic(partitions.iter().map(|name| (*name, ()))).into_iter().map(topic).collect();
    AlterReplicaLogDir { path: path.to_owned(), topics, ..Default::default() }
}
