//! The whole image: one part for each kind of record, `replay` to go forward, `to_records` to write a snapshot.
//!
//! Kafka: `MetadataImage`, `MetadataDelta.replay`.

use model::{LeaderEpoch, NodeId, Offset, Timestamp, Uuid};
use protocol::MetadataRecord;

use crate::{
    AclsImage, ClientQuotasImage, ClusterImage, ConfigsImage, DelegationTokensImage, FeaturesImage,
    ProducerIdsImage, ScramImage, TopicsImage,
};

/// How far into the metadata log an image reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataProvenance {
    /// The offset of the last record in the image; -1 for the empty image.
    pub last_contained_offset: Offset,
    /// The epoch of that record's batch; -1 for the empty image.
    pub last_contained_epoch: LeaderEpoch,
    /// The append time of that record's batch; -1 for the empty image.
    pub last_contained_timestamp: Timestamp,
}

impl MetadataProvenance {
    /// The provenance of an image that contains nothing.
    pub const EMPTY: Self = Self {
        last_contained_offset: Offset(-1),
        last_contained_epoch: LeaderEpoch(-1),
        last_contained_timestamp: Timestamp(-1),
    };
}

/// A record that contradicts the image it is replayed on: the log is broken or was written by a broken controller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A record names a topic id that is not there.
    #[error("no topic with id {0} is known")]
    UnknownTopic(Uuid),
    /// A topic record repeats a name.
    #[error("topic {0} exists already")]
    TopicExists(String),
    /// A partition change names a partition that is not there.
    #[error("topic {0} has no partition {1}")]
    UnknownPartition(Uuid, i32),
    /// A record names a broker that is not registered, or another epoch of it.
    #[error("broker {0} is not registered with epoch {1}")]
    UnknownBroker(NodeId, i64),
    /// A field holds a number that means nothing.
    #[error("{0} has the unknown value {1}")]
    UnknownValue(&'static str, i64),
    /// A partition's directories are not one for each replica.
    #[error("partition {1} of topic {0} has {2} directories for {3} replicas")]
    Directories(Uuid, i32, usize, usize),
    /// A transaction began within a transaction.
    #[error("a metadata transaction began within another")]
    NestedTransaction,
    /// A transaction ended or was aborted outside one.
    #[error("a metadata transaction ended that had not begun")]
    NoTransaction,
}

/// The cluster's metadata at one offset of the log. Cloning is cheap: clones share structure.
#[derive(Clone, Debug)]
pub struct MetadataImage {
    provenance: MetadataProvenance,
    features: FeaturesImage,
    cluster: ClusterImage,
    topics: TopicsImage,
    configs: ConfigsImage,
    client_quotas: ClientQuotasImage,
    producer_ids: ProducerIdsImage,
    acls: AclsImage,
    scram: ScramImage,
    delegation_tokens: DelegationTokensImage,
    /// The image before the open metadata transaction; `None` outside one.
    before_transaction: Option<Box<MetadataImage>>,
}

impl Default for MetadataImage {
    fn default() -> Self {
        Self {
            provenance: MetadataProvenance::EMPTY,
            features: FeaturesImage::default(),
            cluster: ClusterImage::default(),
            topics: TopicsImage::default(),
            configs: ConfigsImage::default(),
            client_quotas: ClientQuotasImage::default(),
            producer_ids: ProducerIdsImage::default(),
            acls: AclsImage::default(),
            scram: ScramImage::default(),
            delegation_tokens: DelegationTokensImage::default(),
            before_transaction: None,
        }
    }
}

/// Equal in content; provenance and open transactions aside.
impl PartialEq for MetadataImage {
    fn eq(&self, other: &Self) -> bool {
        self.features == other.features
            && self.cluster == other.cluster
            && self.topics == other.topics
            && self.configs == other.configs
            && self.client_quotas == other.client_quotas
            && self.producer_ids == other.producer_ids
            && self.acls == other.acls
            && self.scram == other.scram
            && self.delegation_tokens == other.delegation_tokens
    }
}

impl MetadataImage {
    /// How far into the log the image reaches.
    pub fn provenance(&self) -> MetadataProvenance {
        self.provenance
    }

    /// Finalized feature levels, `metadata.version` among them.
    pub fn features(&self) -> &FeaturesImage {
        &self.features
    }

    /// Registered brokers and controllers.
    pub fn cluster(&self) -> &ClusterImage {
        &self.cluster
    }

    /// Topics by name and id, with their partitions.
    pub fn topics(&self) -> &TopicsImage {
        &self.topics
    }

    /// Dynamic configs by resource.
    pub fn configs(&self) -> &ConfigsImage {
        &self.configs
    }

    /// Client quotas by entity.
    pub fn client_quotas(&self) -> &ClientQuotasImage {
        &self.client_quotas
    }

    /// The next producer id to hand out.
    pub fn producer_ids(&self) -> &ProducerIdsImage {
        &self.producer_ids
    }

    /// Access control entries by id.
    pub fn acls(&self) -> &AclsImage {
        &self.acls
    }

