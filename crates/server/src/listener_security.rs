//! How a listener encrypts and whom it lets in: read once from the configuration, shared by its connections.
//!
//! Not yet: reloading keys at run time; GSSAPI and OAUTHBEARER (see crate `security`).
//!
//! Kafka: `ChannelBuilders`, `SaslChannelBuilder`, `SslChannelBuilder`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use config::{BrokerConfig, ConfigError, EndPoint, SecurityProtocol};
use metadata::{MetadataImage, ScramCredential};
use model::Timestamp;
use network::TlsConfig;
use security::{
    ClientAuth, CredentialStore, JaasEntry, JaasError, ListenerMechanism, MapperError, Mechanism, PlainUsers,
    Principal, SaslError, SaslListener, ScramDecoy, ScramHash, SslPrincipalMapper, TlsError, TlsSettings,
    TokenCredential, TokenSecret, server_key, subject_name,
};
use world::chance::Chance;

/// Why a listener's settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListenerSecurityError {
    /// A value that cannot be parsed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Keys or certificates that cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// `ssl.principal.mapping.rules` that cannot be used.
    #[error(transparent)]
    Mapper(#[from] MapperError),
    /// A mechanism that is not served.
    #[error(transparent)]
    Mechanism(#[from] SaslError),
    /// A JAAS entry that cannot be used.
    #[error(transparent)]
    Jaas(#[from] JaasError),
    /// PLAIN without the entry that holds its users. Kafka: `JaasContext.loadServerContext`.
    #[error(
        "Could not find a 'KafkaServer' or '{0}.KafkaServer' entry in the JAAS configuration. System property 'java.security.auth.login.config' is not set"
    )]
    NoJaas(String),
}

/// A listener's security.
#[derive(Debug)]
pub struct ListenerSecurity {
    /// TLS, where connections begin with it.
    pub tls: Option<Arc<TlsConfig>>,
    /// SASL, where connections begin with it, after TLS.
    pub sasl: Option<Arc<SaslListener>>,
    /// `sasl.server.max.receive.size`: the largest frame before login, in bytes.
    pub frame_size_max_before_login: usize,
    /// How long a login may take.
    pub login_max: Duration,
    /// `connection.failed.authentication.delay.ms`.
    pub failure_delay: Duration,
    requires_certificate: bool,
    plain_users: PlainUsers,
    /// None if there are no delegation tokens.
    token_secret: Option<TokenSecret>,
    mapper: SslPrincipalMapper,
}

impl ListenerSecurity {
    /// Reads a listener's settings; those with its prefix come before those without.
    ///
    /// # Errors
    /// Keys, certificates, mechanisms or users that are missing or cannot be used.
    pub fn read(
        config: &BrokerConfig,
        endpoint: &EndPoint,
        chance: &dyn Chance,
    ) -> Result<Self, ListenerSecurityError> {
        let listener = endpoint.listener.as_str();
        let text = |key: &str| value_text(config, listener, key);
        let protocol = endpoint.security_protocol;
        let (tls, client_auth) = match protocol.is_tls() {
            true => read_tls(&text, protocol)?,
            false => (None, ClientAuth::None),
        };
        let mut plain_users = PlainUsers::default();
        let sasl = match protocol.is_sasl() {
            true => Some(Arc::new(read_sasl(config, listener, &mut plain_users, chance)?)),
            false => None,
        };
        let ms = |value: i32| Duration::from_millis(value.max(0) as u64);
        let receive_max = config.listener_value(listener, "sasl.server.max.receive.size")?;
        let receive_max = receive_max.to_config_text().and_then(|text| text.parse().ok());
        Ok(Self {
            tls,
            sasl,
            frame_size_max_before_login: receive_max.unwrap_or(524_288),
            login_max: ms(config.network.handshake_timeout_ms),
            failure_delay: ms(config.network.connection_failed_authentication_delay_ms),
            requires_certificate: client_auth == ClientAuth::Required,
            plain_users,
            token_secret: TokenSecret::of(config),
            mapper: SslPrincipalMapper::parse(&text("ssl.principal.mapping.rules").unwrap_or_default())?,
        })
    }

    /// Tells whether what is said here can neither be read on its way nor be said by a stranger.
    pub fn is_safe(&self) -> bool {
        self.tls.is_some() && (self.sasl.is_some() || self.requires_certificate)
    }

