//! SCRAM (RFC 5802, RFC 7677) from the client's side.
//!
//! Invariant: the server must prove that it knows the credentials too. Kafka: `ScramSaslClient`.

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The digest of the mechanism.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Hash {
    Sha256,
    Sha512,
}

/// Fewer iterations than these are refused. Kafka: `ScramMechanism.minIterations`.
const MIN_ITERATIONS: u32 = 4096;

impl Hash {
    fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), data).as_ref().to_vec()
    }

    fn digest(self, data: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, data).as_ref().to_vec()
    }

    fn salted(self, password: &str, salt: &[u8], iterations: std::num::NonZeroU32) -> Vec<u8> {
        let (algorithm, length) = match self {
            Self::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
            Self::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, 64),
        };
        let mut salted = vec![0; length];
        pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut salted);
        salted
    }
}

pub(super) struct ScramClient {
    hash: Hash,
    password: String,
    nonce: String,
    first_bare: String,
    server_signature: Vec<u8>,
}

impl ScramClient {
    pub(super) fn new(hash: Hash, username: &str, password: &str, nonce: &str) -> Self {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        let first_bare = format!("n={name},r={nonce}");
        let (password, nonce) = (password.to_owned(), nonce.to_owned());
        Self { hash, password, nonce, first_bare, server_signature: Vec::new() }
    }

    /// The client's first message.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// The client's last message, with its proof.
    pub(super) fn answer(&mut self, server_first: &[u8]) -> Result<String, String> {
        let text =
            std::str::from_utf8(server_first).map_err(|_| "Invalid SCRAM server first message".to_owned())?;
        let field = |name: &str| text.split(',').find_map(|part| part.strip_prefix(name));
        let (nonce, salt, iterations) = match (field("r="), field("s="), field("i=")) {
            (Some(nonce), Some(salt), Some(iterations)) => (nonce, salt, iterations),
            _ => return Err(format!("Invalid SCRAM server first message: {text}")),
        };
        if !nonce.starts_with(&self.nonce) {
            return Err("Invalid server nonce: does not start with client nonce".into());
        }
        let salt = STANDARD.decode(salt).map_err(|_| "Invalid SCRAM salt".to_owned())?;
        let iterations: u32 = iterations.parse().map_err(|_| "Invalid SCRAM iterations".to_owned())?;
        let iterations =
            std::num::NonZeroU32::new(iterations).filter(|count| count.get() >= MIN_ITERATIONS).ok_or_else(
                || format!("Requested iterations {iterations} is less than the minimum {MIN_ITERATIONS}"),
            )?;
        let salted = self.hash.salted(&self.password, &salt, iterations);
        let without_proof = format!("c=biws,r={nonce}");
        let message = format!("{},{text},{without_proof}", self.first_bare);
        let client_key = self.hash.hmac(&salted, b"Client Key");
        let signature = self.hash.hmac(&self.hash.digest(&client_key), message.as_bytes());
        let proof: Vec<u8> =
            client_key.iter().zip(&signature).map(|(key, signature)| key ^ signature).collect();
        self.server_signature = self.hash.hmac(&self.hash.hmac(&salted, b"Server Key"), message.as_bytes());
        Ok(format!("{without_proof},p={}", STANDARD.encode(proof)))
    }

    /// Checks the server's last message.
    pub(super) fn verify(&self, server_final: &[u8]) -> Result<(), String> {
        let text =
            std::str::from_utf8(server_final).map_err(|_| "Invalid SCRAM server final message".to_owned())?;
        if let Some(error) = text.strip_prefix("e=") {
            return Err(format!("Sasl authentication using SCRAM failed with error: {error}"));
        }
        let signature = text.split(',').find_map(|part| part.strip_prefix("v="));
        match signature.and_then(|signature| STANDARD.decode(signature).ok()) {
            Some(signature) if signature == self.server_signature => Ok(()),
            _ => Err("Invalid server signature in server final message".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3.
    #[test]
    fn the_exchange_of_the_standard_is_followed() {
        let mut client = ScramClient::new(Hash::Sha256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(client.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let last = client.answer(
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        );
        let expected = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(last.as_deref(), Ok(expected));
        assert_eq!(client.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
        assert!(client.verify(b"v=AAAA").is_err());
        assert!(client.verify(b"e=invalid-proof").is_err());
    }

    #[test]
    fn a_foreign_nonce_or_too_few_iterations_are_refused() {
        let mut client = ScramClient::new(Hash::Sha512, "a=b,c", "p", "abc");
        assert_eq!(client.first(), "n,,n=a=3Db=2Cc,r=abc");
        assert!(client.answer(b"r=xyz,s=AAAA,i=4096").is_err());
        assert!(client.answer(b"r=abcd,s=AAAA,i=100").is_err());
    }
}
