//! Releases and feature levels. Kafka: `StorageTool.runVersionMappingCommand`, `runFeatureDependenciesCommand`.

use std::io::Write;

use metadata::{Feature, MetadataVersion};

use crate::Failure;

/// Features in the order in which the tool shows them.
pub(crate) const SHOWN: [Feature; 6] = [
    Feature::KraftVersion,
    Feature::TransactionVersion,
    Feature::GroupVersion,
    Feature::EligibleLeaderReplicasVersion,
    Feature::ShareVersion,
    Feature::StreamsVersion,
];

/// Releases up to the newest stable one.
fn stable() -> impl Iterator<Item = &'static (MetadataVersion, &'static str)> {
    MetadataVersion::ALL.iter().filter(|(version, _)| *version <= MetadataVersion::LATEST)
}

/// Parses a release: `4.0-IV1` exactly, or `4.0` for its last.
pub(crate) fn parse_release(text: &str) -> Result<MetadataVersion, Failure> {
    let exact = stable().find(|(_, name)| *name == text);
    let short = || {
        stable().filter(|(_, name)| name.split_once("-IV").is_some_and(|(release, _)| release == text)).last()
    };
    match exact.or_else(short) {
        Some((version, _)) => Ok(*version),
        None => {
            let known: Vec<_> = stable().map(|(_, name)| *name).collect();
            Err(Failure::message(format!(
                "Unknown metadata.version '{text}'. Supported metadata.version are: {}",
                known.join(", ")
            )))
        }
    }
}

/// Parses `name=level`. Kafka: `StorageTool.parseNameAndLevel`.
pub(crate) fn parse_level(text: &str) -> Result<(String, i16), Failure> {
    let Some((name, level)) = text.split_once('=') else {
        return Err(Failure::message(format!(
            "Can't parse feature=level string {text}: equals sign not found."
        )));
    };
    let level = level.trim();
    let parsed = level.parse().map_err(|_| {
        Failure::message(format!(
            "Can't parse feature=level string {text}: unable to parse {level} as a short."
        ))
    })?;
    Ok((name.trim().to_owned(), parsed))
}

pub(crate) fn version_mapping(release: Option<&str>, out: &mut dyn Write) -> Result<(), Failure> {
    let latest = MetadataVersion::LATEST.to_string();
    let shown = release.unwrap_or(&latest);
    let version = parse_release(shown)?;
    writeln!(out, "metadata.version={} ({shown})", version.0)?;
    for feature in SHOWN {
        let level = feature.default_level(version);
        writeln!(out, "{}={level}", feature.name())?;
    }
    Ok(())
}

pub(super) fn dependencies(features: &[&str], out: &mut dyn Write) -> Result<(), Failure> {
    for text in features {
        let (name, level) = text.split_once('=').unwrap_or((text, ""));
        let level: i16 = level
            .parse()
            .map_err(|_| Failure::message(format!("Invalid version format: {level} for feature {name}")))?;
        show_dependencies(name, level, out)?;
    }
    Ok(())
}

/// Tells what `level` of the feature needs.
pub(crate) fn show_dependencies(name: &str, level: i16, out: &mut dyn Write) -> Result<(), Failure> {
    if name == Feature::METADATA_VERSION {
        let version = MetadataVersion(level);
        if !version.is_known() {
            return Err(Failure::message(format!("Unknown metadata.version {level}")));
        }
        return Ok(writeln!(out, "{name}={level} ({version}) has no dependencies.")?);
    }
    let feature =
        Feature::by_name(name).ok_or_else(|| Failure::message(format!("Unknown feature: {name}")))?;
    if !(0..=feature.latest_level()).contains(&level) {
        return Err(Failure::message(format!("Feature level {level} is not supported for feature {name}")));
    }
    let needed = feature.dependencies(level);
    if needed.is_empty() {
        return Ok(writeln!(out, "{name}={level} has no dependencies.")?);
    }
    writeln!(out, "{name}={level} requires:")?;
    for dependency in needed {
        let release = if dependency.feature == Feature::METADATA_VERSION {
            format!(" ({})", MetadataVersion(dependency.level))
        } else {
            String::new()
        };
        writeln!(out, "    {}={}{release}", dependency.feature, dependency.level)?;
    }
    Ok(())
}
