//! The server's side of an exchange. Kafka: `ScramSaslServer`.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use metadata::ScramCredential;
use model::Timestamp;

use super::messages::{ClientFinal, ClientFirst, auth_message, server_final, server_first};
use super::{ScramDecoy, ScramHash, xor};
use crate::{CredentialStore, SaslError, TokenCredential};

const INVALID_CREDENTIALS: SaslError = SaslError::Exchange("Invalid client credentials");

/// An exchange with a client.
#[derive(Debug)]
pub struct ScramServer {
    hash: ScramHash,
    server_nonce: String,
    state: State,
}

#[derive(Debug)]
enum State {
    ClientFirst,
    ClientFinal(Challenged),
    Ended,
}

#[derive(Debug)]
struct Challenged {
    login: Login,
    /// `false` for a user or token that does not exist; the decoy then stands in its place.
    known: bool,
    credential: ScramCredential,
    nonce: String,
    client_first_bare: String,
    server_first: String,
}

/// Who is logged in once the exchange is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub username: Arc<str>,
    /// When the delegation token ends that was used; `None` for a password.
    pub token_expires: Option<Timestamp>,
}

/// What the server says, and whether the exchange is over with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub token: Vec<u8>,
    /// The user, once proved.
    pub login: Option<Login>,
}

impl Login {
    pub(crate) fn by_password(username: &str) -> Self {
        Self { username: username.into(), token_expires: None }
    }
}

impl ScramServer {
    /// Begins an exchange; `server_nonce` must never have been used before, see [`crate::nonce`].
    pub fn new(hash: ScramHash, server_nonce: String) -> Self {
        Self { hash, server_nonce, state: State::ClientFirst }
    }

    /// Takes a client's message. After an error the exchange is over.
    pub(crate) fn evaluate(
        &mut self,
        token: &[u8],
        store: &dyn CredentialStore,
        decoy: &ScramDecoy,
    ) -> Result<Reply, SaslError> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::ClientFirst => self.challenge(ClientFirst::parse(token)?, store, decoy),
            State::ClientFinal(challenged) => self.verify(challenged, &ClientFinal::parse(token)?),
            State::Ended => Err(SaslError::Exchange("Unexpected challenge in Sasl server state COMPLETE")),
        }
    }

    fn challenge(
        &mut self,
        client_first: ClientFirst<'_>,
        store: &dyn CredentialStore,
        decoy: &ScramDecoy,
    ) -> Result<Reply, SaslError> {
        let ClientFirst { username, authorization_id, .. } = client_first;
        let (found, login) = match client_first.token_authenticated {
            true => self.find_token(&username, store),
            false => (store.scram_credential(self.hash, &username), Login::by_password(&username)),
        };
        if !authorization_id.is_empty() && authorization_id != username {
            return Err(SaslError::Authentication(
                "Authentication failed: Client requested an authorization id that is different from username"
                    .to_owned(),
            ));
        }
        let known = found.is_some();
        let credential = found.unwrap_or_else(|| decoy.credential(self.hash, &username));
        if credential.iterations < self.hash.min_iterations() {
            return Err(SaslError::Exchange("Iterations are less than the minimum of the mechanism"));
        }
        let nonce = format!("{}{}", client_first.nonce, self.server_nonce);
        let server_first = server_first(&nonce, &credential.salt, credential.iterations);
        let token = server_first.clone().into_bytes();
        let client_first_bare = client_first.bare.to_owned();
        self.state = State::ClientFinal(Challenged {
            login,
            known,
            credential,
            nonce,
            client_first_bare,
            server_first,
        });
        Ok(Reply { token, login: None })
    }

    fn find_token(&self, id: &str, store: &dyn CredentialStore) -> (Option<ScramCredential>, Login) {
        match store.token_credential(self.hash, id) {
            Some(TokenCredential { owner, credential, expires }) => {
                (Some(credential), Login { username: owner, token_expires: Some(expires) })
            }
            None => (None, Login::by_password(id)),
        }
    }

    fn verify(&self, challenged: Challenged, client_final: &ClientFinal<'_>) -> Result<Reply, SaslError> {
        if client_final.nonce != challenged.nonce {
            return Err(SaslError::Exchange("Invalid client nonce in the final client message."));
        }
        let Challenged { client_first_bare, server_first, credential, .. } = &challenged;
        let message = auth_message(client_first_bare, server_first, client_final.without_proof);
        let signature = self.hash.hmac(&credential.stored_key, &message);
        if client_final.proof.len() != signature.len() {
            return Err(INVALID_CREDENTIALS);
        }
        let stored_key = self.hash.hash(&xor(&signature, &client_final.proof));
        let equal = verify_slices_are_equal(&stored_key, &credential.stored_key).is_ok();
        if !equal || !challenged.known {
            return Err(INVALID_CREDENTIALS);
        }
        let token = server_final(&self.hash.hmac(&credential.server_key, &message)).into_bytes();
        Ok(Reply { token, login: Some(challenged.login) })
    }
}
