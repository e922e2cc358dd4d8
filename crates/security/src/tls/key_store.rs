//! Key stores in files: PKCS12 and JKS, told apart by their first bytes as Java tells them, whatever their type says.

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Identity, TlsError, jks, pkcs12};
use crate::der::Malformed;
use crate::distinguished_name::issuer_and_subject;

/// Why a store cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StoreError {
    Malformed,
    WrongPassword,
    /// Made with an algorithm that is not served.
    Unsupported(&'static str),
}

impl From<Malformed> for StoreError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed => f.write_str("Invalid keystore format"),
            Self::WrongPassword => f.write_str("keystore password was incorrect"),
            Self::Unsupported(what) => write!(f, "{what} is not supported"),
        }
    }
}

/// What a store holds.
#[derive(Default)]
pub(super) struct Entries {
    /// The first private key, as PKCS8, and its certificate with those that vouch for it.
    pub key: Option<(Vec<u8>, Vec<Vec<u8>>)>,
    /// Certificates that are trusted.
    pub trusted: Vec<Vec<u8>>,
}

/// Reads a store; `key_password` is for the keys in it where it differs.
pub(super) fn read(
    store_type: &str,
    path: &str,
    bytes: &[u8],
    password: &str,
    key_password: Option<&str>,
) -> Result<Entries, TlsError> {
    let fail =
        |reason: String| TlsError::Store { path: path.to_owned(), store_type: store_type.to_owned(), reason };
    if !matches!(store_type, "JKS" | "PKCS12") {
        return Err(fail(format!("{store_type} not found")));
    }
    let key_password = key_password.unwrap_or(password);
    let entries = match bytes.starts_with(&jks::MAGIC) {
        true => jks::read(bytes, password, key_password),
        false => pkcs12::read(bytes, password, key_password),
    };
    entries.map_err(|error| fail(error.to_string()))
}

impl Entries {
    pub(super) fn into_identity(self) -> Option<Identity> {
        let (key, chain) = self.key?;
        Some(Identity {
            chain: chain.into_iter().map(CertificateDer::from).collect(),
            key: PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key)),
        })
    }

    /// The trusted certificates, and that of the key.
    pub(super) fn into_trusted(self) -> Vec<CertificateDer<'static>> {
        let own = self.key.and_then(|(_, chain)| chain.into_iter().next());
        self.trusted.into_iter().chain(own).map(CertificateDer::from).collect()
    }
}

/// Puts the certificates that vouch for `leaf` after it, in order.
pub(super) fn order_chain(leaf: Vec<u8>, others: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Malformed> {
    let mut chain = vec![leaf];
    while chain.len() <= others.len() {
        let last = chain.last().expect("the leaf is always there");
        let (issuer, subject) = issuer_and_subject(last)?;
        if issuer == subject {
            break;
        }
        let next = others.iter().find(|other| issuer_and_subject(other).is_ok_and(|names| names.1 == issuer));
        let Some(next) = next.cloned() else { break };
        chain.push(next);
    }
    Ok(chain)
}
