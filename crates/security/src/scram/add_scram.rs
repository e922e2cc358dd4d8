//! The value of `kafka-storage format --add-scram`: `SCRAM-SHA-256=[name=alice,password=secret]`.
//!
//! Kafka: `ScramParser`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use metadata::ScramCredential;
use protocol::UserScramCredentialRecord;

use super::ScramHash;

/// What is wrong with the value, in Kafka's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddScramError(String);

fn fail<T>(text: impl Into<String>) -> Result<T, AddScramError> {
    Err(AddScramError(text.into()))
}

/// Makes the metadata record of a value; `random_salt` is used where the value gives none.
pub fn parse_add_scram(
    argument: &str,
    random_salt: Bytes,
) -> Result<UserScramCredentialRecord, AddScramError> {
    let argument = argument.trim();
    let Some((mechanism, config)) = argument.split_once('=') else {
        return fail(format!("Failed to find equals sign in SCRAM argument '{argument}'"));
    };
    let Some(hash) = ScramHash::from_mechanism_name(mechanism) else {
        return fail(format!("The add-scram mechanism {mechanism} is not supported."));
    };
    let Some(config) = config.strip_prefix('[') else {
        return fail("Expected configuration string to start with [");
    };
    let Some(config) = config.strip_suffix(']') else {
        return fail("Expected configuration string to end with ]");
    };
    let mut components = config.split(',').map(component).collect::<Result<BTreeMap<_, _>, _>>()?;
    let Some(name) = components.remove("name") else {
        return fail("You must supply 'name' to add-scram");
    };
    let credential = credential(hash, &mut components, random_salt)?;
    Ok(credential.to_record(name, hash.into()))
}

/// Splits `key=value`, whose value may be quoted.
fn component(text: &str) -> Result<(&str, &str), AddScramError> {
    let Some((key, value)) = text.split_once('=') else {
        return fail(format!("No equals sign found in SCRAM component: {text}"));
    };
    let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Ok((key, unquoted.unwrap_or(value)))
}

fn credential(
    hash: ScramHash,
    components: &mut BTreeMap<&str, &str>,
    random_salt: Bytes,
) -> Result<ScramCredential, AddScramError> {
    let given_salt = components.remove("salt").map(|text| decode("salt", text)).transpose()?;
    let iterations = match components.remove("iterations") {
        None => hash.min_iterations(),
        Some(text) => {
            text.parse().map_err(|_| AddScramError(format!("Failed to parse iterations count: {text}")))?
        }
    };
    let password = components.remove("password");
    let salted = components.remove("saltedpassword");
    if password.is_none() && salted.is_none() {
        return fail("You must supply one of 'password' or 'saltedpassword' to add-scram");
    }
    if password.is_none() && given_salt.is_none() {
        return fail("You must supply 'salt' with 'saltedpassword' to add-scram");
    }
    let salted = match password {
        None => salted.map(|text| decode("saltedPassword", text)).transpose()?,
        Some(_) => None,
    };
    if !components.is_empty() {
        let names: Vec<_> = components.keys().copied().collect();
        return fail(format!("Unknown SCRAM configurations: {}", names.join(", ")));
    }
    check_iterations(hash, iterations)?;
    let salt = given_salt.map_or(random_salt, Bytes::from);
    Ok(match salted {
        Some(salted) => hash.credential_of_salted(&salted, salt, iterations),
        None => hash.credential(password.unwrap_or_default(), salt, iterations),
    })
}

fn decode(what: &str, text: &str) -> Result<Vec<u8>, AddScramError> {
    STANDARD.decode(text).map_err(|_| AddScramError(format!("Failed to decode given {what}: {text}")))
}

fn check_iterations(hash: ScramHash, iterations: i32) -> Result<(), AddScramError> {
    // Kafka prints the name of its enum constant.
    let name = hash.mechanism_name().replace('-', "_");
    let (min, max) = (hash.min_iterations(), hash.max_iterations());
    if iterations < min {
        return fail(format!("The 'iterations' value must be >= {min} for add-scram using {name}"));
    }
    if iterations > max {
        return fail(format!("The 'iterations' value must be <= {max} for add-scram using {name}"));
    }
    Ok(())
}
