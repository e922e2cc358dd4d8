//! TLS to brokers, as Kafka's `ssl.*` keys say.

use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::ConfigMap;
use crate::error::{Error, Result};

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

impl TlsSettings {
    /// Reads the `ssl.*` keys, and the files that they name.
    pub fn from_map(map: &ConfigMap) -> Result<Self> {
        let failed = |error: security::TlsError| Error::Config(error.to_string());
        let settings = security::TlsSettings::read(&|key| map.get(key).cloned(), &|path| std::fs::read(path));
        let config = settings.and_then(|settings| settings.client_config()).map_err(failed)?;
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
