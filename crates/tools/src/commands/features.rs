//! `kafka-features`: which features a cluster has, and switching them. Kafka: `FeatureCommand`.

use std::collections::BTreeMap;
use std::io::Write;

use client::Admin;
use client::admin::{FeatureUpdate, UpgradeType};
use metadata::{Feature, MetadataVersion};
use model::NodeId;

use super::storage::features::{SHOWN, parse_level, parse_release, show_dependencies, version_mapping};
use crate::Failure;
use crate::arguments::Arity::{Append, Flag, One};
use crate::arguments::Number::Integer;
use crate::arguments::{Arg, Arguments, Syntax, arg};
use crate::session::{admin, block_on, bootstrap_config, failed};

const METADATA: Arg = arg("--metadata", "", One, "Deprecated: the release of the metadata, such as 3.3-IV3.");
const RELEASE: Arg =
    arg("--release-version", "", One, "Set every feature to its level in this release, such as 4.0-IV3.");
const LEVEL: Arg =
    arg("--feature", "", Append, "A feature and its level, such as metadata.version=5; repeatable.");
const NAME: Arg = arg("--feature", "", Append, "A feature; repeatable.");
const UNSAFE: Arg = arg("--unsafe", "", Flag, "Even where that loses metadata for ever.");
const DRY_RUN: Arg = arg("--dry-run", "", Flag, "Only say whether it could be done.");

const fn command(program: &'static str, intro: &'static str, args: &'static [Arg]) -> Syntax {
    Syntax { program, intro, args, commands: &[] }
}

const SYNTAX: Syntax = Syntax {
    program: "kafka-features",
    intro: "Tells which features a cluster has, and switches them.",
    args: &[
        arg("--bootstrap-server", "", One, "The brokers to connect to: host:port,host:port.").group(1),
        arg("--bootstrap-controller", "", One, "The controllers to connect to.").group(1),
        arg("--command-config", "", One, "A file with properties of the client."),
    ],
    commands: &[
        (
            "describe",
            command(
                "kafka-features describe",
                "Tell the features that are on.",
                &[arg("--node-id", "", One, "The node to ask; any if not given.").number(Integer)],
            ),
        ),
        (
            "upgrade",
            command("kafka-features upgrade", "Raise features.", &[METADATA, RELEASE, LEVEL, DRY_RUN]),
        ),
        (
            "downgrade",
            command(
                "kafka-features downgrade",
                "Lower features.",
                &[METADATA, RELEASE, LEVEL, UNSAFE, DRY_RUN],
            ),
        ),
        (
            "disable",
            command("kafka-features disable", "Switch features off: level 0.", &[NAME, UNSAFE, DRY_RUN]),
        ),
        (
            "version-mapping",
            command(
                "kafka-features version-mapping",
                "Tell the level of each feature in a release; in the newest if none is given.",
                &[arg("--release-version", "", One, "The release.")],
            ),
        ),
        (
            "feature-dependencies",
            command(
                "kafka-features feature-dependencies",
                "Tell what a level of a feature needs.",
                &[arg("--feature", "", Append, "The feature and its level; repeatable.").required()],
            ),
        ),
    ],
};

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let args = Arguments::parse(&SYNTAX, args).map_err(command_line_error)?;
    match args.command {
        Some("version-mapping") => return version_mapping(args.value("--release-version"), out),
        Some("feature-dependencies") => return dependencies(&args.values("--feature"), out),
        _ => {}
    }
    let config = bootstrap_config(
        args.value("--command-config"),
        args.value("--bootstrap-server"),
        args.value("--bootstrap-controller"),
    )
    .map_err(command_line_error)?;
    block_on(async {
        let admin = admin(&config)?;
        match args.command {
            Some("describe") => describe(&admin, &args, out).await,
            Some("disable") => update("disable", &admin, disabled(&args)?, &args, out).await,
            Some("upgrade") => {
                let updates = levels(&args, UpgradeType::Upgrade, out)?;
                update("upgrade", &admin, updates, &args, out).await
            }
            _ => update("downgrade", &admin, levels(&args, downgrade(&args), out)?, &args, out).await,
        }
    })
}

/// This tool shows no usage, only what is wrong.
fn command_line_error(failure: Failure) -> Failure {
    match failure {
        Failure::Message(text, code) => {
            let text = text.split_once(": error: ").map_or(text.as_str(), |(_, reason)| reason);
            Failure::Message(format!("Command line error: {text}. Type --help for help."), code)
        }
        other => other,
    }
}

fn dependencies(features: &[&str], out: &mut dyn Write) -> Result<(), Failure> {
    for text in features {
        let (name, level) = parse_level(text)?;
        if let Some(feature) = Feature::by_name(&name)
            && !(0..=feature.latest_level()).contains(&level)
        {
            return Err(Failure::message(format!("No feature:{name} with feature level {level}")));
        }
        show_dependencies(&name, level, out)?;
    }
    Ok(())
}

