//! Broker keys: tLS.

use crate::Importance::{Low, Medium};
use crate::{Key, KeyType, Validator};

/// The keys of this part.
pub(super) const KEYS: &[Key] = &[
    Key::boolean(
        "ssl.allow.dn.changes",
        "false",
        Low,
        "Whether a new certificate may have another distinguished name.",
    ),
    Key::boolean(
        "ssl.allow.san.changes",
        "false",
        Low,
        "Whether a new certificate may have other alternative names.",
    ),
    Key::list("ssl.cipher.suites", "", Medium, "The cipher suites to offer; empty for all that are safe.")
        .valid(Validator::List { of: &[], empty: true, null: false })
        .per_broker(),
    Key::string(
        "ssl.client.auth",
        "none",
        Medium,
        "Whether clients must show a certificate: `required`, `requested` or `none`.",
    )
    .one_of(&["required", "requested", "none"])
    .per_broker(),
    Key::list("ssl.enabled.protocols", "TLSv1.2,TLSv1.3", Medium, "The versions of TLS to speak.")
        .valid(Validator::List { of: &[], empty: true, null: false })
        .per_broker(),
    Key::string(
        "ssl.endpoint.identification.algorithm",
        "https",
        Low,
        "How this node checks another's host name; empty for not at all.",
    )
    .per_broker(),
    Key::nullable(
        "ssl.engine.factory.class",
        KeyType::Class,
        Low,
        "A class that makes TLS engines. No class can be loaded here.",
    )
    .per_broker(),
    Key::nullable("ssl.key.password", KeyType::Password, Medium, "The password of the private key.")
        .per_broker(),
    Key::string("ssl.keymanager.algorithm", "SunX509", Medium, "Java's key manager; without meaning here.")
        .per_broker(),
    Key::nullable(
        "ssl.keystore.certificate.chain",
        KeyType::Password,
        Medium,
        "The certificate chain itself, in PEM.",
    )
    .per_broker(),
    Key::nullable("ssl.keystore.key", KeyType::Password, Medium, "The private key itself, in PEM.")
        .per_broker(),
    Key::nullable("ssl.keystore.location", KeyType::String, Medium, "The file of the key store.")
        .per_broker(),
    Key::nullable("ssl.keystore.password", KeyType::Password, Medium, "The password of the key store.")
        .per_broker(),
    Key::string("ssl.keystore.type", "JKS", Medium, "The format of the key store: JKS, PKCS12 or PEM.")
        .per_broker(),
    Key::string(
        "ssl.principal.mapping.rules",
        "DEFAULT",
        Low,
        "Rules that make a short name of a certificate's distinguished name.",
    ),
    Key::string(
        "ssl.protocol",
        "TLSv1.3",
        Medium,
        "Java's name of the TLS context; `ssl.enabled.protocols` decides.",
    )
    .per_broker(),
    Key::nullable("ssl.provider", KeyType::String, Medium, "Java's TLS provider; without meaning here.")
        .per_broker(),
    Key::nullable(
        "ssl.secure.random.implementation",
        KeyType::String,
        Low,
        "Java's source of randomness; without meaning here.",
    )
    .per_broker(),
    Key::string("ssl.trustmanager.algorithm", "PKIX", Medium, "Java's trust manager; without meaning here.")
        .per_broker(),
    Key::nullable(
        "ssl.truststore.certificates",
        KeyType::Password,
        Medium,
        "The trusted certificates themselves, in PEM.",
    )
    .per_broker(),
    Key::nullable("ssl.truststore.location", KeyType::String, Medium, "The file of the trust store.")
        .per_broker(),
    Key::nullable("ssl.truststore.password", KeyType::Password, Medium, "The password of the trust store.")
        .per_broker(),
    Key::string("ssl.truststore.type", "JKS", Medium, "The format of the trust store: JKS, PKCS12 or PEM.")
        .per_broker(),
];
