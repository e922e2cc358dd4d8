//! What a read returns, offsets for timestamps, truncation, retention and deleted records.

use std::sync::Arc;
use std::time::Duration;

use model::{LeaderEpoch, Offset, Timestamp};
use protocol::ErrorCode;
use records::BatchOptions;
use tokio::sync::Notify;
use world::files::SimFiles;

use super::support::*;
use crate::{FetchIsolation, Interest, UnifiedLog};

fn filled(batches: i64) -> (Node, Arc<UnifiedLog>) {
    let node = Node::start(&SimFiles::default(), &["/d"], &small());
    let log = node.log(0, &small());
    for n in 0..batches {
        append(&log, build("record", 5, BatchOptions::default(), START_MS + n * 10)).expect("valid");
    }
    (node, log)
}

#[test]
fn a_read_stops_at_the_high_watermark_or_the_limit() {
    let (_node, log) = filled(4);
    let read = |max, isolation, min_one| log.read(Offset(0), max, isolation, min_one).expect("in range");
    assert_eq!(read(9999, FetchIsolation::HighWatermark, true).size(), 0);
    log.update_high_watermark(Offset(10));
    let whole = read(9999, FetchIsolation::LogEnd, true).size();
    assert_eq!(read(9999, FetchIsolation::HighWatermark, true).size(), whole / 2);
    assert_eq!(read(10, FetchIsolation::LogEnd, true).size(), whole / 4, "one whole batch at least");
    let cut = read(10, FetchIsolation::LogEnd, false);
    assert_eq!((cut.size(), cut.first_entry_incomplete), (10, true));
    let end = log.read(Offset(20), 9999, FetchIsolation::LogEnd, true).expect("the end is in range");
    assert_eq!((end.size(), end.fetch_offset.offset), (0, log.log_end_offset()));
    let error = log.read(Offset(21), 9999, FetchIsolation::LogEnd, true).expect_err("past the end");
    assert_eq!(error.code(), ErrorCode::OFFSET_OUT_OF_RANGE);
}

#[test]
fn a_read_tells_whether_there_is_more_in_a_later_segment() {
    let (_node, log) = filled(40);
    let read = |from, isolation| log.read(from, 1, isolation, true).expect("in range").is_behind;
    let active = log.segment_infos().last().expect("there are some").base_offset;
    assert!(read(Offset(0), FetchIsolation::LogEnd) && read(active.plus(-1), FetchIsolation::LogEnd));
    assert!(!read(active, FetchIsolation::LogEnd) && !read(log.log_end_offset(), FetchIsolation::LogEnd));
    log.update_high_watermark(Offset(5));
    assert!(!read(Offset(0), FetchIsolation::HighWatermark), "the later segments may not be read yet");
}

#[test]
fn the_high_watermark_stays_within_the_log() {
    let (_node, log) = filled(2);
    assert_eq!(log.update_high_watermark(Offset(99)), Offset(10));
    assert_eq!(log.maybe_increment_high_watermark(Offset(5)), None);
    assert_eq!(log.update_high_watermark(Offset(5)), Offset(5));
    assert_eq!(log.maybe_increment_high_watermark(Offset(7)), Some(Offset(5)));
}

#[test]
fn every_timestamp_finds_its_first_record() {
    let (_node, log) = filled(40);
    for n in 0..40 {
        for record in 0..5 {
            let timestamp = Timestamp(START_MS + n * 10 + record);
            let found = log.offset_for_timestamp(timestamp).expect("well").expect("there is one");
            assert_eq!((found.timestamp, found.offset), (timestamp, Offset(n * 5 + record)));
        }
    }
    let sentinel =
        |target| log.offset_for_timestamp(Timestamp(target)).expect("well").map(|found| found.offset.0);
    assert_eq!(sentinel(0), Some(0));
    assert_eq!(sentinel(-1), Some(200));
    assert_eq!(sentinel(-2), Some(0));
    assert_eq!(sentinel(-3), Some(199));
    assert_eq!(sentinel(-5), Some(-1));
    assert_eq!(sentinel(START_MS + 1000), None);
}

#[test]
fn deleted_records_move_the_start_and_their_segments_go_later() {
    let (node, log) = filled(40);
    let segments = log.segment_infos().len();
    assert!(log.maybe_increment_log_start_offset(Offset(101), "test").is_err(), "past the high watermark");
    log.update_high_watermark(log.log_end_offset());
    assert!(log.maybe_increment_log_start_offset(Offset(101), "test").expect("in range"));
    assert_eq!(log.offset_for_timestamp(Timestamp(0)).expect("well").expect("one").offset, Offset(101));
    let error = log.read(Offset(100), 99, FetchIsolation::LogEnd, true).expect_err("before the start");
    assert_eq!(error.code(), ErrorCode::OFFSET_OUT_OF_RANGE);
    node.step();
    assert!(log.segment_infos().len() < segments);
    let files = node.manager.environment().files();
    let deleted = || {
        let listed = files.read_dir(&log.folder()).expect("well");
        listed.iter().filter(|path| path.to_string_lossy().ends_with(".deleted")).count()
    };
    assert!(deleted() > 0, "files stay for reads that have begun");
    node.clock.advance(Duration::from_secs(60));
    node.step();
    assert_eq!(deleted(), 0);
}

