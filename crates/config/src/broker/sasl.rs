//! Broker keys: sASL.

use crate::Importance::{Low, Medium};
use crate::{Key, KeyType, Validator};

/// The keys of this part.
pub(super) const KEYS: &[Key] = &[
    Key::nullable(
        "sasl.client.callback.handler.class",
        KeyType::Class,
        Medium,
        "A class that answers for a SASL client. No other class can be loaded here.",
    ),
    Key::list("sasl.enabled.mechanisms", "GSSAPI", Medium, "The SASL mechanisms that clients may use.")
        .valid(Validator::List { of: &[], empty: true, null: false })
        .per_broker(),
    Key::nullable(
        "sasl.jaas.config",
        KeyType::Password,
        Medium,
        "The login of this node in the JAAS format; before it stand the listener and the \
         mechanism.",
    )
    .per_broker(),
    Key::string(
        "sasl.kerberos.kinit.cmd",
        "/usr/bin/kinit",
        Medium,
        "The command that fetches Kerberos tickets.",
    )
    .per_broker(),
    Key::long(
        "sasl.kerberos.min.time.before.relogin",
        "60000",
        Medium,
        "How long a login rests before it is refreshed.",
    )
    .per_broker(),
    Key::list(
        "sasl.kerberos.principal.to.local.rules",
        "DEFAULT",
        Medium,
        "Rules that make a short name of a Kerberos principal.",
    )
    .valid(Validator::List { of: &[], empty: true, null: false })
    .per_broker(),
    Key::nullable(
        "sasl.kerberos.service.name",
        KeyType::String,
        Medium,
        "The name under which the brokers run in Kerberos.",
    )
    .per_broker(),
    Key::double(
        "sasl.kerberos.ticket.renew.jitter",
        "0.05",
        Medium,
        "By which share chance changes the time of renewal.",
    )
    .per_broker(),
    Key::double(
        "sasl.kerberos.ticket.renew.window.factor",
        "0.8",
        Medium,
        "After which share of its life a ticket is renewed.",
    )
    .per_broker(),
    Key::nullable(
        "sasl.login.callback.handler.class",
        KeyType::Class,
        Medium,
        "A class that answers for a login. No other class can be loaded here.",
    ),
    Key::nullable(
        "sasl.login.class",
        KeyType::Class,
        Medium,
        "A class that logs in. No other class can be loaded here.",
    ),
    Key::nullable(
        "sasl.login.connect.timeout.ms",
        KeyType::Int,
        Low,
        "How long the connection to the identity provider may take.",
    ),
    Key::nullable(
        "sasl.login.read.timeout.ms",
        KeyType::Int,
        Low,
        "How long the identity provider's answer may take.",
    ),
    Key::short(
        "sasl.login.refresh.buffer.seconds",
        "300",
        Medium,
        "How long before its end a credential is refreshed at the latest.",
    )
    .per_broker(),
    Key::short(
        "sasl.login.refresh.min.period.seconds",
        "60",
        Medium,
        "How long a credential is kept at least before it is refreshed.",
    )
    .per_broker(),
    Key::double(
        "sasl.login.refresh.window.factor",
        "0.8",
        Medium,
        "After which share of its life a credential is refreshed.",
    )
    .per_broker(),
    Key::double(
        "sasl.login.refresh.window.jitter",
        "0.05",
        Medium,
        "By which share of its life chance changes that.",
    )
    .per_broker(),
    Key::long(
        "sasl.login.retry.backoff.max.ms",
        "10000",
        Low,
        "How long a failed login rests at most before it is tried again.",
    ),
    Key::long("sasl.login.retry.backoff.ms", "100", Low, "How long a login rests after its first failure."),
    Key::string(
        "sasl.mechanism.inter.broker.protocol",
        "GSSAPI",
        Medium,
        "The SASL mechanism between brokers.",
    )
    .per_broker(),
    Key::nullable(
        "sasl.server.callback.handler.class",
        KeyType::Class,
        Medium,
        "A class that checks credentials. No other class can be loaded here.",
    ),
    Key::int(
        "sasl.server.max.receive.size",
        "524288",
        Medium,
        "How large a message may be before its sender is authenticated.",
    ),
];
