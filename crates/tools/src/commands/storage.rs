//! `kafka-storage`: formats the directories of a node, tells what is in them, and what a release brings.
//!
//! Kafka: `StorageTool`, `Formatter`.

pub(crate) mod features;
mod format;
mod info;

use std::fs;
use std::io::Write;

use config::{BrokerConfig, parse_properties};
use model::Uuid;
use protocol::MetadataRecord;

use crate::Failure;
use crate::arguments::Arity::{Append, Flag, One};
use crate::arguments::{Arg, Arguments, Syntax, arg};

pub use format::{Format, InitialControllers, Voter};

/// How many random bytes salt a password that comes without a salt.
const SALT_LEN: usize = 24;

const CONFIG: Arg = arg("--config", "-c", One, "The properties file of the node.").required();

const SYNTAX: Syntax = Syntax {
    program: "kafka-storage",
    intro: "Prepares the directories in which a node keeps its data.",
    args: &[],
    commands: &[
        ("info", INFO),
        ("format", FORMAT),
        ("version-mapping", VERSION_MAPPING),
        ("feature-dependencies", FEATURE_DEPENDENCIES),
        ("random-uuid", RANDOM_UUID),
    ],
};

const INFO: Syntax = Syntax {
    program: "kafka-storage info",
    intro: "Tell how the directories of this node are formatted.",
    args: &[CONFIG],
    commands: &[],
};

const FORMAT: Syntax = Syntax {
    program: "kafka-storage format",
    intro: "Format the directories of this node.",
    args: &[
        CONFIG,
        arg("--cluster-id", "-t", One, "The id of the cluster; `random-uuid` makes one.").required(),
        arg(
            "--add-scram",
            "-S",
            Append,
            "A user to begin with: 'SCRAM-SHA-256=[name=alice,password=secret]'.",
        ),
        arg("--ignore-formatted", "-g", Flag, "Pass over directories that are formatted already."),
        arg(
            "--release-version",
            "-r",
            One,
            "The release whose features the cluster begins with; the newest, if unset.",
        ),
        arg("--feature", "-f", Append, "The level of one feature, as name=level."),
        arg("--standalone", "-s", Flag, "Make this node a quorum of one, to which others can be added.")
            .group(1),
        arg("--no-initial-controllers", "-N", Flag, "Make a node that joins a quorum later.").group(1),
        arg(
            "--initial-controllers",
            "-I",
            One,
            "The quorum to begin with: id@host:port:directory id, several between commas.",
        )
        .group(1),
    ],
    commands: &[],
};

const VERSION_MAPPING: Syntax = Syntax {
    program: "kafka-storage version-mapping",
    intro: "Tell the feature levels of a release.",
    args: &[arg("--release-version", "-r", One, "The release, from 3.3-IV3; the newest, if unset.")],
    commands: &[],
};

const FEATURE_DEPENDENCIES: Syntax = Syntax {
    program: "kafka-storage feature-dependencies",
    intro: "Tell which feature levels another one needs.",
    args: &[arg("--feature", "-f", Append, "The feature and its level, as name=level.").required()],
    commands: &[],
};

const RANDOM_UUID: Syntax =
    Syntax { program: "kafka-storage random-uuid", intro: "Print a random id.", args: &[], commands: &[] };

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let args = Arguments::parse(&SYNTAX, args)?;
    match args.command {
        Some("info") => info::run(&read_config(&args)?, out),
        Some("format") => run_format(&args, out),
        Some("version-mapping") => features::version_mapping(args.value("--release-version"), out),
        Some("feature-dependencies") => features::dependencies(&args.values("--feature"), out),
        _ => Ok(writeln!(out, "{}", random_uuid()?)?),
    }
}

fn read_config(args: &Arguments) -> Result<BrokerConfig, Failure> {
    let path = args.value("--config").expect("the argument is required");
    let bytes = fs::read(path).map_err(|error| Failure::message(format!("{path}: {error}")))?;
    let props = parse_properties(&bytes).map_err(|error| Failure::message(error.to_string()))?;
    BrokerConfig::parse(&props).map_err(|error| Failure::message(error.to_string()))
}

fn run_format(args: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let config = read_config(args)?;
    let controllers = if let Some(text) = args.value("--initial-controllers") {
        InitialControllers::Listed(format::parse_voters(text)?)
    } else if args.has("--standalone") {
        InitialControllers::Standalone
    } else if args.has("--no-initial-controllers") {
        InitialControllers::None
    } else {
        InitialControllers::Unsaid
    };
    let format = Format {
        cluster_id: args.value("--cluster-id").expect("the argument is required").to_owned(),
        release: args.value("--release-version").map(features::parse_release).transpose()?,
        features: args
            .values("--feature")
            .into_iter()
            .map(features::parse_level)
            .collect::<Result<_, _>>()?,
        scram: args.values("--add-scram").into_iter().map(parse_scram).collect::<Result<_, _>>()?,
        ignore_formatted: args.has("--ignore-formatted"),
        controllers,
    };
    format.run(&config, out)
}

/// Makes the record of a user to begin with: `SCRAM-SHA-256=[name=alice,password=secret]`.
fn parse_scram(argument: &str) -> Result<MetadataRecord, Failure> {
    let mut salt = vec![0; SALT_LEN];
    getrandom::fill(&mut salt).map_err(|error| Failure::message(error.to_string()))?;
    let record = security::parse_add_scram(argument, salt.into());
    record.map(MetadataRecord::UserScramCredentialRecord).map_err(|error| Failure::message(error.to_string()))
}

/// Makes an id that Kafka does not keep for itself and that no command line takes for an option.
pub(crate) fn random_uuid() -> Result<Uuid, Failure> {
    loop {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| Failure::message(error.to_string()))?;
        let id = Uuid::from_random_bytes(bytes);
        if !id.is_reserved() && !id.to_string().starts_with('-') {
            return Ok(id);
        }
    }
}
