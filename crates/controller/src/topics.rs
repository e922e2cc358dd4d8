//! CreateTopics.
//!
//! Not yet: `create.topic.policy.class.name`. Authorization is the broker's: it leaves out
//! what may not be created, and blanks the configs of what may not be described.
//!
//! Kafka: `ReplicationControlManager.createTopics`, `ControllerApis.createTopics`.

use std::collections::{BTreeMap, BTreeSet};

use config::ConfigMap;
use metadata::{ConfigResource, LeaderRecoveryState, PartitionRegistration};
use model::{LeaderEpoch, NodeId, topic_name};
use protocol::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use protocol::create_topics_response::CreatableTopicResult;
use protocol::{CreateTopicsRequest, CreateTopicsResponse, ErrorCode, MetadataRecord, TopicRecord};

use crate::api_error::MAX_RECORDS_PER_REQUEST;
use crate::configs::config_record;
use crate::requests::Decision;
use crate::{ApiError, Controller};

/// The most partitions of one CreateTopics. Kafka: `ReplicationControlManager.MAX_PARTITIONS_PER_BATCH`.
pub(crate) const MAX_PARTITIONS_PER_BATCH: i64 = 10_000;

impl Controller {
    pub(crate) fn create_topics(&mut self, request: CreateTopicsRequest) -> Decision {
        let validate_only = request.validate_only;
        let (topics, mut results) = accept_names(request.topics);
        let mut records = Vec::new();
        let too_many = self.too_many_partitions(&topics);
        for topic in topics {
            let name = topic.name.clone();
            let created = too_many.clone().map_or_else(|| self.create_topic(topic), Err);
            results.push(match created {
                Ok((topic_records, result)) => {
                    records.extend(topic_records);
                    result
                }
                Err(error) => refused(name, error),
            });
        }
        if records.len() > MAX_RECORDS_PER_REQUEST {
            records.clear();
            let refuse = |result: CreatableTopicResult| refused(result.name, ApiError::too_many_records());
            results = results.into_iter().map(refuse).collect();
        }
        if validate_only {
            records.clear();
        }
        Decision::new(records, CreateTopicsResponse { topics: results, ..Default::default() })
    }

    fn too_many_partitions(&self, topics: &[CreatableTopic]) -> Option<ApiError> {
        let partitions = |topic: &CreatableTopic| match (topic.assignments.len(), topic.num_partitions) {
            (0, -1) => i64::from(self.config.num_partitions),
            (0, number) => i64::from(number.max(0)),
            (assignments, _) => assignments as i64,
        };
        let message = "Excessively large number of partitions per request.";
        let total: i64 = topics.iter().map(partitions).sum();
        (total > MAX_PARTITIONS_PER_BATCH).then(|| ApiError::new(ErrorCode::POLICY_VIOLATION, message))
    }

    fn create_topic(
        &mut self,
        topic: CreatableTopic,
    ) -> Result<(Vec<MetadataRecord>, CreatableTopicResult), ApiError> {
        self.check_new_name(&topic.name)?;
        let configs = self.creation_configs(&topic)?;
        let partitions = self.new_partitions(&topic)?;
        self.charge(partitions.len())?;
        let topic_id = self.random.id();
        let result = CreatableTopicResult {
            name: topic.name.clone(),
            topic_id,
            num_partitions: partitions.len() as i32,
            replication_factor: partitions.first().map_or(0, |partition| partition.replicas.len() as i16),
            configs: Some(self.effective_topic_configs(&configs)),
            error_message: None,
            ..Default::default()
        };
        let version = self.image.features().metadata_version();
        let resource = ConfigResource::topic(topic.name.as_str());
        let record = TopicRecord { name: topic.name, topic_id, ..Default::default() };
        let mut records = vec![MetadataRecord::TopicRecord(record)];
        records.extend(configs.into_iter().map(|(key, value)| config_record(&resource, &key, Some(value))));
        records.extend(partitions.iter().enumerate().map(|(index, partition)| {
            MetadataRecord::PartitionRecord(partition.to_record(topic_id, index as i32, version))
        }));
        Ok((records, result))
    }

