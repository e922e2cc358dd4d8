//! `kafka-delegation-tokens`: makes, renews, ends and shows delegation tokens. Kafka: `DelegationTokenCommand`.

use std::io::Write;

use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, Engine};
use base64::{DecodeError, alphabet};
use bytes::Bytes;
use client::Admin;
use client::admin::{DelegationToken, Principal};
use model::Timestamp;

use crate::Failure;
use crate::datetime::format_time;
use crate::options::{Opt, Options, flag, maybe, value};
use crate::session::{admin, block_on, client_config, failed_with_name, parse_principal};

const INTRO: &str = "Makes, renews, ends and shows delegation tokens.";

const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String", "REQUIRED: The brokers to connect to."),
    value(
        "command-config",
        "String",
        "REQUIRED: A file with properties of the client: who asks. Tokens need SASL or TLS with client certificates.",
    ),
    flag("create", "Make a token."),
    flag("describe", "Show the tokens of --owner-principal."),
    flag("expire", "End a token."),
    maybe("expiry-time-period", "Long", "After how many milliseconds the token ends; -1 for at once."),
    maybe("hmac", "String", "What proves the token, as it was printed."),
    maybe(
        "max-life-time-period",
        "Long",
        "How long the token may live at most, in milliseconds; -1 for delegation.token.max.lifetime.ms.",
    ),
    maybe("owner-principal", "String", "As whom one logs in with the token: User:name."),
    flag("renew", "Move a token's end."),
    maybe(
        "renew-time-period",
        "Long",
        "How long the token lives from now on, in milliseconds; -1 for delegation.token.expiry.time.ms.",
    ),
    maybe("renewer-principal", "String", "Who else may renew the token: User:name; may be repeated."),
];

const DATE: &str = "yyyy-MM-ddTHH:mm";

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    check(&options)?;
    let config = client_config(options.value("command-config")?, options.value("bootstrap-server")?)?;
    block_on(async {
        let admin = admin(&config)?;
        if options.has("create") {
            create(&admin, &options, out).await
        } else if options.has("describe") {
            describe(&admin, &options, out).await
        } else {
            change(&admin, &options, out).await
        }
    })
}

/// Kafka: `DelegationTokenCommandOptions.checkArgs`.
fn check(options: &Options) -> Result<(), Failure> {
    let actions = ["create", "renew", "expire", "describe"];
    if actions.iter().filter(|action| options.has(action)).count() != 1 {
        let text = "Command must include exactly one action: --create, --renew, --expire or --describe";
        return Err(options.usage(text));
    }
    options.require(&["bootstrap-server", "command-config"])?;
    for (action, needed) in [
        ("create", &["max-life-time-period"][..]),
        ("renew", &["hmac", "renew-time-period"]),
        ("expire", &["hmac", "expiry-time-period"]),
    ] {
        if options.has(action) {
            options.require(needed)?;
        }
    }
    options.exclude("create", &["hmac", "renew-time-period", "expiry-time-period"])?;
    let of_create = ["renewer-principal", "max-life-time-period", "expiry-time-period", "owner-principal"];
    options.exclude("renew", &of_create)?;
    options.exclude("expire", &["renew", "max-life-time-period", "renew-time-period", "owner-principal"])?;
    options.exclude("describe", &["renew-time-period", "max-life-time-period", "hmac", "expiry-time-period"])
}

fn principals(options: &Options, name: &str) -> Result<Vec<Principal>, Failure> {
    options.values(name).into_iter().map(|text| parse_principal(text.trim())).collect()
}

fn list(principals: &[Principal]) -> String {
    let names: Vec<_> = principals.iter().map(ToString::to_string).collect();
    format!("[{}]", names.join(", "))
}

async fn create(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let renewers = principals(options, "renewer-principal")?;
    let longest = options.number("max-life-time-period")?.unwrap_or(-1);
    let shown = list(&renewers);
    writeln!(out, "Calling create token operation with renewers :{shown} , max-life-time-period :{longest}")?;
    let owners = principals(options, "owner-principal")?;
    let token =
        admin.create_delegation_token(owners.first(), &renewers, longest).await.map_err(failed_with_name)?;
    writeln!(out, "Created delegation token with tokenId : {}", token.id)?;
    show(&[token], out)
}

