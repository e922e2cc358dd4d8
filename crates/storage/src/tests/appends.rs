//! What an append gives, and what it refuses.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};
use protocol::ErrorCode;
use records::{BatchBuilder, BatchOptions, EndTxnMarker};
use world::files::SimFiles;

use super::support::*;
use crate::{AppendOptions, AppendOrigin, FetchIsolation, UnifiedLog};

fn log() -> (Node, Arc<UnifiedLog>) {
    let node = Node::start(&SimFiles::default(), &["/d"], &small());
    let log = node.log(0, &small());
    (node, log)
}

#[test]
fn offsets_go_on_and_the_leaders_epoch_is_stamped() {
    let (_node, log) = log();
    let first = append(&log, batch("a", 3)).expect("valid");
    assert_eq!((first.first_offset, first.last_offset, first.records), (Offset(0), Offset(2), 3));
    let second =
        log.append_as_leader(batch("b", 2), LeaderEpoch(5), AppendOptions::default()).expect("valid");
    assert_eq!((second.first_offset, second.last_offset), (Offset(3), Offset(4)));
    assert_eq!(log.latest_epoch(), Some(LeaderEpoch(5)));
    assert_eq!(log.end_offset_for_epoch(LeaderEpoch(0)), Some((LeaderEpoch(0), Offset(3))));
    let texts: Vec<_> = values(&log, Offset(0)).into_iter().map(|(_, value)| value).collect();
    assert_eq!(texts, ["a.0", "a.1", "a.2", "b.0", "b.1"]);
}

#[test]
fn a_full_segment_rolls_to_one_named_by_the_next_offset() {
    let (_node, log) = log();
    for _ in 0..40 {
        append(&log, batch("record", 3)).expect("valid");
    }
    let segments = log.segment_infos();
    assert!(segments.len() > 3, "{segments:?}");
    assert!(segments.iter().all(|segment| segment.size <= 1024));
    assert_eq!(values(&log, Offset(0)).len(), 120);
    assert_eq!(values(&log, Offset(61))[0].0, Offset(61), "from the middle of a batch");
}

#[test]
fn an_old_segment_rolls_by_the_records_time() {
    let node = Node::start(&SimFiles::default(), &["/d"], &small());
    let log = node.log(0, &config(&[("segment.ms", "1000")]));
    append(&log, build("a", 1, BatchOptions::default(), START_MS)).expect("valid");
    append(&log, build("b", 1, BatchOptions::default(), START_MS + 1000)).expect("valid");
    assert_eq!(log.segment_infos().len(), 1);
    append(&log, build("c", 1, BatchOptions::default(), START_MS + 1001)).expect("valid");
    assert_eq!(log.segment_infos().len(), 2);
}

#[test]
fn a_full_index_rolls() {
    let node = Node::start(&SimFiles::default(), &["/d"], &small());
    // Room for four entries of the offset index, and one of the time index beside the one kept for the roll.
    let log = node.log(0, &config(&[("segment.index.bytes", "32"), ("index.interval.bytes", "0")]));
    for n in 0..20 {
        append(&log, build("a", 1, BatchOptions::default(), START_MS + n)).expect("valid");
    }
    assert!(log.segment_infos().len() > 5, "{:?}", log.segment_infos());
}

#[test]
fn a_retry_is_answered_with_the_first_answer() {
    let (_node, log) = log();
    let first = append(&log, build("a", 3, idempotent(1, 0, 0), START_MS)).expect("valid");
    append(&log, build("b", 1, idempotent(1, 0, 3), START_MS)).expect("valid");
    let again = append(&log, build("a", 3, idempotent(1, 0, 0), START_MS)).expect("a duplicate is no error");
    assert!(again.duplicate);
    assert_eq!((again.first_offset, again.last_offset), (first.first_offset, first.last_offset));
    assert_eq!(log.log_end_offset(), Offset(4));
}

#[test]
fn a_retry_of_old_records_is_known_after_a_kill() {
    let files = SimFiles::default();
    let long_ago = START_MS - 2 * 86_400_000;
    let node = Node::start(&files, &["/d"], &small());
    let log = node.log(0, &small());
    append(&log, build("a", 3, idempotent(1, 0, 0), long_ago)).expect("valid");
    log.flush().expect("the disk is well");
    // The recovery point is written, so that the next start reads the snapshot and not the log.
    node.step();
    drop((log, node));
    let node = Node::start(&files, &["/d"], &small());
    let log = node.log(0, &small());
    node.step();
    let again = append(&log, build("a", 3, idempotent(1, 0, 0), long_ago)).expect("a duplicate is no error");
    assert!(again.duplicate);
    assert_eq!(log.log_end_offset(), Offset(3));
}

