//! A share partition by examples, and by random plans held against a model (`plans.rs`).

mod dead_letters;
mod plans;

use std::sync::Arc;
use std::time::Duration;

use model::{Offset, ProducerId};

use super::*;

const LOCK: Duration = Duration::from_secs(30);

fn limits() -> ShareLimits {
    ShareLimits {
        delivery_count_limit: 5,
        max_record_locks: 2000,
        lock_duration: LOCK,
        renew: true,
        dead_letters: false,
    }
}

fn at(seconds: u64) -> Instant {
    Duration::from_secs(seconds)
}

/// Batches of the log that are not idempotent, by their first and last offsets.
fn log(batches: &[(i64, i64)]) -> Vec<FetchedBatch> {
    let batch = |(first, last): &(i64, i64)| FetchedBatch {
        base_offset: Offset(*first),
        last_offset: Offset(*last),
        producer_id: ProducerId::NONE,
        is_transactional: false,
        is_abort_marker: false,
    };
    batches.iter().map(batch).collect()
}

/// A group of one partition, as its members use it.
struct Scene {
    partition: SharePartition,
    limits: ShareLimits,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        Self::with(0, &[])
    }

    fn with(start: i64, batches: &[StateBatch]) -> Self {
        let partition = SharePartition::new(Offset(start), batches).expect("a valid state");
        Self { partition, limits: limits(), now: at(100) }
    }

    /// Fetches `max` records; tells the first, last and delivery count of what came.
    fn fetch(
        &mut self,
        member: &str,
        mode: AcquireMode,
        max: i64,
        batches: &[FetchedBatch],
    ) -> Vec<(i64, i64, i16)> {
        let fetch_offset = self.partition.next_fetch_offset();
        let member: Arc<str> = member.into();
        let request =
            AcquireRequest { member: &member, mode, batch_size: max.max(1), max_records: max, fetch_offset };
        let fetched = FetchedRecords { batches, aborted: &[] };
        let acquired = self.partition.acquire(self.now, &self.limits, request, fetched);
        acquired
            .iter()
            .map(|range| (range.first_offset.0, range.last_offset.0, range.delivery_count))
            .collect()
    }

    fn take(&mut self, member: &str, batches: &[(i64, i64)]) -> Vec<(i64, i64, i16)> {
        self.fetch(member, AcquireMode::BatchOptimized, 500, &log(batches))
    }

    fn acknowledge(
        &mut self,
        member: &str,
        first: i64,
        last: i64,
        types: &[i8],
    ) -> Result<Option<StateChange>, AcknowledgeError> {
        let (first_offset, last_offset) = (Offset(first), Offset(last));
        let batch = AcknowledgementBatch { first_offset, last_offset, types: types.to_vec() };
        self.partition.acknowledge(self.now, &self.limits, member, &[batch])
    }

    /// Acknowledges, and has it written.
    fn done(&mut self, member: &str, first: i64, last: i64, types: &[i8]) {
        let change = self.acknowledge(member, first, last, types).expect("they are its records");
        if let Some(change) = change {
            self.partition.settle(self.now, &self.limits, &change, true);
        }
    }

    fn refusal(&mut self, member: &str, first: i64, last: i64, types: &[i8]) -> String {
        self.acknowledge(member, first, last, types).expect_err("it is refused").to_string()
    }

    fn pass(&mut self, time: Duration) -> Option<StateChange> {
        self.now += time;
        self.partition.handle_timeout(self.now, &self.limits)
    }

    fn ends(&self) -> (i64, i64) {
        (self.partition.start_offset().0, self.partition.end_offset().0)
    }
}

fn state(first: i64, last: i64, state: DeliveryState, delivery_count: i16) -> StateBatch {
    StateBatch { first_offset: Offset(first), last_offset: Offset(last), state, delivery_count }
}

#[test]
fn a_record_goes_to_one_member() {
    let mut scene = Scene::new();
    assert_eq!(scene.take("a", &[(0, 9)]), [(0, 9, 1)]);
    assert_eq!(scene.take("b", &[(0, 9)]), []);
    assert_eq!(scene.take("b", &[(10, 19)]), [(10, 19, 1)]);
}

#[test]
fn what_is_accepted_moves_the_start_once_it_is_written() {
    let mut scene = Scene::new();
    scene.take("a", &[(0, 9)]);
    let change = scene.acknowledge("a", 0, 4, &[1]).expect("its records").expect("a change");
    assert_eq!(change.batches, [state(0, 4, DeliveryState::ACKNOWLEDGED, 1)]);
    assert_eq!(scene.ends(), (0, 10));
    assert_eq!(scene.partition.delivery_complete_count(), 5);
    scene.partition.settle(scene.now, &scene.limits, &change, true);
    assert_eq!(scene.ends(), (5, 10));
    assert_eq!(scene.partition.delivery_complete_count(), 0);
}

