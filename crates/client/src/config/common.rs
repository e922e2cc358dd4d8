//! The keys that producers, consumers and admin clients share, and the settings they make.
//! Kafka: `CommonClientConfigs`, `SslConfigs`, `SaslConfigs`.
//!
//! Not yet, so that these are read and change nothing: `client.dns.lookup` other than `use_all_dns_ips`, `config.providers`,
//! `enable.metrics.push`, `interceptor.classes`, `metric.reporters`, `metrics.*`, and what belongs to GSSAPI, OAUTHBEARER and
//! to classes of Java.

use std::time::Duration;

use config::Importance::{High, Low, Medium};
use config::{Key, KeyType, Validator};

use super::Parsed;
use crate::connection::sasl::SaslSettings;
use crate::error::Result;
use crate::settings::{Backoff, Bootstrap, ClientSettings, SecuritySettings};
use crate::tls::TlsSettings;

/// Keys of every client.
pub const COMMON_KEYS: &[Key] = &[
    Key::list("bootstrap.servers", "", High, "Brokers, as host:port, through which the cluster is found.")
        .valid(SOME),
    Key::string("client.dns.lookup", "use_all_dns_ips", Medium, "How a name with several addresses is used.")
        .one_of(&["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"]),
    Key::string("client.id", "", Medium, "The name that the broker logs requests with and counts quotas by."),
    Key::list("config.providers", "", Low, "Plug-ins that replace variables in values."),
    Key::long("connections.max.idle.ms", "540000", Medium, "Idle connections are closed after this time."),
    Key::boolean(
        "enable.metrics.push",
        "true",
        Low,
        "Whether metrics are pushed to brokers that ask for them.",
    ),
    Key::list("interceptor.classes", "", Low, "Classes that see records on their way."),
    Key::long("metadata.max.age.ms", "300000", Low, "Metadata is fetched anew after this time.").at_least(0),
    Key::long(
        "metadata.recovery.rebootstrap.trigger.ms",
        "300000",
        Low,
        "Start again from the bootstrap servers when no metadata came for this time.",
    )
    .at_least(0),
    Key::string("metadata.recovery.strategy", "rebootstrap", Low, "What to do when no known broker answers.")
        .valid(Validator::OneOfAnyCase(&["REBOOTSTRAP", "NONE"])),
    Key::list(
        "metric.reporters",
        "org.apache.kafka.common.metrics.JmxReporter",
        Low,
        "Classes that report metrics.",
    ),
    Key::int("metrics.num.samples", "2", Low, "Samples kept for each metric.").at_least(1),
    Key::string("metrics.recording.level", "INFO", Low, "The level of metrics that are recorded.")
        .one_of(&["INFO", "DEBUG", "TRACE"]),
    Key::long("metrics.sample.window.ms", "30000", Low, "How long a metric's sample lasts.").at_least(0),
    Key::int(
        "receive.buffer.bytes",
        "65536",
        Medium,
        "The socket's receive buffer; -1 for the system's. Set alone it changes the system's.",
    )
    .at_least(-1),
    Key::long("reconnect.backoff.max.ms", "1000", Low, "The longest wait before connecting again.")
        .at_least(0),
    Key::long("reconnect.backoff.ms", "50", Low, "The first wait before connecting again; it doubles.")
        .at_least(0),
    Key::int("request.timeout.ms", "30000", Medium, "How long an answer may take.").at_least(0),
    Key::int("retries", "2147483647", Low, "How often a request that failed is sent again.")
        .between(0, i32::MAX as i64),
    Key::long("retry.backoff.max.ms", "1000", Low, "The longest wait before a request is sent again.")
        .at_least(0),
    Key::long("retry.backoff.ms", "100", Low, "The first wait before a request is sent again; it doubles.")
        .at_least(0),
    Key::int(
        "send.buffer.bytes",
        "131072",
        Medium,
        "The socket's send buffer; -1 for the system's. Set alone it changes the system's.",
    )
    .at_least(-1),
    Key::long(
        "socket.connection.setup.timeout.max.ms",
        "30000",
        Medium,
        "The longest wait for a connection.",
    ),
    Key::long(
        "socket.connection.setup.timeout.ms",
        "10000",
        Medium,
        "The first wait for a connection; it doubles.",
    ),
];

const SOME: Validator = Validator::List { of: &[], empty: false, null: false };
/// A list that may be empty.
pub(super) const ANY_LIST: Validator = Validator::List { of: &[], empty: true, null: false };

macro_rules! unset {
    ($kind:ident, $name:literal, $importance:ident, $doc:literal) => {
        Key::nullable($name, KeyType::$kind, $importance, $doc)
    };
}

