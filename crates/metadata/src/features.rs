//! Finalized feature levels, and the table of features this node knows.
//!
//! Kafka: `FeaturesImage`, `org.apache.kafka.server.common.Feature`.

use imbl::OrdMap;
use protocol::{FeatureLevelRecord, MetadataRecord};

use crate::MetadataVersion;

/// A feature level that another one needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureDependency {
    /// The name of the feature that is needed.
    pub feature: &'static str,
    /// The least level of it.
    pub level: i16,
}

/// A feature whose level the cluster agrees on, besides `metadata.version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// `kraft.version`: 1 allows voters to be added and removed. Its level stands in a control record.
    KraftVersion,
    /// `transaction.version`: 1 flexible transaction records, 2 an epoch bump for each transaction.
    TransactionVersion,
    /// `group.version`: 1 the consumer rebalance protocol of KIP-848.
    GroupVersion,
    /// `eligible.leader.replicas.version`: 1 eligible leader replicas of KIP-966.
    EligibleLeaderReplicasVersion,
    /// `share.version`: 1 share groups of KIP-932, 2 their dead-letter queues (KIP-1191, of Kafka 4.4).
    ShareVersion,
    /// `streams.version`: 1 streams groups of KIP-1071.
    StreamsVersion,
}

impl Feature {
    /// The name under which `metadata.version` is finalized.
    pub const METADATA_VERSION: &'static str = "metadata.version";

    /// Every feature besides `metadata.version`.
    pub const ALL: [Self; 6] = [
        Self::KraftVersion,
        Self::TransactionVersion,
        Self::GroupVersion,
        Self::EligibleLeaderReplicasVersion,
        Self::ShareVersion,
        Self::StreamsVersion,
    ];

    /// Returns the feature called `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.name() == name)
    }

    /// The feature's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::KraftVersion => "kraft.version",
            Self::TransactionVersion => "transaction.version",
            Self::GroupVersion => "group.version",
            Self::EligibleLeaderReplicasVersion => "eligible.leader.replicas.version",
            Self::ShareVersion => "share.version",
            Self::StreamsVersion => "streams.version",
        }
    }

    /// The highest level this node supports; the lowest is always 0.
    pub fn latest_level(self) -> i16 {
        self.bootstrap_versions().len() as i16
    }

    /// The level a cluster gets that is formatted at `version`.
    pub fn default_level(self, version: MetadataVersion) -> i16 {
        self.bootstrap_versions().iter().filter(|least| **least <= version).count() as i16
    }

    /// For the levels 1, 2, …: the metadata version from which on it is the default.
    fn bootstrap_versions(self) -> &'static [MetadataVersion] {
        match self {
            Self::KraftVersion => &[MetadataVersion::V3_9_IV0],
            Self::TransactionVersion => &[MetadataVersion::V4_0_IV2, MetadataVersion::V4_0_IV2],
            Self::GroupVersion => &[MetadataVersion::V4_0_IV0],
            Self::EligibleLeaderReplicasVersion => &[MetadataVersion::V4_1_IV0],
            Self::ShareVersion => &[MetadataVersion::V4_2_IV0, MetadataVersion::V4_4_IV0],
            Self::StreamsVersion => &[MetadataVersion::V4_2_IV1],
        }
    }

    /// What must be finalized before this feature may have `level`.
    pub fn dependencies(self, level: i16) -> &'static [FeatureDependency] {
        const ELR: &[FeatureDependency] =
            &[FeatureDependency { feature: Feature::METADATA_VERSION, level: MetadataVersion::V4_0_IV1.0 }];
        match (self, level) {
            (Self::EligibleLeaderReplicasVersion, 1) => ELR,
            _ => &[],
        }
    }
}

/// Levels that were finalized. A level of 0 is the same as none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeaturesImage {
    metadata_version: Option<MetadataVersion>,
    finalized: OrdMap<String, i16>,
    /// Not in metadata records: the quorum's control records say it.
    kraft_version: i16,
}

impl FeaturesImage {
    /// The finalized `metadata.version`; the oldest one while none is finalized.
    pub fn metadata_version(&self) -> MetadataVersion {
        self.metadata_version.unwrap_or(MetadataVersion::MINIMUM)
    }

    /// The finalized `metadata.version`, if any.
    pub fn finalized_metadata_version(&self) -> Option<MetadataVersion> {
        self.metadata_version
    }

    /// The level of `feature`; 0 while none is finalized.
    pub fn level(&self, feature: Feature) -> i16 {
        match feature {
            Feature::KraftVersion => self.kraft_version,
            feature => self.finalized.get(feature.name()).copied().unwrap_or(0),
        }
    }

    /// The level finalized under `name`, `metadata.version` included; `None` for 0 or none.
    pub fn level_by_name(&self, name: &str) -> Option<i16> {
        if name == Feature::METADATA_VERSION {
            return self.metadata_version.map(|version| version.0);
        }
        match Feature::by_name(name) {
            Some(Feature::KraftVersion) => Some(self.kraft_version).filter(|level| *level > 0),
            _ => self.finalized.get(name).copied(),
        }
    }

    /// All finalized levels above 0 by name: `metadata.version` first, `kraft.version` last.
    pub fn finalized(&self) -> impl Iterator<Item = (&str, i16)> {
        let kraft = (self.kraft_version > 0).then_some((Feature::KraftVersion.name(), self.kraft_version));
        self.in_records().chain(kraft)
    }

    fn in_records(&self) -> impl Iterator<Item = (&str, i16)> {
        let version = self.metadata_version.map(|version| (Feature::METADATA_VERSION, version.0));
        version.into_iter().chain(self.finalized.iter().map(|(name, level)| (name.as_str(), *level)))
    }

    pub(crate) fn set_kraft_version(&mut self, level: i16) {
        self.kraft_version = level;
    }

    /// Tells whether eligible leader replicas are kept. Kafka: `FeatureControlManager.isElrFeatureEnabled`.
    pub fn is_elr_enabled(&self) -> bool {
        self.level(Feature::EligibleLeaderReplicasVersion) >= 1
    }

    pub(crate) fn set(&mut self, name: &str, level: i16) {
        if name == Feature::METADATA_VERSION {
            self.metadata_version = Some(MetadataVersion(level));
        } else if level == 0 {
            self.finalized.remove(name);
        } else {
            self.finalized.insert(name.to_owned(), level);
        }
    }

    pub(crate) fn to_records(&self, records: &mut Vec<MetadataRecord>) {
        records.extend(self.in_records().map(|(name, feature_level)| {
            MetadataRecord::FeatureLevelRecord(FeatureLevelRecord {
                name: name.to_owned(),
                feature_level,
                ..Default::default()
            })
        }));
    }
}
