//! The records a new cluster starts with: its feature levels.
//!
//! Kafka: `Formatter.calcBootstrapMetadata`, `BootstrapMetadata`.

use std::collections::BTreeMap;

use protocol::{FeatureLevelRecord, MetadataRecord};

use crate::{Feature, MetadataVersion};

/// A feature level that cannot be formatted with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BootstrapError {
    /// No feature has that name.
    #[error("Unsupported feature: {0}. Supported features are: {known}", known = known_features())]
    UnknownFeature(String),
    /// The feature has no such level.
    #[error("No feature:{0} with feature level {1}")]
    UnknownLevel(String, i16),
    /// Another feature's level is too low for this one's.
    #[error("{0} could not be set to {1} because it depends on {2} level {3}")]
    Dependency(String, i16, String, i16),
}

fn known_features() -> String {
    let mut names: Vec<_> = Feature::ALL.iter().map(|feature| feature.name()).collect();
    names.sort_unstable();
    names.join(", ")
}

/// Returns the records of `bootstrap.checkpoint` for a cluster at `version`: `metadata.version`, then every other
/// feature above level 0 by name, at its default level unless `levels` says otherwise. `kraft.version` is not among
/// them, since it stands in a control record.
///
/// # Errors
/// If `levels` names an unknown feature or level, or one whose dependency is not met.
pub fn bootstrap_records(
    version: MetadataVersion,
    levels: &BTreeMap<String, i16>,
) -> Result<Vec<MetadataRecord>, BootstrapError> {
    let mut finalized: BTreeMap<&str, i16> =
        Feature::ALL.iter().map(|feature| (feature.name(), feature.default_level(version))).collect();
    for (name, level) in levels.iter().filter(|(name, _)| *name != Feature::METADATA_VERSION) {
        let feature = Feature::by_name(name).ok_or_else(|| BootstrapError::UnknownFeature(name.clone()))?;
        if !(0..=feature.latest_level()).contains(level) {
            return Err(BootstrapError::UnknownLevel(name.clone(), *level));
        }
        finalized.insert(feature.name(), *level);
    }
    finalized.insert(Feature::METADATA_VERSION, version.0);
    check_dependencies(&finalized)?;
    finalized.remove(Feature::KraftVersion.name());
    finalized.remove(Feature::METADATA_VERSION);
    let features = finalized.into_iter().filter(|(_, level)| *level > 0);
    Ok(std::iter::once((Feature::METADATA_VERSION, version.0)).chain(features).map(level_record).collect())
}

fn check_dependencies(finalized: &BTreeMap<&str, i16>) -> Result<(), BootstrapError> {
    for feature in Feature::ALL {
        let level = finalized.get(feature.name()).copied().unwrap_or(0);
        for needed in feature.dependencies(level) {
            if finalized.get(needed.feature).copied().unwrap_or(0) < needed.level {
                let name = feature.name().to_owned();
                return Err(BootstrapError::Dependency(name, level, needed.feature.to_owned(), needed.level));
            }
        }
    }
    Ok(())
}

fn level_record((name, feature_level): (&str, i16)) -> MetadataRecord {
    MetadataRecord::FeatureLevelRecord(FeatureLevelRecord {
        name: name.to_owned(),
        feature_level,
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(records: &[MetadataRecord]) -> Vec<(String, i16)> {
        let level = |record: &MetadataRecord| match record {
            MetadataRecord::FeatureLevelRecord(record) => (record.name.clone(), record.feature_level),
            other => panic!("{other:?} is no feature level"),
        };
        records.iter().map(level).collect()
    }

    #[test]
    fn a_new_cluster_gets_the_levels_of_the_release() {
        let records = bootstrap_records(MetadataVersion::LATEST, &BTreeMap::new()).expect("defaults agree");
        let expected = [
            ("metadata.version", 30),
            ("eligible.leader.replicas.version", 1),
            ("group.version", 1),
            ("share.version", 1),
            ("streams.version", 1),
            ("transaction.version", 2),
        ];
        assert_eq!(levels(&records), expected.map(|(name, level)| (name.to_owned(), level)));
    }

    #[test]
    fn an_old_level_leaves_newer_features_out() {
        let records = bootstrap_records(MetadataVersion::V3_7_IV4, &BTreeMap::new()).expect("defaults agree");
        assert_eq!(levels(&records), [("metadata.version".to_owned(), 19)]);
    }

    #[test]
    fn a_level_whose_dependency_is_missing_is_refused() {
        let wanted = BTreeMap::from([("eligible.leader.replicas.version".to_owned(), 1)]);
        let refused = bootstrap_records(MetadataVersion::V3_9_IV0, &wanted).expect_err("needs 4.0-IV1");
        assert_eq!(
            refused.to_string(),
            "eligible.leader.replicas.version could not be set to 1 because it depends on metadata.version level 23"
        );
    }
}
