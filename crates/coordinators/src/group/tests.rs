//! Tests of the group machine: transcripts of `testdata/`, and random plans whose log must tell the whole hard state.
#![allow(clippy::disallowed_methods, reason = "tests read and rewrite their transcripts")]

mod consumer_plans;
mod plans;
mod scene;
mod share_plans;
mod streams_plans;
mod transcript;

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::machine::GroupMachine;
use super::record::{GroupRecord, RecordError};
use bytes::Bytes;

/// Set to write what the machine answers into the transcripts, to be read before it is committed.
const REWRITE: &str = "REWRITE_TRANSCRIPTS";

fn check_transcript(name: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let text = std::fs::read_to_string(&path).expect("the transcript is there");
    let played = transcript::play(&text);
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(&path, &played).expect("the transcript can be written");
    }
    assert_eq!(played, text, "{name}: left is what the machine does; {REWRITE}=1 writes it into the file");
}

macro_rules! transcripts {
    ($($test:ident: $file:literal;)*) => {
        $(#[test]
        fn $test() {
            check_transcript($file);
        })*

        #[test]
        fn every_transcript_is_played() {
            let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata");
            let files = std::fs::read_dir(folder).expect("the folder is there");
            let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a name"));
            let mut names: Vec<_> = names.collect();
            names.sort();
            let mut played = vec![$($file.to_owned()),*];
            played.sort();
            assert_eq!(names, played);
        }
    };
}

transcripts! {
    members_join_sync_and_leave: "join_sync_leave.txt";
    old_versions_join_in_one_step: "old_versions.txt";
    the_first_rebalance_waits_for_more_members: "initial_delay.txt";
    members_that_stay_away_are_out: "timeouts.txt";
    static_members_come_back: "static_members.txt";
    requests_that_do_not_fit_are_refused: "errors.txt";
    a_group_has_a_greatest_size: "max_size.txt";
    offsets_are_committed_and_fetched: "offsets.txt";
    offsets_expire: "expiry.txt";
    transactions_keep_offsets_pending: "transactions.txt";
    groups_are_listed_described_and_deleted: "admin.txt";
    groups_survive_a_restart: "restart.txt";
    consumers_join_reconcile_and_leave: "consumer.txt";
    consumers_that_do_not_fit_are_refused: "consumer_errors.txt";
    consumers_that_stay_away_are_out: "consumer_timeouts.txt";
    static_consumers_come_back: "consumer_static.txt";
    consumers_subscribe_by_regular_expression: "consumer_regex.txt";
    consumers_commit_at_their_epochs: "consumer_offsets.txt";
    classic_groups_become_consumer_groups_and_back: "migration.txt";
    share_consumers_join_have_partitions_and_leave: "share.txt";
    share_consumers_that_do_not_fit_are_refused: "share_errors.txt";
    share_consumers_that_are_silent_are_out: "share_timeouts.txt";
    states_of_share_groups_begin_and_are_forgotten: "share_offsets.txt";
    share_groups_survive_a_restart: "share_restart.txt";
    streams_members_join_reconcile_and_leave: "streams.txt";
    streams_topologies_are_set_beside_the_topics: "streams_topology.txt";
    streams_members_that_do_not_fit_are_refused: "streams_errors.txt";
    streams_members_that_stay_away_are_out: "streams_timeouts.txt";
    streams_groups_have_standby_tasks_and_endpoints: "streams_standby.txt";
    streams_members_commit_at_their_epochs: "streams_offsets.txt";
    streams_groups_are_deleted_and_become_classic: "streams_admin.txt";
}

/// Replays a log into a new machine.
fn replayed(log: &[GroupRecord], machine: &GroupMachine) -> GroupMachine {
    use machine::Machine;
    let mut fresh = GroupMachine::new(machine.config.clone(), Default::default());
    for record in log {
        fresh.replay(through_bytes(record));
    }
    fresh
}

/// Writes a record and reads it back, as the log would.
fn through_bytes(record: &GroupRecord) -> GroupRecord {
    let producer = match record {
        GroupRecord::Offset { producer, .. } => *producer,
        GroupRecord::EndTransaction { .. } => return record.clone(),
        _ => None,
    };
    let written = record.encode().expect("the record can be written");
    let read = GroupRecord::decode(Some(written.key), written.value, producer);
    read.expect("the record can be read").expect("the record's type is known")
}

