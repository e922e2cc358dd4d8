//! Each anomaly, planted in a history that is otherwise sound, is found and nothing else is.

use super::*;

fn sound() -> Vec<Event> {
    let mut events = Vec::new();
    let mut tell = |what| events.push(Event { ms: 0, who: "w".into(), what });
    let place = |offset| ("out".to_owned(), 0, offset);
    for (offset, value) in [(0, "i0"), (1, "i1")] {
        tell(sending(None, "in", value));
        tell(acked("in", offset, value));
        tell(last("in", offset, value));
    }
    for (txn, values, base) in [("t1", ["t1|a:i0", "t1|b:i0"], 0), ("t2", ["t2|a:i1", "t2|b:i1"], 3)] {
        for (at, value) in values.into_iter().enumerate() {
            tell(sending(Some(txn), "out", value));
            let (topic, _, offset) = place(base + at as i64);
            tell(last(&topic, offset, value));
            tell(read("live", offset, value));
        }
        tell(What::Ending { txn: txn.into(), commit: true });
        tell(What::Ended { txn: txn.into(), commit: true });
    }
    tell(sending(Some("t3"), "out", "t3|x"));
    tell(What::Ending { txn: "t3".into(), commit: false });
    tell(What::Ended { txn: "t3".into(), commit: false });
    for offset in [1, 2] {
        tell(What::Committed { group: "g".into(), topic: "in".into(), partition: 0, offset });
    }
    events
}

fn sending(txn: Option<&str>, topic: &str, value: &str) -> What {
    What::Sending { txn: txn.map(Into::into), topic: topic.into(), partition: 0, value: value.into() }
}

fn acked(topic: &str, offset: i64, value: &str) -> What {
    What::Acked { topic: topic.into(), partition: 0, offset, value: value.into() }
}

fn last(topic: &str, offset: i64, value: &str) -> What {
    What::Final { topic: topic.into(), partition: 0, offset, value: value.into() }
}

fn read(reader: &str, offset: i64, value: &str) -> What {
    What::Read { reader: reader.into(), topic: "out".into(), partition: 0, offset, value: value.into() }
}

fn kinds(events: &[Event]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> =
        check(events, "in", &["a", "b"]).into_iter().map(|anomaly| anomaly.kind).collect();
    kinds.dedup();
    kinds
}

/// The sound history with more at its end.
fn with(more: Vec<What>) -> Vec<Event> {
    let more = more.into_iter().map(|what| Event { ms: 0, who: "w".into(), what });
    sound().into_iter().chain(more).collect()
}

/// The sound history without the events that `which` picks.
fn without(which: impl Fn(&What) -> bool) -> Vec<Event> {
    sound().into_iter().filter(|event| !which(&event.what)).collect()
}

#[test]
fn a_sound_history_has_no_anomaly() {
    assert_eq!(check(&sound(), "in", &["a", "b"]), []);
}

#[test]
fn what_was_acknowledged_and_is_not_there_is_lost() {
    assert_eq!(kinds(&with(vec![acked("plain", 7, "gone")])), [Kind::LostWrite]);
    assert_eq!(
        kinds(&with(vec![acked("in", 2, "i2"), last("in", 2, "i2")])),
        [Kind::LostWrite],
        "not transformed"
    );
}

#[test]
fn a_part_of_a_committed_transaction_is_lost_and_torn() {
    let gone = |what: &What| matches!(what, What::Final { value, .. } | What::Read { value, .. } if value == "t2|b:i1");
    assert_eq!(kinds(&without(gone)), [Kind::LostWrite, Kind::Torn]);
}

#[test]
fn what_is_there_twice_is_a_duplicate() {
    let twice = vec![sending(None, "plain", "p"), last("plain", 0, "p"), last("plain", 1, "p")];
    assert_eq!(kinds(&with(twice)), [Kind::Duplicate]);
    let transformed_again =
        vec![sending(Some("t9"), "out", "t9|a:i0"), last("out", 9, "t9|a:i0"), ending("t9")];
    assert_eq!(kinds(&with(transformed_again)), [Kind::Duplicate]);
}

fn ending(txn: &str) -> What {
    What::Ending { txn: txn.into(), commit: true }
}

#[test]
fn what_was_aborted_is_not_to_be_seen() {
    assert_eq!(kinds(&with(vec![read("live", 6, "t3|x")])), [Kind::AbortedRead, Kind::FinalMissing]);
    let never_ended = vec![sending(Some("t9"), "out", "t9|y"), last("out", 9, "t9|y")];
    assert_eq!(kinds(&with(never_ended)), [Kind::AbortedRead]);
}

#[test]
fn an_unknown_outcome_may_be_either_but_not_half() {
    let both = vec![
        sending(Some("t9"), "out", "t9|y"),
        sending(Some("t9"), "out", "t9|z"),
        ending("t9"),
        last("out", 8, "t9|y"),
        last("out", 9, "t9|z"),
    ];
    assert_eq!(kinds(&with(both.clone())), []);
    assert_eq!(kinds(&with(both[..3].to_vec())), []);
    assert_eq!(kinds(&with(both[..4].to_vec())), [Kind::Torn]);
}

#[test]
fn a_reader_that_goes_back_or_skips_is_told() {
    assert_eq!(kinds(&with(vec![read("live", 4, "t2|b:i1")])), [Kind::NonmonotonicPoll]);
    let skips = |what: &What| matches!(what, What::Read { offset: 1, .. });
    assert_eq!(kinds(&without(skips)), [Kind::PollSkip]);
}

#[test]
fn an_offset_holds_one_value() {
    assert_eq!(kinds(&with(vec![read("other", 0, "t1|b:i0")])), [Kind::InconsistentOffsets]);
    assert_eq!(kinds(&with(vec![acked("in", 5, "i1")])), [Kind::InconsistentOffsets]);
}

#[test]
fn a_senders_order_holds() {
    let crossed = vec![
        sending(None, "plain", "first"),
        sending(None, "plain", "second"),
        last("plain", 1, "first"),
        last("plain", 0, "second"),
    ];
    assert_eq!(kinds(&with(crossed)), [Kind::NonmonotonicSend]);
}

#[test]
fn what_was_read_stays() {
    let unknown = vec![sending(Some("t9"), "out", "t9|y"), ending("t9"), read("live", 9, "t9|y")];
    assert_eq!(kinds(&with(unknown)), [Kind::FinalMissing]);
}

#[test]
fn a_committed_offset_does_not_go_back() {
    let back = What::Committed { group: "g".into(), topic: "in".into(), partition: 0, offset: 1 };
    assert_eq!(kinds(&with(vec![back])), [Kind::CommitWentBack]);
}
