//! Which number each batch of an idempotent producer has, also after failures.

use super::*;

#[test]
fn batches_of_an_idempotent_producer_are_numbered_without_a_gap() {
    let mut fixture = Fixture::idempotent();
    for _ in 0..3 {
        fixture.append(0, 200);
        fixture.append(0, 200);
    }
    let ids: Vec<BatchId> = (0..3).map(|_| fixture.drain()[0]).collect();
    let numbers: Vec<_> = ids.into_iter().map(|id| fixture.number(id)).collect();
    assert_eq!(numbers, [Some((0, 0)), Some((0, 2)), Some((0, 4))]);
}

#[test]
fn the_first_batch_of_a_producer_that_a_broker_does_not_know_goes_alone() {
    let mut fixture = Fixture::unknown();
    for _ in 0..3 {
        fixture.append(0, 400);
    }
    fixture.append(1, 480);
    let ids = fixture.drain();
    assert_eq!(ids.len(), 2, "each partition begins for itself");
    assert!(fixture.drain().is_empty(), "the broker would take the second also if it refused the first");
    fixture.fail_once(ids[0], ErrorCode::NOT_LEADER_OR_FOLLOWER);
    fixture.pass(200);
    assert_eq!(fixture.drain(), [ids[0]]);
    fixture.accumulator.succeed(ids[0], None, None);
    let behind: Vec<BatchId> = (0..2).map(|_| fixture.drain()[0]).collect();
    let numbers: Vec<_> = behind.into_iter().map(|id| fixture.number(id)).collect();
    assert_eq!(numbers, [Some((0, 1)), Some((0, 2))]);
}

#[test]
fn retried_batches_go_in_the_order_of_their_numbers() {
    let mut fixture = Fixture::idempotent();
    for _ in 0..3 {
        fixture.append(0, 400);
    }
    let ids: Vec<BatchId> = (0..3).map(|_| fixture.drain()[0]).collect();
    for id in [ids[1], ids[0], ids[2]] {
        fixture.fail_once(id, ErrorCode::NOT_ENOUGH_REPLICAS);
    }
    fixture.pass(200);
    for id in ids {
        assert_eq!(fixture.drain(), [id]);
        assert!(fixture.drain().is_empty(), "the next waits until this one is written");
        fixture.accumulator.succeed(id, None, None);
    }
}

#[test]
fn retried_batches_keep_their_order_where_numbers_begin_again() {
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        let mut fixture = Fixture::written_up_to(i32::MAX - 1);
        for _ in 0..4 {
            fixture.append(0, 400);
        }
        let ids: Vec<BatchId> = (0..4).map(|_| fixture.drain()[0]).collect();
        let numbers: Vec<_> = ids.iter().map(|id| fixture.number(*id)).collect();
        assert_eq!(numbers, [i32::MAX - 1, i32::MAX, 0, 1].map(|number| Some((0, number))));
        for at in order {
            fixture.fail_once(ids[at], ErrorCode::NOT_ENOUGH_REPLICAS);
        }
        fixture.pass(200);
        for id in ids {
            assert_eq!(fixture.drain(), [id], "failed in the order {order:?}");
            assert!(fixture.drain().is_empty(), "the next waits until this one is written");
            fixture.accumulator.succeed(id, None, None);
        }
        fixture.append(0, 480);
        let next = fixture.drain()[0];
        assert_eq!(fixture.number(next), Some((0, 2)));
    }
}

#[test]
fn a_new_epoch_numbers_batches_in_their_order_where_numbers_began_again() {
    let mut fixture = Fixture::written_up_to(i32::MAX - 1);
    for _ in 0..3 {
        fixture.append(0, 400);
    }
    let ids: Vec<BatchId> = (0..3).map(|_| fixture.drain()[0]).collect();
    for id in [ids[2], ids[1]] {
        fixture.fail_once(id, ErrorCode::NOT_ENOUGH_REPLICAS);
    }
    fixture.fail_once(ids[0], ErrorCode::UNKNOWN_PRODUCER_ID);
    let numbers: Vec<_> = ids.iter().map(|id| fixture.number(*id)).collect();
    assert_eq!(numbers, [Some((1, 0)), Some((1, 1)), Some((1, 2))]);
    fixture.pass(200);
    assert_eq!(fixture.drain(), [ids[0]]);
}

