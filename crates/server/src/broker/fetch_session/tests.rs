//! What fetch sessions promise.

use protocol::Records;

use super::*;

const NOW: Duration = Duration::from_secs(1000);

fn target(partition: i32) -> FetchTarget {
    FetchTarget {
        topic: TopicKey::Name("t".into()),
        partition,
        fetch_offset: 0,
        max_bytes: 1000,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
    }
}

fn row(partition_index: i32, high_watermark: i64, records: &'static [u8]) -> PartitionData {
    let records = Some(Records::Bytes(bytes::Bytes::from_static(records)));
    PartitionData { partition_index, high_watermark, log_start_offset: 0, records, ..Default::default() }
}

fn open(sessions: &FetchSessions, partitions: std::ops::Range<i32>, now: Duration, slots: usize) -> i32 {
    let targets: Vec<_> = partitions.map(target).collect();
    let request = SessionRequest { targets: targets.clone(), ..Default::default() };
    let (context, _) = sessions.begin(request, now).unwrap();
    let rows = targets.iter().map(|t| (t.clone(), row(t.partition, 5, b""))).collect();
    let mut next = 7 + sessions.counts().sessions as i32;
    sessions
        .finish(context, rows, now, slots, || {
            next += 1;
            next
        })
        .unwrap()
        .0
}

fn fetch(sessions: &FetchSessions, id: i32, epoch: i32, read: impl Fn(i32) -> PartitionData) -> Vec<i32> {
    let request = SessionRequest { id, epoch, ..Default::default() };
    let (context, targets) = sessions.begin(request, NOW).unwrap();
    let rows = targets
        .into_iter()
        .map(|t| {
            let row = read(t.partition);
            (t, row)
        })
        .collect();
    let (_, rows) = sessions.finish(context, rows, NOW, 10, || 1).unwrap();
    rows.into_iter().map(|(_, row)| row.partition_index).collect()
}

#[test]
fn an_incremental_fetch_is_told_only_what_changed() {
    let sessions = FetchSessions::default();
    let id = open(&sessions, 0..3, NOW, 10);
    assert_ne!(id, 0);
    assert_eq!(fetch(&sessions, id, 1, |p| row(p, 5, b"")), Vec::<i32>::new());
    assert_eq!(fetch(&sessions, id, 2, |p| row(p, if p == 1 { 6 } else { 5 }, b"")), [1]);
}

#[test]
fn a_partition_that_gave_records_comes_last_the_next_time() {
    let sessions = FetchSessions::default();
    let id = open(&sessions, 0..3, NOW, 10);
    assert_eq!(fetch(&sessions, id, 1, |p| row(p, 5, if p == 0 { b"x" } else { b"" })), [0]);
    assert_eq!(fetch(&sessions, id, 2, |p| row(p, 6, b"")), [1, 2, 0]);
}

#[test]
fn a_wrong_epoch_an_unknown_session_and_another_naming_are_refused() {
    let sessions = FetchSessions::default();
    let id = open(&sessions, 0..1, NOW, 10);
    let begin = |id, epoch, by_id| {
        sessions.begin(SessionRequest { id, epoch, by_id, ..Default::default() }, NOW).unwrap_err()
    };
    assert_eq!(begin(id, 2, false), ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    assert_eq!(begin(id + 1, 1, false), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    assert_eq!(begin(id, 1, true), ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
}

#[test]
fn a_full_cache_gives_a_session_only_for_one_that_is_stale_or_smaller() {
    let sessions = FetchSessions::default();
    assert_ne!(open(&sessions, 0..1, NOW, 1), 0);
    assert_eq!(open(&sessions, 0..1, NOW, 1), 0);
    let later = NOW + EVICTION_AGE + Duration::from_secs(1);
    assert_ne!(open(&sessions, 0..1, later, 1), 0);
    assert_eq!(sessions.counts(), SessionCounts { sessions: 1, partitions: 1, evictions: 1 });
}

#[test]
fn a_fetch_with_the_final_epoch_ends_its_session() {
    let sessions = FetchSessions::default();
    let id = open(&sessions, 0..1, NOW, 10);
    let (context, _) = sessions.begin(SessionRequest { id, epoch: -1, ..Default::default() }, NOW).unwrap();
    assert_eq!(context, FetchContext::Sessionless);
    assert_eq!(sessions.counts().sessions, 0);
}

#[test]
fn a_partition_that_is_named_often_is_read_once_as_it_was_named_last() {
    let sessions = FetchSessions::default();
    let later = FetchTarget { fetch_offset: 9, ..target(0) };
    let targets = vec![target(0), target(1), later.clone(), target(1)];
    for epoch in [INITIAL_EPOCH, FINAL_EPOCH] {
        let request = SessionRequest { epoch, targets: targets.clone(), ..Default::default() };
        assert_eq!(sessions.begin(request, NOW).unwrap().1, [later.clone(), target(1)]);
    }
}

#[test]
fn no_session_is_kept_of_more_partitions_than_there_is_room_for() {
    let sessions = FetchSessions::default();
    let half = PARTITIONS_MAX as i32 / 2;
    let first = open(&sessions, 0..half, NOW, 10);
    assert_ne!(open(&sessions, 0..half, NOW, 10), 0);
    assert_eq!(open(&sessions, 0..1, NOW, 10), 0, "all are in use");
    assert_eq!(sessions.counts().partitions, PARTITIONS_MAX);
    let more = SessionRequest { id: first, epoch: 1, targets: vec![target(half)], ..Default::default() };
    assert_eq!(sessions.begin(more, NOW).unwrap_err(), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    assert_eq!(sessions.counts().partitions, PARTITIONS_MAX / 2);
    let later = NOW + EVICTION_AGE + EVICTION_AGE;
    assert_ne!(open(&sessions, 0..half + 1, later, 10), 0, "who is silent makes room");
}

#[test]
fn no_session_remembers_a_name_that_no_topic_can_have() {
    let sessions = FetchSessions::default();
    let named = |length| FetchTarget { topic: TopicKey::Name("n".repeat(length).into()), ..target(0) };
    let open = |length| {
        let rows = vec![(named(length), row(0, 5, b""))];
        sessions.finish(FetchContext::Full { by_id: false }, rows, NOW, 10, || 7).unwrap().0
    };
    assert_eq!((open(250), sessions.counts().sessions), (0, 0));
    let id = open(249);
    assert_ne!(id, 0);
    let more = SessionRequest { id, epoch: 1, targets: vec![named(32_000)], ..Default::default() };
    assert_eq!(sessions.begin(more, NOW).unwrap_err(), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    assert_eq!(sessions.counts(), SessionCounts::default());
}
