//! Records that go to a dead-letter queue before they are out of delivery.

use super::*;

fn scene(start: i64, batches: &[StateBatch]) -> Scene {
    let mut scene = Scene::with(start, batches);
    scene.limits.dead_letters = true;
    scene.limits.delivery_count_limit = 2;
    scene
}

/// What is to be written: first and last offset, delivery count, why.
fn letters(scene: &mut Scene) -> Vec<(i64, i64, i16, DeadLetterCause)> {
    let taken = scene.partition.take_dead_letters();
    taken
        .iter()
        .map(|letter| (letter.first_offset.0, letter.last_offset.0, letter.delivery_count, letter.cause))
        .collect()
}

fn letter(first: i64, last: i64) -> DeadLetter {
    DeadLetter {
        first_offset: Offset(first),
        last_offset: Offset(last),
        delivery_count: 1,
        cause: DeadLetterCause::Rejected,
    }
}

#[test]
fn a_rejected_record_is_a_dead_letter_once_that_is_written_and_holds_the_start_until_it_is_archived() {
    let mut scene = scene(0, &[]);
    scene.take("m", &[(0, 9)]);
    let change = scene.acknowledge("m", 0, 3, &[3]).expect("it is the member's").expect("a change");
    assert_eq!(change.batches, [state(0, 3, DeliveryState::ARCHIVING, 1)]);
    assert_eq!(letters(&mut scene), []);
    scene.partition.settle(scene.now, &scene.limits, &change, true);
    assert_eq!(letters(&mut scene), [(0, 3, 1, DeadLetterCause::Rejected)]);
    assert_eq!(letters(&mut scene), []);
    assert_eq!((scene.ends(), scene.partition.delivery_complete_count()), ((0, 10), 0));

    let change = scene.partition.archive_dead_letter(&letter(0, 3)).expect("a change");
    assert_eq!(change.batches, [state(0, 3, DeliveryState::ARCHIVED, 1)]);
    assert_eq!(scene.partition.delivery_complete_count(), 4);
    scene.partition.settle(scene.now, &scene.limits, &change, true);
    assert_eq!(scene.ends(), (4, 10));
    assert_eq!(scene.partition.archive_dead_letter(&letter(0, 3)), None);
}

#[test]
fn a_record_that_is_archiving_is_not_delivered_and_cannot_be_acknowledged_again() {
    let mut scene = scene(0, &[]);
    scene.take("m", &[(0, 4)]);
    scene.done("m", 0, 4, &[3]);
    assert_eq!(scene.take("n", &[(0, 4)]), []);
    let refusal = scene.refusal("m", 0, 4, &[1]);
    assert_eq!(refusal, "The batch cannot be acknowledged. The batch is not in the acquired state.");
}

#[test]
fn offsets_without_a_record_are_no_dead_letters_and_accepted_records_are_none_either() {
    let mut scene = scene(0, &[]);
    scene.take("m", &[(0, 3)]);
    scene.done("m", 0, 3, &[0, 1, 3, 3]);
    assert_eq!(letters(&mut scene), [(2, 3, 1, DeadLetterCause::Rejected)]);
    assert_eq!(scene.ends(), (2, 4));
}

#[test]
fn without_a_queue_a_rejected_record_is_archived_at_once() {
    let mut scene = scene(0, &[]);
    scene.limits.dead_letters = false;
    scene.take("m", &[(0, 3)]);
    scene.done("m", 0, 3, &[3]);
    assert_eq!((letters(&mut scene), scene.ends()), (vec![], (4, 4)));
}

#[test]
fn a_record_given_back_at_the_limit_is_a_dead_letter() {
    let mut scene = scene(0, &[]);
    for _ in 0..2 {
        scene.take("m", &[(0, 4)]);
        scene.done("m", 0, 4, &[2]);
    }
    assert_eq!(letters(&mut scene), [(0, 4, 2, DeadLetterCause::DeliveryLimit)]);
}

