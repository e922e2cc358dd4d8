//! What every client is configured with: where to bootstrap, how long to wait, how to secure a connection.
//!
//! Invariant: values are checked when they are read; nothing here can be invalid later.

use std::fmt;
use std::time::Duration;

use crate::connection::sasl::SaslSettings;
use crate::error::{Error, Result};
use crate::tls::TlsSettings;

/// A host and port, as in `bootstrap.servers` or a broker's registration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Address {
    /// Reads `[PROTOCOL://]host:port`. Kafka: `Utils.getHost`, `Utils.getPort`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (host, port) = text.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains(['/', ' ', '[', ']']) {
            return None;
        }
        Some(Self { host: host.to_owned(), port: port.parse().ok()? })
    }
}

/// Reads a list of addresses with Kafka's messages. Kafka: `ClientUtils.parseAndValidateAddresses`.
pub(crate) fn parse_bootstrap(key: &str, list: &[String]) -> Result<Vec<Address>> {
    let mut addresses = Vec::new();
    for url in list.iter().filter(|url| !url.is_empty()) {
        let address =
            Address::parse(url).ok_or_else(|| Error::Config(format!("Invalid url in {key}: {url}")))?;
        addresses.push(address);
    }
    if addresses.is_empty() {
        return Err(Error::Config(format!("No resolvable bootstrap urls given in {key}")));
    }
    Ok(addresses)
}

/// What a client first speaks to.
#[derive(Clone, Debug, PartialEq)]
pub enum Bootstrap {
    /// Brokers. Kafka: `bootstrap.servers`.
    Servers(Vec<Address>),
    /// Controllers; for the admin client alone. Kafka: `bootstrap.controllers`.
    Controllers(Vec<Address>),
}

impl Bootstrap {
    /// The addresses, in the order given.
    pub fn addresses(&self) -> &[Address] {
        match self {
            Self::Servers(addresses) | Self::Controllers(addresses) => addresses,
        }
    }
}

/// How connections are secured. Kafka: `security.protocol` and what it needs.
#[derive(Clone, Debug, Default)]
pub struct SecuritySettings {
    /// TLS, for `SSL` and `SASL_SSL`.
    pub tls: Option<TlsSettings>,
    /// Authentication, for `SASL_PLAINTEXT` and `SASL_SSL`.
    pub sasl: Option<SaslSettings>,
}

/// What producers, consumers and admin clients have in common. Each field is the key of that name.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Where to learn of the cluster.
    pub bootstrap: Bootstrap,
    /// `client.id`.
    pub client_id: String,
    /// `request.timeout.ms`.
    pub request_timeout: Duration,
    /// `retry.backoff.ms` and `retry.backoff.max.ms`.
    pub retry_backoff: Backoff,
    /// `reconnect.backoff.ms` and `reconnect.backoff.max.ms`.
    pub reconnect_backoff: Backoff,
    /// `socket.connection.setup.timeout.ms` and `socket.connection.setup.timeout.max.ms`.
    pub setup_timeout: Backoff,
    /// `connections.max.idle.ms`; `None` where it is negative: never.
    pub connections_max_idle: Option<Duration>,
    /// `metadata.max.age.ms`.
    pub metadata_max_age: Duration,
    /// `metadata.recovery.strategy=rebootstrap`.
    pub rebootstrap: bool,
    /// `metadata.recovery.rebootstrap.trigger.ms`.
    pub rebootstrap_trigger: Duration,
    /// `send.buffer.bytes`; `None` leaves it to the system (-1).
    pub send_buffer_bytes: Option<u32>,
    /// `receive.buffer.bytes`; `None` leaves it to the system (-1).
    pub receive_buffer_bytes: Option<u32>,
    /// `security.protocol` and its keys.
    pub security: SecuritySettings,
}

/// A wait that doubles, with a fifth of it left to chance. Kafka: `ExponentialBackoff`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The first wait.
    pub initial: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Backoff {
    /// The wait before try number `attempts` + 1; `chance` is any number, and decides about 20 % of the wait.
    pub fn delay(&self, attempts: u32, chance: u64) -> Duration {
        let doubled = self.initial.saturating_mul(1u32.checked_shl(attempts.min(30)).unwrap_or(u32::MAX));
        let wait = doubled.min(self.max.max(self.initial));
        let spread = 0.8 + 0.4 * ((chance % 1024) as f64 / 1023.0);
        wait.mul_f64(spread).min(self.max.max(self.initial))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_kafka_reads_them() {
        assert_eq!(Address::parse("localhost:9092"), Some(Address { host: "localhost".into(), port: 9092 }));
        assert_eq!(Address::parse("[::1]:9092"), Some(Address { host: "::1".into(), port: 9092 }));
        assert_eq!(Address::parse("SSL://kafka:1"), Some(Address { host: "kafka".into(), port: 1 }));
        for wrong in ["localhost", ":9092", "localhost:", "localhost:70000", "a b:1"] {
            assert_eq!(Address::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_backoff_doubles_up_to_its_maximum_and_strays_by_a_fifth() {
        let backoff = Backoff { initial: Duration::from_millis(100), max: Duration::from_secs(1) };
        for chance in [0, 511, 1023] {
            for (attempts, middle) in [(0, 100.0), (1, 200.0), (2, 400.0)] {
                let delay = backoff.delay(attempts, chance).as_secs_f64() * 1000.0;
                assert!((middle * 0.79..=middle * 1.21).contains(&delay), "{delay} at {attempts}");
            }
            assert!(backoff.delay(40, chance) <= Duration::from_secs(1));
            assert!(backoff.delay(40, chance) >= Duration::from_millis(800));
        }
    }
}
