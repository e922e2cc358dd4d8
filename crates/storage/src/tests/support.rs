//! A node's logs on a simulated disk, and batches to append.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::{ConfigMap, LogConfig};
use model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};
use records::{BatchBuilder, BatchOptions, EndTxnMarker, RecordBatch};
use world::chance::SeededChance;
use world::clock::FakeClock;
use world::files::{Files, SimFiles};

use crate::{
    AbortedTxn, AppendOptions, AppendOrigin, FetchIsolation, FoundLogs, LogAppendInfo, LogEnvironment,
    LogManager, LogManagerOptions, StorageError, UnifiedLog,
};

pub(super) const START_MS: i64 = 1_000_000_000;

/// One life of a node's logs.
pub(super) struct Node {
    pub(super) manager: Arc<LogManager>,
    pub(super) clock: Arc<FakeClock>,
}

pub(super) fn config(pairs: &[(&str, &str)]) -> Arc<LogConfig> {
    let map: ConfigMap = pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    Arc::new(LogConfig::new(&ConfigMap::new(), &map).expect("valid"))
}

/// Segments of a kilobyte, with an index entry for nearly each batch.
pub(super) fn small() -> Arc<LogConfig> {
    config(&[("internal.segment.bytes", "1024"), ("index.interval.bytes", "64"), ("retention.ms", "-1")])
}

impl Node {
    pub(super) fn start(files: &SimFiles, dirs: &[&str], config: &Arc<LogConfig>) -> Self {
        Self::try_start(files, dirs, config).expect("a dir is usable")
    }

    pub(super) fn try_start(
        files: &SimFiles,
        dirs: &[&str],
        config: &Arc<LogConfig>,
    ) -> Result<Self, StorageError> {
        Self::start_on(Arc::new(files.clone()), dirs, config)
    }

    /// Starts on any disk.
    pub(super) fn start_on(
        files: Arc<dyn Files>,
        dirs: &[&str],
        config: &Arc<LogConfig>,
    ) -> Result<Self, StorageError> {
        let node = Self::open_on(files, dirs)?;
        node.manager.load(&|_, _| Some(config.clone()))?;
        Ok(node)
    }

    /// Finds the logs, for a test to load them.
    pub(super) fn find(files: &SimFiles, dirs: &[&str]) -> (Self, FoundLogs) {
        let node = Self::open_on(Arc::new(files.clone()), dirs).expect("a dir is usable");
        let found = node.manager.find_logs();
        (node, found)
    }

    fn open_on(files: Arc<dyn Files>, dirs: &[&str]) -> Result<Self, StorageError> {
        let clock = Arc::new(FakeClock::at(START_MS));
        let chance = Arc::new(SeededChance::new(1));
        let environment = LogEnvironment::new(files, clock.clone(), chance, 50, 86_400_000);
        let options = LogManagerOptions {
            log_dirs: dirs.iter().map(|dir| Path::new(dir).to_owned()).collect(),
            retention_check_interval_ms: 1000,
            checkpoint_interval_ms: 1000,
            ..LogManagerOptions::default()
        };
        Ok(Self { manager: LogManager::open(environment, options)?, clock })
    }

    pub(super) fn log(&self, partition: i32, config: &Arc<LogConfig>) -> Arc<UnifiedLog> {
        let partition = TopicPartition::new("t", partition);
        self.manager.get_or_create_log(&partition, None, None, config.clone()).expect("the disk is well")
    }

    /// Lets a second pass and does what is due.
    pub(super) fn step(&self) {
        self.clock.advance(Duration::from_secs(1));
        self.manager.step();
    }
}

/// A batch of `count` records whose values begin with `text`.
pub(super) fn batch(text: &str, count: usize) -> Bytes {
    build(text, count, BatchOptions::default(), START_MS)
}

pub(super) fn build(text: &str, count: usize, options: BatchOptions, timestamp: i64) -> Bytes {
    let mut builder = BatchBuilder::new(options);
    for n in 0..count {
        let value = format!("{text}.{n}");
        builder.append(Timestamp(timestamp + n as i64), None, Some(value.as_bytes()), &[]).expect("small");
    }
    builder.build().expect("small")
}

pub(super) fn idempotent(producer: i64, epoch: i16, sequence: i32) -> BatchOptions {
    BatchOptions {
        producer_id: ProducerId(producer),
        producer_epoch: ProducerEpoch(epoch),
        base_sequence: sequence,
        ..BatchOptions::default()
    }
}

pub(super) fn append(log: &Arc<UnifiedLog>, records: Bytes) -> Result<LogAppendInfo, StorageError> {
    log.append_as_leader(records, LeaderEpoch(0), AppendOptions::default())
}

/// Appends the marker that ends a producer's transaction.
pub(super) fn end_transaction(log: &Arc<UnifiedLog>, producer: i64, committed: bool) {
    let marker = EndTxnMarker { commit: committed, coordinator_epoch: 0 };
    let (producer, epoch) = (ProducerId(producer), ProducerEpoch(0));
    let marker = BatchBuilder::end_transaction(
        marker,
        Offset(0),
        Timestamp(START_MS),
        LeaderEpoch(0),
        producer,
        epoch,
    );
    let coordinator = AppendOptions { origin: AppendOrigin::Coordinator, ..AppendOptions::default() };
    log.append_as_leader(marker, LeaderEpoch(0), coordinator).expect("valid");
}

/// Appends the first transaction of a producer, of so many records, and aborts it.
pub(super) fn abort(log: &Arc<UnifiedLog>, producer: i64, count: usize) {
    let options = BatchOptions { transactional: true, ..idempotent(producer, 0, 0) };
    let verified = AppendOptions { transaction_verified: true, ..AppendOptions::default() };
    log.append_as_leader(build("aborted", count, options, START_MS), LeaderEpoch(0), verified)
        .expect("valid");
    end_transaction(log, producer, false);
}

/// Returns all aborted transactions of a log.
pub(super) fn aborted(log: &UnifiedLog) -> Vec<AbortedTxn> {
    log.aborted_transactions(Offset(0), log.log_end_offset()).expect("the disk is well")
}

/// Reads all values from `from` on, with their offsets, one batch at a time.
pub(super) fn values(log: &UnifiedLog, from: Offset) -> Vec<(Offset, String)> {
    let mut values = Vec::new();
    let mut next = from;
    while next < log.log_end_offset() {
        let read = log.read(next, 1, FetchIsolation::LogEnd, true).expect("in range");
        let bytes = read.records.read().expect("the disk is well");
        let batch = RecordBatch::parse(&bytes).expect("a whole batch");
        batch.ensure_valid().expect("as it was written");
        for record in batch.decode(1 << 20).expect("well-formed").iter() {
            let record = record.expect("well-formed");
            if record.offset >= next {
                let value = String::from_utf8(record.value.expect("has a value").to_vec()).expect("text");
                values.push((record.offset, value));
            }
        }
        next = batch.header().next_offset();
    }
    values
}

/// The seeds of a test: so many by default, or as many as the variable `SEEDS` says.
pub(super) fn seeds(default: u64) -> std::ops::Range<u64> {
    0..std::env::var("SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
