//! Broker keys: OAuth 2 under SASL/OAUTHBEARER.

use crate::Importance::{High, Low, Medium};
use crate::{Key, KeyType, Validator};

/// The keys of this part.
pub(super) const KEYS: &[Key] = &[
    Key::string(
        "sasl.oauthbearer.assertion.algorithm",
        "RS256",
        Medium,
        "With which algorithm assertions are signed: `RS256` or `ES256`.",
    )
    .valid(Validator::OneOfAnyCase(&["ES256", "RS256"])),
    Key::nullable(
        "sasl.oauthbearer.assertion.claim.aud",
        KeyType::String,
        Medium,
        "The audience that an assertion names.",
    ),
    Key::int(
        "sasl.oauthbearer.assertion.claim.exp.seconds",
        "300",
        Low,
        "How many seconds an assertion is valid.",
    )
    .between(0, 86400),
    Key::nullable(
        "sasl.oauthbearer.assertion.claim.iss",
        KeyType::String,
        Medium,
        "The issuer that an assertion names.",
    ),
    Key::boolean(
        "sasl.oauthbearer.assertion.claim.jti.include",
        "false",
        Medium,
        "Whether each assertion has an id of its own.",
    ),
    Key::int(
        "sasl.oauthbearer.assertion.claim.nbf.seconds",
        "60",
        Low,
        "How many seconds before its making an assertion begins to be valid.",
    )
    .between(0, 3600),
    Key::nullable(
        "sasl.oauthbearer.assertion.claim.sub",
        KeyType::String,
        Medium,
        "The subject that an assertion names.",
    ),
    Key::nullable(
        "sasl.oauthbearer.assertion.file",
        KeyType::String,
        Medium,
        "A file with a ready assertion.",
    ),
    Key::nullable(
        "sasl.oauthbearer.assertion.private.key.file",
        KeyType::String,
        Medium,
        "A file with the key that signs assertions, in PEM.",
    ),
    Key::nullable(
        "sasl.oauthbearer.assertion.private.key.passphrase",
        KeyType::Password,
        Medium,
        "The password of that key.",
    ),
    Key::nullable(
        "sasl.oauthbearer.assertion.template.file",
        KeyType::String,
        Medium,
        "A file with headers and claims that all assertions get.",
    ),
    Key::nullable(
        "sasl.oauthbearer.client.credentials.client.id",
        KeyType::String,
        Medium,
        "The id by which this node asks for tokens.",
    ),
    Key::nullable(
        "sasl.oauthbearer.client.credentials.client.secret",
        KeyType::Password,
        Medium,
        "The secret that belongs to that id.",
    ),
    Key::int(
        "sasl.oauthbearer.clock.skew.seconds",
        "30",
        Low,
        "By how much the clocks of the identity provider and this node may differ.",
    ),
    Key::list(
        "sasl.oauthbearer.expected.audience",
        "",
        High,
        "The audiences one of which a token must name.",
    )
    .valid(Validator::List { of: &[], empty: true, null: false }),
    Key::nullable(
        "sasl.oauthbearer.expected.issuer",
        KeyType::String,
        High,
        "The issuer that a token must name.",
    ),
    Key::long(
        "sasl.oauthbearer.jwks.endpoint.refresh.ms",
        "3600000",
        Low,
        "How often the provider's keys are fetched anew.",
    ),
    Key::long(
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
        "10000",
        Low,
        "How long a failed fetch of those keys rests at most before it is tried again.",
    ),
    Key::long(
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
        "100",
        Low,
        "How long it rests after its first failure.",
    ),
    Key::nullable(
        "sasl.oauthbearer.jwks.endpoint.url",
        KeyType::String,
        Medium,
        "Where the provider's keys are: an http, https or file URL.",
    ),
    Key::class(
        "sasl.oauthbearer.jwt.retriever.class",
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
        Medium,
        "The class that fetches tokens.",
    ),
    Key::class(
        "sasl.oauthbearer.jwt.validator.class",
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
        Medium,
        "The class that checks tokens.",
    ),
    Key::nullable("sasl.oauthbearer.scope", KeyType::String, Medium, "The scope to ask for."),
    Key::string(
        "sasl.oauthbearer.scope.claim.name",
        "scope",
        Low,
        "The claim in which a token has its scope.",
    ),
    Key::string("sasl.oauthbearer.sub.claim.name", "sub", Low, "The claim in which a token has its subject."),
    Key::nullable(
        "sasl.oauthbearer.token.endpoint.url",
        KeyType::String,
        Medium,
        "Where tokens are fetched: an http, https or file URL.",
    ),
];