#[test]
fn parts_of_a_batch_go_in_their_order_where_numbers_begin_again() {
    let mut fixture = Fixture::written_up_to(i32::MAX - 2);
    fixture.accumulator.limits.batch_size = 5000;
    for _ in 0..10 {
        fixture.append(0, 200);
    }
    let whole = fixture.drain()[0];
    fixture.append(0, 480);
    let behind = fixture.drain()[0];
    fixture.fail_once(behind, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    fixture.accumulator.limits.batch_size = 500;
    assert!(fixture.accumulator.split(whole, fixture.now));
    fixture.pass(200);
    let mut number = i32::MAX - 2;
    for part in 0..5 {
        let id = fixture.drain()[0];
        assert_eq!(fixture.number(id), Some((0, number)), "part {part}");
        number = records::increment_sequence(number, fixture.accumulator.batches[&id].count);
        fixture.accumulator.succeed(id, None, None);
    }
    assert_eq!((fixture.drain(), number), (vec![behind], 7));
}

#[test]
fn no_number_is_given_out_twice_after_a_batch_was_refused_for_good() {
    let mut fixture = Fixture::idempotent();
    for _ in 0..3 {
        fixture.append(0, 400);
    }
    let ids: Vec<BatchId> = (0..2).map(|_| fixture.drain()[0]).collect();
    let refused = Fate::Failed(Error::broker(ErrorCode::INVALID_RECORD));
    fixture.accumulator.fail(ids[0], refused, true);
    // A broker that knew nothing of the producer has taken the second batch, with number 1 of epoch 0.
    fixture.accumulator.succeed(ids[1], Some(Offset(0)), None);
    fixture.accumulator.settle_sequences();
    let third = fixture.drain()[0];
    assert_eq!(fixture.number(third), Some((1, 0)), "number 1 of epoch 0 would be held for the second batch");
}

#[test]
fn answers_out_of_their_order_do_not_take_back_what_is_known_to_be_written() {
    let mut fixture = Fixture::idempotent();
    for _ in 0..3 {
        fixture.append(0, 400);
    }
    let ids: Vec<BatchId> = (0..3).map(|_| fixture.drain()[0]).collect();
    fixture.accumulator.succeed(ids[1], None, None);
    fixture.accumulator.succeed(ids[0], None, None);
    fixture.fail_once(ids[2], ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(fixture.number(ids[2]), Some((1, 0)), "it was the next one, so that only a new epoch helps");
}

#[test]
fn the_epoch_is_raised_when_the_fate_of_a_batch_cannot_be_known() {
    let mut fixture = Fixture::idempotent();
    for _ in 0..2 {
        fixture.append(0, 400);
    }
    let first = fixture.drain()[0];
    fixture.fail_once(first, ErrorCode::NOT_ENOUGH_REPLICAS);
    fixture.pass(120_000);
    fixture.append(0, 480);
    fixture.accumulator.expire(fixture.now);
    fixture.accumulator.settle_sequences();
    let next = fixture.drain()[0];
    assert_eq!(fixture.number(next), Some((1, 0)), "a new epoch begins at 0");
}

#[test]
fn what_may_be_written_is_not_numbered_anew_before_the_batch_behind_the_unknown_one_is_refused() {
    let mut fixture = Fixture::idempotent();
    fixture.append(0, 480);
    fixture.pass(60_000);
    for _ in 0..2 {
        fixture.append(0, 480);
    }
    let ids: Vec<BatchId> = (0..3).map(|_| fixture.drain()[0]).collect();
    fixture.pass(60_000);
    fixture.accumulator.expire(fixture.now);
    fixture.fail_once(ids[2], ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(fixture.number(ids[1]), Some((0, 1)), "it may be written, which its own retry will tell");
    fixture.fail_once(ids[1], ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    let numbers: Vec<_> = ids[1..].iter().map(|id| fixture.number(*id)).collect();
    assert_eq!(numbers, [Some((1, 0)), Some((1, 1))]);
}

#[test]
fn a_gap_is_closed_also_where_another_partition_has_raised_the_epoch_since() {
    let mut fixture = Fixture::idempotent();
    for partition in [0, 1] {
        fixture.append(partition, 480);
    }
    let ids = fixture.drain();
    fixture.fail_once(ids[0], ErrorCode::UNKNOWN_PRODUCER_ID);
    fixture.fail_once(ids[1], ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(fixture.number(ids[1]), Some((2, 0)));
}

#[test]
fn the_first_batch_out_of_order_raises_the_epoch_and_keeps_its_records() {
    let mut fixture = Fixture::idempotent();
    fixture.append(0, 480);
    let first = fixture.drain()[0];
    fixture.fail_once(first, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(fixture.number(first), Some((1, 0)));
    fixture.pass(200);
    assert_eq!(fixture.drain(), [first]);
}
