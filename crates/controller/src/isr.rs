//! AlterPartition: a leader changes its partition's in-sync replicas.
//!
//! Kafka: `ReplicationControlManager.alterPartition`.

use metadata::{LeaderRecoveryState, NO_LEADER_CHANGE, PartitionRegistration, TopicImage};
use model::NodeId;
use protocol::alter_partition_request::{BrokerState, PartitionData, TopicData};
use protocol::{
    AlterPartitionRequest, AlterPartitionResponse, ErrorCode, MetadataRecord, alter_partition_response,
};

use crate::Controller;
use crate::partition_change::{Election, PartitionChange, numbers};
use crate::requests::Decision;

impl Controller {
    pub(crate) fn alter_partition(&mut self, request: &AlterPartitionRequest) -> Decision {
        let sender = NodeId(request.broker_id);
        if let Err(error) = self.check_broker_epoch(sender, request.broker_epoch) {
            return Decision::answer(AlterPartitionResponse { error_code: error.code, ..Default::default() });
        }
        let mut records = Vec::new();
        let topics =
            request.topics.iter().map(|topic| self.alter_topic(sender, topic, &mut records)).collect();
        Decision::new(records, AlterPartitionResponse { topics, ..Default::default() })
    }

    fn alter_topic(
        &self,
        sender: NodeId,
        request: &TopicData,
        records: &mut Vec<MetadataRecord>,
    ) -> alter_partition_response::TopicData {
        let topic = self.image.topics().by_id(request.topic_id);
        let alter = |data: &PartitionData| {
            let altered = match topic {
                Some(topic) => self.alter_isr(sender, topic, data, records),
                None => Err(ErrorCode::UNKNOWN_TOPIC_ID),
            };
            altered.unwrap_or_else(|error_code| alter_partition_response::PartitionData {
                partition_index: data.partition_index,
                error_code,
                ..Default::default()
            })
        };
        let partitions = request.partitions.iter().map(alter).collect();
        alter_partition_response::TopicData { topic_id: request.topic_id, partitions, ..Default::default() }
    }

    fn alter_isr(
        &self,
        sender: NodeId,
        topic: &TopicImage,
        data: &PartitionData,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<alter_partition_response::PartitionData, ErrorCode> {
        let index = data.partition_index;
        let partition = topic.partition(index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let new_isr = new_isr(data);
        let recovery = self.validate_alteration(sender, partition, data, &new_isr)?;
        let acceptable = |id| self.is_acceptable_leader(partition, id);
        let min_isr = self.effective_min_isr(topic.name());
        let mut builder = PartitionChange::new(self, partition, (topic.id(), index), &acceptable, min_isr);
        if self.unclean_election_enabled(topic.name()) {
            builder.election = Election::Unclean;
        }
        builder.isr = new_isr.iter().map(|state| NodeId(state.broker_id)).collect();
        builder.leader_recovery_state = recovery;
        let change = builder.build(self);
        let altered = match &change {
            Some(change) => partition.merge(change).map_err(|_| ErrorCode::UNKNOWN_SERVER_ERROR)?,
            None => partition.as_ref().clone(),
        };
        let leader_changed =
            change.as_ref().is_some_and(|c| c.leader != sender.0 && c.leader != NO_LEADER_CHANGE);
        records.extend(change.map(MetadataRecord::PartitionChangeRecord));
        if leader_changed {
            return Err(ErrorCode::NEW_LEADER_ELECTED);
        }
        Ok(alter_partition_response::PartitionData {
            partition_index: index,
            leader_id: altered.leader.0,
            leader_epoch: altered.leader_epoch.0,
            isr: numbers(&altered.isr),
            leader_recovery_state: altered.leader_recovery_state.value(),
            partition_epoch: altered.partition_epoch,
            ..Default::default()
        })
    }

    fn validate_alteration(
        &self,
        sender: NodeId,
        partition: &PartitionRegistration,
        data: &PartitionData,
        new_isr: &[BrokerState],
    ) -> Result<LeaderRecoveryState, ErrorCode> {
        let epoch = partition.leader_epoch.0;
        if data.leader_epoch > epoch || data.partition_epoch > partition.partition_epoch {
            return Err(ErrorCode::NOT_CONTROLLER);
        }
        if data.leader_epoch < epoch {
            return Err(ErrorCode::FENCED_LEADER_EPOCH);
        }
        if sender != partition.leader {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        if data.partition_epoch < partition.partition_epoch {
            return Err(ErrorCode::INVALID_UPDATE_VERSION);
        }
        if !is_valid_isr(partition, new_isr) {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        let recovery =
            LeaderRecoveryState::of(data.leader_recovery_state).ok_or(ErrorCode::INVALID_REQUEST)?;
        let recovering = recovery == LeaderRecoveryState::Recovering;
        if recovering
            && (new_isr.len() > 1 || partition.leader_recovery_state == LeaderRecoveryState::Recovered)
        {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        if new_isr.iter().all(|state| self.may_join_isr(state)) {
            Ok(recovery)
        } else {
            Err(ErrorCode::INELIGIBLE_REPLICA)
        }
    }

    fn may_join_isr(&self, state: &BrokerState) -> bool {
        let broker = self.broker(NodeId(state.broker_id)).filter(|_| self.is_active(NodeId(state.broker_id)));
        broker.is_some_and(|broker| state.broker_epoch == -1 || state.broker_epoch == broker.epoch)
    }
}

/// The ISR that is asked for; before version 3 it comes without epochs.
fn new_isr(data: &PartitionData) -> Vec<BrokerState> {
    if !data.new_isr_with_epochs.is_empty() {
        return data.new_isr_with_epochs.clone();
    }
    let without_epoch = |id: &i32| BrokerState { broker_id: *id, broker_epoch: -1, ..Default::default() };
    data.new_isr.iter().map(without_epoch).collect()
}

/// Distinct replicas of the partition, the leader among them.
fn is_valid_isr(partition: &PartitionRegistration, isr: &[BrokerState]) -> bool {
    let mut ids: Vec<NodeId> = isr.iter().map(|state| NodeId(state.broker_id)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.len() == isr.len()
        && ids.contains(&partition.leader)
        && ids.iter().all(|id| partition.replicas.contains(id))
}
