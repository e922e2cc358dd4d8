//! The SASL mechanisms, what they ask of the server's credentials, and how they fail.

use std::fmt;
use std::str::FromStr;

use metadata::ScramCredential;

use crate::{ScramHash, TokenCredential};

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mechanism {
    /// User and password as they are (RFC 4616).
    Plain,
    /// Salted challenge and response (RFC 5802).
    Scram(ScramHash),
}

impl Mechanism {
    /// All mechanisms that are served.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Scram(ScramHash::Sha256), Self::Scram(ScramHash::Sha512)];

    /// Returns the registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Scram(hash) => hash.mechanism_name(),
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mechanism {
    type Err = SaslError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name() == name)
            .ok_or_else(|| SaslError::Authentication(format!("Unsupported SASL mechanism {name}")))
    }
}

/// The credentials that a listener knows.
pub trait CredentialStore {
    /// Tells whether `password` is that of `username`, taking the same time for each wrong one.
    fn verify_plain(&self, username: &str, password: &str) -> bool;

    /// Finds the SCRAM credential of `username`.
    fn scram_credential(&self, hash: ScramHash, username: &str) -> Option<ScramCredential>;

    /// Finds the delegation token `id`, where the listener knows of any.
    fn token_credential(&self, _hash: ScramHash, _id: &str) -> Option<TokenCredential> {
        None
    }
}

/// Why an exchange failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// A fault that the client is told in these words. Kafka: `SaslAuthenticationException`.
    #[error("{0}")]
    Authentication(String),
    /// A fault whose words are for the log; the client learns that its credentials are invalid. Kafka: `SaslException`.
    #[error("{0}")]
    Exchange(&'static str),
}
