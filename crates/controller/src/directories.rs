//! AssignReplicasToDirs: a broker says on which log dir each of its replicas is.
//!
//! Kafka: `ReplicationControlManager.handleAssignReplicasToDirs`.

use model::{NodeId, Uuid};
use protocol::assign_replicas_to_dirs_request::{DirectoryData, TopicData};
use protocol::{
    AssignReplicasToDirsRequest, AssignReplicasToDirsResponse, ErrorCode, MetadataRecord,
    assign_replicas_to_dirs_response,
};

use crate::Controller;
use crate::partition_change::PartitionChange;
use crate::replica_index::PartitionKey;
use crate::requests::Decision;

#[derive(Debug, Default)]
struct Assigned {
    records: Vec<MetadataRecord>,
    /// Partitions that were assigned to a log dir that is offline.
    offline: Vec<PartitionKey>,
}

impl Controller {
    pub(crate) fn assign_replicas_to_dirs(&mut self, request: &AssignReplicasToDirsRequest) -> Decision {
        let refuse =
            |error_code| Decision::answer(AssignReplicasToDirsResponse { error_code, ..Default::default() });
        if !self.image.features().metadata_version().is_directory_assignment_supported() {
            return refuse(ErrorCode::UNSUPPORTED_VERSION);
        }
        let broker = NodeId(request.broker_id);
        if let Err(error) = self.check_broker_epoch(broker, request.broker_epoch) {
            return refuse(error.code);
        }
        let mut assigned = Assigned::default();
        let assign = |data: &DirectoryData| assign_replicas_to_dirs_response::DirectoryData {
            id: data.id,
            topics: data
                .topics
                .iter()
                .map(|topic| self.assign_topic(broker, data.id, topic, &mut assigned))
                .collect(),
            ..Default::default()
        };
        let directories = request.directories.iter().map(assign).collect();
        let Assigned { mut records, offline } = assigned;
        records.extend(self.without_replicas_of(broker, offline));
        Decision::new(records, AssignReplicasToDirsResponse { directories, ..Default::default() })
    }

    fn assign_topic(
        &self,
        broker: NodeId,
        directory: Uuid,
        topic: &TopicData,
        assigned: &mut Assigned,
    ) -> assign_replicas_to_dirs_response::TopicData {
        let assign = |data: &protocol::assign_replicas_to_dirs_request::PartitionData| {
            let key = (topic.topic_id, data.partition_index);
            let outcome = self.assign_partition(broker, directory, key, assigned);
            assign_replicas_to_dirs_response::PartitionData {
                partition_index: data.partition_index,
                error_code: outcome.err().unwrap_or_default(),
                ..Default::default()
            }
        };
        let partitions = topic.partitions.iter().map(assign).collect();
        assign_replicas_to_dirs_response::TopicData {
            topic_id: topic.topic_id,
            partitions,
            ..Default::default()
        }
    }

    fn assign_partition(
        &self,
        broker: NodeId,
        directory: Uuid,
        key: PartitionKey,
        assigned: &mut Assigned,
    ) -> Result<(), ErrorCode> {
        let topic = self.image.topics().by_id(key.0).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
        let partition = topic.partition(key.1).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        if !partition.replicas.contains(&broker) {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        let acceptable = |id| self.is_acceptable_leader(partition, id);
        let mut change =
            PartitionChange::new(self, partition, key, &acceptable, self.effective_min_isr(topic.name()));
        change.set_directory(broker, directory);
        assigned.records.extend(change.build(self).map(MetadataRecord::PartitionChangeRecord));
        if !self.broker(broker).is_some_and(|registration| registration.has_online_dir(directory)) {
            assigned.offline.push(key);
        }
        Ok(())
    }
}
