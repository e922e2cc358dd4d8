//! AlterPartitionReassignments and ListPartitionReassignments.
//!
//! Kafka: `ReplicationControlManager.alterPartitionReassignments`, `PartitionReassignmentReplicas`,
//! `PartitionReassignmentRevert`.

use std::collections::BTreeMap;

use metadata::{PartitionRegistration, TopicImage};
use model::NodeId;
use protocol::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use protocol::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use protocol::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use protocol::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ErrorCode,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, MetadataRecord,
    PartitionChangeRecord,
};

use crate::api_error::code_and_message;
use crate::partition_change::{Election, PartitionChange, numbers};
use crate::requests::Decision;
use crate::{ApiError, Controller};

impl Controller {
    pub(crate) fn alter_reassignments(&mut self, request: &AlterPartitionReassignmentsRequest) -> Decision {
        let mut records = Vec::new();
        let allow_change = request.allow_replication_factor_change;
        let mut alter = |topic: &ReassignableTopic| {
            let alter_one = |target: &ReassignablePartition| {
                let altered = self.alter_reassignment(&topic.name, target, allow_change);
                let (error_code, error_message) = code_and_message(&altered);
                records.extend(altered.ok().flatten().map(MetadataRecord::PartitionChangeRecord));
                ReassignablePartitionResponse {
                    partition_index: target.partition_index,
                    error_code,
                    error_message,
                    ..Default::default()
                }
            };
            let partitions = topic.partitions.iter().map(alter_one).collect();
            ReassignableTopicResponse { name: topic.name.clone(), partitions, ..Default::default() }
        };
        let responses = request.topics.iter().map(&mut alter).collect();
        let response = AlterPartitionReassignmentsResponse {
            responses,
            allow_replication_factor_change: allow_change,
            error_message: None,
            ..Default::default()
        };
        Decision::new(records, response)
    }

