//! Logging in: `SaslHandshake`, then the mechanism's messages in `SaslAuthenticate`.
//!
//! Invariant: a session with a lifetime is renewed before it ends, by a new connection (KIP-368).
//! Kafka: `SaslClientAuthenticator`.
//!
//! Not yet: GSSAPI, OAUTHBEARER.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use protocol::{ErrorCode, SaslAuthenticateRequest, SaslHandshakeRequest};
use security::{JaasEntry, Mechanism, SaslClient};

use super::Connection;
use crate::chance;
use crate::error::{Error, Result};
use crate::settings::Address;

/// The share of a session's lifetime after which it is renewed.
const RENEW_AT_PERCENT: u64 = 85;

/// Who we are.
#[derive(Clone)]
pub struct SaslSettings {
    mechanism: Mechanism,
    entry: JaasEntry,
}

impl fmt::Debug for SaslSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {:?}", self.mechanism, self.entry.option("username"))
    }
}

impl SaslSettings {
    /// Reads `sasl.mechanism` and `sasl.jaas.config`.
    pub fn new(mechanism: &str, jaas: Option<&str>) -> Result<Self> {
        let unknown = || Error::Config(format!("SASL mechanism {mechanism} is not supported by this client"));
        let mechanism = mechanism.parse().map_err(|_| unknown())?;
        let jaas = jaas.ok_or_else(|| {
            Error::Config(
                "Could not find a 'KafkaClient' entry in the JAAS configuration. Set sasl.jaas.config".into(),
            )
        })?;
        let entry = JaasEntry::parse(jaas).map_err(|error| Error::Config(error.to_string()))?;
        Ok(Self { mechanism, entry })
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
            sasl.mechanism,
            response.mechanisms.join(", ")
        )));
    }
    let failed = |error: security::SaslError| Error::Authentication(error.to_string());
    let mut client =
        SaslClient::new(sasl.mechanism, &sasl.entry, security::nonce(chance::nonce())).map_err(failed)?;
    let mut message = Some(client.initial());
    let mut lifetime = 0;
    while let Some(token) = message {
        let (challenge, left) = exchange(connection, token, address).await?;
        lifetime = left;
        message = client.evaluate(&challenge).map_err(failed)?;
    }
    if lifetime > 0 {
        connection.renew_after(Duration::from_millis(lifetime * RENEW_AT_PERCENT / 100));
    }
    Ok(())
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
