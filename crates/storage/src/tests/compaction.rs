//! What compaction keeps, what it drops and when, and what it leaves alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::LogConfig;
use model::{LeaderEpoch, Offset, Timestamp, TopicPartition};
use protocol::Records;
use records::{BatchBuilder, BatchHeader, BatchOptions, Codec, Compression, RecordBatch};
use world::files::{Files, SimFiles};

use super::support::*;
use crate::{AppendOptions, CleanerOptions, FetchIsolation, UnifiedLog};

pub(super) fn compacted(more: &[(&str, &str)]) -> Arc<LogConfig> {
    let mut pairs = vec![
        ("internal.segment.bytes", "1024"),
        ("index.interval.bytes", "64"),
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0"),
        ("retention.ms", "-1"),
    ];
    pairs.extend(more);
    config(&pairs)
}

/// A record to be written: a key, and a value or none.
pub(super) type Update<'u> = (&'u str, Option<&'u str>);

pub(super) fn keyed(updates: &[Update<'_>], options: BatchOptions, timestamp: i64) -> Bytes {
    let mut builder = BatchBuilder::new(options);
    for (key, value) in updates {
        let (key, value) = (key.as_bytes(), value.map(str::as_bytes));
        builder.append(Timestamp(timestamp), Some(key), value, &[]).expect("small");
    }
    builder.build().expect("small")
}

pub(super) fn write(log: &Arc<UnifiedLog>, updates: &[Update<'_>]) {
    append(log, keyed(updates, BatchOptions::default(), START_MS)).expect("valid");
}

fn write_in_transaction(log: &Arc<UnifiedLog>, producer: i64, sequence: i32, updates: &[Update<'_>]) {
    let options = BatchOptions { transactional: true, ..idempotent(producer, 0, sequence) };
    let verified = AppendOptions { transaction_verified: true, ..AppendOptions::default() };
    log.append_as_leader(keyed(updates, options, START_MS), LeaderEpoch(0), verified).expect("valid");
}

/// Ends the active segment, and makes all before it ready to be compacted.
pub(super) fn settle(node: &Node, log: &Arc<UnifiedLog>) {
    log.roll().expect("the disk is well");
    log.update_high_watermark(log.log_end_offset());
    node.step();
    node.step();
}

/// Compacts all that is ready; returns how many passes that took.
pub(super) fn clean(node: &Node) -> usize {
    let mut passes = 0;
    while node.manager.clean_next() {
        passes += 1;
        assert!(passes < 1000, "passes get nowhere");
    }
    assert_eq!(node.manager.cleaner().uncleanable(), BTreeMap::new());
    passes
}

pub(super) fn batches(log: &UnifiedLog) -> Vec<RecordBatch> {
    let mut found: Vec<RecordBatch> = Vec::new();
    let mut next = log.log_start_offset();
    while next < log.log_end_offset() {
        let read = log.read(next, 1, FetchIsolation::LogEnd, true).expect("in range");
        let bytes = read.records.read().expect("the disk is well");
        if bytes.is_empty() {
            break;
        }
        let batch = RecordBatch::parse(&bytes).expect("a whole batch");
        batch.ensure_valid().expect("as it was written");
        let follows =
            found.last().is_none_or(|last| last.header().next_offset() <= batch.header().base_offset);
        assert!(follows, "batches do not overlap");
        next = batch.header().next_offset();
        found.push(batch);
    }
    found
}

/// All records that consumers see: offset, key, value.
pub(super) fn records(log: &UnifiedLog) -> Vec<(i64, String, Option<String>)> {
    let mut records = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    for batch in batches(log).iter().filter(|batch| !batch.header().is_control()) {
        for record in batch.decode(1 << 20).expect("well-formed").iter() {
            let record = record.expect("well-formed");
            let key = text(record.key.expect("has a key"));
            records.push((record.offset.0, key, record.value.map(text)));
        }
    }
    records
}

fn keys(log: &UnifiedLog) -> Vec<(i64, String)> {
    records(log).into_iter().map(|(offset, key, _)| (offset, key)).collect()
}

fn headers(log: &UnifiedLog) -> Vec<BatchHeader> {
    batches(log).iter().map(|batch| *batch.header()).collect()
}

fn at(offset: i64, key: &str) -> (i64, String) {
    (offset, key.to_owned())
}

fn started(more: &[(&str, &str)]) -> (SimFiles, Node, Arc<UnifiedLog>) {
    let (files, config) = (SimFiles::default(), compacted(more));
    let node = Node::start(&files, &["/d"], &config);
    let log = node.log(0, &config);
    (files, node, log)
}

#[test]
fn the_last_value_of_each_key_stays_at_its_offset() {
    let (files, node, log) = started(&[]);
    for round in 0..40 {
        let value = format!("{round}");
        write(&log, &[("a", Some(&value)), ("b", Some(&value)), ("a", Some("between"))]);
    }
    write(&log, &[("c", Some("only"))]);
    settle(&node, &log);
    let segments = log.segment_infos().len();
    assert_eq!(clean(&node), 1);
    assert_eq!(keys(&log), [at(118, "b"), at(119, "a"), at(120, "c")]);
    assert_eq!(log.log_end_offset(), Offset(121));
    assert_eq!(log.cleaned_to(), Some(Offset(121)));
    let text = files.read(Path::new("/d/cleaner-offset-checkpoint")).expect("it is there");
    assert_eq!(text, b"0\n1\nt 0 121\n");
    assert_eq!(clean(&node), 0, "there is nothing left to do");
    assert_eq!(log.segment_infos().len(), segments, "full ones are not put together");
    write(&log, &[("c", Some("again"))]);
    settle(&node, &log);
    assert_eq!(clean(&node), 1);
    assert_eq!(keys(&log), [at(118, "b"), at(119, "a"), at(121, "c")]);
    assert_eq!(log.segment_infos().len(), 2, "many that have become small become one");
}

#[test]
fn compressed_batches_stay_compressed() {
    for codec in Codec::ALL {
        let (_files, node, log) = started(&[]);
        for round in 0..20 {
            let value = format!("{round}{}", "x".repeat(50));
            let options = BatchOptions { compression: Compression::new(codec), ..BatchOptions::default() };
            let updates = [("a", Some(&*value)), ("b", Some("b")), ("a", Some(&value))];
            append(&log, keyed(&updates, options, START_MS)).expect("valid");
        }
        settle(&node, &log);
        clean(&node);
        assert_eq!(keys(&log), [at(58, "b"), at(59, "a")], "{codec}");
        assert_eq!(headers(&log)[0].attributes.codec(), Ok(codec));
    }
}

#[test]
fn a_map_too_small_for_all_keys_takes_more_passes() {
    let (_files, node, log) = started(&[]);
    let options = CleanerOptions { dedupe_buffer_size: 24 * 10, io_buffer_size: 0, ..Default::default() };
    node.manager.cleaner().set_options(options);
    for n in 0..300 {
        write(&log, &[(&format!("k{}", n % 37), Some(&n.to_string()))]);
    }
    settle(&node, &log);
    assert!(clean(&node) > 5);
    let expected: Vec<_> = (263..300).map(|n| at(n, &format!("k{}", n % 37))).collect();
    assert_eq!(keys(&log), expected);
}

#[test]
fn a_tombstone_stays_for_delete_retention_ms_after_its_first_pass() {
    let (_files, node, log) = started(&[("delete.retention.ms", "60000")]);
    write(&log, &[("a", Some("1")), ("b", Some("1"))]);
    write(&log, &[("a", None)]);
    settle(&node, &log);
    clean(&node);
    assert_eq!(keys(&log), [at(1, "b"), at(2, "a")]);
    let horizon = headers(&log)[1].delete_horizon().expect("it was given one");
    assert_eq!(horizon, Timestamp(START_MS + 2000 + 60_000));
    let again = |value: &str| {
        write(&log, &[("c", Some(value))]);
        settle(&node, &log);
        clean(&node);
    };
    again("1");
    assert_eq!(keys(&log), [at(1, "b"), at(2, "a"), at(3, "c")]);
    assert_eq!(headers(&log)[1].delete_horizon(), Some(horizon), "it does not move");
    node.clock.advance(Duration::from_secs(60));
    again("2");
    assert_eq!(keys(&log), [at(1, "b"), at(4, "c")]);
}

#[test]
fn aborted_records_go_and_markers_once_nothing_is_left_to_end() {
    let (_files, node, log) = started(&[("delete.retention.ms", "60000")]);
    write_in_transaction(&log, 1, 0, &[("a", Some("aborted"))]);
    write_in_transaction(&log, 2, 0, &[("b", Some("committed"))]);
    end_transaction(&log, 1, false);
    end_transaction(&log, 2, true);
    // The producers' last batches would stay as empty ones.
    node.clock.advance(Duration::from_secs(2 * 86_400));
    log.remove_expired_producers(Timestamp(START_MS + 3 * 86_400_000));
    write(&log, &[("c", Some("1"))]);
    settle(&node, &log);
    let pass = |value: &str| {
        write(&log, &[("z", Some(value))]);
        settle(&node, &log);
        clean(&node);
    };
    clean(&node);
    assert_eq!(keys(&log), [at(1, "b"), at(4, "c")]);
    let controls =
        || headers(&log).iter().filter(|h| h.is_control()).map(|h| h.base_offset.0).collect::<Vec<_>>();
    assert_eq!(controls(), [2, 3], "markers of what was there until now");
    let aborted = log.aborted_transactions(Offset(0), Offset(5)).expect("the disk is well");
    assert_eq!(aborted.len(), 1, "the index of what is left names it still");
    pass("1");
    assert_eq!(controls(), [2, 3], "the abort marker got a delete horizon");
    assert!(headers(&log).iter().any(|h| h.base_offset == Offset(2) && h.delete_horizon().is_some()));
    assert!(headers(&log).iter().any(|h| h.base_offset == Offset(3) && h.delete_horizon().is_none()));
    node.clock.advance(Duration::from_secs(61));
    pass("2");
    assert_eq!(controls(), [3], "the commit marker stays as long as its record");
    assert_eq!(log.aborted_transactions(Offset(0), Offset(5)).expect("the disk is well"), []);
    write(&log, &[("b", Some("later"))]);
    pass("3");
    pass("4");
    node.clock.advance(Duration::from_secs(61));
    pass("5");
    assert_eq!(controls(), [0; 0]);
}

#[test]
fn an_open_transaction_and_what_follows_it_is_left_alone() {
    let (_files, node, log) = started(&[]);
    write(&log, &[("a", Some("1")), ("a", Some("2"))]);
    log.roll().expect("the disk is well");
    write_in_transaction(&log, 1, 0, &[("a", Some("3"))]);
    log.roll().expect("the disk is well");
    write(&log, &[("a", Some("4")), ("a", Some("5"))]);
    settle(&node, &log);
    clean(&node);
    assert_eq!(keys(&log), [at(1, "a"), at(2, "a"), at(3, "a"), at(4, "a")]);
}

#[test]
fn the_last_batch_of_a_producer_stays_without_records() {
    let (files, node, log) = started(&[]);
    for n in 0..3 {
        append(&log, keyed(&[("a", Some("1"))], idempotent(1, 0, n), START_MS)).expect("valid");
    }
    write(&log, &[("a", Some("2"))]);
    settle(&node, &log);
    clean(&node);
    assert_eq!(keys(&log), [at(3, "a")]);
    let headers = headers(&log);
    assert_eq!(headers.len(), 2);
    let left = &headers[0];
    assert_eq!((left.base_offset, left.record_count, left.last_sequence()), (Offset(2), 0, 2));
    // Without its snapshots the log itself tells of the producer.
    node.manager.shutdown(1);
    files.kill();
    files.remove_file(Path::new("/d/.kafka_cleanshutdown")).expect("it is there");
    for path in files.read_dir(&log.folder()).expect("the disk is well") {
        if path.extension().is_some_and(|extension| extension == "snapshot") {
            files.remove_file(&path).expect("it is there");
        }
    }
    let node = Node::start(&files, &["/d"], &compacted(&[]));
    assert_eq!(node.log(0, &compacted(&[])).active_producers()[0].last_sequence(), 2);
}

#[test]
fn nothing_young_active_or_not_yet_checkpointed_is_compacted() {
    let (_files, node, log) = started(&[("min.compaction.lag.ms", "60000")]);
    write(&log, &[("a", Some("1")), ("a", Some("2"))]);
    settle(&node, &log);
    assert_eq!(clean(&node), 0, "too young");
    node.clock.advance(Duration::from_secs(60));
    assert_eq!(clean(&node), 1);
    let (_files, node, log) = started(&[]);
    write(&log, &[("a", Some("1")), ("a", Some("2"))]);
    log.update_high_watermark(Offset(2));
    node.step();
    node.step();
    assert_eq!(clean(&node), 0, "active");
    log.roll().expect("the disk is well");
    assert_eq!(clean(&node), 1);
    write(&log, &[("a", Some("3")), ("a", Some("4"))]);
    log.roll().expect("the disk is well");
    log.update_high_watermark(Offset(4));
    log.flush().expect("the disk is well");
    assert_eq!(clean(&node), 0, "a start after a kill would look at it");
    node.step();
    assert_eq!(clean(&node), 1);
    assert_eq!(keys(&log), [at(3, "a")]);
}

#[test]
fn a_log_is_compacted_once_it_is_dirty_enough_or_a_record_waited_long_enough() {
    let (_files, node, log) =
        started(&[("min.cleanable.dirty.ratio", "0.5"), ("max.compaction.lag.ms", "600000")]);
    let keys = (0..20).map(|n| format!("k{n}")).collect::<Vec<_>>();
    keys.iter().for_each(|key| write(&log, &[(key, Some("1"))]));
    settle(&node, &log);
    assert_eq!(clean(&node), 1, "all of it is dirty");
    append(&log, keyed(&[("k1", Some("2"))], BatchOptions::default(), START_MS + 10_000)).expect("valid");
    settle(&node, &log);
    assert_eq!(clean(&node), 0, "a twentieth of it is dirty");
    node.clock.advance(Duration::from_secs(610));
    assert_eq!(clean(&node), 1, "it waited for too long");
}

#[test]
fn a_damaged_log_is_set_aside_with_the_reason_and_others_go_on() {
    let (files, node, log) = started(&[]);
    let other = node.log(1, &compacted(&[]));
    for log in [&log, &other] {
        write(log, &[("a", Some("1"))]);
        write(log, &[("a", Some("2"))]);
        settle(&node, log);
    }
    let path = log.folder().join("00000000000000000000.log");
    files.damage(&path, |bytes| bytes[65] ^= 1).expect("it is there");
    while node.manager.clean_next() {}
    node.manager.clean_next();
    let uncleanable = node.manager.cleaner().uncleanable();
    assert_eq!(uncleanable.keys().collect::<Vec<_>>(), [&TopicPartition::new("t", 0)]);
    assert!(uncleanable.values().all(|reason| reason.contains("corrupt")), "{uncleanable:?}");
    assert!(!log.dir().is_offline());
    node.manager.clean_next();
    assert_eq!(keys(&other), [at(1, "a")]);
    node.manager.delete_log(&TopicPartition::new("t", 0)).expect("the disk is well");
    node.manager.clean_next();
    assert!(node.manager.cleaner().uncleanable().is_empty(), "what was deleted is forgotten");
}

#[test]
fn readers_of_the_old_segments_go_on() {
    let (files, node, log) = started(&[("file.delete.delay.ms", "60000")]);
    for n in 0..40 {
        write(&log, &[("a", Some(&n.to_string()))]);
    }
    settle(&node, &log);
    let read = log.read(Offset(0), 1 << 20, FetchIsolation::LogEnd, true).expect("in range");
    clean(&node);
    let Records::Region(region) = read.records else { panic!("a slice of a file") };
    let bytes = region.read().expect("the file is still there");
    assert_eq!(RecordBatch::parse(&bytes).expect("whole").header().base_offset, Offset(0));
    let left = || {
        let listed = files.read_dir(&log.folder()).expect("the disk is well");
        listed.iter().filter(|path| path.to_string_lossy().ends_with(".deleted")).count()
    };
    assert!(left() > 0);
    node.clock.advance(Duration::from_secs(60));
    node.step();
    assert_eq!(left(), 0);
    assert_eq!(keys(&log), [at(39, "a")]);
}

#[test]
fn compact_and_delete_go_together() {
    let (_files, node, log) = started(&[("cleanup.policy", "compact,delete"), ("retention.ms", "3600000")]);
    write(&log, &[("a", Some("1")), ("a", Some("2")), ("b", Some("1"))]);
    settle(&node, &log);
    clean(&node);
    assert_eq!(keys(&log), [at(1, "a"), at(2, "b")]);
    node.clock.advance(Duration::from_secs(3601));
    node.step();
    assert_eq!(log.log_start_offset(), Offset(3));
    assert_eq!(keys(&log), []);
    append(&log, keyed(&[("c", Some("1")), ("c", Some("2"))], BatchOptions::default(), START_MS + 3_604_000))
        .expect("valid");
    settle(&node, &log);
    assert_eq!(clean(&node), 1, "compaction goes on at the log's start");
    assert_eq!(keys(&log), [at(4, "c")]);
}

#[test]
fn what_is_cut_off_is_dirty_again() {
    let (_files, node, log) = started(&[]);
    for n in 0..4 {
        write(&log, &[("a", Some(&n.to_string()))]);
    }
    settle(&node, &log);
    clean(&node);
    assert_eq!(log.cleaned_to(), Some(Offset(4)));
    log.truncate_to(Offset(2)).expect("the disk is well");
    assert_eq!(log.cleaned_to(), Some(Offset(2)));
}

#[test]
fn a_pass_is_broken_off_when_the_node_stops() {
    let (_files, node, log) = started(&[]);
    for n in 0..40 {
        write(&log, &[("a", Some(&n.to_string()))]);
    }
    settle(&node, &log);
    node.manager.cleaner().stop();
    assert!(!node.manager.clean_next());
    assert_eq!(records(&log).len(), 40);
    node.manager.run_cleaner(0);
}

#[test]
fn a_time_is_found_behind_a_segment_that_compaction_emptied() {
    let (_, node, log) = started(&[]);
    let long = "x".repeat(900);
    write(&log, &[("a", Some(&long))]);
    log.roll().expect("the disk is well");
    write(&log, &[("a", Some(&long))]);
    settle(&node, &log);
    clean(&node);
    assert_eq!(keys(&log), [at(1, "a")]);
    assert_eq!(log.segment_infos().len(), 3, "the first is empty, and too large a neighbour to join it");
    let found =
        log.offset_for_timestamp(Timestamp(START_MS)).expect("the disk is well").expect("there is one");
    assert_eq!((found.offset, found.timestamp), (Offset(1), Timestamp(START_MS)));
}