#[test]
fn what_is_released_comes_again_and_counts() {
    let mut scene = Scene::new();
    scene.take("a", &[(0, 9)]);
    scene.done("a", 3, 5, &[2]);
    assert_eq!(scene.partition.next_fetch_offset(), Offset(3));
    assert_eq!(scene.take("b", &[(0, 9)]), [(3, 5, 2)]);
}

#[test]
fn nobody_gets_a_record_whose_release_is_not_written_yet() {
    let mut scene = Scene::new();
    scene.take("a", &[(0, 9)]);
    let change = scene.acknowledge("a", 0, 9, &[2]).expect("its records").expect("a change");
    assert_eq!(scene.partition.next_fetch_offset(), Offset(10));
    assert_eq!(scene.take("b", &[(0, 9)]), []);
    scene.partition.settle(scene.now, &scene.limits, &change, true);
    assert_eq!(scene.take("b", &[(0, 9)]), [(0, 9, 2)]);
}

#[test]
fn a_change_that_cannot_be_written_is_taken_back() {
    let mut scene = Scene::new();
    scene.take("a", &[(0, 9)]);
    let change = scene.acknowledge("a", 0, 9, &[1]).expect("its records").expect("a change");
    scene.partition.settle(scene.now, &scene.limits, &change, false);
    assert_eq!(scene.partition.delivery_complete_count(), 0);
    scene.done("a", 0, 9, &[1]);
    assert_eq!(scene.ends(), (10, 10));
}

#[test]
fn a_change_that_cannot_be_written_gives_back_what_was_locked_too_long() {
    let mut scene = Scene::new();
    scene.take("a", &[(0, 9)]);
    let change = scene.acknowledge("a", 0, 9, &[1]).expect("its records").expect("a change");
    assert_eq!(scene.pass(LOCK), None);
    scene.partition.settle(scene.now, &scene.limits, &change, false);
    assert_eq!(scene.take("b", &[(0, 9)]), [(0, 9, 2)]);
}

#[test]
fn a_lock_that_runs_out_gives_the_records_to_others() {
    let mut scene = Scene::new();
    scene.take("a", &[(0, 9)]);
    assert_eq!(scene.partition.poll_timeout(), Some(scene.now + LOCK));
    assert_eq!(scene.pass(LOCK - Duration::from_millis(1)), None);
    let change = scene.pass(Duration::from_millis(1)).expect("a change");
    assert_eq!(change.batches, [state(0, 9, DeliveryState::AVAILABLE, 1)]);
    assert_eq!(scene.take("b", &[(0, 9)]), [(0, 9, 2)]);
    assert_eq!(scene.refusal("a", 0, 9, &[1]), "Member is not the owner of batch record");
}

#[test]
fn a_lock_that_is_renewed_holds_on() {
    let mut scene = Scene::new();
    scene.take("a", &[(0, 9)]);
    scene.pass(LOCK / 2);
    scene.done("a", 0, 4, &[4]);
    let change = scene.pass(LOCK / 2).expect("a change");
    assert_eq!(change.batches, [state(5, 9, DeliveryState::AVAILABLE, 1)]);
    assert!(scene.pass(LOCK / 2).is_some());
    scene.limits.renew = false;
    scene.take("a", &[(0, 9)]);
    let refused = "Renewing acquisition locks is not enabled for the group.";
    assert_eq!(scene.refusal("a", 0, 9, &[4]), refused);
}

#[test]
fn a_record_that_was_delivered_often_enough_is_given_up() {
    let mut scene = Scene::new();
    scene.limits.delivery_count_limit = 2;
    for count in 1..=2 {
        assert_eq!(scene.take("a", &[(0, 9)]), [(0, 9, count)]);
        scene.pass(LOCK);
    }
    assert_eq!(scene.ends(), (10, 10));
    assert_eq!(scene.take("a", &[(0, 9)]), []);
}

#[test]
fn a_rejected_record_is_archived_and_a_gap_too() {
    let mut scene = Scene::new();
    scene.take("a", &[(0, 4)]);
    let change = scene.acknowledge("a", 0, 4, &[1, 3, 3, 0, 2]).expect("its records").expect("a change");
    let archived = DeliveryState::ARCHIVED;
    let expected = [
        state(0, 0, DeliveryState::ACKNOWLEDGED, 1),
        state(1, 2, archived, 1),
        state(3, 3, archived, 1),
        state(4, 4, DeliveryState::AVAILABLE, 1),
    ];
    let merged = [expected[0], state(1, 3, archived, 1), expected[3]];
    assert_eq!(change.batches, merged);
    scene.partition.settle(scene.now, &scene.limits, &change, true);
    assert_eq!(scene.ends(), (4, 5));
}

