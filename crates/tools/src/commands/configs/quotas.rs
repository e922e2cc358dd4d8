//! Users, clients and addresses: their quotas, and users' SCRAM credentials.
//!
//! Kafka: `ConfigCommand.describeQuotaConfigs`, `alterQuotaConfigs`, `alterUserScramCredentialConfigs`.

use std::collections::BTreeMap;
use std::io::Write;

use bytes::Bytes;
use client::Admin;
use client::admin::{ClientQuotaEntity, QuotaMatch, ScramAlteration};
use config::{ConfigMap, Password};
use protocol::ErrorCode;
use security::ScramHash;

use super::entities::Entity;
use crate::Failure;
use crate::session::{exception, failed};

/// How often a password is hashed that says nothing of it.
const DEFAULT_ITERATIONS: i32 = 4096;
/// The quotas of users and clients, and those of addresses.
const CLIENT_KEYS: [&str; 4] =
    ["consumer_byte_rate", "controller_mutation_rate", "producer_byte_rate", "request_percentage"];
const IP_KEYS: [&str; 1] = ["connection_creation_rate"];

/// The kind's name in requests.
fn wire_kind(kind: &str) -> &'static str {
    match kind {
        "users" => "user",
        "clients" => "client-id",
        _ => "ip",
    }
}

/// Shows quotas, and users' credentials where users alone are meant.
pub(super) async fn describe(admin: &Admin, entity: &Entity, out: &mut dyn Write) -> Result<(), Failure> {
    for (entity, quotas) in quotas_of(admin, entity).await? {
        let quotas: Vec<_> =
            quotas.iter().map(|(key, value)| format!("{key}={}", java_double(*value))).collect();
        writeln!(out, "Quota configs for {} are {}", show(&entity), quotas.join(", "))?;
    }
    let is_default = entity.parts.iter().any(|(_, name)| name.as_deref() == Some(""));
    if entity.kind != "users" || entity.parts.len() > 1 || is_default {
        return Ok(());
    }
    let users: Vec<&str> = entity.parts.iter().filter_map(|(_, name)| name.as_deref()).collect();
    for (user, described) in admin.describe_user_scram_credentials(&users).await.map_err(failed)? {
        match described {
            Ok(infos) => {
                let info = |(hash, iterations): &(ScramHash, i32)| {
                    format!("{}=iterations={iterations}", hash.mechanism_name())
                };
                let infos: Vec<_> = infos.iter().map(info).collect();
                writeln!(
                    out,
                    "SCRAM credential configs for user-principal '{user}' are {}",
                    infos.join(", ")
                )?;
            }
            // A user without credentials is not worth a line. Kafka: `DescribeUserScramCredentialsResult.users`.
            Err(client::Error::Broker { code: ErrorCode::RESOURCE_NOT_FOUND, .. }) => {}
            Err(error) => {
                let text = format!("java.util.concurrent.ExecutionException: {}: {error}", exception(&error));
                writeln!(
                    out,
                    "Error retrieving SCRAM credential configs for user-principal '{user}': {text}"
                )?;
            }
        }
    }
    Ok(())
}

async fn quotas_of(
    admin: &Admin,
    entity: &Entity,
) -> Result<BTreeMap<ClientQuotaEntity, BTreeMap<String, f64>>, Failure> {
    let mut filter = Vec::new();
    for (kind, name) in &entity.parts {
        let matches = match name.as_deref() {
            None => QuotaMatch::Any,
            Some("") => QuotaMatch::Default,
            Some(name) => QuotaMatch::Name(name),
        };
        filter.push((wire_kind(kind), matches));
    }
    admin.describe_client_quotas(&filter, true).await.map_err(failed)
}

/// Kafka: `ConfigCommand.entitySubstr`.
fn show(entity: &ClientQuotaEntity) -> String {
    let part = |(kind, text): (&str, &str)| {
        entity.get(kind).map(|name| match name {
            Some(name) => format!("{text} '{name}'"),
            None => format!("the default {text}"),
        })
    };
    let kinds = [("user", "user-principal"), ("client-id", "client-id"), ("ip", "ip")];
    kinds.into_iter().filter_map(part).collect::<Vec<_>>().join(", ")
}

