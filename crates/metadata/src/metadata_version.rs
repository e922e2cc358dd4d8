//! `metadata.version`: the level that says which records and fields the metadata log may hold.
//!
//! Kafka: `org.apache.kafka.server.common.MetadataVersion`.

use std::fmt;
use std::str::FromStr;

/// A level of `metadata.version`, from 7 (3.3-IV3). Higher ones than this node knows can be held but not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetadataVersion(pub i16);

macro_rules! versions {
    ($($name:ident = $level:literal $text:literal),+ $(,)?) => {
        impl MetadataVersion {
            $(
                #[doc = concat!("Metadata version ", $text, ".")]
                pub const $name: Self = Self($level);
            )+
            /// Every known level with its name, lowest first.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self($level), $text)),+];
        }
    };
}

versions! {
    V3_3_IV3 = 7 "3.3-IV3", V3_4_IV0 = 8 "3.4-IV0", V3_5_IV0 = 9 "3.5-IV0", V3_5_IV1 = 10 "3.5-IV1",
    V3_5_IV2 = 11 "3.5-IV2", V3_6_IV0 = 12 "3.6-IV0", V3_6_IV1 = 13 "3.6-IV1", V3_6_IV2 = 14 "3.6-IV2",
    V3_7_IV0 = 15 "3.7-IV0", V3_7_IV1 = 16 "3.7-IV1", V3_7_IV2 = 17 "3.7-IV2", V3_7_IV3 = 18 "3.7-IV3",
    V3_7_IV4 = 19 "3.7-IV4", V3_8_IV0 = 20 "3.8-IV0", V3_9_IV0 = 21 "3.9-IV0", V4_0_IV0 = 22 "4.0-IV0",
    V4_0_IV1 = 23 "4.0-IV1", V4_0_IV2 = 24 "4.0-IV2", V4_0_IV3 = 25 "4.0-IV3", V4_1_IV0 = 26 "4.1-IV0",
    V4_1_IV1 = 27 "4.1-IV1", V4_2_IV0 = 28 "4.2-IV0", V4_2_IV1 = 29 "4.2-IV1", V4_3_IV0 = 30 "4.3-IV0",
}

impl MetadataVersion {
    /// The oldest level that a cluster may run at.
    pub const MINIMUM: Self = Self::V3_3_IV3;
    /// The newest level this node supports, and the one a new cluster gets.
    pub const LATEST: Self = Self::V4_3_IV0;

    /// Metadata version 4.4-IV0, which this node does not support: features become the default from it on.
    pub const V4_4_IV0: Self = Self(31);

    /// Levels whose metadata differs from that of the level before.
    const CHANGED_METADATA: [i16; 10] = [7, 8, 11, 13, 14, 15, 17, 23, 30, 33];

    /// Tells whether this node knows the level.
    pub fn is_known(self) -> bool {
        (Self::MINIMUM..=Self::LATEST).contains(&self)
    }

    /// Tells whether metadata written at `self` may hold what `lower` cannot express.
    /// Kafka: `MetadataVersion.checkIfMetadataChanged`.
    pub fn metadata_changed_since(self, lower: Self) -> bool {
        Self::CHANGED_METADATA.iter().any(|level| (lower.0 + 1..=self.0).contains(level))
    }

    /// Whether metadata transactions may be written.
    pub fn is_metadata_transaction_supported(self) -> bool {
        self >= Self::V3_6_IV1
    }

    /// Whether controllers register themselves.
    pub fn is_controller_registration_supported(self) -> bool {
        self >= Self::V3_7_IV0
    }

    /// Whether replicas are assigned to log dirs.
    pub fn is_directory_assignment_supported(self) -> bool {
        self >= Self::V3_7_IV2
    }

    /// Whether eligible leader replicas may be written.
    pub fn is_elr_supported(self) -> bool {
        self >= Self::V4_0_IV1
    }

    /// Whether brokers report cordoned log dirs.
    pub fn is_cordoned_log_dirs_supported(self) -> bool {
        self >= Self::V4_3_IV0
    }

    /// The version of `RegisterBrokerRecord`.
    pub fn register_broker_record_version(self) -> i16 {
        match self {
            _ if self >= Self::V4_3_IV0 => 4,
            _ if self.is_directory_assignment_supported() => 3,
            _ if self >= Self::V3_4_IV0 => 2,
            _ => 1,
        }
    }

    /// The version of `PartitionRecord` and `PartitionChangeRecord`.
    pub fn partition_record_version(self) -> i16 {
        match self {
            _ if self.is_elr_supported() => 2,
            _ if self.is_directory_assignment_supported() => 1,
            _ => 0,
        }
    }
}

impl fmt::Display for MetadataVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::ALL.iter().find(|(level, _)| level == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "UNKNOWN [{}]", self.0),
        }
    }
}

/// The text names no metadata version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Version {0} is not a valid version. The minimum version is {min} and the maximum version is {max}",
    min = MetadataVersion::MINIMUM, max = MetadataVersion::LATEST)]
pub struct UnknownMetadataVersion(String);

impl FromStr for MetadataVersion {
    type Err = UnknownMetadataVersion;

    /// Takes `4.3-IV0`, or `4.3` and `4.3.1` for the newest level of that release.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let release = text.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        let names_level =
            |name: &str| name == text || (!text.contains("-IV") && name.starts_with(&format!("{release}-")));
        let newest = Self::ALL.iter().rev().find(|(_, name)| names_level(name));
        newest.map(|(level, _)| *level).ok_or_else(|| UnknownMetadataVersion(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_means_its_newest_level() {
        assert_eq!("3.7".parse(), Ok(MetadataVersion::V3_7_IV4));
        assert_eq!("4.0.1".parse(), Ok(MetadataVersion::V4_0_IV3));
        assert_eq!("4.0-IV1".parse(), Ok(MetadataVersion::V4_0_IV1));
        assert!("2.8".parse::<MetadataVersion>().is_err());
    }

    #[test]
    fn every_level_reads_back_from_its_name() {
        for (level, name) in MetadataVersion::ALL {
            assert_eq!(name.parse(), Ok(*level));
            assert_eq!(level.to_string(), *name);
        }
    }
}