/// `security.protocol` and the keys of TLS and SASL.
pub const SECURITY_KEYS: &[Key] = &[
    Key::string("security.protocol", "PLAINTEXT", Medium, "How brokers are spoken to.")
        .valid(Validator::OneOfAnyCase(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])),
    unset!(String, "security.providers", Low, "Java security providers; not used."),
    Key::list("ssl.cipher.suites", "", Low, "Cipher suites."),
    Key::list("ssl.enabled.protocols", "TLSv1.2,TLSv1.3", Medium, "Versions of TLS that may be used."),
    Key::string(
        "ssl.endpoint.identification.algorithm",
        "https",
        Low,
        "How a certificate's host name is checked; empty for not.",
    ),
    unset!(String, "ssl.engine.factory.class", Low, "A class that makes TLS engines."),
    unset!(Password, "ssl.key.password", High, "The private key's password."),
    Key::string("ssl.keymanager.algorithm", "SunX509", Low, "The key manager's algorithm; not used."),
    unset!(Password, "ssl.keystore.certificate.chain", High, "Our certificates, PEM."),
    unset!(Password, "ssl.keystore.key", High, "Our private key, PEM."),
    unset!(String, "ssl.keystore.location", High, "The file with our certificates and key."),
    unset!(Password, "ssl.keystore.password", High, "That file's password."),
    Key::string("ssl.keystore.type", "JKS", Medium, "That file's format."),
    Key::string("ssl.protocol", "TLSv1.3", Medium, "The version of TLS that is preferred."),
    unset!(String, "ssl.provider", Medium, "The Java provider of TLS; not used."),
    unset!(String, "ssl.secure.random.implementation", Low, "The source of random numbers; not used."),
    Key::string("ssl.trustmanager.algorithm", "PKIX", Low, "The trust manager's algorithm; not used."),
    unset!(Password, "ssl.truststore.certificates", High, "The authorities that we trust, PEM."),
    unset!(String, "ssl.truststore.location", High, "The file with the authorities that we trust."),
    unset!(Password, "ssl.truststore.password", High, "That file's password."),
    Key::string("ssl.truststore.type", "JKS", Medium, "That file's format."),
    unset!(String, "sasl.client.callback.handler.class", Medium, "A class that gives credentials."),
    unset!(Password, "sasl.jaas.config", Medium, "The login module with its options."),
    Key::string("sasl.kerberos.kinit.cmd", "/usr/bin/kinit", Low, "The path of kinit."),
    Key::long("sasl.kerberos.min.time.before.relogin", "60000", Low, "The least time between logins."),
    unset!(String, "sasl.kerberos.service.name", Medium, "The Kerberos principal of the brokers."),
    Key::double("sasl.kerberos.ticket.renew.jitter", "0.05", Low, "Chance added to the time of renewal."),
    Key::double(
        "sasl.kerberos.ticket.renew.window.factor",
        "0.8",
        Low,
        "The share of a ticket's life after which it is renewed.",
    ),
    unset!(String, "sasl.login.callback.handler.class", Medium, "A class that logs in."),
    unset!(String, "sasl.login.class", Medium, "A class that logs in."),
    unset!(Int, "sasl.login.connect.timeout.ms", Low, "How long connecting to an authority may take."),
    unset!(Int, "sasl.login.read.timeout.ms", Low, "How long an authority's answer may take."),
    Key::short(
        "sasl.login.refresh.buffer.seconds",
        "300",
        Low,
        "How long before its end a credential is refreshed.",
    )
    .between(0, 3600),
    Key::short("sasl.login.refresh.min.period.seconds", "60", Low, "The least time between refreshes.")
        .between(0, 900),
    Key::double(
        "sasl.login.refresh.window.factor",
        "0.8",
        Low,
        "The share of a credential's life after which it is refreshed.",
    )
    .valid(Validator::BetweenDoubles(0.5, 1.0)),
    Key::double("sasl.login.refresh.window.jitter", "0.05", Low, "Chance added to that time.")
        .valid(Validator::BetweenDoubles(0.0, 0.25)),
    Key::long("sasl.login.retry.backoff.max.ms", "10000", Low, "The longest wait between logins."),
    Key::long("sasl.login.retry.backoff.ms", "100", Low, "The first wait between logins."),
    Key::string("sasl.mechanism", "GSSAPI", Medium, "How we authenticate."),
    Key::string("sasl.oauthbearer.assertion.algorithm", "RS256", Medium, "How assertions are signed.")
        .valid(Validator::OneOfAnyCase(&["ES256", "RS256"])),
    unset!(String, "sasl.oauthbearer.assertion.claim.aud", Medium, "An assertion's audience."),
    Key::int("sasl.oauthbearer.assertion.claim.exp.seconds", "300", Low, "An assertion's life.")
        .between(0, 86400),
    unset!(String, "sasl.oauthbearer.assertion.claim.iss", Medium, "An assertion's issuer."),
    Key::boolean(
        "sasl.oauthbearer.assertion.claim.jti.include",
        "false",
        Medium,
        "Whether assertions have an id.",
    ),
    Key::int(
        "sasl.oauthbearer.assertion.claim.nbf.seconds",
        "60",
        Low,
        "How long before its making an assertion is valid.",
    )
    .between(0, 3600),
    unset!(String, "sasl.oauthbearer.assertion.claim.sub", Medium, "An assertion's subject."),
    unset!(String, "sasl.oauthbearer.assertion.file", Medium, "A file with an assertion."),
    unset!(
        String,
        "sasl.oauthbearer.assertion.private.key.file",
        Medium,
        "The file of the key that signs assertions."
    ),
    unset!(Password, "sasl.oauthbearer.assertion.private.key.passphrase", Medium, "That file's password."),
    unset!(String, "sasl.oauthbearer.assertion.template.file", Medium, "A template for assertions."),
    unset!(
        String,
        "sasl.oauthbearer.client.credentials.client.id",
        Medium,
        "The client's id at the token's issuer."
    ),
    unset!(Password, "sasl.oauthbearer.client.credentials.client.secret", Medium, "Its secret."),
    Key::int("sasl.oauthbearer.clock.skew.seconds", "30", Low, "How far clocks may differ."),
    Key::list("sasl.oauthbearer.expected.audience", "", Low, "Audiences that tokens may name.")
        .valid(ANY_LIST),
    unset!(String, "sasl.oauthbearer.expected.issuer", Low, "The issuer that tokens must name."),
    Key::boolean(
        "sasl.oauthbearer.header.urlencode",
        "false",
        Low,
        "Whether the client's id and secret are URL-encoded.",
    ),
    Key::long(
        "sasl.oauthbearer.jwks.endpoint.refresh.ms",
        "3600000",
        Low,
        "How often signing keys are fetched.",
    ),
    Key::long(
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
        "10000",
        Low,
        "The longest wait to fetch them again.",
    ),
    Key::long(
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
        "100",
        Low,
        "The first wait to fetch them again.",
    ),
    unset!(String, "sasl.oauthbearer.jwks.endpoint.url", Medium, "Where signing keys are."),
    Key::string(
        "sasl.oauthbearer.jwt.retriever.class",
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
        Medium,
        "A class that fetches tokens.",
    ),
    Key::string(
        "sasl.oauthbearer.jwt.validator.class",
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
        Medium,
        "A class that checks tokens.",
    ),
    unset!(String, "sasl.oauthbearer.scope", Medium, "The scope to ask for."),
    Key::string("sasl.oauthbearer.scope.claim.name", "scope", Low, "The claim with the scope."),
    Key::string("sasl.oauthbearer.sub.claim.name", "sub", Low, "The claim with the subject."),
    unset!(String, "sasl.oauthbearer.token.endpoint.url", Medium, "Where tokens are issued."),
];

