//! ElectLeaders, and the elections that the controller holds on its own.
//!
//! Kafka: `ReplicationControlManager.electLeaders`, `maybeBalancePartitionLeaders`, `maybeElectUncleanLeaders`.

use metadata::TopicImage;
use protocol::elect_leaders_request::TopicPartitions;
use protocol::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use protocol::{ElectLeadersRequest, ElectLeadersResponse, ErrorCode, MetadataRecord};

use crate::api_error::code_and_message;
use crate::partition_change::{Election, PartitionChange};
use crate::requests::Decision;
use crate::{ApiError, Controller};

/// Kafka: `ElectLeadersRequest.getErrorResponse`.
fn refuse_type(request: &ElectLeadersRequest) -> ElectLeadersResponse {
    let error_code = ErrorCode::INVALID_REQUEST;
    let unknown = || {
        let message = format!("Unknown election type {}", request.election_type);
        Err::<(), _>(ApiError::new(error_code, message))
    };
    let topic = |topic: &TopicPartitions| ReplicaElectionResult {
        topic: topic.topic.clone(),
        partition_result: topic.partitions.iter().map(|index| result(*index, &unknown())).collect(),
        ..Default::default()
    };
    let replica_election_results = request.topic_partitions.iter().flatten().map(topic).collect();
    ElectLeadersResponse { error_code, replica_election_results, ..Default::default() }
}

impl Controller {
    pub(crate) fn elect_leaders(&mut self, request: &ElectLeadersRequest) -> Decision {
        let election = match request.election_type {
            0 => Election::Preferred,
            1 => Election::Unclean,
            _ => {
                return Decision::answer(refuse_type(request));
            }
        };
        let mut records = Vec::new();
        let replica_election_results = match &request.topic_partitions {
            None => self.elect_all(election, &mut records),
            Some(topics) => {
                let elect = |topic: &TopicPartitions| ReplicaElectionResult {
                    topic: topic.topic.clone(),
                    partition_result: self.elect_named(
                        &topic.topic,
                        &topic.partitions,
                        election,
                        &mut records,
                    ),
                    ..Default::default()
                };
                topics.iter().map(elect).collect()
            }
        };
        Decision::new(records, ElectLeadersResponse { replica_election_results, ..Default::default() })
    }

    fn elect_named(
        &self,
        topic: &str,
        partitions: &[i32],
        election: Election,
        records: &mut Vec<MetadataRecord>,
    ) -> Vec<PartitionResult> {
        partitions
            .iter()
            .map(|index| result(*index, &self.elect_leader(topic, *index, election, records)))
            .collect()
    }

    /// Elects for every partition; those that need no election are left out of the answer.
    fn elect_all(&self, election: Election, records: &mut Vec<MetadataRecord>) -> Vec<ReplicaElectionResult> {
        let mut elect_topic = |topic: &TopicImage| {
            let indexes: Vec<i32> = topic.partitions().map(|(index, _)| index).collect();
            let mut partition_result = self.elect_named(topic.name(), &indexes, election, records);
            partition_result.retain(|result| result.error_code != ErrorCode::ELECTION_NOT_NEEDED);
            ReplicaElectionResult { topic: topic.name().to_string(), partition_result, ..Default::default() }
        };
        self.image.topics().iter().map(&mut elect_topic).collect()
    }

    fn elect_leader(
        &self,
        topic: &str,
        index: i32,
        election: Election,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<(), ApiError> {
        let unknown = |message: String| ApiError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message);
        let image = self.image.topics().by_name(topic);
        let image = image.ok_or_else(|| unknown(format!("No such topic as {topic}")))?;
        let partition = image.partition(index);
        let partition = partition.ok_or_else(|| unknown(format!("No such partition as {topic}-{index}")))?;
        let not_needed = match election {
            Election::Unclean => partition.has_leader(),
            _ => partition.has_preferred_leader(),
        };
        if not_needed {
            return Err(ErrorCode::ELECTION_NOT_NEEDED.into());
        }
        let acceptable = |id| self.is_acceptable_leader(partition, id);
        let min_isr = self.effective_min_isr(topic);
        let mut change = PartitionChange::new(self, partition, (image.id(), index), &acceptable, min_isr);
        change.election = election;
        let Some(record) = change.build(self) else {
            return Err(match election {
                Election::Unclean => ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE.into(),
                _ => ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE.into(),
            });
        };
        records.push(MetadataRecord::PartitionChangeRecord(record));
        Ok(())
    }

    /// Gives up to `max` partitions back to their preferred leaders.
    pub(crate) fn elect_preferred_leaders(&self, max: usize) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        for (topic, index) in self.index.imbalanced() {
            let Some(topic) = self.image.topics().by_id(topic).filter(|_| records.len() < max) else {
                continue;
            };
            // A partition whose preferred replica cannot lead is simply left as it is.
            let _ = self.elect_leader(topic.name(), index, Election::Preferred, &mut records);
        }
        records
    }

    /// Elects leaders for up to `max` partitions without one whose topics allow records to be lost.
    pub(crate) fn elect_unclean_leaders(&self, max: usize) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        for (topic, index) in self.index.leaderless() {
            let Some(topic) = self.image.topics().by_id(topic).filter(|_| records.len() < max) else {
                continue;
            };
            if self.unclean_election_enabled(topic.name()) {
                // A partition without any live replica stays without a leader.
                let _ = self.elect_leader(topic.name(), index, Election::Unclean, &mut records);
            }
        }
        records
    }
}

fn result(partition_id: i32, outcome: &Result<(), ApiError>) -> PartitionResult {
    let (error_code, error_message) = code_and_message(outcome);
    PartitionResult { partition_id, error_code, error_message, ..Default::default() }
}
