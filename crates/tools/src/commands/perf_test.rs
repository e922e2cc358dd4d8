//! What `kafka-consumer-perf-test` and `kafka-share-consumer-perf-test` have in common.

use std::io::{self, Write};
use std::time::Duration;

use client::{ConfigMap, ConsumerRecord};

use crate::Failure;
use crate::options::Options;
use crate::session::client_config;

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// How much was read.
#[derive(Clone, Copy, Default)]
pub(super) struct Read {
    pub(super) records: u64,
    /// Of keys and values.
    bytes: u64,
}

impl Read {
    pub(super) fn add(&mut self, record: &ConsumerRecord) {
        let size = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        self.records += 1;
        self.bytes += size(&record.key) + size(&record.value);
    }

    pub(super) fn megabytes(self) -> f64 {
        self.bytes as f64 / MEBIBYTE
    }

    /// What was read since `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self { records: self.records - before.records, bytes: self.bytes - before.bytes }
    }
}

impl std::iter::Sum for Read {
    fn sum<I: Iterator<Item = Self>>(reads: I) -> Self {
        reads.fold(Self::default(), |all, read| Self {
            records: all.records + read.records,
            bytes: all.bytes + read.bytes,
        })
    }
}

/// Checks the options that both have, and says which of them have new names.
pub(super) fn check(options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    options.require_one_of(&["messages", "num-records"])?;
    options.exclude("consumer.config", &["command-config"])?;
    for (old, new) in [("messages", "num-records"), ("consumer.config", "command-config")] {
        if options.has(old) {
            writeln!(out, "Warning: --{old} is deprecated. Use --{new} instead.")?;
        }
    }
    Ok(())
}

/// How many records to read.
pub(super) fn count(options: &Options) -> Result<u64, Failure> {
    Ok(options.number("num-records")?.or(options.number("messages")?).unwrap_or(0))
}

/// The value of an option in milliseconds.
pub(super) fn millis(options: &Options, name: &str, default: u64) -> Result<Duration, Failure> {
    Ok(Duration::from_millis(options.number(name)?.unwrap_or(default)))
}

/// The configuration of a consumer that reads as fast as it can.
pub(super) fn consumer_config(options: &Options) -> Result<ConfigMap, Failure> {
    let file = options.value("command-config")?.or(options.value("consumer.config")?);
    let mut map = client_config(file, None)?;
    map.extend(options.pairs(&["command-property"])?);
    map.insert("bootstrap.servers".into(), options.value_or("bootstrap-server", "")?.into());
    map.insert("receive.buffer.bytes".into(), options.value_or("socket-buffer-size", "2097152")?.into());
    map.insert("check.crcs".into(), "false".into());
    Ok(map)
}

/// Says that fewer records came than were to come.
pub(super) fn warn_of_timeout(timeout: Duration, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "WARNING: Exiting before consuming the expected number of records: timeout ({} ms) exceeded. You can use \
         the --timeout option to increase the timeout.",
        timeout.as_millis()
    )
}