#[test]
fn what_a_lost_member_held_at_the_limit_is_a_dead_letter() {
    let mut scene = scene(0, &[state(0, 4, DeliveryState::AVAILABLE, 1)]);
    scene.take("m", &[(0, 9)]);
    let change = scene.partition.release(&scene.limits, "m").expect("a change");
    scene.partition.settle(scene.now, &scene.limits, &change, true);
    assert_eq!(letters(&mut scene), [(0, 4, 2, DeadLetterCause::DeliveryLimit)]);
    assert_eq!(scene.take("n", &[(0, 9)]), [(5, 9, 2)]);
}

#[test]
fn a_lock_that_runs_out_at_the_limit_makes_a_dead_letter_once_the_state_was_written_or_could_not_be() {
    for written in [true, false] {
        let mut scene = scene(0, &[state(0, 4, DeliveryState::AVAILABLE, 1)]);
        scene.take("m", &[(0, 4)]);
        let change = scene.pass(LOCK).expect("a change");
        assert_eq!(change.batches, [state(0, 4, DeliveryState::ARCHIVING, 2)]);
        assert_eq!(letters(&mut scene), []);
        scene.partition.settle(scene.now, &scene.limits, &change, written);
        assert_eq!(letters(&mut scene), [(0, 4, 2, DeadLetterCause::DeliveryLimit)]);
    }
}

#[test]
fn a_reject_that_could_not_be_written_leaves_the_record_with_its_member() {
    let mut scene = scene(0, &[]);
    scene.take("m", &[(0, 4)]);
    let change = scene.acknowledge("m", 0, 4, &[3]).expect("it is the member's").expect("a change");
    scene.partition.settle(scene.now, &scene.limits, &change, false);
    assert_eq!(letters(&mut scene), []);
    scene.done("m", 0, 4, &[1]);
    assert_eq!(scene.ends(), (5, 5));
}

#[test]
fn a_word_that_could_not_be_written_before_the_lock_ran_out_still_counts_as_a_delivery() {
    let mut scene = scene(0, &[state(0, 4, DeliveryState::AVAILABLE, 1)]);
    scene.take("m", &[(0, 4)]);
    let change = scene.acknowledge("m", 0, 4, &[1]).expect("it is the member's").expect("a change");
    scene.now += LOCK;
    scene.partition.settle(scene.now, &scene.limits, &change, false);
    assert_eq!(letters(&mut scene), [(0, 4, 2, DeadLetterCause::DeliveryLimit)]);
}

#[test]
fn who_loads_the_state_later_writes_the_dead_letters_that_may_not_be_there_yet() {
    let batches = [
        state(0, 1, DeliveryState::ARCHIVING, 1),
        state(2, 3, DeliveryState::ARCHIVING, 2),
        state(4, 5, DeliveryState::AVAILABLE, 1),
    ];
    let mut scene = scene(0, &batches);
    scene.limits.dead_letters = false;
    scene.partition.resume_dead_letters(&scene.limits);
    let expected = [(0, 1, 1, DeadLetterCause::Rejected), (2, 3, 2, DeadLetterCause::DeliveryLimit)];
    assert_eq!(letters(&mut scene), expected);
    let change = scene.partition.archive_dead_letter(&letter(0, 1)).expect("a change");
    scene.partition.settle(scene.now, &scene.limits, &change, true);
    assert_eq!(scene.ends(), (2, 6));
}

#[test]
fn a_log_whose_start_moved_past_a_dead_letter_needs_it_no_more() {
    let mut scene = scene(0, &[]);
    scene.take("m", &[(0, 9)]);
    let change = scene.acknowledge("m", 0, 9, &[3]).expect("it is the member's").expect("a change");
    scene.partition.on_log_start_moved(Offset(6));
    scene.partition.settle(scene.now, &scene.limits, &change, true);
    assert_eq!(letters(&mut scene), [(6, 9, 1, DeadLetterCause::Rejected)]);
    assert_eq!(scene.partition.archive_dead_letter(&letter(0, 5)), None);
}