/// Sets and deletes quotas, or credentials.
pub(super) async fn alter(
    admin: &Admin,
    entity: &Entity,
    set: &ConfigMap,
    unset: &[&str],
    told: impl Fn(client::Error) -> Failure,
) -> Result<(), Failure> {
    check(entity, set, unset)?;
    let is_scram = |key: &str| ScramHash::from_mechanism_name(key).is_some();
    if set.keys().any(|key| is_scram(key)) || unset.iter().any(|key| is_scram(key)) {
        let user = entity.name.as_deref().unwrap_or_default();
        let alterations = scram_alterations(set, unset)?;
        return admin.alter_user_scram_credentials(user, &alterations).await.map_err(told);
    }
    if entity.parts.iter().any(|(_, name)| name.is_none()) {
        return Err(Failure::message("Exactly one entity name must be specified for every entity type"));
    }
    let known = quotas_of(admin, entity).await?.into_values().next().unwrap_or_default();
    let invalid: Vec<_> = unset.iter().filter(|key| !known.contains_key(**key)).copied().collect();
    if !invalid.is_empty() {
        return Err(Failure::message(format!("Invalid config(s): {}", invalid.join(","))));
    }
    let mut quotas: BTreeMap<String, Option<f64>> =
        unset.iter().map(|key| ((*key).to_owned(), None)).collect();
    for (key, value) in set {
        let number = value.parse::<f64>().map_err(|_| {
            Failure::message(format!("Cannot parse quota configuration value for {key}: {value}"))
        })?;
        quotas.insert(key.clone(), Some(number));
    }
    let part = |(kind, name): &(String, Option<String>)| {
        (wire_kind(kind).to_owned(), name.clone().filter(|name| !name.is_empty()))
    };
    let wire: ClientQuotaEntity = entity.parts.iter().map(part).collect();
    admin.alter_client_quotas(&wire, &quotas, false).await.map_err(told)
}

/// Whether a name is an address or has one; the default of all has no name.
fn is_host(name: &str) -> bool {
    use std::net::ToSocketAddrs;
    name.is_empty() || (name, 0).to_socket_addrs().is_ok()
}

fn check(entity: &Entity, set: &ConfigMap, unset: &[&str]) -> Result<(), Failure> {
    let keys = |of: &[&str], is_known: &dyn Fn(&str) -> bool| -> Vec<String> {
        of.iter().filter(|key| !is_known(key)).map(|key| (*key).to_owned()).collect()
    };
    let added: Vec<&str> = set.keys().map(String::as_str).collect();
    let refuse = |what: &str, how: &str, kind: &str, unknown: &str| {
        Err(Failure::message(format!(
            "Only {what} configs can be {how} for '{kind}' using --bootstrap-server. Unexpected config names: {unknown}"
        )))
    };
    if entity.kind == "ips" {
        if let Some(name) =
            entity.parts.iter().filter_map(|(_, name)| name.as_deref()).find(|name| !is_host(name))
        {
            return Err(Failure::message(format!(
                "The entity name for ips must be a valid IP or resolvable host, but it is: {name}"
            )));
        }
        let all: Vec<&str> = added.iter().chain(unset).copied().collect();
        let unknown = keys(&all, &|key| IP_KEYS.contains(&key));
        return match unknown.is_empty() {
            true => Ok(()),
            false => refuse("connection quota", "added", "ips", &unknown.join(",")),
        };
    }
    let users_alone = entity.kind == "users" && entity.parts.len() == 1;
    let is_scram = |key: &str| ScramHash::from_mechanism_name(key).is_some();
    let is_known = |key: &str| CLIENT_KEYS.contains(&key) || (users_alone && is_scram(key));
    let (what, kind) =
        if users_alone { ("quota and SCRAM credential", "users") } else { ("quota", "clients") };
    for (of, how, collection) in [(added.as_slice(), "added", "Set"), (unset, "deleted", "List")] {
        let unknown = keys(of, &is_known);
        if !unknown.is_empty() {
            return refuse(what, how, kind, &format!("{collection}({})", unknown.join(", ")));
        }
    }
    let all = || added.iter().chain(unset);
    if all().any(|key| is_scram(key)) {
        if entity.name.as_deref() == Some("") {
            return Err(Failure::message(
                "The use of --entity-default or --user-defaults is not allowed with User SCRAM Credentials using \
                 --bootstrap-server.",
            ));
        }
        if all().any(|key| !is_scram(key)) {
            return Err(Failure::message(
                "Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using \
                 --bootstrap-server.",
            ));
        }
    }
    Ok(())
}

