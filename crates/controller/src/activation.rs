//! The records that a controller writes when it becomes active.
//!
//! Kafka: `ActivationRecordsGenerator`.

use metadata::{ConfigResource, MetadataVersion};
use protocol::{
    AbortTransactionRecord, BeginTransactionRecord, EndTransactionRecord, FeatureLevelRecord, MetadataRecord,
};

use crate::Controller;

impl Controller {
    /// Returns what to append at activation: the `bootstrap` records of a new cluster, in a metadata transaction where
    /// the level allows; the end of a transaction that the last controller left open; nothing otherwise.
    pub fn activation_records(&self, bootstrap: &[MetadataRecord]) -> Vec<MetadataRecord> {
        let abort =
            AbortTransactionRecord { reason: Some("Controller failover".to_owned()), ..Default::default() };
        let open = self.image.in_transaction().then_some(MetadataRecord::AbortTransactionRecord(abort));
        let is_new = self.image.committed().features().finalized_metadata_version().is_none();
        let records = if is_new { self.bootstrap_in_transaction(bootstrap) } else { Vec::new() };
        open.into_iter().chain(records).collect()
    }

    fn bootstrap_in_transaction(&self, bootstrap: &[MetadataRecord]) -> Vec<MetadataRecord> {
        let mut records = bootstrap.to_vec();
        if enables_elr(bootstrap) {
            records.extend(self.elr_safety_records());
        }
        if !bootstrap_version(bootstrap).is_metadata_transaction_supported() {
            return records;
        }
        let begin =
            BeginTransactionRecord { name: Some("Bootstrap records".to_owned()), ..Default::default() };
        records.insert(0, MetadataRecord::BeginTransactionRecord(begin));
        records.push(MetadataRecord::EndTransactionRecord(EndTransactionRecord::default()));
        records
    }

    /// What makes `min.insync.replicas` the same on all brokers, which eligible leader replicas need: a default for
    /// the cluster, and none for a single broker. Kafka: `ConfigurationControlManager.maybeGenerateElrSafetyRecords`.
    pub(crate) fn elr_safety_records(&self) -> Vec<MetadataRecord> {
        const KEY: &str = "min.insync.replicas";
        let configs = self.image.configs();
        let mut records = Vec::new();
        if configs.value(&ConfigResource::default_broker(), KEY).is_none() {
            let value = self.static_topic_config(KEY);
            records.push(crate::configs::config_record(&ConfigResource::default_broker(), KEY, value));
        }
        let brokers = configs.resources().filter(|(resource, values)| {
            resource.resource_type == metadata::ResourceType::BROKER
                && !resource.name.is_empty()
                && values.contains_key(KEY)
        });
        records.extend(brokers.map(|(resource, _)| crate::configs::config_record(resource, KEY, None)));
        records
    }
}

fn levels(records: &[MetadataRecord]) -> impl Iterator<Item = &FeatureLevelRecord> {
    records.iter().filter_map(|record| match record {
        MetadataRecord::FeatureLevelRecord(level) => Some(level),
        _ => None,
    })
}

fn enables_elr(records: &[MetadataRecord]) -> bool {
    let name = metadata::Feature::EligibleLeaderReplicasVersion.name();
    levels(records).any(|level| level.name == name && level.feature_level >= 1)
}

fn bootstrap_version(records: &[MetadataRecord]) -> MetadataVersion {
    let version = levels(records).find(|level| level.name == metadata::Feature::METADATA_VERSION);
    version.map_or(MetadataVersion::MINIMUM, |level| MetadataVersion(level.feature_level))
}
