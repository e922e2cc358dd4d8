//! `kafka-metadata-quorum add-controller` and `remove-controller`.
//!
//! What is added is described by a controller's own `server.properties`, given as `--command-config`.

use std::io::Write;
use std::path::Path;

use client::ConfigMap;
use client::settings::Address;
use model::{NodeId, Uuid};

use crate::Failure;
use crate::arguments::Arguments;
use crate::session::{admin, block_on, failed_with_name};

pub(super) fn add(config: &ConfigMap, args: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    if !args.has("--command-config") {
        return Err(Failure::message(
            "You must supply the configuration file of the controller you are adding when using add-controller.",
        ));
    }
    let id = controller_id(config)?;
    let directory = directory_id(metadata_directory(config)?)?;
    let endpoints = endpoints(config)?;
    let dry = args.has("--dry-run");
    if !dry {
        block_on(async {
            admin(config)?.add_raft_voter(id, directory, &endpoints).await.map_err(failed_with_name)
        })?;
    }
    let verb = if dry { "DRY RUN of adding" } else { "Added" };
    let shown: Vec<_> = endpoints.iter().map(|(name, address)| format!("{name}://{address}")).collect();
    let shown = shown.join(", ");
    Ok(writeln!(out, "{verb} controller {id} with directory id {directory} and endpoints: {shown}")?)
}

pub(super) fn remove(config: &ConfigMap, args: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let id: i32 = args.number("--controller-id").unwrap_or(-1);
    if id < 0 {
        return Err(Failure::message(format!("Invalid negative --controller-id: {id}")));
    }
    let text = args.value("--controller-directory-id").unwrap_or_default();
    let directory: Uuid = text
        .parse()
        .map_err(|error| Failure::message(format!("Failed to parse --controller-directory-id: {error}")))?;
    let dry = args.has("--dry-run");
    if !dry {
        block_on(async {
            admin(config)?.remove_raft_voter(NodeId(id), directory).await.map_err(failed_with_name)
        })?;
    }
    let verb = if dry { "DRY RUN of removing " } else { "Removed " };
    Ok(writeln!(out, "{verb} KRaft controller {id} with directory id {directory}")?)
}

const HINT: &str = "Is this a valid controller configuration file?";

fn refused(what: &str) -> Failure {
    Failure::message(format!("{what} {HINT}"))
}

fn controller_id(config: &ConfigMap) -> Result<NodeId, Failure> {
    let text = config.get("node.id").ok_or_else(|| refused("node.id not found in configuration file."))?;
    let id: i32 =
        text.trim().parse().map_err(|_| Failure::message(format!("For input string: \"{text}\"")))?;
    if id < 0 {
        return Err(refused("node.id was negative in configuration file."));
    }
    if !config.get("process.roles").is_some_and(|roles| roles.contains("controller")) {
        return Err(refused("process.roles did not contain 'controller' in configuration file."));
    }
    Ok(NodeId(id))
}

fn metadata_directory(config: &ConfigMap) -> Result<&str, Failure> {
    match (config.get("metadata.log.dir"), config.get("log.dirs")) {
        (Some(dir), _) => Ok(dir),
        (None, Some(dirs)) => Ok(dirs.trim().split(',').next().unwrap_or_default()),
        (None, None) => Err(refused("Neither metadata.log.dir nor log.dirs were found.")),
    }
}

fn directory_id(directory: &str) -> Result<Uuid, Failure> {
    let path = Path::new(directory).join("meta.properties");
    let unreadable = || Failure::message(format!("Unable to read meta.properties from {directory}"));
    let bytes = std::fs::read(path).map_err(|_| unreadable())?;
    let properties = config::parse_properties(&bytes).map_err(|_| unreadable())?;
    let id = properties.get("directory.id");
    let id = id.ok_or_else(|| Failure::message(format!("No directory id found in {directory}")))?;
    id.parse().map_err(|_| unreadable())
}

/// The listeners of the controller, at the addresses that it tells others.
fn endpoints(config: &ConfigMap) -> Result<Vec<(String, Address)>, Failure> {
    let names = config.get("controller.listener.names");
    let names = names.ok_or_else(|| refused("controller.listener.names was not found."))?;
    let mut known = Vec::new();
    for key in ["advertised.listeners", "listeners"] {
        let text = config.get(key).map_or("", String::as_str);
        for listener in text.split(',').map(str::trim).filter(|listener| !listener.is_empty()) {
            known.push(endpoint(listener)?);
        }
    }
    let find = |name: &str| {
        let name = name.to_uppercase();
        let found = known.iter().find(|(known, _)| *known == name).cloned();
        found.ok_or_else(|| {
            Failure::message(format!("Cannot find information about controller listener name: {name}"))
        })
    };
    names.split(',').map(|name| find(name.trim())).collect()
}

/// Reads `NAME://host:port`; no host is `localhost`.
fn endpoint(text: &str) -> Result<(String, Address), Failure> {
    let refuse = || Failure::message(format!("Unable to parse {text} to a broker endpoint"));
    let (name, address) = text.split_once("://").ok_or_else(refuse)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(refuse)?;
    let host = match host.trim_matches(['[', ']']) {
        "" => "localhost",
        host => host,
    };
    let port = port.parse().map_err(|_| refuse())?;
    Ok((name.to_uppercase(), Address { host: host.to_owned(), port }))
}