    fn check_new_name(&self, name: &str) -> Result<(), ApiError> {
        let invalid = |message: String| ApiError::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message);
        topic_name::validate(name).map_err(invalid)?;
        if self.image.topics().by_name(name).is_some() {
            let message = format!("Topic '{name}' already exists.");
            return Err(ApiError::new(ErrorCode::TOPIC_ALREADY_EXISTS, message));
        }
        match self.index.colliding(name).filter(|_| name.contains(['.', '_'])) {
            Some(other) => Err(invalid(format!("Topic '{name}' collides with existing topic: {other}"))),
            None => Ok(()),
        }
    }

    fn creation_configs(&self, topic: &CreatableTopic) -> Result<ConfigMap, ApiError> {
        let nulls: Vec<&str> = topic
            .configs
            .iter()
            .filter(|config| config.value.is_none())
            .map(|config| config.name.as_str())
            .collect();
        if !nulls.is_empty() {
            let message = format!("Null value not supported for topic configs: {}", nulls.join(","));
            return Err(ApiError::new(ErrorCode::INVALID_CONFIG, message));
        }
        let given = topic.configs.iter();
        let configs: ConfigMap =
            given.filter_map(|config| Some((config.name.clone(), config.value.clone()?))).collect();
        if !configs.is_empty() {
            self.validate_new_configs(&ConfigResource::topic(topic.name.as_str()), &configs)?;
        }
        Ok(configs)
    }

    fn new_partitions(&mut self, topic: &CreatableTopic) -> Result<Vec<PartitionRegistration>, ApiError> {
        if !topic.assignments.is_empty() {
            return self.manually_assigned(topic);
        }
        if topic.replication_factor < -1 || topic.replication_factor == 0 {
            let message = "Replication factor must be larger than 0, or -1 to use the default value.";
            return Err(ApiError::new(ErrorCode::INVALID_REPLICATION_FACTOR, message));
        }
        if topic.num_partitions < -1 || topic.num_partitions == 0 {
            let message = "Number of partitions was set to an invalid non-positive value.";
            return Err(ApiError::new(ErrorCode::INVALID_PARTITIONS, message));
        }
        let or_default = |given: i32, default: i32| if given == -1 { default } else { given };
        let partitions = or_default(topic.num_partitions, self.config.num_partitions);
        let replicas =
            or_default(topic.replication_factor.into(), self.config.default_replication_factor.into()) as i16;
        self.automatically_assigned(partitions, replicas)
    }

    /// Makes `partitions` partitions of `replicas` replicas each, where the placement puts them.
    pub(crate) fn automatically_assigned(
        &mut self,
        partitions: i32,
        replicas: i16,
    ) -> Result<Vec<PartitionRegistration>, ApiError> {
        let refuse = |reason: &str| {
            let message = format!("Unable to replicate the partition {replicas} time(s): {reason}");
            ApiError::new(ErrorCode::INVALID_REPLICATION_FACTOR, message)
        };
        let placed = self
            .place(partitions, replicas)
            .map_err(|error| refuse(error.message.as_deref().unwrap_or_default()))?;
        let all_fenced = || refuse("All brokers are currently fenced or in controlled shutdown.");
        placed.into_iter().map(|replicas| self.new_partition(replicas).ok_or_else(all_fenced)).collect()
    }

    fn manually_assigned(&self, topic: &CreatableTopic) -> Result<Vec<PartitionRegistration>, ApiError> {
        let refuse = |what: &str| {
            let message =
                format!("A manual partition assignment was specified, but {what} was not set to -1.");
            Err(ApiError::new(ErrorCode::INVALID_REQUEST, message))
        };
        if topic.replication_factor != -1 {
            return refuse("replication factor");
        }
        if topic.num_partitions != -1 {
            return refuse("numPartitions");
        }
        let mut partitions = BTreeMap::new();
        let mut replication_factor = None;
        for assignment in &topic.assignments {
            if partitions.contains_key(&assignment.partition_index) {
                let index = assignment.partition_index;
                let message = format!("Found multiple manual partition assignments for partition {index}");
                return Err(ApiError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
            }
            partitions.insert(assignment.partition_index, self.assigned(assignment, replication_factor)?);
            replication_factor = Some(assignment.broker_ids.len());
        }
        if !partitions.keys().copied().eq(0..partitions.len() as i32) {
            let message = "partitions should be a consecutive 0-based integer sequence";
            return Err(ApiError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
        }
        Ok(partitions.into_values().collect())
    }

    fn assigned(
        &self,
        assignment: &CreatableReplicaAssignment,
        replication_factor: Option<usize>,
    ) -> Result<PartitionRegistration, ApiError> {
        self.check_manual_assignment(&assignment.broker_ids, replication_factor)?;
        self.manually_assigned_partition(&assignment.broker_ids, assignment.partition_index)
    }

    /// Makes a partition on the brokers that a client named, which must not all be fenced.
    pub(crate) fn manually_assigned_partition(
        &self,
        brokers: &[i32],
        index: i32,
    ) -> Result<PartitionRegistration, ApiError> {
        let replicas = brokers.iter().copied().map(NodeId).collect();
        self.new_partition(replicas).ok_or_else(|| {
            let message = format!(
                "All brokers specified in the manual partition assignment for partition {index} are fenced or in \
                 controlled shutdown."
            );
            ApiError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message)
        })
    }

    /// Checks replicas that a client chose. Kafka: `validateManualPartitionAssignment`.
    pub(crate) fn check_manual_assignment(
        &self,
        brokers: &[i32],
        replication_factor: Option<usize>,
    ) -> Result<(), ApiError> {
        let refuse = |message: String| {
            let message = format!("The manual partition assignment includes {message}");
            Err(ApiError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message))
        };
        if brokers.is_empty() {
            return refuse("an empty replica list.".to_owned());
        }
        let mut sorted = brokers.to_vec();
        sorted.sort_unstable();
        let mut previous = None;
        for broker in &sorted {
            if self.broker(NodeId(*broker)).is_none() {
                return refuse(format!("broker {broker}, but no such broker is registered."));
            }
            if previous.replace(broker) == Some(broker) {
                return refuse(format!("the broker {broker} more than once."));
            }
        }
        match replication_factor.filter(|expected| *expected != brokers.len()) {
            Some(expected) => refuse(format!(
                "a partition with {} replica(s), but this is not consistent with previous partitions, which have \
                 {expected} replica(s).",
                brokers.len()
            )),
            None => Ok(()),
        }
    }

    /// A new partition led by its first active replica; `None` if no replica is active.
    pub(crate) fn new_partition(&self, replicas: Vec<NodeId>) -> Option<PartitionRegistration> {
        let isr: Vec<NodeId> = replicas.iter().copied().filter(|id| self.is_active(*id)).collect();
        Some(PartitionRegistration {
            leader: *isr.first()?,
            isr,
            directories: replicas.iter().map(|id| self.default_dir(*id)).collect(),
            replicas,
            removing_replicas: Vec::new(),
            adding_replicas: Vec::new(),
            elr: Vec::new(),
            last_known_elr: Vec::new(),
            leader_recovery_state: LeaderRecoveryState::Recovered,
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
        })
    }
}