    /// SCRAM credentials by mechanism and user.
    pub fn scram(&self) -> &ScramImage {
        &self.scram
    }

    /// Delegation tokens by id.
    pub fn delegation_tokens(&self) -> &DelegationTokensImage {
        &self.delegation_tokens
    }

    /// Tells whether a metadata transaction is open: such an image must not be published.
    pub fn in_transaction(&self) -> bool {
        self.before_transaction.is_some()
    }

    /// Returns the image as it was before the open transaction; the image itself outside one.
    pub fn committed(&self) -> &Self {
        self.before_transaction.as_deref().unwrap_or(self)
    }

    /// Says how far the image now reaches; called after each batch.
    pub fn set_provenance(&mut self, provenance: MetadataProvenance) {
        self.provenance = provenance;
    }

    /// Says at which level `kraft.version` is, which stands in control records.
    pub fn set_kraft_version(&mut self, level: i16) {
        self.features.set_kraft_version(level);
    }

    /// Applies one record of the log.
    ///
    /// # Errors
    /// If the record contradicts the image; the image is then as before.
    pub fn replay(&mut self, record: &MetadataRecord) -> Result<(), ReplayError> {
        match record {
            MetadataRecord::RegisterBrokerRecord(record) => self.cluster.register_broker(record),
            MetadataRecord::UnregisterBrokerRecord(record) => {
                self.cluster.unregister_broker(NodeId(record.broker_id), record.broker_epoch)?;
            }
            MetadataRecord::FenceBrokerRecord(record) => {
                self.cluster.set_fenced(NodeId(record.id), record.epoch, true)?;
            }
            MetadataRecord::UnfenceBrokerRecord(record) => {
                self.cluster.set_fenced(NodeId(record.id), record.epoch, false)?;
            }
            MetadataRecord::BrokerRegistrationChangeRecord(record) => self.cluster.change_broker(record)?,
            MetadataRecord::RegisterControllerRecord(record) => self.cluster.register_controller(record),
            MetadataRecord::UnregisterControllerRecord(record) => {
                self.cluster.unregister_controller(NodeId(record.controller_id));
            }
            MetadataRecord::TopicRecord(record) => self.topics.create(record)?,
            MetadataRecord::RemoveTopicRecord(record) => {
                let name = self.topics.remove(record.topic_id)?;
                self.configs.remove_topic(&name);
            }
            MetadataRecord::PartitionRecord(record) => self.topics.put_partition(record)?,
            MetadataRecord::PartitionChangeRecord(record) => self.topics.change_partition(record)?,
            MetadataRecord::ClearElrRecord(record) => self.topics.clear_elr(&record.topic_name)?,
            MetadataRecord::ConfigRecord(record) => self.configs.set(record),
            MetadataRecord::ClientQuotaRecord(record) => self.client_quotas.set(record),
            MetadataRecord::ProducerIdsRecord(record) => self.producer_ids.replay(record),
            MetadataRecord::FeatureLevelRecord(record) => {
                self.features.set(&record.name, record.feature_level);
            }
            MetadataRecord::AccessControlEntryRecord(record) => self.acls.put(record),
            MetadataRecord::RemoveAccessControlEntryRecord(record) => self.acls.remove(record.id),
            MetadataRecord::UserScramCredentialRecord(record) => self.scram.put(record)?,
            MetadataRecord::RemoveUserScramCredentialRecord(record) => self.scram.remove(record)?,
            MetadataRecord::DelegationTokenRecord(record) => self.delegation_tokens.put(record),
            MetadataRecord::RemoveDelegationTokenRecord(record) => {
                self.delegation_tokens.remove(&record.token_id);
            }
            MetadataRecord::BeginTransactionRecord(_) => self.begin_transaction()?,
            MetadataRecord::EndTransactionRecord(_) => {
                self.before_transaction.take().ok_or(ReplayError::NoTransaction)?;
            }
            MetadataRecord::AbortTransactionRecord(_) => {
                *self = *self.before_transaction.take().ok_or(ReplayError::NoTransaction)?;
            }
            MetadataRecord::NoOpRecord(_) | MetadataRecord::ZkMigrationStateRecord(_) => {}
        }
        Ok(())
    }

    fn begin_transaction(&mut self) -> Result<(), ReplayError> {
        if self.before_transaction.is_some() {
            return Err(ReplayError::NestedTransaction);
        }
        self.before_transaction = Some(Box::new(self.clone()));
        Ok(())
    }

    /// Returns the records that make this image out of an empty one, in the order of Kafka's snapshots: features
    /// (with `metadata.version` first), cluster, topics, configs, quotas, producer ids, ACLs, SCRAM, tokens.
    pub fn to_records(&self) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        self.features.to_records(&mut records);
        self.cluster.to_records(&mut records);
        self.topics.to_records(self.features.metadata_version(), &mut records);
        self.configs.to_records(&mut records);
        self.client_quotas.to_records(&mut records);
        self.producer_ids.to_records(&mut records);
        self.acls.to_records(&mut records);
        self.scram.to_records(&mut records);
        self.delegation_tokens.to_records(&mut records);
        records
    }
}

#[cfg(test)]
mod tests;
