//! How the credential comes to be that a server keeps of a password, and those of users that there are not.

use std::fmt;

use bytes::Bytes;
use metadata::{ScramCredential, ScramMechanism};

use super::ScramHash;

impl ScramHash {
    /// Makes the credential of a password.
    pub fn credential(self, password: &str, salt: Bytes, iterations: i32) -> ScramCredential {
        let salted = self.salted_password(password.as_bytes(), &salt, iterations);
        self.credential_of_salted(&salted, salt, iterations)
    }

    /// Makes the credential of a password that a client salted, as `kafka-configs` sends it.
    pub fn credential_of_salted(self, salted: &[u8], salt: Bytes, iterations: i32) -> ScramCredential {
        let stored_key = self.hash(&self.client_key(salted)).into();
        ScramCredential { salt, stored_key, server_key: self.server_key(salted).into(), iterations }
    }
}

impl From<ScramHash> for ScramMechanism {
    fn from(hash: ScramHash) -> Self {
        match hash {
            ScramHash::Sha256 => Self::Sha256,
            ScramHash::Sha512 => Self::Sha512,
        }
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