/// Refuses names that occur twice and the metadata topic's; returns the other topics.
fn accept_names(topics: Vec<CreatableTopic>) -> (Vec<CreatableTopic>, Vec<CreatableTopicResult>) {
    let mut seen = BTreeSet::new();
    let duplicates: BTreeSet<String> = topics
        .iter()
        .filter(|topic| !seen.insert(topic.name.as_str()))
        .map(|topic| topic.name.clone())
        .collect();
    let is_metadata = |topic: &CreatableTopic| topic.name == topic_name::CLUSTER_METADATA;
    let (accepted, refused_topics): (Vec<_>, Vec<_>) =
        topics.into_iter().partition(|topic| !duplicates.contains(&topic.name) && !is_metadata(topic));
    let mut results: Vec<_> = duplicates
        .into_iter()
        .map(|name| refused(name, ApiError::new(ErrorCode::INVALID_REQUEST, "Duplicate topic name.")))
        .collect();
    if refused_topics.iter().filter(|topic| is_metadata(topic)).count() == 1 {
        let name = topic_name::CLUSTER_METADATA;
        let message = format!("Creation of internal topic {name} is prohibited.");
        results.push(refused(name.to_owned(), ApiError::new(ErrorCode::INVALID_REQUEST, message)));
    }
    (accepted, results)
}

fn refused(name: String, error: ApiError) -> CreatableTopicResult {
    CreatableTopicResult { name, error_code: error.code, error_message: error.message, ..Default::default() }
}
