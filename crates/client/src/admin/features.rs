//! The cluster's features: which are on, and switching them. Kafka: `Admin.describeFeatures`, `Admin.updateFeatures`.

use std::collections::BTreeMap;

use model::NodeId;
use protocol::update_features_request::FeatureUpdateKey;
use protocol::{ApiVersionsResponse, ErrorCode, UpdateFeaturesRequest};

use super::Admin;
use super::call::millis;
use crate::connection::{ApiVersions, api_versions_request};
use crate::error::{Error, Result};

/// What is known of features.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureMetadata {
    /// The level of each feature that is on.
    pub finalized: BTreeMap<String, i16>,
    /// Counts the changes of `finalized`, if known.
    pub finalized_epoch: Option<i64>,
    /// The levels, lowest and highest, that the node could run at.
    pub supported: BTreeMap<String, (i16, i16)>,
}

/// Which way a feature's level may go. Kafka: `FeatureUpdate.UpgradeType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeType {
    /// Up only.
    Upgrade = 1,
    /// Down where nothing is lost.
    SafeDowngrade = 2,
    /// Down whatever is lost.
    UnsafeDowngrade = 3,
}

/// A change of a feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeatureUpdate {
    /// The level; 0 switches the feature off.
    pub max_version_level: i16,
    /// Which way it may go.
    pub upgrade_type: UpgradeType,
}

impl Admin {
    /// Tells which features are on, and which levels `node` supports; any node, if `None`.
    pub async fn describe_features(&self, node: Option<NodeId>) -> Result<FeatureMetadata> {
        let (name, request) = ("describeFeatures", api_versions_request());
        let error_of = |response: &ApiVersionsResponse| response.error_code;
        let response = match node {
            Some(node) => self.on_node(name, node, &request, error_of).await?,
            None => self.on_any(name, &request, error_of).await?,
        };
        Error::check(response.error_code)?;
        let versions = ApiVersions::from_response(response);
        Ok(FeatureMetadata {
            finalized: versions.finalized_features,
            finalized_epoch: versions.finalized_features_epoch,
            supported: versions.supported_features,
        })
    }

    /// Changes features, all or none; the result of each is under its name.
    pub async fn update_features(
        &self,
        updates: &BTreeMap<String, FeatureUpdate>,
        validate_only: bool,
    ) -> Result<BTreeMap<String, Result<()>>> {
        let key = |(feature, update): (&String, &FeatureUpdate)| FeatureUpdateKey {
            feature: feature.clone(),
            max_version_level: update.max_version_level,
            upgrade_type: update.upgrade_type as i8,
            ..Default::default()
        };
        let request = UpdateFeaturesRequest {
            timeout_ms: millis(self.cluster().settings().request_timeout),
            feature_updates: updates.iter().map(key).collect(),
            validate_only,
            ..Default::default()
        };
        let response = self.on_controller("updateFeatures", &request, |response| response.error_code).await?;
        let whole = Error::check_with(response.error_code, response.error_message);
        let mut done: BTreeMap<_, _> =
            updates.keys().map(|feature| (feature.clone(), whole.clone())).collect();
        for result in response.results {
            if response.error_code == ErrorCode::NONE {
                done.insert(result.feature, Error::check_with(result.error_code, result.error_message));
            }
        }
        Ok(done)
    }
}