impl Parsed {
    pub(super) fn millis(&self, name: &str) -> Duration {
        Duration::from_millis(self.values.long(name).max(0) as u64)
    }

    fn backoff(&self, initial: &str, max: &str) -> Backoff {
        Backoff { initial: self.millis(initial), max: self.millis(max) }
    }

    /// The settings that every client has.
    pub(super) fn client_settings(&self, bootstrap: Bootstrap, client_id: String) -> Result<ClientSettings> {
        let buffer = |name: &str| {
            let bytes = self.values.int(name);
            u32::try_from(bytes).ok().filter(|_| self.is_set(name))
        };
        Ok(ClientSettings {
            bootstrap,
            client_id,
            request_timeout: self.millis("request.timeout.ms"),
            retry_backoff: self.backoff("retry.backoff.ms", "retry.backoff.max.ms"),
            reconnect_backoff: self.backoff("reconnect.backoff.ms", "reconnect.backoff.max.ms"),
            setup_timeout: self
                .backoff("socket.connection.setup.timeout.ms", "socket.connection.setup.timeout.max.ms"),
            connections_max_idle: Some(self.values.long("connections.max.idle.ms"))
                .filter(|idle| *idle >= 0)
                .map(|idle| Duration::from_millis(idle as u64)),
            metadata_max_age: self.millis("metadata.max.age.ms"),
            rebootstrap: self.values.text("metadata.recovery.strategy").eq_ignore_ascii_case("rebootstrap"),
            rebootstrap_trigger: self.millis("metadata.recovery.rebootstrap.trigger.ms"),
            send_buffer_bytes: buffer("send.buffer.bytes"),
            receive_buffer_bytes: buffer("receive.buffer.bytes"),
            security: self.security()?,
        })
    }

    fn security(&self) -> Result<SecuritySettings> {
        let protocol = self.values.text("security.protocol").to_ascii_uppercase();
        let mut settings = SecuritySettings::default();
        if protocol.ends_with("SSL") {
            settings.tls = Some(TlsSettings::from_map(&self.map)?);
        }
        if protocol.starts_with("SASL") {
            let jaas = self.values.string("sasl.jaas.config");
            settings.sasl = Some(SaslSettings::new(&self.values.text("sasl.mechanism"), jaas.as_deref())?);
        }
        Ok(settings)
    }
}
