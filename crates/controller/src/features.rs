//! UpdateFeatures: feature levels go up, and down where nothing is lost.
//!
//! Not yet: an upgrade of `kraft.version`, which the quorum would have to write as a control record.
//!
//! Kafka: `FeatureControlManager`.

use std::collections::BTreeMap;

use metadata::{Feature, MetadataVersion, VersionRange};
use protocol::update_features_request::FeatureUpdateKey;
use protocol::update_features_response::UpdatableFeatureResult;
use protocol::{
    ErrorCode, FeatureLevelRecord, MetadataRecord, UpdateFeaturesRequest, UpdateFeaturesResponse,
};

use crate::requests::Decision;
use crate::{ApiError, Controller};

/// How a level may change. Kafka: `FeatureUpdate.UpgradeType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UpgradeType {
    Unknown,
    Upgrade,
    SafeDowngrade,
    UnsafeDowngrade,
}

impl UpgradeType {
    fn of(update: &FeatureUpdateKey) -> Self {
        match update.upgrade_type {
            1 if update.allow_downgrade => Self::SafeDowngrade,
            1 => Self::Upgrade,
            2 => Self::SafeDowngrade,
            3 => Self::UnsafeDowngrade,
            _ => Self::Unknown,
        }
    }
}

impl Controller {
    pub(crate) fn update_features(&mut self, request: &UpdateFeaturesRequest) -> Decision {
        let updates: BTreeMap<&str, &FeatureUpdateKey> =
            request.feature_updates.iter().map(|update| (update.feature.as_str(), update)).collect();
        let mut proposed: BTreeMap<String, i16> =
            self.image.features().finalized().map(|(name, level)| (name.to_owned(), level)).collect();
        proposed.extend(updates.iter().map(|(name, update)| ((*name).to_owned(), update.max_version_level)));
        let mut records = Vec::new();
        for update in updates.values() {
            match self.update_feature(update, &proposed) {
                Ok(changes) => records.extend(changes),
                Err(error) => return Decision::answer(refused(&error)),
            }
        }
        if request.validate_only {
            records.clear();
        }
        Decision::new(records, accepted(request))
    }

    fn update_feature(
        &self,
        update: &FeatureUpdateKey,
        proposed: &BTreeMap<String, i16>,
    ) -> Result<Vec<MetadataRecord>, ApiError> {
        let (name, level) = (update.feature.as_str(), update.max_version_level);
        let invalid = |reason: &str| {
            let message = format!("Invalid update version {level} for feature {name}. {reason}");
            ApiError::new(ErrorCode::INVALID_UPDATE_VERSION, message)
        };
        let upgrade_type = UpgradeType::of(update);
        if upgrade_type == UpgradeType::Unknown {
            return Err(invalid("The controller does not support the given upgrade type."));
        }
        if level < 0 {
            return Err(invalid("A feature version cannot be less than 0."));
        }
        if let Some(reason) = self.reason_not_supported(name, level) {
            return Err(invalid(&reason));
        }
        let current = self.image.features().level_by_name(name).unwrap_or(0);
        if level < current && upgrade_type == UpgradeType::Upgrade {
            return Err(invalid(
                "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe \
                 downgrade.",
            ));
        }
        if level > current && upgrade_type != UpgradeType::Upgrade {
            return Err(invalid("Can't downgrade to a newer version."));
        }
        match Feature::by_name(name) {
            None => self.update_metadata_version(MetadataVersion(level), upgrade_type),
            Some(Feature::KraftVersion) if level == current => Ok(Vec::new()),
            Some(Feature::KraftVersion) if level < current => {
                Err(invalid("Can't downgrade the version of this feature."))
            }
            Some(Feature::KraftVersion) => Err(invalid("The quorum cannot be upgraded while it runs.")),
            Some(feature) => {
                check_dependencies(feature, level, proposed).map_err(|reason| invalid(&reason))?;
                Ok(self.level_records(feature, level))
            }
        }
    }

    fn level_records(&self, feature: Feature, level: i16) -> Vec<MetadataRecord> {
        let enables_elr = feature == Feature::EligibleLeaderReplicasVersion
            && level > 0
            && !self.image.features().is_elr_enabled();
        let mut records = if enables_elr { self.elr_safety_records() } else { Vec::new() };
        records.push(level_record(feature.name(), level));
        records
    }

