//! Which versions of each API a broker serves, and which of them is used.
//!
//! Invariant: the highest common version is used, or none. Kafka: `NodeApiVersions`.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::{ApiKey, ApiVersionsResponse, ErrorCode, Message, Reader, ResponseHeader};

use crate::error::{Error, Result};

/// The version of `ApiVersions` that is tried first: the newest that needs no knowledge of the peer.
pub(super) const FIRST_VERSION: i16 = 4;

/// What a broker serves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiVersions {
    ranges: BTreeMap<i16, (i16, i16)>,
    /// Features that the broker could run at: name, lowest and highest level.
    pub supported_features: BTreeMap<String, (i16, i16)>,
    /// Features that are switched on in the cluster: name and level.
    pub finalized_features: BTreeMap<String, i16>,
    /// The epoch of `finalized_features`, if the broker knows it.
    pub finalized_features_epoch: Option<i64>,
}

impl ApiVersions {
    /// The versions, lowest and highest, at which the broker serves `api`.
    pub fn range(&self, api: ApiKey) -> Option<(i16, i16)> {
        self.ranges.get(&api.id()).copied()
    }

    /// Every API that the broker serves, by id, with its lowest and highest version.
    pub fn ranges(&self) -> impl Iterator<Item = (i16, i16, i16)> + '_ {
        self.ranges.iter().map(|(api, (min, max))| (*api, *min, *max))
    }

    pub(super) fn pick(&self, api: ApiKey, min: i16, max: i16) -> Result<i16> {
        let name = shouted(api.name());
        let Some((theirs_min, theirs_max)) = self.range(api) else {
            return Err(Error::UnsupportedVersion(format!("The node does not support {name}")));
        };
        let version = max.min(theirs_max);
        if version < min || version < theirs_min {
            return Err(Error::UnsupportedVersion(format!(
                "The node does not support {name} with version in range [{min},{max}]. The supported range is [{theirs_min},{theirs_max}]."
            )));
        }
        Ok(version)
    }

    /// What the answer to `ApiVersions` says.
    pub(crate) fn from_response(response: ApiVersionsResponse) -> Self {
        let ranges = response.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version)));
        let supported = response.supported_features.iter();
        let finalized = response.finalized_features.iter();
        Self {
            ranges: ranges.collect(),
            supported_features: supported.map(|f| (f.name.clone(), (f.min_version, f.max_version))).collect(),
            finalized_features: finalized.map(|f| (f.name.clone(), f.max_version_level)).collect(),
            finalized_features_epoch: Some(response.finalized_features_epoch).filter(|epoch| *epoch >= 0),
        }
    }
}

/// `FetchSnapshot` as the constant of Java's enumeration, which its messages show: `FETCH_SNAPSHOT`.
fn shouted(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push('_');
        }
        words.push(letter.to_ascii_uppercase());
    }
    words
}

pub(super) enum Answer {
    Agreed(ApiVersions),
    TryAgain(i16),
}

/// Reads the answer to `ApiVersions` at `version`. An older broker answers with version 0 and says what it serves.
pub(super) fn read_answer(frame: Bytes, version: i16) -> Result<Answer> {
    let mut input = Reader::new(frame.clone());
    ResponseHeader::decode(&mut input, 0)?;
    let refused = frame.get(4..6) == Some(&ErrorCode::UNSUPPORTED_VERSION.0.to_be_bytes());
    let response = ApiVersionsResponse::decode(&mut input, if refused { 0 } else { version })?;
    if refused {
        let served = response.api_keys.iter().find(|api| api.api_key == ApiKey::ApiVersions.id());
        let lower = served.map_or(0, |api| api.max_version.min(version - 1)).max(0);
        if version == 0 {
            return Err(Error::broker(response.error_code));
        }
        return Ok(Answer::TryAgain(lower));
    }
    Error::check(response.error_code)?;
    Ok(Answer::Agreed(ApiVersions::from_response(response)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_that_is_not_served_is_named_as_java_names_it() {
        let refused = ApiVersions::default().pick(ApiKey::AddRaftVoter, 0, 1);
        let Err(Error::UnsupportedVersion(text)) = refused else { panic!("{refused:?}") };
        assert_eq!(text, "The node does not support ADD_RAFT_VOTER");
    }
}