#[test]
fn records_that_failed_often_go_out_in_small_numbers_and_at_last_alone() {
    let mut scene = Scene::with(0, &[state(0, 499, DeliveryState::AVAILABLE, 2)]);
    // From the third delivery of five on: half of the batch, a quarter, and so on.
    assert_eq!(scene.take("a", &[(0, 499)]), [(0, 499, 3)]);
    scene.done("a", 0, 499, &[2]);
    assert_eq!(scene.take("a", &[(0, 499)]), [(0, 249, 4)]);
    scene.done("a", 0, 249, &[2]);
    assert_eq!(scene.take("a", &[(0, 499)]), [(0, 0, 5)]);
    scene.done("a", 0, 0, &[1]);
    assert_eq!(scene.take("a", &[(0, 499)]), [(1, 1, 5)]);
}

#[test]
fn records_that_failed_often_do_not_go_out_with_others() {
    let persisted = [state(0, 9, DeliveryState::AVAILABLE, 1), state(10, 19, DeliveryState::AVAILABLE, 3)];
    let mut scene = Scene::with(0, &persisted);
    assert_eq!(scene.take("a", &[(0, 19)]), [(0, 9, 2)]);
    assert_eq!(scene.take("a", &[(10, 19)]), [(10, 14, 4)]);
}

#[test]
fn more_than_was_asked_for_comes_only_to_the_end_of_a_batch() {
    let batches = log(&[(0, 9), (10, 19), (20, 29)]);
    let mut scene = Scene::new();
    assert_eq!(scene.fetch("a", AcquireMode::BatchOptimized, 15, &batches), [(0, 19, 1)]);
    let mut scene = Scene::new();
    assert_eq!(scene.fetch("a", AcquireMode::RecordLimit, 15, &batches), [(0, 14, 1)]);
    assert_eq!(scene.fetch("b", AcquireMode::RecordLimit, 15, &batches[1..]), [(15, 29, 1)]);
}

#[test]
fn many_records_are_told_of_in_pieces_of_whole_batches() {
    let batches = log(&[(0, 9), (10, 19), (20, 29), (30, 39)]);
    let mut scene = Scene::new();
    let member: Arc<str> = "a".into();
    let request = AcquireRequest {
        member: &member,
        mode: AcquireMode::BatchOptimized,
        batch_size: 15,
        max_records: 500,
        fetch_offset: Offset(0),
    };
    let fetched = FetchedRecords { batches: &batches, aborted: &[] };
    let acquired = scene.partition.acquire(scene.now, &scene.limits, request, fetched);
    let ranges: Vec<_> = acquired.iter().map(|range| (range.first_offset.0, range.last_offset.0)).collect();
    assert_eq!(ranges, [(0, 19), (20, 39)]);
}

#[test]
fn at_the_limit_of_locks_only_what_was_given_back_comes() {
    let mut scene = Scene::new();
    scene.limits.max_record_locks = 10;
    assert_eq!(scene.take("a", &[(0, 4), (5, 9)]), [(0, 9, 1)]);
    assert!(!scene.partition.can_acquire(&scene.limits));
    scene.done("a", 5, 9, &[2]);
    assert!(scene.partition.can_acquire(&scene.limits));
    assert_eq!(scene.take("b", &[(5, 9), (10, 19)]), [(5, 9, 2)]);
    assert_eq!(scene.take("b", &[(10, 19)]), []);
}

#[test]
fn offsets_without_records_do_not_hold_up_the_start() {
    let mut scene = Scene::new();
    scene.take("a", &[(0, 4)]);
    // 5 to 9 were compacted away.
    assert_eq!(scene.take("a", &[(10, 14)]), [(10, 14, 1)]);
    scene.done("a", 0, 4, &[1]);
    assert_eq!(scene.ends(), (10, 15));
}

#[test]
fn what_was_compacted_away_after_its_release_is_given_up() {
    let mut scene = Scene::new();
    scene.take("a", &[(0, 9)]);
    scene.done("a", 0, 9, &[2]);
    assert_eq!(scene.take("b", &[(5, 9)]), [(5, 9, 2)]);
    assert_eq!(scene.ends(), (5, 10));
}

