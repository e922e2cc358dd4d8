//! Reads the `ssl.*` settings, with Kafka's refusals of those that do not go together.
//!
//! Kafka: `DefaultSslEngineFactory`.

use std::fmt;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::key_store::{self, Entries};
use super::{Identity, TlsError, pbes2};

/// Where systems keep the roots that everyone trusts, tried in order when a client names no truststore.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// `ssl.client.auth`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// Clients need no certificate.
    #[default]
    None,
    /// Clients may have one.
    Requested,
    /// Clients must have one.
    Required,
}

/// The settings of a listener or client. `Debug` shows no key.
#[derive(Clone)]
pub struct TlsSettings {
    /// `ssl.enabled.protocols`.
    pub protocols: Vec<String>,
    /// `ssl.cipher.suites`; all if empty.
    pub cipher_suites: Vec<String>,
    /// `ssl.client.auth`.
    pub client_auth: ClientAuth,
    /// Whether `ssl.endpoint.identification.algorithm` is not empty.
    pub checks_server_name: bool,
    pub(crate) identity: Option<Identity>,
    pub(crate) trusted: Vec<CertificateDer<'static>>,
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings")
            .field("protocols", &self.protocols)
            .field("client_auth", &self.client_auth)
            .field("has_key", &self.identity.is_some())
            .field("trusted", &self.trusted.len())
            .finish_non_exhaustive()
    }
}

/// Where settings and files come from.
struct Source<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    read: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
}

impl TlsSettings {
    /// Reads the settings; `get` finds a key's value without a listener's prefix, `read` reads a file.
    ///
    /// Fails where Kafka does.
    pub fn read(
        get: &dyn Fn(&str) -> Option<String>,
        read: &dyn Fn(&str) -> io::Result<Vec<u8>>,
    ) -> Result<Self, TlsError> {
        let source = Source { get, read };
        let protocols = source.list("ssl.enabled.protocols");
        let client_auth = match source.get("ssl.client.auth").map(|value| value.to_lowercase()).as_deref() {
            Some("required") => ClientAuth::Required,
            Some("requested") => ClientAuth::Requested,
            _ => ClientAuth::None,
        };
        let default_protocols = || vec!["TLSv1.2".to_owned(), "TLSv1.3".to_owned()];
        Ok(Self {
            protocols: if protocols.is_empty() { default_protocols() } else { protocols },
            cipher_suites: source.list("ssl.cipher.suites"),
            client_auth,
            checks_server_name: (source.get)("ssl.endpoint.identification.algorithm")
                .is_none_or(|algorithm| !algorithm.trim().is_empty()),
            identity: source.identity()?,
            trusted: source.trusted()?,
        })
    }
}

