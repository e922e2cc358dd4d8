//! How numbers go on after the greatest, which 0 follows.

use super::*;

const IDENTITY: Identity = Identity { id: ProducerId(7), epoch: ProducerEpoch(0) };

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

/// Numbers of which the next is `next`, and all before it are written.
fn written_up_to(next: i32) -> Sequences {
    let mut sequences = Sequences::default();
    sequences.take_identity(IDENTITY);
    sequences.assign(&partition(), BatchId(0), next);
    sequences.acked(&partition(), IDENTITY, 0, next);
    sequences
}

/// The numbers of batches 1, 2, … with these counts of records.
fn assigned(sequences: &mut Sequences, counts: &[i32]) -> Vec<i32> {
    let number = |(at, count): (usize, &i32)| {
        let (_, number) =
            sequences.assign(&partition(), BatchId(1 + at as u64), *count).expect("there is an identity");
        number
    };
    counts.iter().enumerate().map(number).collect()
}

#[test]
fn zero_comes_after_the_greatest_number() {
    let mut sequences = written_up_to(i32::MAX - 2);
    assert_eq!(assigned(&mut sequences, &[2, 3, 1]), [i32::MAX - 2, i32::MAX, 2]);
    assert!(precedes(i32::MAX, 0) && precedes(i32::MAX - 2, 2) && !precedes(0, i32::MAX));
    assert!(precedes(0, 1) && !precedes(1, 0) && !precedes(1, 1));
}

#[test]
fn batches_behind_one_that_was_refused_move_up_over_the_wrap() {
    let mut sequences = written_up_to(i32::MAX - 2);
    assigned(&mut sequences, &[2, 3, 1]);
    let moved = sequences.close_gap(&partition(), IDENTITY, i32::MAX - 2, 2);
    assert_eq!(moved, [(BatchId(2), i32::MAX - 2), (BatchId(3), 0)]);
    assert_eq!(sequences.assign(&partition(), BatchId(4), 1), Some((IDENTITY, 1)));
    assert!(sequences.is_first(&partition(), BatchId(2)));
    let stale = Identity { epoch: ProducerEpoch(1), ..IDENTITY };
    assert_eq!(sequences.close_gap(&partition(), stale, 0, 1), [], "the number is of another epoch");
}

#[test]
fn the_last_number_that_is_written_goes_over_the_wrap() {
    let mut sequences = written_up_to(i32::MAX - 2);
    assigned(&mut sequences, &[2, 3, 1]);
    sequences.acked(&partition(), IDENTITY, i32::MAX, 3);
    sequences.acked(&partition(), IDENTITY, i32::MAX - 2, 2);
    assert!(sequences.is_next(&partition(), 2));
}