async fn describe(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let owners = principals(options, "owner-principal")?;
    if owners.is_empty() {
        writeln!(out, "Calling describe token operation for current user.")?;
    } else {
        writeln!(out, "Calling describe token operation for owners: {}", list(&owners))?;
    }
    // As Kafka's tool, which asks for the tokens of no owner where none is named, and so is told of none.
    let tokens = admin.describe_delegation_tokens(Some(&owners)).await.map_err(failed_with_name)?;
    write!(out, "Total number of tokens : {}", tokens.len())?;
    show(&tokens, out)
}

/// Renews or ends a token.
async fn change(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let renews = options.has("renew");
    let (verb, key, option) = match renews {
        true => ("renew", "renew-time-period", "renew-time-period"),
        false => ("expire", "expire-time-period", "expiry-time-period"),
    };
    let hmac = options.value("hmac")?.unwrap_or_default();
    let period = options.number(option)?.unwrap_or(-1);
    writeln!(out, "Calling {verb} token operation with hmac :{hmac} , {key} :{period}")?;
    let bytes = decode_hmac(hmac)?;
    let end = match renews {
        true => admin.renew_delegation_token(bytes, period).await,
        false => admin.expire_delegation_token(bytes, period).await,
    };
    let end = date(end.map_err(failed_with_name)?);
    Ok(write!(out, "Completed {verb} operation. New expiry date : {end}")?)
}

/// Reads base64 as Java's `Base64.getDecoder` does: padding may be left out, but not half of it.
fn decode_hmac(text: &str) -> Result<Bytes, Failure> {
    if text.len() == 1 {
        return Err(Failure::message("Input byte[] should at least have 2 bytes for base64 bytes"));
    }
    let padding = match text.ends_with('=') {
        true => DecodePaddingMode::RequireCanonical,
        false => DecodePaddingMode::RequireNone,
    };
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(padding).with_decode_allow_trailing_bits(true);
    let decoded = GeneralPurpose::new(&alphabet::STANDARD, config).decode(text);
    decoded.map(Bytes::from).map_err(|error| {
        Failure::message(match error {
            DecodeError::InvalidByte(_, byte) if byte != b'=' => {
                format!("Illegal base64 character {byte:x}")
            }
            DecodeError::InvalidLength(_) => "Last unit does not have enough valid bits".to_owned(),
            _ => "Input byte array has wrong 4-byte ending unit".to_owned(),
        })
    })
}

fn date(time: Timestamp) -> String {
    format_time(time.0, DATE)
}

fn show(tokens: &[DelegationToken], out: &mut dyn Write) -> Result<(), Failure> {
    let headers = ["TOKENID", "HMAC", "OWNER", "REQUESTER", "RENEWERS", "ISSUEDATE", "EXPIRYDATE", "MAXDATE"];
    let mut rows = vec![headers.map(str::to_owned)];
    rows.extend(tokens.iter().map(|token| {
        [
            token.id.clone(),
            STANDARD.encode(&token.hmac),
            token.owner.to_string(),
            token.requester.to_string(),
            list(&token.renewers),
            date(token.issued),
            date(token.expires),
            date(token.max),
        ]
    }));
    for [id, hmac, owner, requester, renewers, issued, expires, max] in rows {
        writeln!(
            out,
            "\n{id:<15} {hmac:<30} {owner:<15} {requester:<15} {renewers:<25} {issued:<15} {expires:<15} {max:<15}"
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hmac_is_read_as_java_reads_base64() {
        for text in ["aGVsbG8=", "aGVsbG8"] {
            assert_eq!(decode_hmac(text).expect("it is base64"), "hello");
        }
        for (text, said) in [
            ("!!", "Illegal base64 character 21"),
            ("a", "Input byte[] should at least have 2 bytes for base64 bytes"),
            ("aGVsb", "Last unit does not have enough valid bits"),
            ("aGVsbG=", "Input byte array has wrong 4-byte ending unit"),
        ] {
            assert_eq!(decode_hmac(text).expect_err("it is none").text(), said, "{text}");
        }
    }
}