    fn alter_reassignment(
        &self,
        name: &str,
        target: &ReassignablePartition,
        allow_change: bool,
    ) -> Result<Option<PartitionChangeRecord>, ApiError> {
        let unknown = |message: String| ApiError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message);
        let topic = self.image.topics().by_name(name);
        let topic = topic.ok_or_else(|| unknown(format!("Unable to find a topic named {name}.")))?;
        let index = target.partition_index;
        let partition = topic.partition(index);
        let partition =
            partition.ok_or_else(|| unknown(format!("Unable to find partition {name}:{index}.")))?;
        match &target.replicas {
            None => self.cancel_reassignment(topic, index, partition),
            Some(replicas) => self.reassign(topic, index, partition, replicas, allow_change),
        }
    }

    fn cancel_reassignment(
        &self,
        topic: &TopicImage,
        index: i32,
        partition: &PartitionRegistration,
    ) -> Result<Option<PartitionChangeRecord>, ApiError> {
        if !partition.is_reassigning() {
            return Err(ApiError { code: ErrorCode::NO_REASSIGNMENT_IN_PROGRESS, message: None });
        }
        let stays = |ids: &[NodeId]| -> Vec<NodeId> {
            ids.iter().copied().filter(|id| !partition.adding_replicas.contains(id)).collect()
        };
        let (replicas, mut isr) = (stays(&partition.replicas), stays(&partition.isr));
        let refuse = |message: String| Err(ApiError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
        let Some(first) = replicas.first() else {
            return refuse("Invalid replica assignment: addingReplicas contains all replicas.".to_owned());
        };
        let unclean_allowed = self.unclean_election_enabled(topic.name());
        if isr.is_empty() {
            if !unclean_allowed {
                return refuse(format!(
                    "Unable to revert partition assignment for {}:{index} because it would require an unclean leader \
                     election.",
                    topic.name()
                ));
            }
            isr.push(*first);
        }
        let acceptable = |id| self.is_acceptable_leader(partition, id);
        let min_isr = self.effective_min_isr(topic.name());
        let mut change = PartitionChange::new(self, partition, (topic.id(), index), &acceptable, min_isr);
        if unclean_allowed {
            change.election = Election::Unclean;
        }
        (change.isr, change.replicas) = (isr, replicas);
        change.removing.clear();
        change.adding.clear();
        Ok(change.build(self))
    }

    fn reassign(
        &self,
        topic: &TopicImage,
        index: i32,
        partition: &PartitionRegistration,
        target: &[i32],
        allow_change: bool,
    ) -> Result<Option<PartitionChangeRecord>, ApiError> {
        self.check_manual_assignment(target, None)?;
        let target: Vec<NodeId> = target.iter().copied().map(NodeId).collect();
        let (current, wanted) = (replication_factor(partition), target.len());
        if !allow_change && current != wanted {
            let message = format!("The replication factor is changed from {current} to {wanted}");
            return Err(ApiError::new(ErrorCode::INVALID_REPLICATION_FACTOR, message));
        }
        let mut removing: Vec<NodeId> =
            partition.replicas.iter().copied().filter(|id| !target.contains(id)).collect();
        let mut adding: Vec<NodeId> =
            target.iter().copied().filter(|id| !partition.replicas.contains(id)).collect();
        removing.sort_unstable();
        adding.sort_unstable();
        let acceptable = |id| self.is_acceptable_leader(partition, id);
        let min_isr = self.effective_min_isr(topic.name());
        let mut change = PartitionChange::new(self, partition, (topic.id(), index), &acceptable, min_isr);
        change.replicas = target.into_iter().chain(removing.iter().copied()).collect();
        if !removing.is_empty() {
            change.removing = removing;
        }
        if !adding.is_empty() {
            change.adding = adding;
        }
        Ok(change.build(self))
    }

    pub(crate) fn list_reassignments(&self, request: &ListPartitionReassignmentsRequest) -> Decision {
        let topics = match &request.topics {
            Some(topics) => {
                let named = topics.iter().filter_map(|topic| {
                    ongoing(self.image.topics().by_name(&topic.name)?, &topic.partition_indexes)
                });
                named.collect()
            }
            None => self.all_reassignments(),
        };
        Decision::answer(ListPartitionReassignmentsResponse {
            topics,
            error_message: None,
            ..Default::default()
        })
    }

    fn all_reassignments(&self) -> Vec<OngoingTopicReassignment> {
        let mut partitions: BTreeMap<_, Vec<i32>> = BTreeMap::new();
        for (topic, index) in self.index.reassigning() {
            partitions.entry(topic).or_default().push(index);
        }
        let topics = partitions.into_iter();
        topics.filter_map(|(topic, indexes)| ongoing(self.image.topics().by_id(topic)?, &indexes)).collect()
    }
}

/// How many replicas the partition has, or will have once its reassignment is done.
fn replication_factor(partition: &PartitionRegistration) -> usize {
    let mut replicas = partition.replicas.clone();
    replicas.extend(&partition.adding_replicas);
    replicas.sort_unstable();
    replicas.dedup();
    replicas.retain(|id| !partition.removing_replicas.contains(id));
    replicas.len()
}

fn ongoing(topic: &TopicImage, indexes: &[i32]) -> Option<OngoingTopicReassignment> {
    let reassignment = |index: &i32| {
        let partition = topic.partition(*index).filter(|partition| partition.is_reassigning())?;
        Some(OngoingPartitionReassignment {
            partition_index: *index,
            replicas: numbers(&partition.replicas),
            adding_replicas: numbers(&partition.adding_replicas),
            removing_replicas: numbers(&partition.removing_replicas),
            ..Default::default()
        })
    };
    let partitions: Vec<_> = indexes.iter().filter_map(reassignment).collect();
    let name = topic.name().to_string();
    (!partitions.is_empty()).then(|| OngoingTopicReassignment { name, partitions, ..Default::default() })
}
