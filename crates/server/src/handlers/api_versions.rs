//! ApiVersions (key 18): which APIs and versions are served here, and which features.
//!
//! Versions: 0–4. 1 throttle time · 2 same · 3 client's software name, features, flexible · 4 features from level 0.
//! A version from the future is answered with error 35 in version 0: clients then come again with a lower one.
//! Produce is advertised from version 0, which librdkafka needs, though versions 0–2 are refused (KAFKA-18659).
//! Not yet: 5 (cluster id and node id, of Kafka 4.4). Kafka: `KafkaApis.handleApiVersionsRequest`.

use metadata::{Feature, MetadataImage, MetadataVersion};
use protocol::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use protocol::{ApiKey, ApiVersionsRequest, ApiVersionsResponse, ErrorCode};

use crate::broker::Broker;
use crate::dispatch::served_versions;
use crate::request::{ListenerRole, RequestContext};

/// Lists what this listener serves.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &ApiVersionsRequest,
) -> ApiVersionsResponse {
    let image = broker.metadata.image();
    if !is_valid(context.version, request) {
        return ApiVersionsResponse { error_code: ErrorCode::INVALID_REQUEST, ..Default::default() };
    }
    ApiVersionsResponse {
        api_keys: told(api_keys(context.listener.role), broker.client_metrics.has_sink()),
        supported_features: supported_features(context.version),
        finalized_features_epoch: image.provenance().last_contained_offset.0,
        finalized_features: finalized_features(&image),
        ..Default::default()
    }
}

/// Tells whether the client says properly what it is made with, where it can say that. Kafka: `ApiVersionsRequest.isValid`.
pub(crate) fn is_valid(version: i16, request: &ApiVersionsRequest) -> bool {
    let named =
        is_software_name(&request.client_software_name) && is_software_name(&request.client_software_version);
    version < 3 || named
}

/// Answers a version from the future: the error, and which versions of ApiVersions itself there are.
/// Kafka: `ApiVersionsRequest.getErrorResponse`.
pub fn unsupported_version(role: ListenerRole) -> ApiVersionsResponse {
    let own = api_keys(role).into_iter().filter(|key| key.api_key == ApiKey::ApiVersions.id());
    ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: own.collect(),
        ..Default::default()
    }
}

/// Clients are not told of telemetry that goes nowhere, so that they do not begin with it.
/// Kafka: `ApiVersionsResponse.filterApis`.
fn told(mut keys: Vec<ApiVersion>, has_sink: bool) -> Vec<ApiVersion> {
    let telemetry = [ApiKey::GetTelemetrySubscriptions.id(), ApiKey::PushTelemetry.id()];
    keys.retain(|key| has_sink || !telemetry.contains(&key.api_key));
    keys
}

fn api_keys(role: ListenerRole) -> Vec<ApiVersion> {
    let row = |api: &ApiKey| {
        let versions = served_versions(*api, role)?;
        let min_version = if *api == ApiKey::Produce { 0 } else { *versions.start() };
        Some(ApiVersion {
            api_key: api.id(),
            min_version,
            max_version: *versions.end(),
            ..Default::default()
        })
    };
    ApiKey::ALL.iter().filter_map(row).collect()
}

/// Older clients cannot read a range that begins at 0, so they are not told of it. Kafka: KAFKA-17492.
fn supported_features(version: i16) -> Vec<SupportedFeatureKey> {
    let key = |name: &str, min_version, max_version| SupportedFeatureKey {
        name: name.to_owned(),
        min_version,
        max_version,
        ..Default::default()
    };
    let oldest = MetadataVersion::MINIMUM.0;
    let mut keys = vec![key(Feature::METADATA_VERSION, oldest, MetadataVersion::LATEST.0)];
    if version >= 4 {
        keys.extend(Feature::ALL.iter().map(|feature| key(feature.name(), 0, feature.latest_level())));
    }
    keys
}

fn finalized_features(image: &MetadataImage) -> Vec<FinalizedFeatureKey> {
    let key = |(name, level): (&str, i16)| FinalizedFeatureKey {
        name: name.to_owned(),
        max_version_level: level,
        min_version_level: level,
        ..Default::default()
    };
    image.features().finalized().map(key).collect()
}

/// Kafka: `ApiVersionsRequest.SOFTWARE_NAME_VERSION_PATTERN`.
fn is_software_name(name: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    edge(name.bytes().next()) && edge(name.bytes().last()) && name.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_software_name_begins_and_ends_with_a_letter_or_digit() {
        assert!(is_software_name("apache-kafka-java"));
        assert!(is_software_name("1.0.0"));
        for name in ["", "-a", "a.", "a b", "a\n"] {
            assert!(!is_software_name(name), "{name:?}");
        }
    }

    #[test]
    fn produce_is_advertised_from_version_0() {
        let keys = api_keys(ListenerRole::Broker { inter_broker: true });
        let produce = keys.iter().find(|key| key.api_key == 0).unwrap();
        assert_eq!((produce.min_version, produce.max_version), (0, 13));
    }

    #[test]
    fn old_versions_are_not_told_of_features_from_level_0() {
        assert_eq!(supported_features(3).len(), 1);
        assert!(supported_features(4).len() > 1);
    }
}
