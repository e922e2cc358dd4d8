//! Broker keys: authorization, principals and delegation tokens.

use super::typed::typed_config;
use crate::Importance::{Low, Medium};
use crate::{Key, KeyType, Validator};

typed_config! {
    /// Authorization and delegation tokens. Field names are the keys'; sizes are in bytes, times in the unit of the name's end.
    SecurityConfig {
        authorizer_class_name: text "authorizer.class.name",
        connections_max_reauth_ms: long "connections.max.reauth.ms",
        delegation_token_expiry_check_interval_ms: long "delegation.token.expiry.check.interval.ms",
        delegation_token_expiry_time_ms: long "delegation.token.expiry.time.ms",
        delegation_token_max_lifetime_ms: long "delegation.token.max.lifetime.ms",
        delegation_token_secret_key: string "delegation.token.secret.key",
    }
}

/// The keys of this part.
pub(super) const KEYS: &[Key] = &[
    Key::string(
        "authorizer.class.name",
        "",
        Low,
        "The authorizer, `org.apache.kafka.metadata.authorizer.StandardAuthorizer`; empty for \
         none.",
    )
    .valid(Validator::NonNull),
    Key::list(
        "config.providers",
        "",
        Low,
        "Names of the providers that replace ${provider:key} in other values.",
    )
    .valid(Validator::List { of: &[], empty: true, null: false })
    .cluster_wide(),
    Key::long(
        "connections.max.reauth.ms",
        "0",
        Medium,
        "How long a client may stay before it must authenticate anew; 0 for ever.",
    ),
    Key::long(
        "delegation.token.expiry.check.interval.ms",
        "3600000",
        Low,
        "How often expired delegation tokens are removed.",
    )
    .at_least(1),
    Key::long(
        "delegation.token.expiry.time.ms",
        "86400000",
        Medium,
        "How long a delegation token is valid before it must be renewed.",
    )
    .at_least(1),
    Key::long(
        "delegation.token.max.lifetime.ms",
        "604800000",
        Medium,
        "How long a delegation token can be renewed.",
    )
    .at_least(1),
    Key::nullable(
        "delegation.token.secret.key",
        KeyType::Password,
        Medium,
        "The secret with which delegation tokens are made and checked; the same on all \
         nodes.",
    ),
    Key::class(
        "principal.builder.class",
        "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
        Medium,
        "The class that makes a principal of what a client proved.",
    )
    .per_broker(),
    Key::nullable(
        "security.providers",
        KeyType::String,
        Low,
        "Java security providers; without meaning here.",
    ),
];
