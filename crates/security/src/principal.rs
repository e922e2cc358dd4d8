//! Who a connection acts for: a type and a name, `User:alice`.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use protocol::{DecodeError, DefaultPrincipalData, from_bytes, to_bytes};

/// A principal. Equal and ordered by type and name alone. Kafka: `KafkaPrincipal`.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Almost always `User`.
    pub principal_type: Arc<str>,
    /// The name, which may hold colons.
    pub name: Arc<str>,
    /// Whether a delegation token was used, with which no further token can be had.
    pub token_authenticated: bool,
}

const DATA_VERSION: i16 = 0;

impl Principal {
    /// The type of users.
    pub const USER_TYPE: &str = "User";

    /// Names a user.
    pub fn user(name: impl Into<Arc<str>>) -> Self {
        Self { principal_type: Self::USER_TYPE.into(), name: name.into(), token_authenticated: false }
    }

    /// Returns who connects without authentication.
    pub fn anonymous() -> Self {
        Self::user("ANONYMOUS")
    }

    /// Writes the principal for a forwarded request. Kafka: `DefaultKafkaPrincipalBuilder.serialize`.
    pub fn to_bytes(&self) -> Bytes {
        let data = DefaultPrincipalData {
            type_: self.principal_type.to_string(),
            name: self.name.to_string(),
            token_authenticated: self.token_authenticated,
            ..Default::default()
        };
        let body = to_bytes(&data, DATA_VERSION).expect("names are shorter than 2 GiB");
        let mut out = BytesMut::with_capacity(body.len() + 2);
        out.put_i16(DATA_VERSION);
        out.put(body);
        out.freeze()
    }

    /// Reads the principal of a forwarded request. Fails with malformed bytes and with any other version.
    pub fn from_bytes(mut bytes: Bytes) -> Result<Self, DecodeError> {
        let version = bytes.try_get_i16().unwrap_or(-1);
        let data: DefaultPrincipalData = from_bytes(bytes, version)?;
        Ok(Self {
            principal_type: data.type_.into(),
            name: data.name.into(),
            token_authenticated: data.token_authenticated,
        })
    }

    fn key(&self) -> (&str, &str) {
        (&self.principal_type, &self.name)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.principal_type, self.name)
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Principal {}

impl Hash for Principal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialOrd for Principal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Principal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// The text was not `type:name`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a string in format principalType:principalName but got {0}")]
pub struct ParsePrincipalError(String);

impl FromStr for Principal {
    type Err = ParsePrincipalError;

    /// Kafka: `SecurityUtils.parseKafkaPrincipal`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (principal_type, name) =
            text.split_once(':').ok_or_else(|| ParsePrincipalError(text.to_owned()))?;
        Ok(Self { principal_type: principal_type.into(), name: name.into(), token_authenticated: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_reads_back_from_its_text_and_bytes() {
        let principal: Principal = "User:CN=a:b".parse().expect("type and name");
        assert_eq!((&*principal.name, principal.to_string().as_str()), ("CN=a:b", "User:CN=a:b"));
        let token = Principal { token_authenticated: true, ..principal };
        let read = Principal::from_bytes(token.to_bytes()).expect("its own bytes");
        assert!(read == token && read.token_authenticated);
    }

    #[test]
    fn malformed_bytes_and_text_are_refused() {
        assert!(Principal::from_bytes(Bytes::from_static(&[0])).is_err());
        assert!(Principal::from_bytes(Bytes::from_static(&[0, 1, 2])).is_err());
        assert!("alice".parse::<Principal>().is_err());
    }
}
