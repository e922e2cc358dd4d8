//! Commands of transcripts: topics are created, grown and deleted.

use protocol::create_partitions_request::CreatePartitionsTopic;
use protocol::create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig};

use super::*;

impl Transcript {
    pub(super) fn ask_of_topics(&mut self, words: &[&str]) -> Option<String> {
        Some(match words {
            ["create", name, partitions, replicas, configs @ ..] => self.create(CreatableTopic {
                name: (*name).to_owned(),
                num_partitions: number(partitions),
                replication_factor: number(replicas) as i16,
                configs: configs.iter().map(config).collect(),
                ..Default::default()
            }),
            ["create-on", name, assignments @ ..] => self.create(CreatableTopic {
                name: (*name).to_owned(),
                num_partitions: -1,
                replication_factor: -1,
                assignments: assignments.iter().map(assignment).collect(),
                ..Default::default()
            }),
            ["grow", name, count] => {
                let topic = CreatePartitionsTopic {
                    name: (*name).to_owned(),
                    count: number(count),
                    assignments: None,
                    ..Default::default()
                };
                self.ask(CreatePartitionsRequest { topics: vec![topic], ..Default::default() })
            }
            ["delete", names @ ..] => {
                let topic_names = names.iter().map(|name| (*name).to_owned()).collect();
                self.ask(DeleteTopicsRequest { topic_names, ..Default::default() })
            }
            _ => return None,
        })
    }

    fn create(&mut self, topic: CreatableTopic) -> String {
        self.ask(CreateTopicsRequest { topics: vec![topic], ..Default::default() })
    }
}

/// Reads `key=value`.
fn config(text: &&str) -> CreatableTopicConfig {
    let (name, value) = text.split_once('=').expect("key=value");
    CreatableTopicConfig { name: name.into(), value: Some(value.into()), ..Default::default() }
}

/// Reads `partition=brokers`.
fn assignment(text: &&str) -> CreatableReplicaAssignment {
    let (index, brokers) = text.split_once('=').expect("partition=brokers");
    let (partition_index, broker_ids) = (number(index), ids(brokers));
    CreatableReplicaAssignment { partition_index, broker_ids, ..Default::default() }
}
