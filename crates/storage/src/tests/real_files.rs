//! The log on the operating system's files.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use model::{Offset, TopicPartition};
use world::chance::RealChance;
use world::clock::RealClock;
use world::files::{Files, RealFiles};

use super::support::*;
use crate::{FetchIsolation, LogEnvironment, LogManager, LogManagerOptions, StorageError};

fn open(dir: &std::path::Path) -> Result<Arc<LogManager>, StorageError> {
    let (clock, chance) = (Arc::new(RealClock::default()), Arc::new(RealChance));
    let environment = LogEnvironment::new(Arc::new(RealFiles), clock, chance, 100, 86_400_000);
    let options = LogManagerOptions { log_dirs: vec![dir.to_owned()], ..LogManagerOptions::default() };
    let manager = LogManager::open(environment, options)?;
    manager.load(&|_, _| Some(config(&[])))?;
    Ok(manager)
}

#[test]
fn room_is_reserved_without_changing_the_length_and_given_back() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let manager = open(dir.path()).expect("usable");
    assert!(matches!(open(dir.path()), Err(StorageError::Locked(_))));
    let partition = TopicPartition::new("t", 0);
    let log = manager.get_or_create_log(&partition, None, None, config(&[])).expect("the disk is well");
    let text = "x".repeat(100_000);
    let mut written = 0;
    for _ in 0..15 {
        written += append(&log, batch(&text, 1)).expect("valid").bytes;
    }
    let path = log.folder().join("00000000000000000000.log");
    let held = |path| std::fs::metadata(path).expect("it is there").blocks() * 512;
    assert_eq!(RealFiles.metadata(&path).expect("it is there").len, written);
    manager.environment().group_commit.step();
    let reserved = held(&path);
    assert!(reserved > written + (1 << 20), "{reserved} bytes are held for {written}");
    manager.shutdown(1);
    assert_eq!(RealFiles.metadata(&path).expect("it is there").len, written);
    assert!(held(&path) <= reserved && held(&path) < written + (1 << 20));
    drop((log, manager));

    let manager = open(dir.path()).expect("usable again");
    let log = manager.get_log(&partition).expect("it was written");
    assert_eq!(values(&log, Offset(0)).len(), 15);
    let read = log.read(Offset(3), 10, FetchIsolation::LogEnd, true).expect("in range");
    let protocol::Records::Region(region) = read.records else { panic!("records are in a file") };
    let (_, position) = region.descriptor().expect("a real file");
    assert_eq!(position, written / 15 * 3);
}
