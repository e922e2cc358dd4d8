//! Index entries that are in memory only: who looks for offsets finds them, and after every end the files say what the log does.

use model::{Offset, Timestamp};
use records::RecordBatch;
use world::chance::{Chance, SeededChance};
use world::files::{Files, SimFiles};

use super::support::*;
use crate::scan::Scanner;
use crate::{FetchIsolation, UnifiedLog};

const INTERVAL: u64 = 64;

/// One segment, with an index entry for nearly each batch.
fn large() -> std::sync::Arc<config::LogConfig> {
    config(&[("index.interval.bytes", "64"), ("retention.ms", "-1")])
}

fn fill(log: &std::sync::Arc<UnifiedLog>, batches: std::ops::Range<i64>) {
    for n in batches {
        append(log, build("record", 3, idempotent(1, 0, n as i32 * 3), START_MS + n)).expect("valid");
    }
}

/// The contents of a segment's index files, as its log alone says they should be.
fn expected(files: &SimFiles, log: &UnifiedLog, base: i64) -> (Vec<u8>, Vec<u8>) {
    let file = files.open(&log.folder().join(format!("{base:020}.log")), world::files::Open::Read);
    let file = file.expect("it is there");
    let end = file.len().expect("the disk is well");
    let mut scanner = Scanner::far(file, 0, end);
    let (mut offsets, mut times, mut since, mut greatest) = (Vec::new(), Vec::new(), 0, (-1, 0));
    let push_time = |times: &mut Vec<u8>, (timestamp, relative): (i64, i32)| {
        let last = times
            .len()
            .checked_sub(12)
            .map_or(-1, |at| i64::from_be_bytes(times[at..at + 8].try_into().expect("8 bytes")));
        if timestamp > last {
            times.extend([&timestamp.to_be_bytes()[..], &relative.to_be_bytes()].concat());
        }
    };
    while let Some(entry) = scanner.next().expect("whole batches") {
        let relative = (entry.last_offset.0 - base) as i32;
        if entry.max_timestamp.0 > greatest.0 {
            greatest = (entry.max_timestamp.0, relative);
        }
        if since > INTERVAL {
            offsets.extend([relative.to_be_bytes(), (entry.position as u32).to_be_bytes()].concat());
            push_time(&mut times, greatest);
            since = 0;
        }
        since += entry.size;
    }
    push_time(&mut times, greatest);
    (offsets, times)
}

fn found(files: &SimFiles, log: &UnifiedLog, base: i64) -> (Vec<u8>, Vec<u8>) {
    let read = |suffix| files.read(&log.folder().join(format!("{base:020}{suffix}"))).expect("it is there");
    (read(".index"), read(".timeindex"))
}

fn check_lookups(log: &UnifiedLog, batches: i64) {
    assert_eq!(log.log_end_offset(), Offset(batches * 3));
    for n in (0..batches).step_by(3) {
        assert_eq!(first_value(log, n * 3 + 1), Offset(n * 3));
        let at = log.offset_for_timestamp(Timestamp(START_MS + n)).expect("well").expect("there is one");
        assert!(at.timestamp >= Timestamp(START_MS + n) && at.offset <= Offset(n * 3), "{n}: {at:?}");
    }
}

#[test]
fn appends_write_no_index_and_lookups_find_what_is_not_written() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &large());
    let log = node.log(0, &large());
    fill(&log, 0..200);
    assert_eq!(found(&files, &log, 0), (Vec::new(), Vec::new()));
    check_lookups(&log, 200);
    log.truncate_to(Offset(300)).expect("the disk is well");
    fill(&log, 100..150);
    check_lookups(&log, 150);
}

#[test]
fn a_clean_stop_and_a_roll_leave_whole_indexes() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &large());
    let log = node.log(0, &large());
    fill(&log, 0..700);
    log.roll().expect("the disk is well");
    assert_eq!(found(&files, &log, 0), expected(&files, &log, 0));
    fill(&log, 700..800);
    node.manager.shutdown(1);
    files.power_cut(None);
    for base in [0, 2100] {
        assert!(!expected(&files, &log, base).0.is_empty());
        assert_eq!(found(&files, &log, base), expected(&files, &log, base), "{base}");
    }
    let node = Node::start(&files, &["/d"], &large());
    let log = node.log(0, &large());
    check_lookups(&log, 800);
}

#[test]
fn a_checkpoint_leaves_entries_up_to_the_recovery_point() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &large());
    let log = node.log(0, &large());
    fill(&log, 0..50);
    node.step();
    assert_eq!(log.recovery_point(), Offset(150));
    assert_eq!(found(&files, &log, 0).0, expected(&files, &log, 0).0);
}

/// Every entry is of a batch, in order, and no long stretch of the log is without one.
fn check_against_log(files: &SimFiles, log: &UnifiedLog, text: &str) {
    let file = files.open(&log.folder().join(format!("{:020}.log", 0)), world::files::Open::Read);
    let file = file.expect("it is there");
    let end = file.len().expect("the disk is well");
    let mut scanner = Scanner::far(file, 0, end);
    let (mut offsets, mut times) = (Vec::new(), Vec::new());
    while let Some(entry) = scanner.next().expect("whole batches") {
        offsets.push(
            [(entry.last_offset.0 as i32).to_be_bytes(), (entry.position as u32).to_be_bytes()].concat(),
        );
        times.push(
            [&entry.max_timestamp.0.to_be_bytes()[..], &(entry.last_offset.0 as i32).to_be_bytes()].concat(),
        );
    }
    let (found_offsets, found_times) = found(files, log, 0);
    assert!(
        found_offsets.len() * 8 > offsets.len(),
        "{text}: {} bytes for {}",
        found_offsets.len(),
        offsets.len()
    );
    for (found, all, size) in [(found_offsets, offsets, 8), (found_times, times, 12)] {
        let mut rest = all.iter();
        for entry in found.chunks(size) {
            assert!(rest.any(|batch| batch == entry), "{text}: {entry:?} is no batch of the log");
        }
    }
}

#[test]
fn after_any_end_the_indexes_are_those_that_the_log_tells_of() {
    for seed in seeds(12) {
        let (files, chance) = (SimFiles::default(), SeededChance::new(seed));
        for life in 0..6 {
            let node = Node::start(&files, &["/d"], &large());
            let log = node.log(0, &large());
            let mut batches = log.log_end_offset().0 / 3;
            if batches > 0 {
                check_against_log(&files, &log, &format!("seed {seed}, life {life}"));
            }
            for n in (0..batches).step_by(9) {
                assert_eq!(first_value(&log, n * 3), Offset(n * 3), "seed {seed}");
            }
            for _ in 0..chance.next_u64() % 4 {
                let more = (chance.next_u64() % 300) as i64;
                fill(&log, batches..batches + more);
                batches += more;
                if chance.next_u64().is_multiple_of(2) {
                    node.step();
                }
            }
            match chance.next_u64() % 3 {
                0 => files.kill(),
                1 => files.power_cut(Some(&chance)),
                _ => {
                    node.manager.shutdown(1);
                    files.power_cut(None);
                }
            }
        }
    }
}

fn first_value(log: &UnifiedLog, offset: i64) -> Offset {
    let read = log.read(Offset(offset), 1, FetchIsolation::LogEnd, true).expect("in range");
    RecordBatch::parse(&read.records.read().expect("the disk is well")).expect("whole").header().base_offset
}
