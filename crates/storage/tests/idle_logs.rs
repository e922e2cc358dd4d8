//! What partitions that nobody uses take of the memory. A process of its own: others' memory would count too.

use std::sync::Arc;

use config::{ConfigMap, LogConfig};
use model::{TopicPartition, Uuid};
use storage::{LogEnvironment, LogManager, LogManagerOptions};
use world::chance::RealChance;
use world::clock::RealClock;
use world::files::RealFiles;

/// How many partitions are made.
const PARTITIONS: i32 = 4000;

/// What the process has in memory, which Linux tells in KiB.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
    let kib: u64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024
}

#[test]
fn an_idle_log_takes_little_memory() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (clock, chance) = (Arc::new(RealClock::default()), Arc::new(RealChance));
    let environment = LogEnvironment::new(Arc::new(RealFiles), clock, chance, 10, 86_400_000);
    let options = LogManagerOptions { log_dirs: vec![dir.path().to_owned()], ..Default::default() };
    let logs = LogManager::open(environment, options).expect("the folder is free");
    let config = Arc::new(LogConfig::new(&ConfigMap::new(), &ConfigMap::new()).expect("valid"));
    let topic: Arc<str> = "idle".into();
    let make = |n| {
        let partition = TopicPartition { topic: topic.clone(), partition: n };
        let log = logs.get_or_create_log(&partition, Some(Uuid::from_u128(1)), None, config.clone());
        let log = log.expect("the disk is well");
        log.assign_epoch_start_offset(model::LeaderEpoch(0), log.log_end_offset());
    };
    make(0);
    let before = resident_bytes();
    (1..=PARTITIONS).for_each(make);
    logs.step();
    let each = resident_bytes().saturating_sub(before) / PARTITIONS as u64;
    println!("{each} bytes each");
    assert!(each < 700, "{each} bytes each");
    assert_eq!(logs.environment().open_files.count(), 0);
}
