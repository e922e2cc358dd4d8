//! Duplicates, gaps, fencing, expiry and open transactions.

use model::LeaderEpoch;
use records::Attributes;

use super::*;

fn batch(offset: i64, producer: i64, epoch: i16, sequence: i32, count: i32) -> BatchHeader {
    BatchHeader {
        base_offset: Offset(offset),
        length: 100,
        partition_leader_epoch: LeaderEpoch(0),
        crc: 0,
        attributes: Attributes::default(),
        last_offset_delta: count - 1,
        base_timestamp: Timestamp(offset),
        max_timestamp: Timestamp(offset),
        producer_id: ProducerId(producer),
        producer_epoch: ProducerEpoch(epoch),
        base_sequence: sequence,
        record_count: count,
    }
}

fn transactional(mut header: BatchHeader) -> BatchHeader {
    header.attributes = header.attributes.with_transactional(true);
    header
}

fn try_append(state: &mut ProducerState, header: &BatchHeader) -> Result<(), StorageError> {
    let mut append = state.prepare(header.producer_id, AppendOrigin::Client);
    append.append(header, None, &TopicPartition::new("t", 0))?;
    state.update(append);
    state.set_end(header.next_offset());
    Ok(())
}

fn end_transaction(state: &mut ProducerState, offset: i64, producer: i64, commit: bool) -> CompletedTxn {
    let mut header = batch(offset, producer, 0, -1, 1);
    header.attributes = header.attributes.with_transactional(true).with_control(true);
    let marker = EndTxnMarker { commit, coordinator_epoch: 0 };
    let completed = state.replay(&header, Some(marker)).expect("a transaction was open");
    state.complete(&completed);
    completed
}

#[test]
fn a_retry_of_any_of_the_last_five_batches_is_a_duplicate() {
    let mut state = ProducerState::empty(Offset(0));
    for n in 0..7 {
        try_append(&mut state, &batch(i64::from(n) * 10, 1, 0, n * 10, 10)).expect("in sequence");
    }
    let found =
        |sequence| state.find_duplicate(&batch(0, 1, 0, sequence, 10)).map(|found| found.first_offset());
    assert_eq!(found(20), Some(Offset(20)));
    assert_eq!(found(60), Some(Offset(60)));
    assert_eq!(found(10), None, "the sixth last is forgotten");
    assert_eq!(state.find_duplicate(&batch(0, 1, 0, 20, 5)), None, "another range is no duplicate");
}

#[test]
fn a_gap_is_out_of_order() {
    let mut state = ProducerState::empty(Offset(0));
    try_append(&mut state, &batch(0, 1, 0, 0, 3)).expect("the first");
    assert!(matches!(
        try_append(&mut state, &batch(3, 1, 0, 4, 1)),
        Err(StorageError::OutOfOrderSequence(text))
            if text.ends_with("4 (incoming seq. number), 2 (current end sequence number)")
    ));
    try_append(&mut state, &batch(3, 1, 0, 3, 1)).expect("in sequence");
}

#[test]
fn the_sequence_after_the_greatest_is_zero() {
    let mut state = ProducerState::empty(Offset(0));
    try_append(&mut state, &batch(0, 1, 0, i32::MAX - 1, 2)).expect("nothing is known of the producer");
    try_append(&mut state, &batch(2, 1, 0, 0, 1)).expect("wrapped");
    let wrapping = batch(0, 1, 0, i32::MAX - 1, 2);
    assert!(state.find_duplicate(&wrapping).is_some());
}

#[test]
fn an_unknown_producer_may_begin_with_any_sequence() {
    let mut state = ProducerState::empty(Offset(0));
    try_append(&mut state, &batch(0, 9, 3, 5, 1)).expect("nothing is known of the producer");
}

#[test]
fn an_older_epoch_is_fenced_and_a_newer_one_begins_at_zero() {
    let mut state = ProducerState::empty(Offset(0));
    try_append(&mut state, &batch(0, 1, 2, 0, 1)).expect("the first");
    assert!(matches!(
        try_append(&mut state, &batch(1, 1, 1, 1, 1)),
        Err(StorageError::InvalidProducerEpoch(_))
    ));
    assert!(matches!(
        try_append(&mut state, &batch(1, 1, 3, 1, 1)),
        Err(StorageError::OutOfOrderSequence(_))
    ));
    try_append(&mut state, &batch(1, 1, 3, 0, 1)).expect("a new epoch");
}

#[test]
fn a_silent_producer_expires_but_not_inside_of_a_transaction() {
    let mut state = ProducerState::empty(Offset(0));
    try_append(&mut state, &batch(10, 1, 0, 0, 1)).expect("the first");
    try_append(&mut state, &transactional(batch(11, 2, 0, 0, 1))).expect("the first");
    state.remove_expired(Timestamp(1010), 1000);
    assert_eq!(state.get(ProducerId(1)), None);
    state.remove_expired(Timestamp(9999), 1000);
    assert!(state.get(ProducerId(2)).is_some());
}

#[test]
fn an_open_transaction_holds_the_first_unstable_offset_until_its_end_is_replicated() {
    let mut state = ProducerState::empty(Offset(0));
    try_append(&mut state, &transactional(batch(5, 1, 0, 0, 1))).expect("the first");
    try_append(&mut state, &transactional(batch(6, 2, 0, 0, 1))).expect("the first");
    assert_eq!(state.first_unstable_offset(), Some(Offset(5)));
    let completed = end_transaction(&mut state, 7, 1, false);
    assert_eq!(completed.first_offset, Offset(5));
    assert!(completed.is_aborted);
    assert_eq!(state.first_unstable_offset(), Some(Offset(5)), "its end is above the high watermark");
    state.on_high_watermark(Offset(8));
    assert_eq!(state.first_unstable_offset(), Some(Offset(6)));
    end_transaction(&mut state, 8, 2, true);
    state.on_high_watermark(Offset(9));
    assert_eq!(state.first_unstable_offset(), None);
}

#[test]
fn a_plain_batch_inside_of_a_transaction_is_refused() {
    let mut state = ProducerState::empty(Offset(0));
    try_append(&mut state, &transactional(batch(0, 1, 0, 0, 1))).expect("the first");
    assert!(matches!(try_append(&mut state, &batch(1, 1, 0, 1, 1)), Err(StorageError::InvalidTxnState(_))));
    let stray = transactional(batch(1, 2, 0, 0, 1));
    assert!(matches!(state.check_transaction(&stray, false), Err(StorageError::InvalidTxnState(_))));
    assert!(state.check_transaction(&stray, true).is_ok());
}
