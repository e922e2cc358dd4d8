//! IncrementalAlterConfigs and AlterConfigs.
//!
//! Values of broker keys are checked by the broker that takes the request, which knows its own state; values of topic
//! keys are checked here. Authorization is the broker's too: it leaves out what may not be altered.
//!
//! Not yet: `alter.config.policy.class.name`.
//!
//! Kafka: `ConfigurationControlManager`, `ControllerConfigurationValidator`, `ConfigAdminManager.preprocess`.

use std::collections::{BTreeMap, BTreeSet};

use config::{
    CLIENT_METRICS_KEYS, ConfigMap, GROUP_KEYS, KeyDefault, KeyType, LogConfig, TOPIC_KEYS, broker_key,
};
use metadata::{ConfigResource, ResourceType};
use model::{NodeId, topic_name};
use protocol::alter_configs_request::AlterConfigsResource as ReplacedResource;
use protocol::incremental_alter_configs_request::{
    AlterConfigsResource as AlterableResource, AlterableConfig,
};
use protocol::{
    AlterConfigsRequest, AlterConfigsResponse, ClearElrRecord, ConfigRecord, ErrorCode,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, MetadataRecord, alter_configs_response,
    incremental_alter_configs_response,
};

use crate::api_error::{MAX_RECORDS_PER_REQUEST, code_and_message};
use crate::requests::Decision;
use crate::{ApiError, Controller};

const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";
const CORDONED_LOG_DIRS: &str = "cordoned.log.dirs";
/// The longest value, in UTF-16 units.
const VALUE_LENGTH_MAX: usize = i16::MAX as usize;

/// Makes the record that sets a config, or unsets it if there is no value.
pub(crate) fn config_record(resource: &ConfigResource, name: &str, value: Option<String>) -> MetadataRecord {
    MetadataRecord::ConfigRecord(ConfigRecord {
        resource_type: resource.resource_type.0,
        resource_name: resource.name.to_string(),
        name: name.to_owned(),
        value,
        ..Default::default()
    })
}

/// A resource as requests name it: its type and its name.
type ResourceName = (i8, String);

/// What became of a resource.
type Answer = (ResourceName, ErrorCode, Option<String>);

/// What becomes of each altered key: a new value, or none.
type Changes = BTreeMap<String, Option<String>>;