#[test]
fn a_read_that_has_begun_outlives_the_segment() {
    let (node, log) = filled(40);
    let read = log.read(Offset(0), 9999, FetchIsolation::LogEnd, true).expect("in range");
    log.update_high_watermark(log.log_end_offset());
    log.maybe_increment_log_start_offset(Offset(199), "test").expect("in range");
    node.clock.advance(Duration::from_secs(100));
    node.step();
    node.clock.advance(Duration::from_secs(100));
    node.step();
    let protocol::Records::Region(region) = &read.records else { panic!("records are in a file") };
    assert_eq!(region.read().expect("still there").len(), region.len());
}

#[test]
fn retention_by_time_and_size_spares_what_is_not_replicated() {
    let (node, log) = filled(40);
    let base = [("internal.segment.bytes", "1024"), ("index.interval.bytes", "64")];
    let with = |pair: (&str, &str)| config(&[base[0], base[1], pair]);
    log.update_config(with(("retention.bytes", "2048")));
    node.step();
    assert_eq!(log.log_start_offset(), Offset(0), "nothing is below the high watermark");
    log.update_high_watermark(log.log_end_offset());
    log.update_config(with(("cleanup.policy", "")));
    node.clock.advance(Duration::from_secs(1_000_000));
    node.step();
    assert_eq!(log.log_start_offset(), Offset(0), "an empty policy keeps everything");
    log.update_config(config(&[base[0], base[1], ("retention.bytes", "2048"), ("retention.ms", "-1")]));
    node.step();
    assert!(log.size() <= 2048 + 1024 && log.size() >= 1024, "{}", log.size());
    log.update_config(with(("retention.ms", "1000")));
    node.step();
    assert_eq!(log.log_start_offset(), log.log_end_offset());
    assert_eq!(log.segment_infos().len(), 1);
    append(&log, batch("after", 1)).expect("valid");
    assert_eq!(values(&log, Offset(200)), [(Offset(200), "after.0".to_owned())]);
}

#[test]
fn truncation_takes_offsets_epochs_and_producers_back() {
    let node = Node::start(&SimFiles::default(), &["/d"], &small());
    let log = node.log(0, &small());
    for n in 0..30 {
        append(&log, build("a", 5, idempotent(1, 0, n * 5), START_MS)).expect("in sequence");
    }
    log.assign_epoch_start_offset(LeaderEpoch(9), log.log_end_offset());
    log.update_high_watermark(log.log_end_offset());
    for target in [140, 77, 75, 20, 3] {
        assert!(log.truncate_to(Offset(target)).expect("the disk is well"));
        // A batch goes as a whole.
        assert!(log.log_end_offset() <= Offset(target));
        assert_eq!(log.high_watermark(), log.log_end_offset());
        assert_eq!(log.latest_epoch(), (target > 0).then_some(LeaderEpoch(0)));
    }
    assert!(!log.truncate_to(Offset(500)).expect("the disk is well"));
    log.truncate_fully_and_start_at(Offset(1000)).expect("the disk is well");
    assert_eq!(log.offsets().log_start, Offset(1000));
    assert_eq!(append(&log, batch("b", 1)).expect("valid").first_offset, Offset(1000));
    assert!(log.active_producers().is_empty());
}

#[tokio::test]
async fn a_subscriber_is_woken_by_the_moves_it_asked_for() {
    let (_node, log) = filled(1);
    let notify = Arc::new(Notify::new());
    let subscription = log.subscribe(Interest::HIGH_WATERMARK, &notify);
    append(&log, batch("a", 1)).expect("valid");
    let woken = tokio::time::timeout(Duration::ZERO, notify.notified()).await;
    assert!(woken.is_err(), "the high watermark did not move");
    log.update_high_watermark(Offset(6));
    notify.notified().await;
    drop(subscription);
    log.update_high_watermark(Offset(1));
    assert!(tokio::time::timeout(Duration::ZERO, notify.notified()).await.is_err());
}

#[tokio::test]
async fn one_sync_serves_all_that_wait() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    let log = node.log(0, &small());
    for n in 0..10 {
        append(&log, batch(&n.to_string(), 1)).expect("valid");
    }
    let waits: Vec<_> = (1..=10)
        .map(|offset| {
            let log = log.clone();
            tokio::spawn(async move { log.wait_synced(Offset(offset)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let before = files.syncs();
    assert_eq!(node.manager.environment().group_commit.step(), 1);
    for wait in waits {
        wait.await.expect("does not panic").expect("the disk is well");
    }
    assert_eq!(files.syncs() - before, 1);
    assert_eq!(log.synced_offset(), Offset(10));
}
