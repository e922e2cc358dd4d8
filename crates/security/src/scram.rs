//! SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, 7677): hashes, credentials, and both sides of the exchange.
//!
//! Without channel binding, and with passwords taken as UTF-8 as they are, as in Kafka.

mod add_scram;
mod client;
mod credential;
mod messages;
mod server;

pub use add_scram::{AddScramError, parse_add_scram};
pub use client::ScramClient;
pub use credential::ScramDecoy;
pub use server::ScramServer;
pub(crate) use server::{Login, Reply as ScramReply};

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The fewest iterations that either side accepts. Kafka: `ScramMechanism.minIterations`.
const MIN_ITERATIONS: i32 = 4096;
/// The most iterations that a new credential may have. Kafka: `ScramMechanism.maxIterations`.
const MAX_ITERATIONS: i32 = 16384;

/// The hash of a SCRAM mechanism. Kafka: `ScramMechanism`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScramHash {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

impl ScramHash {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// Returns the mechanism's registered name.
    pub fn mechanism_name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// Finds the hash of a mechanism.
    pub fn from_mechanism_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| hash.mechanism_name() == name)
    }

    /// Returns the number in requests and records. Kafka: `ScramMechanism.type`.
    pub fn id(self) -> i8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    /// Finds the hash with number `id`.
    pub fn from_id(id: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| hash.id() == id)
    }

    /// Returns the fewest iterations of a credential.
    pub fn min_iterations(self) -> i32 {
        MIN_ITERATIONS
    }

    /// Returns the most iterations of a credential.
    pub fn max_iterations(self) -> i32 {
        MAX_ITERATIONS
    }

    /// Returns the salted password, which takes as long as `iterations` says (below 1 counts as 1). `Hi` of RFC 5802.
    pub fn salted_password(self, password: &[u8], salt: &[u8], iterations: i32) -> Vec<u8> {
        let iterations = u32::try_from(iterations).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        let (algorithm, length) = match self {
            Self::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
            Self::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, digest::SHA512_OUTPUT_LEN),
        };
        let mut out = vec![0; length];
        pbkdf2::derive(algorithm, iterations, salt, password, &mut out);
        out
    }

    fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref().to_vec()
    }

    fn hash(self, message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, message).as_ref().to_vec()
    }

    fn client_key(self, salted_password: &[u8]) -> Vec<u8> {
        self.hmac(salted_password, b"Client Key")
    }

    fn server_key(self, salted_password: &[u8]) -> Vec<u8> {
        self.hmac(salted_password, b"Server Key")
    }
}

/// Returns a nonce made of `random`, in characters that a message can hold.
pub fn nonce(random: [u8; 24]) -> String {
    STANDARD_NO_PAD.encode(random)
}

fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

#[cfg(test)]
mod tests;
