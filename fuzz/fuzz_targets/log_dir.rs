//! A partition's folder whose log, indexes, snapshot and checkpoints hold any bytes: it is opened or refused with an error, what
//! is there is read, and it can be written on; never a panic.

#![no_main]

use bytes::Bytes;
use config::{ConfigMap, LogConfig};
use libfuzzer_sys::fuzz_target;
use model::{LeaderEpoch, Timestamp, TopicPartition};
use records::{BatchBuilder, BatchOptions};
use std::path::Path;
use std::sync::Arc;
use storage::{AppendOptions, FetchIsolation, LogEnvironment, LogManager, LogManagerOptions, UnifiedLog};
use world::chance::SeededChance;
use world::clock::FakeClock;
use world::files::SimFiles;

const START_MS: i64 = 1_000_000;
const BATCHES: usize = 12;
const FILES: [&str; 6] = [
    "00000000000000000000.log",
    "00000000000000000000.index",
    "00000000000000000000.timeindex",
    "00000000000000000000.txnindex",
    "00000000000000000000.snapshot",
    "leader-epoch-checkpoint",
];

fn batch() -> Bytes {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for n in 0..3 {
        builder.append(Timestamp(START_MS + n), Some(b"key"), Some(b"value"), &[]).expect("small");
    }
    builder.build().expect("small")
}

fn open(files: &SimFiles) -> Option<(Arc<LogManager>, Arc<UnifiedLog>)> {
    let none = ConfigMap::new();
    let small: ConfigMap = [("internal.segment.bytes", "1024"), ("index.interval.bytes", "64")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into_iter()
        .collect();
    let config = Arc::new(LogConfig::new(&none, &small).expect("valid"));
    let clock = Arc::new(FakeClock::at(START_MS));
    let environment =
        LogEnvironment::new(Arc::new(files.clone()), clock, Arc::new(SeededChance::new(1)), 50, 86_400_000);
    let options = LogManagerOptions { log_dirs: vec!["/d".into()], ..LogManagerOptions::default() };
    let manager = LogManager::open(environment, options).ok()?;
    manager.load(&|_, _| Some(config.clone())).ok()?;
    let log = manager.get_or_create_log(&TopicPartition::new("t", 0), None, None, config).ok()?;
    Some((manager, log))
}

fn append(log: &Arc<UnifiedLog>) -> bool {
    log.append_as_leader(batch(), LeaderEpoch(0), AppendOptions::default()).is_ok()
}

/// Damage: which file, what to do, where, and with what.
fn damage(files: &SimFiles, data: &[u8]) {
    for change in data.chunks(5) {
        let [file, how, at, high, with] = *change else { return };
        let path = Path::new("/d/t-0").join(FILES[usize::from(file) % FILES.len()]);
        let at = usize::from(at) | usize::from(high & 7) << 8;
        let _ = files.damage(&path, |bytes| match how % 4 {
            0 => bytes.truncate(at),
            1 => bytes.extend(std::iter::repeat_n(with, at)),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = with;
                }
            }
        });
    }
}

fuzz_target!(|data: &[u8]| {
    let files = SimFiles::default();
    {
        let (_manager, log) = open(&files).expect("an empty disk is well");
        for _ in 0..BATCHES {
            assert!(append(&log), "a well disk takes batches");
        }
        log.flush().expect("a well disk syncs");
    }
    files.kill();
    damage(&files, data);
    let Some((_manager, log)) = open(&files) else { return };
    let mut next = log.log_start_offset();
    while next < log.log_end_offset() {
        let Ok(read) = log.read(next, 1, FetchIsolation::LogEnd, true) else { return };
        let Ok(bytes) = read.records.read() else { return };
        let Ok(batch) = records::RecordBatch::parse(&bytes) else { return };
        assert!(batch.header().next_offset() > next, "a read goes forward");
        next = batch.header().next_offset();
    }
    append(&log);
});