#[test]
fn refusals_have_kafkas_codes() {
    let (_node, log) = log();
    append(&log, build("a", 3, idempotent(1, 2, 0), START_MS)).expect("valid");
    let mut torn = BytesMut::from(&batch("x", 1)[..]);
    torn[70] ^= 1;
    let transactional = BatchOptions { transactional: true, ..idempotent(2, 0, 0) };
    for (records, code) in [
        (build("b", 1, idempotent(1, 2, 9), START_MS), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
        (build("b", 1, idempotent(1, 1, 3), START_MS), ErrorCode::INVALID_PRODUCER_EPOCH),
        (build("b", 1, transactional, START_MS), ErrorCode::INVALID_TXN_STATE),
        (build("b", 1, BatchOptions::default(), START_MS + 7_200_000), ErrorCode::INVALID_TIMESTAMP),
        (build(&"x".repeat(2_000_000), 1, BatchOptions::default(), START_MS), ErrorCode::MESSAGE_TOO_LARGE),
        (build(&"x".repeat(1100), 1, BatchOptions::default(), START_MS), ErrorCode::RECORD_LIST_TOO_LARGE),
        (torn.freeze(), ErrorCode::CORRUPT_MESSAGE),
        (Bytes::new(), ErrorCode::INVALID_RECORD),
    ] {
        assert_eq!(append(&log, records).expect_err("refused").code(), code);
    }
    assert_eq!(log.log_end_offset(), Offset(3), "nothing of it was appended");
    append(&log, build("b", 1, idempotent(1, 2, 3), START_MS)).expect("a refusal changes nothing");
}

#[test]
fn log_append_time_is_the_brokers() {
    let node = Node::start(&SimFiles::default(), &["/d"], &small());
    let log = node.log(0, &config(&[("message.timestamp.type", "LogAppendTime")]));
    let info = append(&log, build("a", 2, BatchOptions::default(), 5)).expect("valid");
    assert_eq!((info.log_append_time, info.max_timestamp), (Timestamp(START_MS), Timestamp(START_MS)));
}

#[test]
fn an_aborted_transaction_is_told_to_committed_readers_once_it_is_stable() {
    let (_node, log) = log();
    let verified = AppendOptions { transaction_verified: true, ..AppendOptions::default() };
    let transactional = BatchOptions { transactional: true, ..idempotent(7, 0, 0) };
    append(&log, batch("plain", 1)).expect("valid");
    let records = build("aborted", 2, transactional, START_MS);
    log.append_as_leader(records, LeaderEpoch(0), verified).expect("valid");
    append(&log, batch("plain", 1)).expect("valid");
    log.update_high_watermark(log.log_end_offset());
    assert_eq!(log.last_stable_offset(), Offset(1));
    let read = log.read(Offset(1), 9999, FetchIsolation::TxnCommitted, true).expect("in range");
    assert_eq!(read.size(), 0);

    let abort = EndTxnMarker { commit: false, coordinator_epoch: 0 };
    let marker = BatchBuilder::end_transaction(
        abort,
        Offset(0),
        Timestamp(START_MS),
        LeaderEpoch(0),
        ProducerId(7),
        ProducerEpoch(0),
    );
    let coordinator = AppendOptions { origin: AppendOrigin::Coordinator, ..AppendOptions::default() };
    log.append_as_leader(marker, LeaderEpoch(0), coordinator).expect("valid");
    assert_eq!(log.last_stable_offset(), Offset(1), "the marker is not replicated yet");
    log.update_high_watermark(log.log_end_offset());
    assert_eq!(log.last_stable_offset(), log.log_end_offset());
    let read = log.read(Offset(0), 9999, FetchIsolation::TxnCommitted, true).expect("in range");
    let aborted = read.aborted_transactions.expect("asked for");
    assert_eq!(aborted.len(), 1);
    assert_eq!((aborted[0].producer_id, aborted[0].first_offset), (ProducerId(7), Offset(1)));
    assert_eq!((aborted[0].last_offset, aborted[0].last_stable_offset), (Offset(4), Offset(5)));
}

#[test]
fn a_follower_takes_offsets_as_given_and_refuses_those_it_has() {
    let (_node, log) = log();
    let at = |offset| BatchOptions {
        base_offset: Offset(offset),
        partition_leader_epoch: LeaderEpoch(3),
        ..BatchOptions::default()
    };
    log.append_as_follower(build("a", 2, at(10), START_MS)).expect("a gap is allowed");
    assert_eq!(log.log_end_offset(), Offset(12));
    assert_eq!(log.latest_epoch(), Some(LeaderEpoch(3)));
    assert!(log.append_as_follower(build("b", 2, at(11), START_MS)).is_err());
}

#[test]
fn much_that_is_unsynced_is_synced_though_nobody_waits() {
    let node = Node::start(&SimFiles::default(), &["/d"], &config(&[]));
    let log = node.log(0, &config(&[]));
    let megabyte = "x".repeat(1_000_000);
    for _ in 0..4 {
        append(&log, batch(&megabyte, 1)).expect("valid");
        assert_eq!(node.manager.environment().group_commit.step(), 0, "little is left to the checkpoints");
    }
    append(&log, batch(&megabyte, 1)).expect("valid");
    assert_eq!(node.manager.environment().group_commit.step(), 1);
    assert_eq!(log.synced_offset(), log.log_end_offset());
}