fn scram_alterations(set: &ConfigMap, unset: &[&str]) -> Result<Vec<ScramAlteration>, Failure> {
    let deleted = unset.iter().filter_map(|key| ScramHash::from_mechanism_name(key));
    let mut alterations: Vec<_> = deleted.map(ScramAlteration::Delete).collect();
    for (mechanism, value) in set {
        let Some(hash) = ScramHash::from_mechanism_name(mechanism) else { continue };
        let (iterations, password) = parse_credential(hash, value)?;
        let mut salt = [0; 24];
        getrandom::fill(&mut salt).map_err(|error| Failure::message(error.to_string()))?;
        let salt = Bytes::copy_from_slice(&salt);
        let password = Password(password.to_owned());
        alterations.push(ScramAlteration::Upsert { hash, iterations, salt, password });
    }
    Ok(alterations)
}

/// Reads `[iterations=4096,]password=secret`. Kafka: `iterationsAndPasswordBytes`.
fn parse_credential(hash: ScramHash, value: &str) -> Result<(i32, &str), Failure> {
    let mechanism = hash.mechanism_name();
    let invalid = || Failure::message(format!("Invalid credential property {mechanism}={value}"));
    let (iterations, rest) = match value.strip_prefix("iterations=") {
        None => (DEFAULT_ITERATIONS, value),
        Some(rest) => {
            let (number, rest) = rest.split_once(',').ok_or_else(invalid)?;
            let number = number.parse::<i32>().map_err(|_| invalid())?;
            (if number == -1 { DEFAULT_ITERATIONS } else { number }, rest)
        }
    };
    let password = rest.strip_prefix("password=").ok_or_else(invalid)?;
    let least = hash.min_iterations();
    if iterations < least {
        return Err(Failure::message(format!(
            "Iterations {iterations} is less than the minimum {least} required for {mechanism}"
        )));
    }
    Ok((iterations, password))
}

/// A number as Java writes it. Kafka: `Double.toString`.
fn java_double(value: f64) -> String {
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        Some((mantissa, exponent)) => format!("{mantissa}E{exponent}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_java_writes_them() {
        for (number, text) in [
            (1024.0, "1024.0"),
            (12.5, "12.5"),
            (1e7, "1.0E7"),
            (12_345_678.0, "1.2345678E7"),
            (1e-4, "1.0E-4"),
        ] {
            assert_eq!(java_double(number), text);
        }
    }

    #[test]
    fn a_credential_has_a_password_and_may_have_iterations() {
        let hash = ScramHash::Sha256;
        assert_eq!(parse_credential(hash, "password=a,b").ok(), Some((4096, "a,b")));
        assert_eq!(parse_credential(hash, "iterations=8192,password=x").ok(), Some((8192, "x")));
        assert_eq!(parse_credential(hash, "iterations=-1,password=x").ok(), Some((4096, "x")));
        for (value, text) in [
            ("secret", "Invalid credential property SCRAM-SHA-256=secret"),
            (
                "iterations=1,password=x",
                "Iterations 1 is less than the minimum 4096 required for SCRAM-SHA-256",
            ),
        ] {
            let Err(Failure::Message(refused, 1)) = parse_credential(hash, value) else { panic!("{value}") };
            assert_eq!(refused, text);
        }
    }
}
