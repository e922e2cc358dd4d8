//! The client's side of an exchange. Kafka: `ScramSaslClient`.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use config::Password;

use super::messages::{
    ServerFinal, ServerFirst, auth_message, client_final, client_final_without_proof, client_first_bare,
};
use super::{ScramHash, xor};
use crate::SaslError;

/// An exchange with a server.
pub struct ScramClient {
    hash: ScramHash,
    password: Password,
    nonce: String,
    client_first_bare: String,
    state: State,
}

enum State {
    ServerFirst,
    /// The signature that the server must show.
    ServerFinal(Vec<u8>),
    /// The server has proved itself, or it failed.
    Ended,
}

impl fmt::Debug for ScramClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramClient").field("hash", &self.hash).finish_non_exhaustive()
    }
}

impl ScramClient {
    /// Will log in as `username`, or with the delegation token of that id; `nonce` must never have been used before.
    pub fn new(
        hash: ScramHash,
        username: &str,
        password: Password,
        token_authenticated: bool,
        nonce: String,
    ) -> Self {
        let client_first_bare = client_first_bare(username, &nonce, token_authenticated);
        Self { hash, password, nonce, client_first_bare, state: State::ServerFirst }
    }

    /// Returns the first message.
    pub fn initial(&self) -> Vec<u8> {
        format!("n,,{}", self.client_first_bare).into_bytes()
    }

    /// Takes a server's message and returns the answer; `None` once the server has proved itself.
    ///
    /// Fails when the server cannot, and when what it asks for is too weak.
    pub fn evaluate(&mut self, challenge: &[u8]) -> Result<Option<Vec<u8>>, SaslError> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::ServerFirst => self.prove(challenge).map(Some),
            State::ServerFinal(expected) => self.check(challenge, &expected).map(|()| None),
            State::Ended => Err(SaslError::Exchange("Unexpected challenge in Sasl client")),
        }
    }

    fn prove(&mut self, challenge: &[u8]) -> Result<Vec<u8>, SaslError> {
        let server_first = ServerFirst::parse(challenge)?;
        if !server_first.nonce.starts_with(&self.nonce) {
            return Err(SaslError::Exchange("Invalid server nonce: does not start with client nonce"));
        }
        if server_first.iterations < self.hash.min_iterations() {
            return Err(SaslError::Exchange(
                "Requested iterations are less than the minimum of the mechanism",
            ));
        }
        let password = self.password.0.as_bytes();
        let salted = self.hash.salted_password(password, &server_first.salt, server_first.iterations);
        let without_proof = client_final_without_proof(server_first.nonce);
        let challenge = String::from_utf8_lossy(challenge);
        let message = auth_message(&self.client_first_bare, &challenge, &without_proof);
        let client_key = self.hash.client_key(&salted);
        let signature = self.hash.hmac(&self.hash.hash(&client_key), &message);
        self.state = State::ServerFinal(self.hash.hmac(&self.hash.server_key(&salted), &message));
        Ok(client_final(&without_proof, &xor(&client_key, &signature)).into_bytes())
    }

    fn check(&self, challenge: &[u8], expected: &[u8]) -> Result<(), SaslError> {
        match ServerFinal::parse(challenge)? {
            ServerFinal::Error(error) => {
                let name = self.hash.mechanism_name();
                Err(SaslError::Authentication(format!(
                    "Sasl authentication using {name} failed with error: {error}"
                )))
            }
            ServerFinal::Signature(signature) => verify_slices_are_equal(&signature, expected)
                .map_err(|_| SaslError::Exchange("Invalid server signature in server final message")),
        }
    }
}
