//! TLS to brokers: Kafka's `ssl.*` keys, on rustls.
//!
//! Invariant: a broker's certificate is always checked; only the host name's check can be switched off
//! (`ssl.endpoint.identification.algorithm` empty).
//!
//! Not yet: key and trust stores of type JKS and PKCS12 (PEM works); encrypted private keys;
//! `ssl.cipher.suites`, `ssl.engine.factory.class`.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::{Error, Result};

/// Where the system keeps the authorities that it trusts.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

/// Everything that a TLS handshake needs.
#[derive(Clone)]
pub struct TlsSettings {
    config: Arc<ClientConfig>,
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsSettings")
    }
}

/// What the `ssl.*` keys say, as PEM text.
#[derive(Clone, Default)]
pub struct TlsMaterial {
    /// The authorities to trust; the system's where there are none. `ssl.truststore.certificates` or the file at `.location`.
    pub trusted: Option<String>,
    /// Our own certificate chain, for brokers that ask. `ssl.keystore.certificate.chain`.
    pub chain: Option<String>,
    /// Our private key. `ssl.keystore.key`.
    pub key: Option<String>,
    /// Whether the certificate must name the host. `ssl.endpoint.identification.algorithm=https`.
    pub check_host: bool,
    /// Whether TLS 1.2 may be used, and 1.3. `ssl.enabled.protocols`.
    pub versions: (bool, bool),
}

impl TlsSettings {
    /// Makes the settings from PEM texts; fails where they hold no certificate or key.
    pub fn new(material: &TlsMaterial) -> Result<Self> {
        let roots = Arc::new(roots(material.trusted.as_deref())?);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut versions = Vec::new();
        if material.versions.0 {
            versions.push(&rustls::version::TLS12);
        }
        if material.versions.1 {
            versions.push(&rustls::version::TLS13);
        }
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(|error| Error::Config(format!("ssl.enabled.protocols: {error}")))?;
        let inner = WebPkiServerVerifier::builder_with_provider(roots, provider)
            .build()
            .map_err(|error| Error::Config(format!("ssl.truststore: {error}")))?;
        let verifier = Arc::new(Verifier { inner, check_host: material.check_host });
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let config = match (&material.chain, &material.key) {
            (Some(chain), Some(key)) => builder
                .with_client_auth_cert(certificates(chain)?, private_key(key)?)
                .map_err(|error| Error::Config(format!("ssl.keystore: {error}")))?,
            _ => builder.with_no_client_auth(),
        };
        Ok(Self { config: Arc::new(config) })
    }

    pub(crate) async fn connect(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Error::Authentication(format!("SSL handshake failed: {host} is no host name")))?;
        TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await.map_err(|error| {
            if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
                Error::Authentication(format!("SSL handshake failed: {error}"))
            } else {
                Error::Disconnected(format!("Connection was lost during the SSL handshake: {error}"))
            }
        })
    }
}

fn roots(trusted: Option<&str>) -> Result<RootCertStore> {
    let system;
    let text = match trusted {
        Some(text) => text,
        None => {
            system = SYSTEM_ROOTS
                .iter()
                .find(|path| Path::new(path).exists())
                .and_then(|path| std::fs::read_to_string(path).ok())
                .unwrap_or_default();
            &system
        }
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(text)?);
    if added == 0 {
        return Err(Error::Config("ssl.truststore: no certificate authority is trusted".into()));
    }
    Ok(roots)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    rustls_pemfile::certs(&mut pem.as_bytes())
        .collect::<std::io::Result<_>>()
        .map_err(|error| Error::Config(format!("Failed to load PEM SSL certificates: {error}")))
}

fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>> {
    rustls_pemfile::private_key(&mut pem.as_bytes())
        .ok()
        .flatten()
        .ok_or_else(|| Error::Config("No private key could be read from the PEM key store".into()))
}

/// Checks the chain always and the host name where that is wanted.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    check_host: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.check_host => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