async fn describe(admin: &Admin, args: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let node: Option<i32> = args.number("--node-id");
    if let Some(node) = node.filter(|node| *node < 0) {
        return Err(Failure::message(format!("Invalid node id {node}: must be non-negative.")));
    }
    let known = admin.describe_features(node.map(NodeId)).await.map_err(failed)?;
    let epoch = known.finalized_epoch.map_or_else(|| "-".to_owned(), |epoch| epoch.to_string());
    for (feature, (min, max)) in &known.supported {
        let level = |level: i16| shown_level(feature, level);
        let finalized = known.finalized.get(feature).copied().unwrap_or(0);
        writeln!(
            out,
            "Feature: {feature:<40}  SupportedMinVersion: {:<15}  SupportedMaxVersion: {:<15}  \
             FinalizedVersionLevel: {:<15}  Epoch: {epoch}",
            level(*min),
            level(*max),
            level(finalized)
        )?;
    }
    Ok(())
}

/// Kafka: `FeatureCommand.levelToString`.
fn shown_level(feature: &str, level: i16) -> String {
    let version = MetadataVersion(level);
    match feature {
        Feature::METADATA_VERSION if version.is_known() => version.to_string(),
        Feature::METADATA_VERSION => format!("UNKNOWN {level}"),
        _ => level.to_string(),
    }
}

fn downgrade(args: &Arguments) -> UpgradeType {
    if args.has("--unsafe") { UpgradeType::UnsafeDowngrade } else { UpgradeType::SafeDowngrade }
}

type Updates = BTreeMap<String, FeatureUpdate>;

/// The levels that the command line asks for.
fn levels(args: &Arguments, upgrade_type: UpgradeType, out: &mut dyn Write) -> Result<Updates, Failure> {
    let (metadata, release) = (args.value("--metadata"), args.value("--release-version"));
    if release.is_some() && (metadata.is_some() || args.has("--feature")) {
        return Err(Failure::message("Can not specify `release-version` with other feature flags."));
    }
    let mut updates = Updates::new();
    let to = |max_version_level| FeatureUpdate { max_version_level, upgrade_type };
    if let Some(release) = release {
        let version = parse_release(release)?;
        updates.insert(Feature::METADATA_VERSION.to_owned(), to(version.0));
        let levels = SHOWN.iter().map(|feature| (feature, feature.default_level(version)));
        let wanted = levels.filter(|(_, level)| upgrade_type != UpgradeType::Upgrade || *level > 0);
        updates.extend(wanted.map(|(feature, level)| (feature.name().to_owned(), to(level))));
    }
    if let Some(metadata) = metadata {
        writeln!(out, " `metadata` flag is deprecated and may be removed in a future release.")?;
        updates.insert(Feature::METADATA_VERSION.to_owned(), to(parse_release(metadata)?.0));
    }
    for text in args.values("--feature") {
        let (name, level) = parse_level(text)?;
        add(&mut updates, name, to(level))?;
    }
    Ok(updates)
}

fn disabled(args: &Arguments) -> Result<Updates, Failure> {
    let off = FeatureUpdate { max_version_level: 0, upgrade_type: downgrade(args) };
    let mut updates = Updates::new();
    for name in args.values("--feature") {
        add(&mut updates, name.to_owned(), off)?;
    }
    Ok(updates)
}

fn add(updates: &mut Updates, name: String, update: FeatureUpdate) -> Result<(), Failure> {
    match updates.insert(name.clone(), update) {
        None => Ok(()),
        Some(_) => Err(Failure::message(format!("Feature {name} was specified more than once."))),
    }
}

async fn update(
    op: &str,
    admin: &Admin,
    updates: Updates,
    args: &Arguments,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if updates.is_empty() {
        return Err(Failure::message(format!("You must specify at least one feature to {op}")));
    }
    let dry = args.has("--dry-run");
    let results = admin.update_features(&updates, dry).await.map_err(failed)?;
    let mut failures = 0;
    for (feature, result) in results {
        let level = updates.get(&feature).map_or(0, |update| update.max_version_level);
        let to = |verb: &str| if op == "disable" { String::new() } else { format!("{verb} {level}") };
        match result {
            Ok(()) => {
                let verb = if dry { "can be" } else { "was" };
                let done =
                    if op == "disable" { "disabled".to_owned() } else { format!("{op}d{}", to(" to")) };
                writeln!(out, "{feature} {verb} {done}.")?;
            }
            Err(error) => {
                failures += 1;
                let helper = if dry { "Can not" } else { "Could not" };
                writeln!(out, "{helper} {op} {feature}{}. {error}", to(" to"))?;
            }
        }
    }
    if failures == 0 {
        return Ok(());
    }
    Err(Failure::message(format!("{failures} out of {} operation(s) failed.", updates.len())))
}
