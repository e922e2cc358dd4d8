//! SCRAM credentials by mechanism and user.
//!
//! Kafka: `ScramImage`.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use imbl::OrdMap;
use protocol::{MetadataRecord, RemoveUserScramCredentialRecord, UserScramCredentialRecord};

use crate::ReplayError;

/// A SCRAM mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScramMechanism {
    /// SCRAM-SHA-256.
    Sha256 = 1,
    /// SCRAM-SHA-512.
    Sha512 = 2,
}

impl ScramMechanism {
    /// All of them, by number.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// Returns the mechanism with this number.
    pub fn of(value: i8) -> Option<Self> {
        match value {
            1 => Some(Self::Sha256),
            2 => Some(Self::Sha512),
            _ => None,
        }
    }
}

/// What is kept of a user's password for one mechanism, and from which it cannot be had back. `Debug` shows the iterations
/// alone.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredential {
    /// Random bytes that make equal passwords differ.
    pub salt: Bytes,
    /// The hash of the client's key, by which the server checks the client.
    pub stored_key: Bytes,
    /// The key that the server proves itself with.
    pub server_key: Bytes,
    /// How often the password was hashed.
    pub iterations: i32,
}

impl fmt::Debug for ScramCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramCredential").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl ScramCredential {
    /// Reads the credential of a record.
    pub fn from_record(record: &UserScramCredentialRecord) -> Self {
        Self {
            salt: record.salt.clone(),
            stored_key: record.stored_key.clone(),
            server_key: record.server_key.clone(),
            iterations: record.iterations,
        }
    }

    /// Makes the record that gives `user` this credential.
    pub fn to_record(&self, user: &str, mechanism: ScramMechanism) -> UserScramCredentialRecord {
        UserScramCredentialRecord {
            name: user.to_owned(),
            mechanism: mechanism as i8,
            salt: self.salt.clone(),
            stored_key: self.stored_key.clone(),
            server_key: self.server_key.clone(),
            iterations: self.iterations,
            ..Default::default()
        }
    }
}

/// All SCRAM credentials.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScramImage {
    credentials: OrdMap<(ScramMechanism, String), Arc<ScramCredential>>,
}

impl ScramImage {
    /// The credential of `user` for `mechanism`.
    pub fn credential(&self, mechanism: ScramMechanism, user: &str) -> Option<&Arc<ScramCredential>> {
        self.credentials.get(&(mechanism, user.to_owned()))
    }

    /// Every credential, with its mechanism and user.
    pub fn credentials(&self) -> impl Iterator<Item = (ScramMechanism, &str, &Arc<ScramCredential>)> {
        self.credentials.iter().map(|((mechanism, user), credential)| (*mechanism, user.as_str(), credential))
    }

    pub(crate) fn put(&mut self, record: &UserScramCredentialRecord) -> Result<(), ReplayError> {
        let credential = ScramCredential::from_record(record);
        self.credentials.insert((mechanism(record.mechanism)?, record.name.clone()), Arc::new(credential));
        Ok(())
    }

    pub(crate) fn remove(&mut self, record: &RemoveUserScramCredentialRecord) -> Result<(), ReplayError> {
        self.credentials.remove(&(mechanism(record.mechanism)?, record.name.clone()));
        Ok(())
    }

    pub(crate) fn to_records(&self, records: &mut Vec<MetadataRecord>) {
        records.extend(self.credentials().map(|(mechanism, user, credential)| {
            MetadataRecord::UserScramCredentialRecord(credential.to_record(user, mechanism))
        }));
    }
}

fn mechanism(value: i8) -> Result<ScramMechanism, ReplayError> {
    ScramMechanism::of(value).ok_or(ReplayError::UnknownValue("mechanism", value.into()))
}
