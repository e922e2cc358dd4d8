//! The client's side of any mechanism, made of the client's configuration.

use config::Password;

use crate::{JaasEntry, Mechanism, PlainClient, SaslError, ScramClient};

/// An exchange of a client, by its mechanism.
#[derive(Debug)]
pub enum SaslClient {
    /// One message, and an empty answer.
    Plain(PlainClient),
    /// Two messages.
    Scram(ScramClient),
}

impl SaslClient {
    /// Begins an exchange as the user of a JAAS entry; `nonce` must never have been used before.
    ///
    /// Fails if the entry has no user or password.
    pub fn new(mechanism: Mechanism, entry: &JaasEntry, nonce: String) -> Result<Self, SaslError> {
        let missing = || {
            SaslError::Authentication(
                "An error: (username and password are required in the JAAS configuration) occurred when evaluating \
                 SASL token received from the Kafka Broker. Kafka Client will go to AUTHENTICATION_FAILED state."
                    .to_owned(),
            )
        };
        let username = entry.option("username").ok_or_else(missing)?;
        let password = Password(entry.option("password").ok_or_else(missing)?.to_owned());
        let token = entry.option("tokenauth").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        Ok(match mechanism {
            Mechanism::Plain => Self::Plain(PlainClient::new(username, password)),
            Mechanism::Scram(hash) => Self::Scram(ScramClient::new(hash, username, password, token, nonce)),
        })
    }

    /// Returns the first message.
    pub fn initial(&self) -> Vec<u8> {
        match self {
            Self::Plain(client) => client.initial(),
            Self::Scram(client) => client.initial(),
        }
    }

    /// Takes the server's answer and returns the next message; `None` when the exchange is complete.
    pub fn evaluate(&mut self, challenge: &[u8]) -> Result<Option<Vec<u8>>, SaslError> {
        match self {
            Self::Plain(_) => Ok(None),
            Self::Scram(client) => client.evaluate(challenge),
        }
    }
}
