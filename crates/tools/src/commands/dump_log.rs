//! `kafka-dump-log`: what is in segments, indexes, producer snapshots and metadata snapshots; verifies the indexes.
//!
//! Not yet: `--remote-log-metadata-decoder`, which comes with tiered storage; decoders of one's own, which are classes.
//!
//! Kafka: `DumpLogSegments`.

mod decoders;
mod indexes;
pub(super) mod log;
mod problems;

#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::Path;

use crate::Failure;
use crate::options::{Opt, Options, flag, maybe, value};

use decoders::Decoder;
use problems::Problems;

const INTRO: &str = "Shows what is in the files of a log, for example when a segment seems to be damaged.";

const OPTIONS: &[Opt] = &[
    flag("cluster-metadata-decoder", "Read the records as those of the cluster's metadata."),
    flag("deep-iteration", "Show each record, not only each batch. --print-data-log does so by itself."),
    value("files", "String: file1, file2, ...", "REQUIRED: The files to show, between commas."),
    flag("index-sanity-check", "Check the indexes as a broker does when it starts, without showing them."),
    maybe(
        "key-decoder-class",
        "String",
        "How keys are read: org.apache.kafka.tools.api.StringDecoder and its kin.",
    ),
    value("max-bytes", "Integer: size", "How many bytes of a log to read. (default: 2147483647)"),
    value("max-message-size", "Integer: size", "How large the largest batch is. (default: 5242880)"),
    flag("offsets-decoder", "Read the records as those of __consumer_offsets."),
    flag("print-data-log", "Show keys and values too. A decoder does so by itself."),
    flag("remote-log-metadata-decoder", "Read the records as those of __remote_log_metadata."),
    flag("share-group-state-decoder", "Read the records as those of __share_group_state."),
    flag("skip-record-metadata", "Show keys and values of records only, and no control records."),
    flag("transaction-log-decoder", "Read the records as those of __transaction_state."),
    maybe(
        "value-decoder-class",
        "String",
        "How values are read: org.apache.kafka.tools.api.StringDecoder and its kin.",
    ),
    flag("verify-index-only", "Check the indexes without showing them."),
];

/// How files are shown.
struct Settings {
    prints_data: bool,
    is_deep: bool,
    skips_metadata: bool,
    max_bytes: u64,
    max_message_size: u64,
    checks_sanity: bool,
    verifies_only: bool,
    decoder: Decoder,
}

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    options.require(&["files"])?;
    let settings = Settings::read(&options)?;
    let mut problems = Problems::default();
    for name in
        options.value("files")?.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty())
    {
        let path = Path::new(name);
        writeln!(out, "Dumping {name}")?;
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("log" | "checkpoint") => log::dump(path, &settings, &mut problems, out)?,
            Some("index") => indexes::dump_offsets(path, &settings, &mut problems, out)?,
            Some("timeindex") => indexes::dump_times(path, &settings, &mut problems, out)?,
            Some("snapshot") => indexes::dump_producers(path, out)?,
            Some("txnindex") => indexes::dump_transactions(path, out)?,
            _ => complain!("Ignoring unknown file {name}"),
        }
    }
    out.flush()?;
    problems.report();
    Ok(())
}

impl Settings {
    fn read(options: &Options) -> Result<Self, Failure> {
        let decoder = Decoder::of(options)?;
        let prints_data = options.has("print-data-log")
            || options.has("value-decoder-class")
            || options.has("key-decoder-class")
            || !matches!(decoder, Decoder::Plain { .. });
        Ok(Self {
            prints_data,
            is_deep: options.has("deep-iteration") || prints_data,
            skips_metadata: options.has("skip-record-metadata"),
            max_bytes: options.number::<u32>("max-bytes")?.unwrap_or(i32::MAX as u32).into(),
            max_message_size: options.number::<u32>("max-message-size")?.unwrap_or(5 * 1024 * 1024).into(),
            checks_sanity: options.has("index-sanity-check"),
            verifies_only: options.has("verify-index-only"),
            decoder,
        })
    }
}

/// The offset in the name of a log's file.
fn base_offset(path: &Path) -> Result<i64, Failure> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let digits = name.split('.').next().unwrap_or_default();
    digits.parse().map_err(|_| Failure::message(format!("For input string: \"{digits}\"")))
}

/// The file of the same segment that ends in `extension`.
fn sibling(path: &Path, extension: &str) -> std::path::PathBuf {
    path.with_extension(extension)
}
