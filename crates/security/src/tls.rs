//! The `ssl.*` settings of a listener or client, and what they come to in rustls.
//!
//! Keys and certificates are PEM, in the settings themselves or in files, or in PKCS12 and JKS files. As in Java, an empty
//! `ssl.endpoint.identification.algorithm` leaves the server's name unchecked, and nothing else.
//!
//! Not yet: key stores encrypted by RC2 or triple DES, and certificates without a subjectAltName, whose host Java
//! finds in their subject.

mod jks;
mod key_store;
mod pbes2;
mod pkcs12;
mod settings;
mod unnamed_server;

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

pub use settings::{ClientAuth, TlsSettings};
use unnamed_server::UnnamedServer;

/// Settings that cannot be used, in Kafka's words where it has them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// Settings that do not go together, or PEM that is none.
    #[error("{0}")]
    Settings(String),
    /// A file that cannot be read.
    #[error("Failed to load PEM SSL keystore {path}: {reason}")]
    File {
        /// Where it was looked for.
        path: String,
        /// Why.
        reason: String,
    },
    /// A key store that cannot be read.
    #[error("Failed to load SSL keystore {path} of type {store_type}: {reason}")]
    Store {
        /// Where it is.
        path: String,
        /// What it is said to be.
        store_type: String,
        /// Why not.
        reason: String,
    },
    /// What rustls does not take.
    #[error("{what}: {reason}")]
    Refused {
        /// What was to be made.
        what: &'static str,
        /// Why it was not.
        reason: String,
    },
}

fn refused(what: &'static str) -> impl Fn(rustls::Error) -> TlsError {
    move |error| TlsError::Refused { what, reason: error.to_string() }
}

/// A private key with its certificate and those that vouch for it.
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl TlsSettings {
    /// Makes a listener's configuration. Fails without a key, and with client authentication but no truststore.
    pub fn server_config(&self) -> Result<ServerConfig, TlsError> {
        let provider = self.provider()?;
        let identity = self.identity.clone().ok_or_else(|| {
            TlsError::Settings(
                "A listener with SSL needs a key store: no private key is specified.".to_owned(),
            )
        })?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&self.versions()?)
            .map_err(refused("ssl.enabled.protocols"))?;
        let builder = match self.client_auth {
            ClientAuth::None => builder.with_no_client_auth(),
            ClientAuth::Requested | ClientAuth::Required => {
                let verifier = WebPkiClientVerifier::builder_with_provider(self.roots()?, provider);
                let verifier = match self.client_auth {
                    ClientAuth::Required => verifier,
                    _ => verifier.allow_unauthenticated(),
                };
                let verifier = verifier.build().map_err(|error| TlsError::Refused {
                    what: "ssl.truststore",
                    reason: error.to_string(),
                })?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        builder.with_single_cert(identity.chain, identity.key).map_err(refused("ssl.keystore"))
    }

    /// Makes a client's configuration. Fails without a truststore.
    pub fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let provider = self.provider()?;
        let verifier = WebPkiServerVerifier::builder_with_provider(self.roots()?, Arc::clone(&provider))
            .build()
            .map_err(|error| TlsError::Refused { what: "ssl.truststore", reason: error.to_string() })?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions()?)
            .map_err(refused("ssl.enabled.protocols"))?;
        let builder = match self.checks_server_name {
            true => builder.with_webpki_verifier(verifier),
            false => builder.dangerous().with_custom_certificate_verifier(Arc::new(UnnamedServer(verifier))),
        };
        match self.identity.clone() {
            None => Ok(builder.with_no_client_auth()),
            Some(identity) => {
                builder.with_client_auth_cert(identity.chain, identity.key).map_err(refused("ssl.keystore"))
            }
        }
    }

    fn roots(&self) -> Result<Arc<RootCertStore>, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in &self.trusted {
            roots.add(certificate.clone()).map_err(refused("ssl.truststore"))?;
        }
        if roots.is_empty() {
            return Err(TlsError::Settings(
                "SSL trust store is not specified, and no system roots were found.".into(),
            ));
        }
        Ok(Arc::new(roots))
    }

    /// The cryptography, less the cipher suites that are not wanted.
    fn provider(&self) -> Result<Arc<CryptoProvider>, TlsError> {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        if !self.cipher_suites.is_empty() {
            provider.cipher_suites.retain(|suite| {
                // The standard's names of TLS 1.3 suites do not tell the version.
                let name = format!("{:?}", suite.suite()).replace("TLS13_", "TLS_");
                self.cipher_suites.contains(&name)
            });
        }
        if provider.cipher_suites.is_empty() {
            return Err(TlsError::Settings("None of ssl.cipher.suites is supported".to_owned()));
        }
        Ok(Arc::new(provider))
    }

    fn versions(&self) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
        let known = [("TLSv1.3", &TLS13), ("TLSv1.2", &TLS12)];
        let wanted = known.into_iter().filter(|(name, _)| self.protocols.iter().any(|wanted| wanted == name));
        let versions: Vec<_> = wanted.map(|(_, version)| version).collect();
        if versions.is_empty() {
            return Err(TlsError::Settings("None of ssl.enabled.protocols is supported".to_owned()));
        }
        Ok(versions)
    }
}

#[cfg(test)]
mod store_tests;
#[cfg(test)]
mod tests;