#[test]
fn a_new_leader_goes_on_with_what_was_written_and_offers_the_rest() {
    let persisted = [
        state(3, 4, DeliveryState::ACKNOWLEDGED, 1),
        state(7, 9, DeliveryState::AVAILABLE, 2),
        state(10, 11, DeliveryState::ARCHIVED, 5),
    ];
    let mut scene = Scene::with(2, &persisted);
    assert_eq!(scene.ends(), (2, 12));
    assert_eq!(scene.partition.next_fetch_offset(), Offset(2));
    let got = scene.take("a", &[(0, 19)]);
    assert_eq!(got, [(2, 2, 1), (5, 6, 1), (7, 9, 3), (12, 19, 1)]);
    scene.done("a", 2, 2, &[1]);
    assert_eq!(scene.ends().0, 5);
}

#[test]
fn a_state_that_lies_before_its_start_or_backwards_is_refused() {
    let available = DeliveryState::AVAILABLE;
    let refused = |batch| SharePartition::new(Offset(5), &[batch]).expect_err("it is refused");
    let (first, start, last) = (Offset(4), Offset(5), Offset(5));
    assert_eq!(refused(state(4, 6, available, 1)), InvalidState::BeforeStart { first, start });
    assert_eq!(refused(state(6, 5, available, 1)), InvalidState::Reversed { first: Offset(6), last });
}

#[test]
fn aborted_records_reach_nobody() {
    let producer_id = ProducerId(7);
    let batch = |first, last, is_abort_marker| FetchedBatch {
        base_offset: Offset(first),
        last_offset: Offset(last),
        producer_id,
        is_transactional: true,
        is_abort_marker,
    };
    let batches = [batch(0, 4, false), batch(5, 5, true), batch(6, 9, false)];
    let aborted = [AbortedTransaction { producer_id, first_offset: Offset(0) }];
    let mut scene = Scene::new();
    let member: Arc<str> = "a".into();
    let request = AcquireRequest {
        member: &member,
        mode: AcquireMode::BatchOptimized,
        batch_size: 500,
        max_records: 500,
        fetch_offset: Offset(0),
    };
    let fetched = FetchedRecords { batches: &batches, aborted: &aborted };
    let acquired = scene.partition.acquire(scene.now, &scene.limits, request, fetched);
    let expected = AcquiredRange { first_offset: Offset(5), last_offset: Offset(9), delivery_count: 1 };
    assert_eq!(acquired, [expected]);
    assert_eq!(scene.ends(), (5, 10));
}

#[test]
fn records_that_the_log_deleted_are_gone() {
    let mut scene = Scene::new();
    scene.take("a", &[(0, 9)]);
    scene.partition.on_log_start_moved(Offset(5));
    assert_eq!(scene.ends(), (5, 10));
    scene.done("a", 0, 4, &[1]);
    scene.done("a", 0, 6, &[1]);
    assert_eq!(scene.ends(), (7, 10));
    scene.partition.on_log_start_moved(Offset(50));
    assert_eq!(scene.ends(), (50, 50));
    assert_eq!(scene.take("a", &[(50, 59)]), [(50, 59, 1)]);
}

#[test]
fn a_session_that_ends_gives_back_what_it_held() {
    let mut scene = Scene::new();
    scene.take("a", &[(0, 9)]);
    scene.take("b", &[(10, 19)]);
    scene.done("a", 0, 2, &[1]);
    let change = scene.partition.release(&scene.limits, "a").expect("a change");
    assert_eq!(change.batches, [state(3, 9, DeliveryState::AVAILABLE, 1)]);
    scene.partition.settle(scene.now, &scene.limits, &change, true);
    assert_eq!(scene.take("c", &[(0, 9), (10, 19)]), [(3, 9, 2)]);
    assert_eq!(scene.partition.release(&scene.limits, "a"), None);
}

#[test]
fn acknowledgements_of_others_records_are_refused_in_kafkas_words() {
    let mut scene = Scene::new();
    scene.take("a", &[(0, 9)]);
    let owner = "Member is not the owner of batch record";
    assert_eq!(scene.refusal("b", 0, 9, &[1]), owner);
    assert_eq!(scene.refusal("a", 0, 9, &[9]), "Invalid acknowledge type: [9]");
    let past = "Batch record not found. The last offset in request is past acquired records.";
    assert_eq!(scene.refusal("a", 5, 12, &[1]), past);
    let past = "Batch record not found. The first offset in request is past acquired records.";
    assert_eq!(scene.refusal("a", 20, 22, &[1]), past);
    scene.done("a", 3, 4, &[2]);
    let offset = "The offset cannot be acknowledged. The offset is not acquired.";
    assert_eq!(scene.refusal("a", 0, 9, &[1]), offset);
    assert_eq!(scene.partition.delivery_complete_count(), 0);
    let mut scene = Scene::with(5, &[]);
    let found = "Batch record not found. The request batch offsets are not found in the cache.";
    assert_eq!(scene.refusal("a", 5, 6, &[1]), found);
}
