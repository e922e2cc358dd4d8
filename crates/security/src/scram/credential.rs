//! What a server keeps of a password: salt, iterations, and two keys from which it cannot be had back.

use std::fmt;

use bytes::Bytes;
use protocol::UserScramCredentialRecord;

use super::ScramHash;

/// A user's credential for one mechanism. `Debug` shows the iterations alone.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredential {
    /// Random bytes that make equal passwords differ.
    pub salt: Bytes,
    /// The hash of the client's key.
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
    /// Makes the credential of a password.
    pub fn from_password(hash: ScramHash, password: &str, salt: Bytes, iterations: i32) -> Self {
        let salted = hash.salted_password(password.as_bytes(), &salt, iterations);
        Self::from_salted_password(hash, &salted, salt, iterations)
    }

    /// Makes the credential of a password that a client salted, as `kafka-configs` sends it.
    pub fn from_salted_password(hash: ScramHash, salted: &[u8], salt: Bytes, iterations: i32) -> Self {
        let stored_key = hash.hash(&hash.client_key(salted)).into();
        Self { salt, stored_key, server_key: hash.server_key(salted).into(), iterations }
    }

    /// Returns the metadata record that gives `name` this credential.
    pub fn to_record(&self, name: &str, hash: ScramHash) -> UserScramCredentialRecord {
        UserScramCredentialRecord {
            name: name.to_owned(),
            mechanism: hash.id(),
            salt: self.salt.clone(),
            stored_key: self.stored_key.clone(),
            server_key: self.server_key.clone(),
            iterations: self.iterations,
            ..Default::default()
        }
    }

    /// Reads the metadata record; `None` if its mechanism is not known.
    pub fn from_record(record: &UserScramCredentialRecord) -> Option<(ScramHash, Self)> {
        let hash = ScramHash::from_id(record.mechanism)?;
        let credential = Self {
            salt: record.salt.clone(),
            stored_key: record.stored_key.clone(),
            server_key: record.server_key.clone(),
            iterations: record.iterations,
        };
        Some((hash, credential))
    }
}

/// Makes credentials up for users that do not exist, so that their exchange runs like one with a wrong password.
///
/// A user's made-up salt is always the same, as a real one is, as long as the key is.
#[derive(Clone)]
pub struct ScramDecoy {
    key: [u8; 32],
}

impl fmt::Debug for ScramDecoy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramDecoy").finish_non_exhaustive()
    }
}

/// The length of the salts that Kafka makes.
const SALT_LEN: usize = 25;
const SALT_CHARACTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

impl ScramDecoy {
    /// Makes credentials up with a random key, which all brokers of a cluster may share.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// Returns a credential for which no password is known.
    pub fn credential(&self, hash: ScramHash, username: &str) -> ScramCredential {
        let derive = |label: &[u8]| {
            let message = [label, hash.mechanism_name().as_bytes(), b"\0", username.as_bytes()].concat();
            hash.hmac(&self.key, &message)
        };
        let digit = |byte: &u8| SALT_CHARACTERS[usize::from(*byte) % SALT_CHARACTERS.len()];
        ScramCredential {
            salt: derive(b"salt\0").iter().take(SALT_LEN).map(digit).collect(),
            stored_key: derive(b"stored key\0").into(),
            server_key: derive(b"server key\0").into(),
            iterations: hash.min_iterations(),
        }
    }
}
