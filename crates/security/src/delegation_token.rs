//! Delegation tokens (KIP-48): what proves a token is the HMAC of its id under a secret that all nodes share, and one logs in
//! with it by SCRAM as with a password.
//!
//! Kafka: `DelegationTokenManager`, `DelegationTokenCache`.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use config::BrokerConfig;
use metadata::ScramCredential;
use model::Timestamp;

use crate::ScramHash;

/// `delegation.token.secret.key`, which `Debug` does not show.
#[derive(Clone)]
pub struct TokenSecret(hmac::Key);

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSecret").finish_non_exhaustive()
    }
}

/// What a login with a token is held against.
#[derive(Clone, Debug)]
pub struct TokenCredential {
    /// The name of the token's owner, whom one then acts for.
    pub owner: Arc<str>,
    /// The credential that stands for the token.
    pub credential: ScramCredential,
    /// When the token ends, and the login with it.
    pub expires: Timestamp,
}

impl TokenSecret {
    /// Takes a secret; none if it is empty, for then there are no tokens.
    pub fn new(secret: &str) -> Option<Self> {
        (!secret.is_empty()).then(|| Self(hmac::Key::new(hmac::HMAC_SHA512, secret.as_bytes())))
    }

    /// Reads the secret of a node; none if it has none, for then there are no tokens.
    /// Kafka: `DelegationTokenManager.isEnabled`.
    pub fn of(config: &BrokerConfig) -> Option<Self> {
        config.security.delegation_token_secret_key.as_deref().and_then(Self::new)
    }

    /// Returns what proves the token `id`.
    pub fn hmac(&self, id: &str) -> Bytes {
        Bytes::copy_from_slice(self.sign(id.as_bytes()).as_ref())
    }

    /// Returns the credential with which whoever has the HMAC of the token `id`, in base64, can log in. It takes as long as
    /// that of a password.
    pub fn credential(&self, hash: ScramHash, id: &str) -> ScramCredential {
        let password = STANDARD.encode(self.hmac(id));
        // The same for each login with the token. No id of a token has a NUL, so the salt gives no proof away.
        let salt = self.sign(format!("salt\0{}\0{id}", hash.mechanism_name()).as_bytes());
        let salt = Bytes::copy_from_slice(&salt.as_ref()[..SALT_LEN]);
        hash.credential(&password, salt, hash.min_iterations())
    }

    fn sign(&self, message: &[u8]) -> hmac::Tag {
        hmac::sign(&self.0, message)
    }
}

const SALT_LEN: usize = 25;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_proved_by_the_hmac_of_its_id() {
        assert!(TokenSecret::new("").is_none());
        let secret = TokenSecret::new("key").expect("a secret");
        let text = "The quick brown fox jumps over the lazy dog";
        let hmac: String = secret.hmac(text).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hmac,
            "b42af09057bac1e2d41708e48a902e09b5ff7f12ab428a4fe86653c73dd248fb82f948a549f7b791a5b41915ee4d1ec3935357e4e2317250d0372afa2ebeeb3a"
        );
    }

    #[test]
    fn a_credential_is_always_the_same_and_each_hash_has_its_own() {
        let secret = TokenSecret::new("key").expect("a secret");
        let [short, long] = ScramHash::ALL.map(|hash| secret.credential(hash, "id"));
        assert_eq!(short, secret.credential(ScramHash::Sha256, "id"));
        assert_ne!(short.salt, long.salt);
        assert_eq!(format!("{secret:?}"), "TokenSecret { .. }");
    }
}
