//! Addresses on which a node listens or which it gives to others, and their security protocols.
//!
//! Kafka: `Endpoint`, `SocketServerConfigs.listenerListToEndPoints`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::ConfigError;

/// How a listener is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL without encryption.
    SaslPlaintext,
    /// SASL under TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// The number in `BrokerRegistration` and metadata records. Kafka: `SecurityProtocol.id`.
    pub fn id(self) -> i16 {
        match self {
            Self::Plaintext => 0,
            Self::Ssl => 1,
            Self::SaslPlaintext => 2,
            Self::SaslSsl => 3,
        }
    }

    /// Finds a protocol by its name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl];
        all.into_iter().find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }

    /// Whether clients authenticate by SASL.
    pub fn is_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }
}

impl fmt::Display for SecurityProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The security protocol of each listener name.
pub type SecurityProtocolMap = BTreeMap<String, SecurityProtocol>;

/// An address with the listener's name and protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndPoint {
    /// The listener's name, in upper case.
    pub listener: String,
    /// How it is protected.
    pub security_protocol: SecurityProtocol,
    /// The host; empty for the default interface.
    pub host: String,
    /// The port; 0 for any that is free.
    pub port: i32,
}

impl EndPoint {
    /// The prefix of keys that are for this listener alone.
    pub fn config_prefix(&self) -> String {
        format!("listener.name.{}.", self.listener.to_lowercase())
    }
}

impl fmt::Display for EndPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, right) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{}://{left}{}{right}:{}", self.listener, self.host, self.port)
    }
}

/// Parses a list of listeners. `distinct_ports` asks that no two have the same port, but one may be IPv4 and one IPv6.
pub(crate) fn parse_endpoints(
    list: &[String],
    protocols: &SecurityProtocolMap,
    distinct_ports: bool,
) -> Result<Vec<EndPoint>, ConfigError> {
    let shown = format!("[{}]", list.join(", "));
    let refused = |reason: String| {
        ConfigError::Invalid(format!("Error creating broker listeners from '{shown}': {reason}"))
    };
    let endpoints: Vec<_> =
        list.iter().map(|text| parse_endpoint(text, protocols)).collect::<Result<_, _>>().map_err(refused)?;
    let is_repeated = |(index, endpoint): (usize, &EndPoint)| {
        endpoints[..index].iter().any(|e| e.listener == endpoint.listener)
    };
    if endpoints.iter().enumerate().any(is_repeated) {
        return Err(refused(format!("Each listener must have a different name, listeners: {shown}")));
    }
    if distinct_ports {
        check_ports(&endpoints, &shown).map_err(refused)?;
    }
    Ok(endpoints)
}

fn parse_endpoint(text: &str, protocols: &SecurityProtocolMap) -> Result<EndPoint, String> {
    let unparsed = || format!("Unable to parse {text} to a broker endpoint");
    let (name, address) = text.rsplit_once("://").ok_or_else(unparsed)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(unparsed)?;
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host);
    if !host.chars().all(|c| c.is_ascii_alphanumeric() || "-%._:".contains(c)) {
        return Err(unparsed());
    }
    let port = port.parse().map_err(|_| unparsed())?;
    let listener = name.to_uppercase();
    let security_protocol = *protocols
        .get(&listener)
        .ok_or_else(|| format!("No security protocol defined for listener {listener}"))?;
    Ok(EndPoint { listener, security_protocol, host: host.to_owned(), port })
}

fn check_ports(endpoints: &[EndPoint], shown: &str) -> Result<(), String> {
    let mut by_port: BTreeMap<i32, Vec<&str>> = BTreeMap::new();
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.port != 0) {
        by_port.entry(endpoint.port).or_default().push(&endpoint.host);
    }
    by_port.into_iter().try_for_each(|(port, hosts)| check_hosts_of_port(port, &hosts, shown))
}

fn check_hosts_of_port(port: i32, hosts: &[&str], shown: &str) -> Result<(), String> {
    let is_v4 = |host: &str| host.parse::<Ipv4Addr>().is_ok();
    let is_v6 = |host: &str| host.parse::<Ipv6Addr>().is_ok();
    let (addresses, names): (Vec<&str>, Vec<&str>) =
        hosts.iter().partition(|host| is_v4(host) || is_v6(host));
    if names.len() > 1 {
        return Err(format!("Each listener must have a different port, listeners: {shown}"));
    }
    match addresses[..] {
        [first, second] if is_v4(first) == is_v4(second) || !names.is_empty() => Err(format!(
            "If you have two listeners on the same port then one needs to be IPv4 and the other IPv6, \
             listeners: {shown}, port: {port}"
        )),
        [_, _, _, ..] => Err(format!(
            "Each listener must have a different port unless exactly one listener has an IPv4 address \
             and the other IPv6 address, listeners: {shown}, port: {port}"
        )),
        _ => Ok(()),
    }
}