/// What a machine holds that its log must tell: offsets, and groups as they were last agreed on.
fn hard_state(machine: &GroupMachine) -> String {
    use super::groups::Group;
    let mut groups = BTreeMap::new();
    for (id, group) in &machine.groups {
        let shown = match group {
            Group::Consumer(group) => format!("{:?}", group.hard_state()),
            Group::Share(group) => format!("{:?}", group.hard_state()),
            Group::Streams(group) => format!("{:?}", group.hard_state()),
            // A rebalance is soft state; the log still has the generation before it.
            Group::Classic(_) => "classic".into(),
        };
        groups.insert(id.clone(), shown);
    }
    format!("{groups:#?}\n{:#?}", machine.offsets)
}

/// Checks that the log alone tells what the machine knows.
fn assert_log_tells_all(log: &[GroupRecord], machine: &GroupMachine) {
    use super::classic::ClassicGroupState;
    use super::groups::Group;
    let fresh = replayed(log, machine);
    assert_eq!(hard_state(&fresh), hard_state(machine));
    for (id, group) in &machine.groups {
        let (Group::Classic(live), Some(Group::Classic(loaded))) = (group, fresh.groups.get(id)) else {
            continue;
        };
        if live.state() == ClassicGroupState::Stable {
            assert_eq!(loaded.describe(), live.describe());
        }
    }
}

#[test]
fn records_are_written_as_apache_kafka_writes_them() {
    use protocol::{OffsetCommitKey, OffsetCommitValue};
    let key = OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 2, ..Default::default() };
    let value = OffsetCommitValue {
        offset: 7,
        leader_epoch: 1,
        metadata: "m".into(),
        commit_timestamp: 1000,
        topic_id: model::Uuid::from_u128(9),
        ..Default::default()
    };
    let record = GroupRecord::Offset { key, value: Some(value), producer: None };
    let written = record.encode().expect("it can be written");
    assert_eq!(&written.key[..], b"\0\x01\0\x01g\0\x01t\0\0\0\x02");
    let mut expected = b"\0\x04\0\0\0\0\0\0\0\x07\0\0\0\x01\x02m\0\0\0\0\0\0\x03\xe8\x01\0\x10".to_vec();
    expected.extend_from_slice(&9u128.to_be_bytes());
    assert_eq!(written.value.as_deref(), Some(&expected[..]));
}

#[test]
fn offsets_of_the_first_brokers_are_read() {
    let key = Bytes::from_static(b"\0\0\0\x01g\0\x01t\0\0\0\x02");
    let value = Bytes::from_static(b"\0\0\0\0\0\0\0\0\0\x07\0\x01m\0\0\0\0\0\0\x03\xe8");
    let record = GroupRecord::decode(Some(key), Some(value), None).expect("it is read").expect("it is known");
    let GroupRecord::Offset { key, value: Some(value), .. } = record else { panic!("{record:?}") };
    assert_eq!((key.group.as_str(), key.topic.as_str(), key.partition), ("g", "t", 2));
    assert_eq!((value.offset, value.metadata.as_str(), value.commit_timestamp), (7, "m", 1000));
    assert_eq!((value.expire_timestamp, value.leader_epoch), (-1, -1));
}

#[test]
fn records_that_make_no_sense_are_errors_and_unknown_ones_are_nothing() {
    let decode = |key: &'static [u8]| GroupRecord::decode(Some(Bytes::from_static(key)), None, None);
    assert!(matches!(GroupRecord::decode(None, None, None), Err(RecordError::NoKey)));
    assert!(matches!(decode(b"\0"), Err(RecordError::Truncated(_))));
    assert!(matches!(decode(b"\0\x01\0\x09g"), Err(RecordError::Decode(1, _))));
    assert!(matches!(decode(b"\0\x03\0\x09g"), Err(RecordError::Decode(3, _))));
    assert!(matches!(decode(b"\0\x0a\0\x09g"), Err(RecordError::Decode(10, _))));
    assert!(matches!(decode(b"\0\x11\0\x09g"), Err(RecordError::Decode(17, _))));
    assert!(matches!(decode(b"\0\x63\0\x01g"), Ok(None)));
}

proptest::proptest! {
    #[test]
    fn no_bytes_break_the_reading_of_records(
        kind in 0..24u8,
        key in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
        value in proptest::option::of(proptest::collection::vec(proptest::num::u8::ANY, 0..80)),
    ) {
        let key = [vec![0, kind], key].concat();
        let record = GroupRecord::decode(Some(key.into()), value.map(Bytes::from), None);
        if let Ok(Some(record)) = record {
            let mut machine = GroupMachine::new(Default::default(), Default::default());
            machine::Machine::replay(&mut machine, record);
        }
    }
}
