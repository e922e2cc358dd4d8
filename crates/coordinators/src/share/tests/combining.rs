//! Combined batches, case by case and against what each single record should be.

use std::collections::BTreeMap;

use model::Offset;
use proptest::prelude::*;

use super::batch;
use crate::share::{StateBatch, combine};

fn combined(known: &[StateBatch], new: &[StateBatch], start: i64) -> Vec<StateBatch> {
    combine(known.iter().copied(), new.iter().copied(), Offset(start))
}

#[test]
fn neighbours_in_the_same_state_become_one() {
    let all = combined(&[batch(1, 5, 2, 1)], &[batch(6, 9, 2, 1), batch(10, 12, 2, 2)], -1);
    assert_eq!(all, [batch(1, 9, 2, 1), batch(10, 12, 2, 2)]);
}

#[test]
fn what_lies_before_the_start_is_left_out() {
    let all = combined(&[batch(1, 5, 2, 1), batch(6, 9, 0, 1)], &[], 8);
    assert_eq!(all, [batch(8, 9, 0, 1)]);
}

#[test]
fn a_later_delivery_cuts_into_an_earlier_one() {
    let all = combined(&[batch(100, 130, 0, 1)], &[batch(110, 119, 0, 2)], -1);
    assert_eq!(all, [batch(100, 109, 0, 1), batch(110, 119, 0, 2), batch(120, 130, 0, 1)]);
    let all = combined(&[batch(100, 110, 0, 3)], &[batch(105, 120, 2, 1)], -1);
    assert_eq!(all, [batch(100, 110, 0, 3), batch(111, 120, 2, 1)]);
}

#[test]
fn the_last_offsets_there_are_do_no_harm() {
    let most = i64::MAX;
    let all = combined(&[batch(0, most, 0, 1)], &[batch(5, most, 2, 1), batch(most, most, 4, 1)], -1);
    assert_eq!(all, [batch(0, 4, 0, 1), batch(5, most - 1, 2, 1), batch(most, most, 4, 1)]);
}

#[test]
fn batches_without_records_are_left_out() {
    assert_eq!(combined(&[batch(0, 10, 0, 1)], &[batch(5, 3, 2, 2)], -1), [batch(0, 10, 0, 1)]);
}

fn some_batch() -> impl Strategy<Value = StateBatch> {
    (0..40i64, 0..12i64, prop_oneof![Just(0i8), Just(2), Just(4)], 1..4i16)
        .prop_map(|(first, length, state, count)| batch(first, first + length, state, count))
}

fn by_offset(batches: &[StateBatch], start: i64) -> BTreeMap<i64, (i16, i8)> {
    let mut all = BTreeMap::new();
    for batch in batches {
        for offset in batch.first_offset.0.max(start)..=batch.last_offset.0 {
            let state = (batch.delivery_count, batch.state.0);
            all.entry(offset).and_modify(|old: &mut (i16, i8)| *old = state.max(*old)).or_insert(state);
        }
    }
    all
}

proptest! {
    #[test]
    fn each_record_is_in_its_furthest_state_and_in_one_batch(
        known in proptest::collection::vec(some_batch(), 0..12),
        new in proptest::collection::vec(some_batch(), 0..12),
        start in -1..30i64,
    ) {
        let all = combined(&known, &new, start);
        prop_assert!(all.windows(2).all(|pair| pair[0].last_offset < pair[1].first_offset));
        let both: Vec<StateBatch> = known.into_iter().chain(new).collect();
        prop_assert_eq!(by_offset(&all, start), by_offset(&both, start));
    }
}