    /// Returns who a connection without SASL comes from, by its certificate. Kafka: `DefaultKafkaPrincipalBuilder`.
    pub fn certificate_principal(&self, certificates: &[Vec<u8>]) -> Principal {
        let Some(certificate) = certificates.first() else { return Principal::anonymous() };
        let name = subject_name(certificate).map_err(|error| error.to_string());
        let mapped = name.and_then(|name| self.mapper.map(&name).map_err(|error| error.to_string()));
        mapped.map(Principal::user).unwrap_or_else(|error| {
            // Whoever brings it decides what it says, so it is no alarm.
            tracing::info!(
                "a client's certificate names nobody, so it is User:ANONYMOUS; see ssl.principal.mapping.rules: {error}"
            );
            Principal::anonymous()
        })
    }
}

/// The credentials that logins are held against: a listener's own users, and those in the metadata.
#[derive(Debug)]
pub struct Credentials<'a> {
    /// The listener.
    pub listener: &'a ListenerSecurity,
    /// The metadata.
    pub image: &'a MetadataImage,
}

impl CredentialStore for Credentials<'_> {
    fn verify_plain(&self, username: &str, password: &str) -> bool {
        self.listener.plain_users.verify(username, password)
    }

    fn scram_credential(&self, hash: ScramHash, username: &str) -> Option<ScramCredential> {
        self.image.scram().credential(hash.into(), username).map(|found| (**found).clone())
    }

    fn token_credential(&self, hash: ScramHash, id: &str) -> Option<TokenCredential> {
        let secret = self.listener.token_secret.as_ref()?;
        let token = self.image.delegation_tokens().token(id)?;
        Some(TokenCredential {
            owner: token.owner.parse::<Principal>().ok()?.name,
            credential: secret.credential(hash, id),
            expires: Timestamp(token.expiration_timestamp),
        })
    }
}

/// The text of a key for a listener, with its prefix or without.
fn value_text(config: &BrokerConfig, listener: &str, key: &str) -> Option<String> {
    let value = config.listener_value(listener, key).ok()?;
    match value {
        // What is secret is shown to nobody but its user.
        config::Value::Password(password) => Some(password.0),
        value => value.to_config_text(),
    }
}

type Tls = (Option<Arc<TlsConfig>>, ClientAuth);

fn read_tls(
    text: &dyn Fn(&str) -> Option<String>,
    protocol: SecurityProtocol,
) -> Result<Tls, ListenerSecurityError> {
    let read = |path: &str| -> io::Result<Vec<u8>> { std::fs::read(path) };
    let mut settings = TlsSettings::read(text, &read)?;
    if protocol == SecurityProtocol::SaslSsl {
        // The login says who it is. Kafka: `SslFactory`, which ignores ssl.client.auth without a listener's prefix.
        settings.client_auth = ClientAuth::None;
    }
    let client_auth = settings.client_auth;
    Ok((Some(Arc::new(settings.server_config()?)), client_auth))
}

fn read_sasl(
    config: &BrokerConfig,
    listener: &str,
    users: &mut PlainUsers,
    chance: &dyn Chance,
) -> Result<SaslListener, ListenerSecurityError> {
    let enabled = config.listener_value(listener, "sasl.enabled.mechanisms")?;
    let mut mechanisms = Vec::new();
    for name in enabled.list() {
        let mechanism: Mechanism = name.parse()?;
        if mechanism == Mechanism::Plain {
            *users = PlainUsers::from_jaas(&jaas_entry(config, listener, name)?);
        }
        mechanisms.push(ListenerMechanism { mechanism, max_reauth: max_reauth(config, listener, name) });
    }
    let mut key = [0; 32];
    chance.fill(&mut key);
    Ok(SaslListener { mechanisms, decoy: ScramDecoy::new(key) })
}

fn jaas_entry(
    config: &BrokerConfig,
    listener: &str,
    mechanism: &str,
) -> Result<JaasEntry, ListenerSecurityError> {
    let originals = config.originals();
    let text = originals.get(&server_key(listener, mechanism)).or_else(|| originals.get("sasl.jaas.config"));
    let text = text.ok_or_else(|| ListenerSecurityError::NoJaas(listener.to_lowercase()))?;
    Ok(JaasEntry::parse(text)?)
}

/// `connections.max.reauth.ms`, for a mechanism, a listener or all; 0 for logins that last.
fn max_reauth(config: &BrokerConfig, listener: &str, mechanism: &str) -> Option<Duration> {
    let (listener_name, mechanism) = (listener.to_lowercase(), mechanism.to_lowercase());
    let key = format!("listener.name.{listener_name}.{mechanism}.connections.max.reauth.ms");
    let of_mechanism = config.originals().get(&key).cloned();
    let value = of_mechanism.or_else(|| value_text(config, listener, "connections.max.reauth.ms"))?;
    value.trim().parse().ok().filter(|ms| *ms > 0).map(Duration::from_millis)
}
