//! Logging in: `SaslHandshake`, then the mechanism's messages in `SaslAuthenticate`.
//!
//! Invariant: a session with a lifetime is renewed before it ends, by a new connection (KIP-368).
//! Kafka: `SaslClientAuthenticator`.
//!
//! Not yet: GSSAPI, OAUTHBEARER.

mod jaas;
mod scram;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use protocol::{ErrorCode, SaslAuthenticateRequest, SaslHandshakeRequest};

use super::Connection;
use crate::error::{Error, Result};
use crate::settings::Address;

use scram::{Hash, ScramClient};

/// The share of a session's lifetime after which it is renewed.
const RENEW_AT_PERCENT: u64 = 85;

/// Who we are.
#[derive(Clone)]
pub struct SaslSettings {
    mechanism: Mechanism,
    username: String,
    password: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mechanism {
    Plain,
    Scram(Hash),
}

impl Mechanism {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Scram(Hash::Sha256) => "SCRAM-SHA-256",
            Self::Scram(Hash::Sha512) => "SCRAM-SHA-512",
        }
    }
}

impl fmt::Debug for SaslSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {}", self.mechanism.name(), self.username)
    }
}

impl SaslSettings {
    /// Reads `sasl.mechanism` and `sasl.jaas.config`.
    pub fn new(mechanism: &str, jaas: Option<&str>) -> Result<Self> {
        let mechanism = match mechanism {
            "PLAIN" => Mechanism::Plain,
            "SCRAM-SHA-256" => Mechanism::Scram(Hash::Sha256),
            "SCRAM-SHA-512" => Mechanism::Scram(Hash::Sha512),
            other => {
                return Err(Error::Config(format!("SASL mechanism {other} is not supported by this client")));
            }
        };
        let jaas = jaas.ok_or_else(|| {
            Error::Config(
                "Could not find a 'KafkaClient' entry in the JAAS configuration. Set sasl.jaas.config".into(),
            )
        })?;
        let options = jaas::options(jaas)?;
        let option = |name: &str| {
            let missing = || Error::Config(format!("JAAS config entry has no option {name}"));
            options.get(name).cloned().ok_or_else(missing)
        };
        Ok(Self { mechanism, username: option("username")?, password: option("password")? })
    }
}

/// Authenticates a connection that has agreed on versions.
pub(super) async fn authenticate(
    connection: &Connection,
    sasl: &SaslSettings,
    address: &Address,
) -> Result<()> {
    let mechanism = sasl.mechanism.name().to_owned();
    let response = connection.send(&SaslHandshakeRequest { mechanism, ..Default::default() }).await?;
    if response.error_code != ErrorCode::NONE {
        return Err(Error::Authentication(format!(
            "Client SASL mechanism '{}' not enabled in the server, enabled mechanisms are [{}]",
            sasl.mechanism.name(),
            response.mechanisms.join(", ")
        )));
    }
    let lifetime = match sasl.mechanism {
        Mechanism::Plain => {
            let token = format!("\0{}\0{}", sasl.username, sasl.password);
            exchange(connection, token.into_bytes(), address).await?.1
        }
        Mechanism::Scram(hash) => scram(connection, hash, sasl, address).await?,
    };
    if lifetime > 0 {
        connection.renew_after(Duration::from_millis(lifetime * RENEW_AT_PERCENT / 100));
    }
    Ok(())
}

async fn scram(connection: &Connection, hash: Hash, sasl: &SaslSettings, address: &Address) -> Result<u64> {
    let nonce = format!("{}{}", crate::chance::id(), crate::chance::id()).replace(['-', '_'], "0");
    let mut client = ScramClient::new(hash, &sasl.username, &sasl.password, &nonce);
    let (server_first, _) = exchange(connection, client.first().into_bytes(), address).await?;
    let last = client.answer(&server_first).map_err(Error::Authentication)?;
    let (server_final, lifetime) = exchange(connection, last.into_bytes(), address).await?;
    client.verify(&server_final).map_err(Error::Authentication)?;
    Ok(lifetime)
}

/// Sends one token; gives the answer's token and the session's lifetime in milliseconds (0 for no end).
async fn exchange(connection: &Connection, token: Vec<u8>, address: &Address) -> Result<(Bytes, u64)> {
    let request = SaslAuthenticateRequest { auth_bytes: token.into(), ..Default::default() };
    let response = connection.send(&request).await?;
    if response.error_code != ErrorCode::NONE {
        let message = response.error_message.unwrap_or_else(|| response.error_code.message().to_owned());
        tracing::debug!(%address, %message, "authentication failed");
        return Err(Error::Authentication(message));
    }
    Ok((response.auth_bytes, response.session_lifetime_ms.max(0) as u64))
}
