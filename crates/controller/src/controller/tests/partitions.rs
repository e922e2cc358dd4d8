//! Commands of transcripts: leaders are elected, ISRs altered, replicas reassigned.

use protocol::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use protocol::alter_partition_request::{BrokerState, PartitionData, TopicData};

use super::*;

impl Transcript {
    pub(super) fn ask_of_partitions(&mut self, words: &[&str]) -> Option<String> {
        Some(match words {
            ["elect", kind, topic, partition] => self.elect(kind, topic, number(partition)),
            ["isr", broker, topic, partition, leader_epoch, partition_epoch, isr] => {
                let state = |id: i32| BrokerState { broker_id: id, broker_epoch: -1, ..Default::default() };
                let data = PartitionData {
                    partition_index: number(partition),
                    leader_epoch: number(leader_epoch),
                    partition_epoch: number(partition_epoch),
                    new_isr_with_epochs: ids(isr).into_iter().map(state).collect(),
                    ..Default::default()
                };
                self.alter_isr(number(broker), topic, data)
            }
            ["reassign", topic, partition, replicas] => {
                let target = ReassignablePartition {
                    partition_index: number(partition),
                    replicas: (*replicas != "cancel").then(|| ids(replicas)),
                    ..Default::default()
                };
                self.reassign(topic, target)
            }
            ["reassignments"] => {
                self.ask(ListPartitionReassignmentsRequest { topics: None, ..Default::default() })
            }
            _ => return None,
        })
    }

    fn elect(&mut self, kind: &str, topic: &str, partition: i32) -> String {
        let partitions = elect_leaders_request::TopicPartitions {
            topic: topic.to_owned(),
            partitions: vec![partition],
            ..Default::default()
        };
        self.ask(ElectLeadersRequest {
            election_type: match kind {
                "preferred" => 0,
                "unclean" => 1,
                other => number(other) as i8,
            },
            topic_partitions: Some(vec![partitions]),
            ..Default::default()
        })
    }

    fn alter_isr(&mut self, broker_id: i32, topic: &str, partition: PartitionData) -> String {
        let topic_id = self.controller.image().topics().id_of(topic).unwrap_or(Uuid::ZERO);
        self.ask(AlterPartitionRequest {
            broker_id,
            broker_epoch: self.epoch(broker_id),
            topics: vec![TopicData { topic_id, partitions: vec![partition], ..Default::default() }],
            ..Default::default()
        })
    }

    fn reassign(&mut self, topic: &str, target: ReassignablePartition) -> String {
        let topic =
            ReassignableTopic { name: topic.to_owned(), partitions: vec![target], ..Default::default() };
        self.ask(AlterPartitionReassignmentsRequest { topics: vec![topic], ..Default::default() })
    }
}