impl Controller {
    pub(crate) fn incremental_alter_configs(&mut self, request: &IncrementalAlterConfigsRequest) -> Decision {
        let name = |resource: &AlterableResource| (resource.resource_type, resource.resource_name.clone());
        let (records, answers) = alter_each(&request.resources, name, |target, resource| {
            let changes = self.incremental_changes(target, &resource.configs)?;
            self.change_configs(target, changes, &BTreeSet::new())
        });
        let response = |((resource_type, resource_name), error_code, error_message): Answer| {
            incremental_alter_configs_response::AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type,
                resource_name,
                ..Default::default()
            }
        };
        let responses = answers.into_iter().map(response).collect();
        let records = self.to_be_written(records, request.validate_only);
        Decision::new(records, IncrementalAlterConfigsResponse { responses, ..Default::default() })
    }

    pub(crate) fn alter_configs(&mut self, request: &AlterConfigsRequest) -> Decision {
        let name = |resource: &ReplacedResource| (resource.resource_type, resource.resource_name.clone());
        let (records, answers) = alter_each(&request.resources, name, |target, resource| {
            let configs =
                resource.configs.iter().map(|config| (config.name.as_str(), config.value.as_deref()));
            check_values(configs.clone(), |_| false)?;
            self.replace_configs(
                target,
                configs.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).collect(),
            )
        });
        let response = |((resource_type, resource_name), error_code, error_message): Answer| {
            alter_configs_response::AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type,
                resource_name,
                ..Default::default()
            }
        };
        let responses = answers.into_iter().map(response).collect();
        let records = self.to_be_written(records, request.validate_only);
        Decision::new(records, AlterConfigsResponse { responses, ..Default::default() })
    }

    /// What is written of the records: nothing where they are only validated; else what follows from them too.
    fn to_be_written(&self, mut records: Vec<MetadataRecord>, validate_only: bool) -> Vec<MetadataRecord> {
        if validate_only {
            records.clear();
        }
        records.extend(self.clear_elr_records(&records));
        records
    }

    /// Sets `configs` and unsets every other config of the resource.
    fn replace_configs(
        &self,
        target: &ConfigResource,
        configs: Changes,
    ) -> Result<Vec<MetadataRecord>, ApiError> {
        let current = self.image.configs().resource(target);
        let unset: BTreeSet<String> = current
            .iter()
            .flat_map(|current| current.keys())
            .filter(|key| !configs.contains_key(*key))
            .cloned()
            .collect();
        self.change_configs(target, configs, &unset)
    }

    fn incremental_changes(
        &self,
        target: &ConfigResource,
        configs: &[AlterableConfig],
    ) -> Result<Changes, ApiError> {
        let values = configs.iter().map(|config| (config.name.as_str(), config.value.as_deref()));
        let deleted =
            |name: &str| configs.iter().any(|config| config.name == name && config.config_operation == 1);
        check_values(values, deleted)?;
        let change = |config: &AlterableConfig| Ok((config.name.clone(), self.new_value(target, config)?));
        configs.iter().map(change).collect()
    }

    fn new_value(
        &self,
        target: &ConfigResource,
        config: &AlterableConfig,
    ) -> Result<Option<String>, ApiError> {
        let given = config.value.clone().unwrap_or_default();
        let operation = match config.config_operation {
            0 => return Ok(Some(given)),
            1 => return Ok(None),
            2 => "APPEND",
            3 => "SUBTRACT",
            other => {
                let message = format!("Unknown operation {other}");
                return Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
            }
        };
        let key = config.name.as_str();
        // Which keys of subscriptions are lists, Kafka's controller does not know. Kafka: `KafkaConfigSchema.isSplittable`.
        let has_lists = target.resource_type != ResourceType::CLIENT_METRICS;
        let row = key_row(target.resource_type, key).filter(|row| has_lists && row.kind == KeyType::List);
        let Some(row) = row else {
            let message = format!("Can't {operation} to key {key} because its type is not LIST.");
            return Err(ApiError::new(ErrorCode::INVALID_CONFIG, message));
        };
        let current = self.image.configs().value(target, key).or(match row.default {
            KeyDefault::Text(text) => Some(text),
            KeyDefault::Null | KeyDefault::Required => None,
        });
        let mut parts: Vec<&str> =
            current.unwrap_or_default().split(',').filter(|part| !part.is_empty()).collect();
        for part in given.split(',') {
            match parts.iter().position(|present| *present == part) {
                Some(index) if operation == "SUBTRACT" => drop(parts.remove(index)),
                None if operation == "APPEND" => parts.push(part),
                _ => {}
            }
        }
        Ok(Some(parts.join(",")))
    }

    fn change_configs(
        &self,
        target: &ConfigResource,
        changes: Changes,
        unset: &BTreeSet<String>,
    ) -> Result<Vec<MetadataRecord>, ApiError> {
        let current =
            self.image.configs().resource(target).map(|configs| configs.as_ref().clone()).unwrap_or_default();
        // Brokers reload files that a value names even if the value stays, so their records are always written.
        let counts = |(key, value): &(&String, &Option<String>)| {
            current.get(*key) != value.as_ref() || target.resource_type == ResourceType::BROKER
        };
        let changed: Changes =
            changes.iter().filter(counts).map(|(key, value)| (key.clone(), value.clone())).collect();
        let unset = unset.iter().map(|key| (key.clone(), None));
        let all: Vec<(String, Option<String>)> = changed.into_iter().chain(unset).collect();
        let mut future = current.clone();
        for (key, value) in &all {
            self.check_change(target, key, value.as_deref())?;
            match value {
                Some(value) => future.insert(key.clone(), value.clone()),
                None => future.remove(key),
            };
        }
        self.validate_configs(target, &current, &future)?;
        self.check_existence(target)?;
        Ok(all.into_iter().map(|(key, value)| config_record(target, &key, value)).collect())
    }

    /// Checks one change by rules that no single value shows.
    fn check_change(&self, target: &ConfigResource, key: &str, value: Option<&str>) -> Result<(), ApiError> {
        let refuse = |message: String| Err(ApiError::new(ErrorCode::INVALID_CONFIG, message));
        let is_broker = target.resource_type == ResourceType::BROKER;
        let features = self.image.features();
        if is_broker && key == MIN_INSYNC_REPLICAS && features.is_elr_enabled() {
            if !target.name.is_empty() {
                return refuse(
                    "Broker-level min.insync.replicas cannot be altered while ELR is enabled.".to_owned(),
                );
            }
            if value.is_none() {
                return refuse(
                    "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.".to_owned(),
                );
            }
        }
        if is_broker
            && key == CORDONED_LOG_DIRS
            && !features.metadata_version().is_cordoned_log_dirs_supported()
        {
            return refuse(
                "The cordoned.log.dirs configuration value cannot be set because it requires metadata.version >= \
                 4.3-IV0"
                    .to_owned(),
            );
        }
        if value.is_some_and(|value| value.encode_utf16().count() > VALUE_LENGTH_MAX) {
            return refuse(format!(
                "The configuration value cannot be added because it exceeds the maximum value size of \
                 {VALUE_LENGTH_MAX} bytes."
            ));
        }
        Ok(())
    }

    /// Checks the configs that a new topic gets.
    pub(crate) fn validate_new_configs(
        &self,
        target: &ConfigResource,
        configs: &ConfigMap,
    ) -> Result<(), ApiError> {
        for (key, value) in configs {
            self.check_change(target, key, Some(value))?;
        }
        self.validate_configs(target, &ConfigMap::new(), configs)
    }

    fn validate_configs(
        &self,
        target: &ConfigResource,
        current: &ConfigMap,
        future: &ConfigMap,
    ) -> Result<(), ApiError> {
        let invalid = |message: &str| Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
        match target.resource_type {
            ResourceType::TOPIC if target.name.is_empty() => {
                invalid("Default topic resources are not allowed.")
            }
            ResourceType::TOPIC => {
                let name = topic_name::validate(&target.name);
                name.map_err(|message| ApiError::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message))?;
                LogConfig::validate(
                    current,
                    future,
                    &self.config.topic_defaults,
                    self.config.remote_storage,
                )?;
                Ok(())
            }
            ResourceType::BROKER if target.name.is_empty() => Ok(()),
            ResourceType::BROKER => match target.name.parse::<i32>() {
                Err(_) => invalid("Unable to parse broker name as a base 10 number."),
                Ok(id) if id < 0 => invalid("Invalid negative broker ID."),
                Ok(_) => Ok(()),
            },
            ResourceType::GROUP if target.name.is_empty() => {
                invalid("Default group resources are not allowed.")
            }
            ResourceType::GROUP => Ok(self.config.broker.validate_group(future)?),
            ResourceType::CLIENT_METRICS => Ok(config::validate_client_metrics(&target.name, future)?),
            other => invalid(&format!("Unknown resource type {}", other.name())),
        }
    }

    fn check_existence(&self, target: &ConfigResource) -> Result<(), ApiError> {
        let name = &target.name;
        match target.resource_type {
            ResourceType::TOPIC if self.image.topics().by_name(name).is_none() => {
                let message = format!("The topic '{name}' does not exist.");
                Err(ApiError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message))
            }
            ResourceType::BROKER if !name.is_empty() && !self.is_node(name) => {
                let message = format!("No broker with id {name} found.");
                Err(ApiError::new(ErrorCode::BROKER_ID_NOT_REGISTERED, message))
            }
            _ => Ok(()),
        }
    }

    fn is_node(&self, name: &str) -> bool {
        let cluster = self.image.cluster();
        let is_known = |id: i32| {
            let id = NodeId(id);
            cluster.broker(id).is_some() || cluster.controller(id).is_some() || id == self.config.node_id
        };
        name.parse().is_ok_and(is_known)
    }

    /// Eligible leader replicas were kept under the old `min.insync.replicas`: they are forgotten when it changes.
    fn clear_elr_records(&self, records: &[MetadataRecord]) -> Vec<MetadataRecord> {
        if !self.image.features().is_elr_enabled() {
            return Vec::new();
        }
        let clear = |record: &MetadataRecord| match record {
            MetadataRecord::ConfigRecord(config) if config.name == MIN_INSYNC_REPLICAS => {
                let is_topic = config.resource_type == ResourceType::TOPIC.0;
                let topic_name = if is_topic { config.resource_name.clone() } else { String::new() };
                Some(MetadataRecord::ClearElrRecord(ClearElrRecord { topic_name, ..Default::default() }))
            }
            _ => None,
        };
        records.iter().filter_map(clear).collect()
    }
}