    /// Why this node or a registered one cannot run at `level`. Kafka: `reasonNotSupported`.
    fn reason_not_supported(&self, name: &str, level: i16) -> Option<String> {
        let reason = |who: String, range: Option<VersionRange>| {
            let range = range.unwrap_or(VersionRange { min: 0, max: 0 });
            match range {
                range if range.contains(level) => None,
                VersionRange { max: 0, .. } => Some(format!("{who} does not support this feature.")),
                VersionRange { min, max } => Some(format!("{who} only supports versions {min}-{max}")),
            }
        };
        let local = self.config.supported_features.get(name).copied();
        if local.is_none() {
            return Some(format!("Local controller {} does not support this feature.", self.config.node_id));
        }
        let cluster = self.image.cluster();
        let brokers =
            cluster.brokers().map(|b| (format!("Broker {}", b.id), b.supported_features.get(name).copied()));
        let others = cluster.controllers().filter(|controller| controller.id != self.config.node_id);
        let controllers =
            others.map(|c| (format!("Controller {}", c.id), c.supported_features.get(name).copied()));
        let this = (format!("Local controller {}", self.config.node_id), local);
        std::iter::once(this).chain(brokers).chain(controllers).find_map(|(who, range)| reason(who, range))
    }

    fn update_metadata_version(
        &self,
        version: MetadataVersion,
        upgrade_type: UpgradeType,
    ) -> Result<Vec<MetadataRecord>, ApiError> {
        let current = self.image.features().metadata_version();
        let refuse = |reason: String| Err(ApiError::new(ErrorCode::INVALID_UPDATE_VERSION, reason));
        if !version.is_known() {
            let (min, max) = (MetadataVersion::MINIMUM.0, MetadataVersion::LATEST.0);
            let reason = format!("Valid versions are from {min} to {max}.");
            return refuse(format!("Invalid metadata.version {}. {reason}", version.0));
        }
        if version < current && current.metadata_changed_since(version) {
            let reason = if upgrade_type == UpgradeType::UnsafeDowngrade {
                "Unsafe metadata downgrade is not supported in this version."
            } else {
                "Refusing to perform the requested downgrade because it might delete metadata information."
            };
            return refuse(format!(
                "Unsupported metadata.version downgrade from {} to {}. {reason}",
                current.0, version.0
            ));
        }
        Ok(vec![level_record(Feature::METADATA_VERSION, version.0)])
    }
}

fn check_dependencies(feature: Feature, level: i16, proposed: &BTreeMap<String, i16>) -> Result<(), String> {
    for needed in feature.dependencies(level) {
        if proposed.get(needed.feature).copied().unwrap_or(0) < needed.level {
            return Err(format!(
                "{} could not be set to {level} because it depends on {} level {}",
                feature.name(),
                needed.feature,
                needed.level
            ));
        }
    }
    Ok(())
}

fn level_record(name: &str, feature_level: i16) -> MetadataRecord {
    MetadataRecord::FeatureLevelRecord(FeatureLevelRecord {
        name: name.to_owned(),
        feature_level,
        ..Default::default()
    })
}

fn refused(error: &ApiError) -> UpdateFeaturesResponse {
    let reason = error.message.as_deref().unwrap_or_default();
    let message =
        format!("The update failed for all features since the following feature had an error: {reason}");
    UpdateFeaturesResponse { error_code: error.code, error_message: Some(message), ..Default::default() }
}

/// Version 0 and 1 answer for each feature too; later ones leave the results out.
fn accepted(request: &UpdateFeaturesRequest) -> UpdateFeaturesResponse {
    let result = |update: &FeatureUpdateKey| UpdatableFeatureResult {
        feature: update.feature.clone(),
        // The name of no error, in place of none.
        error_message: Some(ErrorCode::NONE.name().to_owned()),
        ..Default::default()
    };
    UpdateFeaturesResponse {
        error_message: None,
        results: request.feature_updates.iter().map(result).collect(),
        ..Default::default()
    }
}