impl Source<'_> {
    fn get(&self, key: &str) -> Option<String> {
        (self.get)(key).filter(|value| !value.trim().is_empty())
    }

    fn list(&self, key: &str) -> Vec<String> {
        let value = self.get(key).unwrap_or_default();
        value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, TlsError> {
        (self.read)(path).map_err(|error| TlsError::File { path: path.to_owned(), reason: error.to_string() })
    }

    /// Kafka: `DefaultSslEngineFactory.createKeystore`.
    fn identity(&self) -> Result<Option<Identity>, TlsError> {
        let store_type = self.get("ssl.keystore.type").unwrap_or_else(|| "JKS".to_owned());
        let location = self.get("ssl.keystore.location");
        let password = self.get("ssl.keystore.password");
        let chain = self.get("ssl.keystore.certificate.chain");
        let Some(key) = self.get("ssl.keystore.key") else {
            if chain.is_some() {
                return fail("SSL certificate chain is specified, but private key is not specified");
            }
            return self.identity_file(&store_type, location, password);
        };
        if store_type != "PEM" {
            return fail(format!(
                "SSL private key can be specified only for PEM, but key store type is {store_type}."
            ));
        }
        let Some(chain) = chain else {
            return fail("SSL private key is specified, but certificate chain is not specified.");
        };
        if location.is_some() {
            return fail("Both SSL key store location and separate private key are specified.");
        }
        if password.is_some() {
            return fail(
                "SSL key store password cannot be specified with PEM format, only key password may be specified.",
            );
        }
        self.identity_pem(key.as_bytes(), chain.as_bytes()).map(Some)
    }

    fn identity_file(
        &self,
        store_type: &str,
        location: Option<String>,
        password: Option<String>,
    ) -> Result<Option<Identity>, TlsError> {
        match (location, password) {
            (None, None) => Ok(None),
            (None, Some(_)) => fail("SSL key store is not specified, but key store password is specified."),
            (Some(_), Some(_)) if store_type == "PEM" => fail(
                "SSL key store password cannot be specified with PEM format, only key password may be specified",
            ),
            (Some(path), None) if store_type == "PEM" => {
                let pem = self.file(&path)?;
                self.identity_pem(&pem, &pem).map(Some)
            }
            (Some(_), None) => fail("SSL key store is specified, but key store password is not specified."),
            (Some(path), Some(password)) => Ok(self.store(store_type, &path, &password)?.into_identity()),
        }
    }

    fn store(&self, store_type: &str, path: &str, password: &str) -> Result<Entries, TlsError> {
        let key_password = self.get("ssl.key.password");
        key_store::read(store_type, path, &self.file(path)?, password, key_password.as_deref())
    }

    fn identity_pem(&self, key: &[u8], chain: &[u8]) -> Result<Identity, TlsError> {
        let chain = certificates(chain)?;
        let encrypted = pem_block(key, "ENCRYPTED PRIVATE KEY");
        let key = match (encrypted, self.get("ssl.key.password")) {
            (Some(info), Some(password)) => pbes2::decrypt_key(&info, &password)
                .map(|key| PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key)))
                .map_err(|error| TlsError::Settings(format!("Invalid PEM keystore configs: {error}"))),
            (Some(_), None) => fail("Invalid PEM keystore configs: the private key is encrypted"),
            (None, _) => PrivateKeyDer::from_pem_slice(key).map_err(|_| {
                TlsError::Settings("Invalid PEM keystore configs: no matching PRIVATE KEY entry".to_owned())
            }),
        }?;
        Ok(Identity { chain, key })
    }

    /// Kafka: `DefaultSslEngineFactory.createTruststore`.
    fn trusted(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let store_type = self.get("ssl.truststore.type").unwrap_or_else(|| "JKS".to_owned());
        let location = self.get("ssl.truststore.location");
        let password = self.get("ssl.truststore.password");
        let given = self.get("ssl.truststore.certificates");
        let is_pem = store_type == "PEM";
        if given.is_some() && !is_pem {
            return fail(format!(
                "SSL trust store certs can be specified only for PEM, but trust store type is {store_type}."
            ));
        }
        if given.is_some() && location.is_some() {
            return fail("Both SSL trust store location and separate trust certificates are specified.");
        }
        if password.is_some() && (given.is_some() || is_pem && location.is_some()) {
            return fail("SSL trust store password cannot be specified for PEM format.");
        }
        match (given, location) {
            (Some(pem), _) => certificates(pem.as_bytes()),
            (None, Some(path)) if is_pem => certificates(&self.file(&path)?),
            (None, Some(path)) => {
                let password = password.unwrap_or_default();
                Ok(self.store(&store_type, &path, &password)?.into_trusted())
            }
            (None, None) if password.is_some() => {
                fail("SSL trust store is not specified, but trust store password is specified.")
            }
            (None, None) => Ok(self.system_roots()),
        }
    }

    /// Roots of the system that are not certificates after all are left out.
    fn system_roots(&self) -> Vec<CertificateDer<'static>> {
        let bundle = SYSTEM_ROOTS.iter().find_map(|path| (self.read)(path).ok());
        bundle.and_then(|pem| certificates(&pem).ok()).unwrap_or_default()
    }
}

fn fail<T>(text: impl Into<String>) -> Result<T, TlsError> {
    Err(TlsError::Settings(text.into()))
}

/// Returns the bytes of the first PEM block with this label.
fn pem_block(pem: &[u8], label: &str) -> Option<Vec<u8>> {
    let pem = String::from_utf8_lossy(pem);
    let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once("-----END")?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).ok()
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::Settings(format!("Invalid PEM truststore configs: {error}")))?;
    if found.is_empty() {
        return fail("At least one certificate expected, but none found");
    }
    Ok(found)
}