fn key_row(resource_type: ResourceType, name: &str) -> Option<&'static config::Key> {
    match resource_type {
        ResourceType::TOPIC => TOPIC_KEYS.iter().find(|key| key.name == name),
        ResourceType::BROKER => broker_key(name),
        ResourceType::GROUP => GROUP_KEYS.iter().find(|key| key.name == name),
        ResourceType::CLIENT_METRICS => CLIENT_METRICS_KEYS.iter().find(|key| key.name == name),
        _ => None,
    }
}

/// Alters each resource that is named once, and refuses once each that is named repeatedly, or all if that would be too much;
/// returns what is to be written, and what became of each.
fn alter_each<R>(
    resources: &[R],
    name: impl Fn(&R) -> ResourceName,
    mut alter: impl FnMut(&ConfigResource, &R) -> Result<Vec<MetadataRecord>, ApiError>,
) -> (Vec<MetadataRecord>, Vec<Answer>) {
    let mut counts: BTreeMap<ResourceName, usize> = BTreeMap::new();
    for resource in resources {
        *counts.entry(name(resource)).or_default() += 1;
    }
    let (mut records, mut answers) = (Vec::new(), Vec::new());
    for resource in resources {
        let name = name(resource);
        // A repeated name is taken out when it is answered.
        let Some(count) = counts.remove(&name) else { continue };
        let altered = check_resource(&name, count).and_then(|target| alter(&target, resource));
        let (error_code, error_message) = code_and_message(&altered);
        answers.push((name, error_code, error_message));
        records.extend(altered.unwrap_or_default());
    }
    if records.len() > MAX_RECORDS_PER_REQUEST {
        let ApiError { code, message } = ApiError::too_many_records();
        answers.iter_mut().for_each(|answer| (answer.1, answer.2) = (code, message.clone()));
        records.clear();
    }
    (records, answers)
}

