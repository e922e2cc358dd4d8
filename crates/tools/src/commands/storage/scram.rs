//! Users to begin with: `SCRAM-SHA-256=[name=alice,password=secret]`. Kafka: `ScramParser`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use protocol::{MetadataRecord, UserScramCredentialRecord};

use crate::Failure;

struct Mechanism {
    name: &'static str,
    id: i8,
    hash: pbkdf2::Algorithm,
    mac: hmac::Algorithm,
    digest: &'static digest::Algorithm,
}

fn mechanisms() -> [Mechanism; 2] {
    [
        Mechanism {
            name: "SCRAM-SHA-256",
            id: 1,
            hash: pbkdf2::PBKDF2_HMAC_SHA256,
            mac: hmac::HMAC_SHA256,
            digest: &digest::SHA256,
        },
        Mechanism {
            name: "SCRAM-SHA-512",
            id: 2,
            hash: pbkdf2::PBKDF2_HMAC_SHA512,
            mac: hmac::HMAC_SHA512,
            digest: &digest::SHA512,
        },
    ]
}

/// Parses one argument and makes the record of the user.
pub fn parse(text: &str) -> Result<MetadataRecord, Failure> {
    let refuse = |reason: String| Failure::message(reason);
    let (name, config) = text
        .split_once('=')
        .ok_or_else(|| refuse(format!("Failed to find equals sign in SCRAM argument '{text}'")))?;
    let all = mechanisms();
    let mechanism = all
        .iter()
        .find(|mechanism| mechanism.name == name)
        .ok_or_else(|| refuse(format!("The add-scram mechanism {name} is not supported.")))?;
    let inner = config.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let inner = inner.ok_or_else(|| {
        refuse("Expected configuration string to start and end with square brackets".into())
    })?;
    let mut parts = parse_parts(inner)?;
    let record = make_record(mechanism, &mut parts)?;
    match parts.into_keys().next() {
        Some(unknown) => Err(refuse(format!("Unknown SCRAM configurations: {unknown}"))),
        None => Ok(MetadataRecord::UserScramCredentialRecord(record)),
    }
}

fn parse_parts(text: &str) -> Result<BTreeMap<String, String>, Failure> {
    let part = |part: &str| {
        let (key, value) = part.split_once('=').ok_or_else(|| {
            Failure::message(format!("Expected a key=value pair in SCRAM configuration, got '{part}'"))
        })?;
        Ok((key.trim().to_owned(), value.trim().trim_matches('"').to_owned()))
    };
    text.split(',').map(part).collect()
}

fn make_record(
    mechanism: &Mechanism,
    parts: &mut BTreeMap<String, String>,
) -> Result<UserScramCredentialRecord, Failure> {
    let user = parts.remove("name").ok_or_else(|| Failure::message("You must supply 'name' to add-scram"))?;
    let salt = match parts.remove("salt") {
        Some(text) => decode("salt", &text)?,
        None => random_salt()?,
    };
    let iterations: u32 = match parts.remove("iterations") {
        Some(text) => text.parse().map_err(|_| Failure::message(format!("For input string: \"{text}\"")))?,
        None => 4096,
    };
    let using = mechanism.name.replace('-', "_");
    let bound = |what: &str| {
        Failure::message(format!("The 'iterations' value must be {what} for add-scram using {using}"))
    };
    if iterations < 4096 {
        return Err(bound(">= 4096"));
    }
    if iterations > 16384 {
        return Err(bound("<= 16384"));
    }
    let password = match (parts.remove("password"), parts.remove("saltedpassword")) {
        (Some(password), None) => salted_password(mechanism, &password, &salt, iterations),
        (None, Some(salted)) => decode("saltedpassword", &salted)?,
        (None, None) => {
            return Err(Failure::message(
                "You must supply one of 'password' or 'saltedpassword' to add-scram",
            ));
        }
        _ => {
            return Err(Failure::message(
                "You must only supply one of 'password' or 'saltedpassword' to add-scram",
            ));
        }
    };
    let sign = |text: &[u8]| hmac::sign(&hmac::Key::new(mechanism.mac, &password), text).as_ref().to_vec();
    Ok(UserScramCredentialRecord {
        name: user,
        mechanism: mechanism.id,
        stored_key: Bytes::copy_from_slice(digest::digest(mechanism.digest, &sign(b"Client Key")).as_ref()),
        server_key: sign(b"Server Key").into(),
        salt: salt.into(),
        iterations: i32::try_from(iterations).expect("at most 16384"),
        ..Default::default()
    })
}

fn salted_password(mechanism: &Mechanism, password: &str, salt: &[u8], iterations: u32) -> Vec<u8> {
    let mut salted = vec![0; mechanism.digest.output_len];
    let iterations = NonZeroU32::new(iterations).expect("at least 4096");
    pbkdf2::derive(mechanism.hash, iterations, salt, password.as_bytes(), &mut salted);
    salted
}

fn decode(name: &str, text: &str) -> Result<Vec<u8>, Failure> {
    STANDARD.decode(text).map_err(|_| Failure::message(format!("Failed to decode given {name}: {text}")))
}

fn random_salt() -> Result<Vec<u8>, Failure> {
    let mut salt = vec![0; 24];
    getrandom::fill(&mut salt).map_err(|error| Failure::message(error.to_string()))?;
    Ok(salt)
}
