//! `kafka-storage info`: what is in the directories of a node. Kafka: `StorageTool.infoCommand`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;

use config::BrokerConfig;
use storage::{META_PROPERTIES_FILE, MetaProperties};

use crate::Failure;

/// All directories of a node, sorted.
pub(super) fn directories(config: &BrokerConfig) -> BTreeSet<String> {
    config.log_dirs.iter().cloned().chain([config.metadata_log_dir.clone()]).collect()
}

pub(super) fn run(config: &BrokerConfig, out: &mut dyn Write) -> Result<(), Failure> {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    let mut first: Option<(MetaProperties, String)> = None;
    for directory in directories(config) {
        match look_into(&directory) {
            Ok((properties, text)) => {
                found.push(directory);
                match &first {
                    None => first = Some((properties, text)),
                    Some((first, _)) if first.cluster_id != properties.cluster_id => {
                        problems.push("Mismatched cluster IDs between storage directories.".to_owned());
                    }
                    Some((first, _)) if first.node_id != properties.node_id => {
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
    if let Some((_, text)) = first {
        writeln!(out, "Found metadata: {}\n", as_java_map(&text))?;
    }
    show("Found problem", (":", "s:"), &problems, out)?;
    if problems.is_empty() { Ok(()) } else { Err(Failure::Code(1)) }
}

fn look_into(directory: &str) -> Result<(MetaProperties, String), (bool, String)> {
    let path = Path::new(directory);
    if !path.is_dir() {
        let reason = if path.exists() { "is not a directory" } else { "does not exist" };
        return Err((false, format!("{directory} {reason}")));
    }
    let file = path.join(META_PROPERTIES_FILE);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err((true, format!("{directory} is not formatted.")));
        }
        Err(error) => return Err((true, format!("Error loading {}: {error}", file.display()))),
    };
    match MetaProperties::parse(text.as_bytes()) {
        Ok(properties) => Ok((properties, text)),
        Err(error) => Err((true, format!("Error loading {}: {error}", file.display()))),
    }
}

fn as_java_map(text: &str) -> String {
    let props: BTreeMap<_, _> = config::parse_properties(text.as_bytes()).unwrap_or_default();
    let entries: Vec<_> = props.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("{{{}}}", entries.join(", "))
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
