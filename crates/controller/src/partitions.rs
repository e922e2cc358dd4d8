//! CreatePartitions: more partitions for a topic that exists.
//!
//! Kafka: `ReplicationControlManager.createPartitions`, `ControllerApis.createPartitions`.

use std::collections::BTreeSet;

use metadata::PartitionRegistration;
use protocol::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use protocol::create_partitions_response::CreatePartitionsTopicResult;
use protocol::{CreatePartitionsRequest, CreatePartitionsResponse, ErrorCode, MetadataRecord};

use crate::api_error::code_and_message;
use crate::requests::Decision;
use crate::topics::MAX_PARTITIONS_PER_BATCH;
use crate::{ApiError, Controller};

impl Controller {
    pub(crate) fn create_partitions(&mut self, request: CreatePartitionsRequest) -> Decision {
        let mut seen = BTreeSet::new();
        let topics = request.topics.iter();
        let duplicates: BTreeSet<String> = topics
            .filter(|topic| !seen.insert(topic.name.as_str()))
            .map(|topic| topic.name.clone())
            .collect();
        let duplicate = || Err::<(), _>(ApiError::new(ErrorCode::INVALID_REQUEST, "Duplicate topic name."));
        let mut results: Vec<_> = duplicates.iter().map(|name| result(name.clone(), &duplicate())).collect();
        let mut records = Vec::new();
        for topic in request.topics.into_iter().filter(|topic| !duplicates.contains(&topic.name)) {
            let added = self.add_partitions(&topic, records.len());
            results.push(result(topic.name, &added));
            records.extend(added.unwrap_or_default());
        }
        if request.validate_only {
            records.clear();
        }
        Decision::new(records, CreatePartitionsResponse { results, ..Default::default() })
    }

    fn add_partitions(
        &mut self,
        topic: &CreatePartitionsTopic,
        already: usize,
    ) -> Result<Vec<MetadataRecord>, ApiError> {
        let existing = self.image.topics().by_name(&topic.name);
        let unknown = ApiError { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message: None };
        let existing = existing.ok_or(unknown)?.clone();
        let first = existing.partition_count();
        let additional = additional_partitions(topic, first)?;
        self.charge(usize::try_from(additional).unwrap_or(0))?;
        if already as i64 + i64::from(additional) > MAX_PARTITIONS_PER_BATCH {
            return Err(ApiError::too_many_records());
        }
        let replicas = existing.partitions().next().map_or(0, |(_, partition)| partition.replicas.len());
        let partitions = match &topic.assignments {
            Some(assignments) => self.assigned_partitions(assignments, first, replicas)?,
            None => self.placed_partitions(additional, replicas)?,
        };
        let version = self.image.features().metadata_version();
        let record = |(index, partition): (i32, PartitionRegistration)| {
            MetadataRecord::PartitionRecord(partition.to_record(existing.id(), index, version))
        };
        Ok((first..).zip(partitions).map(record).collect())
    }

    fn placed_partitions(
        &mut self,
        additional: i32,
        replicas: usize,
    ) -> Result<Vec<PartitionRegistration>, ApiError> {
        let replicas = i16::try_from(replicas).map_err(|_| ErrorCode::UNKNOWN_SERVER_ERROR)?;
        let placed = self.place(additional, replicas)?;
        let all_fenced = || {
            let message = format!(
                "Unable to replicate the partition {replicas} time(s): All brokers are currently fenced or in \
                 controlled shutdown."
            );
            ApiError::new(ErrorCode::INVALID_REPLICATION_FACTOR, message)
        };
        placed.into_iter().map(|replicas| self.new_partition(replicas).ok_or_else(all_fenced)).collect()
    }

    fn assigned_partitions(
        &self,
        assignments: &[CreatePartitionsAssignment],
        first: i32,
        replicas: usize,
    ) -> Result<Vec<PartitionRegistration>, ApiError> {
        let partition = |(index, assignment): (i32, &CreatePartitionsAssignment)| {
            self.check_manual_assignment(&assignment.broker_ids, Some(replicas))?;
            self.manually_assigned_partition(&assignment.broker_ids, index)
        };
        (first..).zip(assignments).map(partition).collect()
    }
}

/// How many partitions the request adds to a topic that has `existing`.
fn additional_partitions(topic: &CreatePartitionsTopic, existing: i32) -> Result<i32, ApiError> {
    let invalid = |message: String| Err(ApiError::new(ErrorCode::INVALID_PARTITIONS, message));
    if topic.count == existing {
        return invalid(format!("Topic already has {existing} partition(s)."));
    }
    if topic.count < existing {
        let (name, count) = (&topic.name, topic.count);
        return invalid(format!(
            "The topic {name} currently has {existing} partition(s); {count} would not be an increase."
        ));
    }
    let additional = topic.count - existing;
    match topic.assignments.as_ref().map(Vec::len).filter(|given| *given != additional as usize) {
        Some(given) => {
            let message = format!(
                "Attempted to add {additional} additional partition(s), but only {given} assignment(s) were specified."
            );
            Err(ApiError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message))
        }
        None => Ok(additional),
    }
}

fn result<T>(name: String, outcome: &Result<T, ApiError>) -> CreatePartitionsTopicResult {
    let (error_code, error_message) = code_and_message(outcome);
    CreatePartitionsTopicResult { name, error_code, error_message, ..Default::default() }
}
