//! The share coordinator's machine by itself: what is answered, what the log then holds, and that the log tells all.

mod combining;
mod plans;
mod scene;

use std::time::Duration;

use model::Offset;
use protocol::{ErrorCode, ShareSnapshotValue, ShareUpdateValue};

use super::{
    DeliveryState, ShareCoordinatorConfig, ShareRecord, ShareRequest, ShareResponse, ShareState,
    ShareStateError, ShareStateSummary, ShareStateWrite, StateBatch,
};
use scene::{Scene, key};

fn batch(first: i64, last: i64, state: i8, delivery_count: i16) -> StateBatch {
    let (first_offset, last_offset) = (Offset(first), Offset(last));
    StateBatch { first_offset, last_offset, delivery_count, state: DeliveryState(state) }
}

fn write(leader_epoch: i32, start: i64, batches: &[StateBatch]) -> ShareStateWrite {
    ShareStateWrite {
        state_epoch: 0,
        leader_epoch,
        start_offset: Offset(start),
        delivery_complete_count: 0,
        batches: batches.to_vec(),
    }
}

fn code<T: std::fmt::Debug>(answer: Result<T, ShareStateError>) -> ErrorCode {
    answer.expect_err("refused").code
}

#[test]
fn what_was_never_initialized_is_neither_read_nor_written() {
    let mut scene = Scene::new(ShareCoordinatorConfig::default());
    let refused = scene.read(0, 0).expect_err("refused");
    assert_eq!(refused.code, ErrorCode::INVALID_REQUEST);
    assert_eq!(refused.message, "Read operation on uninitialized share partition not allowed.");
    let refused = scene.write(0, write(0, 0, &[])).expect_err("refused");
    assert_eq!(refused.message, "Write operation on uninitialized share partition not allowed.");
    let nothing = ShareStateSummary {
        state_epoch: 0,
        leader_epoch: 0,
        start_offset: Offset(-1),
        delivery_complete_count: -1,
    };
    assert_eq!(scene.summary(0), Ok(nothing));
    assert!(scene.log.is_empty());
}

#[test]
fn a_state_is_read_as_it_was_initialized_and_written() {
    let mut scene = Scene::new(ShareCoordinatorConfig::default());
    scene.initialize(0, 0, -1).expect("initialized");
    let state = scene.read(0, 0).expect("read");
    assert_eq!(state, ShareState { state_epoch: 0, start_offset: Offset(-1), batches: vec![] });
    scene.write(0, write(0, 10, &[batch(10, 14, 0, 1), batch(15, 19, 2, 1)])).expect("written");
    scene.write(0, write(0, -1, &[batch(12, 12, 2, 1)])).expect("written");
    let state = scene.read(0, 0).expect("read");
    let batches = vec![batch(10, 11, 0, 1), batch(12, 12, 2, 1), batch(13, 14, 0, 1), batch(15, 19, 2, 1)];
    assert_eq!(state, ShareState { state_epoch: 0, start_offset: Offset(10), batches });
}

#[test]
fn a_new_leader_fences_the_one_before() {
    let mut scene = Scene::new(ShareCoordinatorConfig::default());
    scene.initialize(0, 0, 0).expect("initialized");
    scene.read(0, 5).expect("read");
    assert!(matches!(scene.log.last(), Some(ShareRecord::Update { value, .. }) if value.leader_epoch == 5));
    assert_eq!(code(scene.write(0, write(4, 0, &[]))), ErrorCode::FENCED_LEADER_EPOCH);
    assert_eq!(code(scene.read(0, 4)), ErrorCode::FENCED_LEADER_EPOCH);
    let records = scene.log.len();
    scene.read(0, 5).expect("the same leader may read again");
    scene.read(0, -1).expect("one that does not lead may read");
    assert_eq!(scene.log.len(), records);
    assert_eq!(scene.summary(0).map(|summary| summary.leader_epoch), Ok(5));
}

#[test]
fn a_state_that_begins_anew_fences_writers_of_the_one_before() {
    let mut scene = Scene::new(ShareCoordinatorConfig::default());
    scene.initialize(0, 1, 0).expect("initialized");
    scene.initialize(0, 2, 7).expect("initialized anew");
    assert_eq!(code(scene.initialize(0, 1, 0)), ErrorCode::FENCED_STATE_EPOCH);
    assert_eq!(code(scene.write(0, write(0, 0, &[]))), ErrorCode::FENCED_STATE_EPOCH);
    let summary = scene.summary(0).expect("summarized");
    assert_eq!(
        (summary.state_epoch, summary.start_offset, summary.delivery_complete_count),
        (2, Offset(7), 0)
    );
    assert!(matches!(
        scene.log.last(),
        Some(ShareRecord::Snapshot { value: Some(ShareSnapshotValue { snapshot_epoch: 1, .. }), .. })
    ));
}