/// Refuses a resource that is named more than once, or that is of a type that there is not.
fn check_resource(name: &ResourceName, count: usize) -> Result<ConfigResource, ApiError> {
    let (resource_type, name) = (ResourceType(name.0), name.1.as_str());
    if count > 1 {
        let message = "Each resource must appear at most once.";
        return Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
    }
    if resource_type.name() == ResourceType::UNKNOWN.name() {
        let message = format!("Unknown resource type {}", resource_type.0);
        return Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
    }
    Ok(ConfigResource::new(resource_type, name))
}

/// Refuses keys that occur twice, and missing values unless the key `may_lack` one.
fn check_values<'a>(
    configs: impl Iterator<Item = (&'a str, Option<&'a str>)> + Clone,
    may_lack: impl Fn(&str) -> bool,
) -> Result<(), ApiError> {
    let invalid = |message: String| Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
    let mut seen = BTreeSet::new();
    if !configs.clone().all(|(name, _)| seen.insert(name)) {
        return invalid("Error due to duplicate config keys".to_owned());
    }
    let nulls: Vec<&str> =
        configs.filter(|(name, value)| value.is_none() && !may_lack(name)).map(|(name, _)| name).collect();
    if nulls.is_empty() {
        return Ok(());
    }
    invalid(format!("Null value not supported for : {}", nulls.join(", ")))
}
