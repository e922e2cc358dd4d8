//! `kafka-storage info`: what is in the directories of a node. Kafka: `StorageTool.infoCommand`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use config::BrokerConfig;
use storage::MetaProperties;
use world::files::RealFiles;

use crate::Failure;

/// All directories of a node, sorted.
pub(super) fn directories(config: &BrokerConfig) -> BTreeSet<String> {
    config.log_dirs.iter().cloned().chain([config.metadata_log_dir.clone()]).collect()
}

pub(super) fn run(config: &BrokerConfig, out: &mut dyn Write) -> Result<(), Failure> {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    let mut first: Option<MetaProperties> = None;
    for directory in directories(config) {
        match look_into(&directory) {
            Ok(properties) => {
                found.push(directory);
                match &first {
                    None => first = Some(properties),
                    Some(first) if first.cluster_id != properties.cluster_id => {
                        problems.push("Mismatched cluster IDs between storage directories.".to_owned());
                    }
                    Some(first) if first.node_id != properties.node_id => {
                        problems.push("Mismatched node IDs between storage directories.".to_owned());
                    }
                    Some(_) => {}
                }
            }
            Err((is_directory, problem)) => {
                found.extend(is_directory.then_some(directory));
                problems.push(problem);
            }
        }
    }
    show("Found log director", ("y:", "ies:"), &found, out)?;
    if let Some(first) = first {
        writeln!(out, "Found metadata: {}\n", as_java_map(&first))?;
    }
    show("Found problem", (":", "s:"), &problems, out)?;
    if problems.is_empty() { Ok(()) } else { Err(Failure::Code(1)) }
}

/// The directory's identity, or whether it is a directory and what is wrong with it.
fn look_into(directory: &str) -> Result<MetaProperties, (bool, String)> {
    let path = Path::new(directory);
    if !path.is_dir() {
        let reason = if path.exists() { "is not a directory" } else { "does not exist" };
        return Err((false, format!("{directory} {reason}")));
    }
    match MetaProperties::read(&RealFiles, path) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err((true, format!("{directory} is not formatted."))),
        Err(error) => Err((true, format!("Error loading {}: {error}", MetaProperties::path(path).display()))),
    }
}

/// The properties as Java shows a map.
fn as_java_map(properties: &MetaProperties) -> String {
    let entries = [
        ("cluster.id", properties.cluster_id.clone()),
        ("directory.id", properties.directory_id.map(|id| id.to_string())),
        ("node.id", properties.node_id.map(|id| id.to_string())),
        ("version", Some(properties.version.to_string())),
    ];
    let shown: Vec<_> =
        entries.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", value?))).collect();
    format!("{{{}}}", shown.join(", "))
}

fn show(title: &str, ends: (&str, &str), lines: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "{title}{}", if lines.len() == 1 { ends.0 } else { ends.1 })?;
    for line in lines {
        writeln!(out, "  {line}")?;
    }
    Ok(writeln!(out)?)
}