#[test]
fn partitions_that_do_not_exist_have_no_state() {
    let mut scene = Scene::new(ShareCoordinatorConfig::default());
    assert_eq!(code(scene.initialize(99, 0, 0)), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let refused = scene.initialize(-1, 0, 0).expect_err("refused");
    assert_eq!(refused.code, ErrorCode::INVALID_REQUEST);
    assert_eq!(refused.message, "The partition id cannot be a negative number.");
    assert_eq!(code(scene.summary(99)), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(code(scene.delete(99)), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn after_so_many_updates_comes_a_snapshot() {
    let config = ShareCoordinatorConfig { updates_per_snapshot: 2, ..Default::default() };
    let mut scene = Scene::new(config);
    scene.initialize(0, 0, 0).expect("initialized");
    for offset in 0..6 {
        scene.write(0, write(0, offset, &[batch(offset, offset, 2, 1)])).expect("written");
    }
    let kinds: String =
        scene.log.iter().map(|it| if matches!(it, ShareRecord::Update { .. }) { 'u' } else { 'S' }).collect();
    assert_eq!(kinds, "SuuSuuS");
    let Some(ShareRecord::Snapshot { value: Some(value), .. }) = scene.log.last() else {
        panic!("a snapshot")
    };
    assert_eq!((value.snapshot_epoch, value.start_offset, value.state_batches.len()), (2, 5, 1));
    let update = |record: &ShareRecord| match record {
        ShareRecord::Update { value: ShareUpdateValue { snapshot_epoch, .. }, .. } => Some(*snapshot_epoch),
        ShareRecord::Snapshot { .. } => None,
    };
    assert_eq!(scene.log.iter().filter_map(update).collect::<Vec<_>>(), [0, 0, 1, 1]);
}

#[test]
fn what_is_deleted_is_gone_and_may_be_deleted_again() {
    let mut scene = Scene::new(ShareCoordinatorConfig::default());
    scene.initialize(0, 3, 0).expect("initialized");
    scene.delete(0).expect("deleted");
    let records = scene.log.len();
    scene.delete(0).expect("nothing to delete is no error");
    assert_eq!(scene.log.len(), records);
    assert_eq!(code(scene.read(0, 0)), ErrorCode::INVALID_REQUEST);
    scene.initialize(0, 0, 0).expect("what is gone fences nobody");
}

#[test]
fn the_states_of_deleted_topics_go_with_them() {
    let mut scene = Scene::new(ShareCoordinatorConfig::default());
    scene.initialize(0, 0, 0).expect("initialized");
    scene.initialize(1, 0, 0).expect("initialized");
    let gone = [key(0).topic_id].into();
    scene.ask(ShareRequest::TopicsDeleted(std::sync::Arc::new(gone)));
    let tombstones = scene.log.iter().filter(|it| matches!(it, ShareRecord::Snapshot { value: None, .. }));
    assert_eq!(tombstones.count(), 2);
}

#[test]
fn what_snapshots_have_replaced_is_deleted_once() {
    let cold_snapshot_interval = Duration::from_secs(60 * 60);
    let mut scene = Scene::new(ShareCoordinatorConfig { cold_snapshot_interval, ..Default::default() });
    scene.initialize(0, 0, 0).expect("initialized");
    scene.initialize(1, 0, 0).expect("initialized");
    let interval = scene.config.prune_interval;
    assert_eq!(scene.advance(interval), []);
    scene.initialize(0, 1, 0).expect("initialized anew");
    assert_eq!(scene.advance(interval), [ShareResponse::Prune(Offset(1))]);
    assert_eq!(scene.advance(Duration::from_secs(1)), []);
}

#[test]
fn a_partition_that_was_not_written_for_long_gets_a_snapshot_again() {
    let mut scene = Scene::new(ShareCoordinatorConfig::default());
    scene.initialize(0, 0, 0).expect("initialized");
    scene.write(0, write(0, 3, &[batch(3, 5, 2, 1)])).expect("written");
    let interval = scene.config.cold_snapshot_interval;
    scene.advance(interval);
    let Some(ShareRecord::Snapshot { value: Some(value), .. }) = scene.log.last() else {
        panic!("a snapshot")
    };
    assert_eq!((value.snapshot_epoch, value.start_offset, value.state_batches.len()), (1, 3, 1));
    assert!(value.write_timestamp - value.create_timestamp >= 300_000);
    let records = scene.log.len();
    scene.advance(interval * 3);
    assert_eq!(scene.log.len(), records, "what was snapshotted so is left alone");
}

#[test]
fn a_batch_without_records_is_refused() {
    let mut scene = Scene::new(ShareCoordinatorConfig::default());
    scene.initialize(0, 0, 0).expect("initialized");
    let refused = scene.write(0, write(0, 0, &[batch(0, 10, 0, 1), batch(5, 3, 0, 2)]));
    assert_eq!(code(refused), ErrorCode::INVALID_REQUEST);
}
