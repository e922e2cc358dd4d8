//! Segments that Apache Kafka 4.3.1 wrote: of `__consumer_offsets` for a console consumer of each protocol, for a group that was
//! migrated to the consumer protocol and back, for a streams group and for a share group; and of `__share_group_state`.

use std::sync::Arc;

use bytes::Bytes;
use coordinators::group::GroupRecord;
use coordinators::share::{ShareCoordinatorConfig, ShareMachine, ShareRecord, ShareRequest, ShareResponse};
use machine::{Machine, Now, Ticket};
use protocol::ListGroupsRequest;
use protocol::offset_fetch_request::OffsetFetchRequestGroup;
use protocol::streams_group_describe_response::TaskIds;

use super::consumers::image_of;
use super::groups::{Node, context};
use super::memory_log::MemoryLog;
use crate::batches::{LogEntry, LogRecord, unpack};

const CLASSIC: &[u8] = include_bytes!("../../testdata/classic-group.log");
const CONSUMER: &[u8] = include_bytes!("../../testdata/consumer-group.log");
/// A classic group, to which a member of the consumer protocol came, and from which it went.
const MIGRATED: &[u8] = include_bytes!("../../testdata/migrated-group.log");
/// What the heartbeats of `streams_standby.txt` beside the machine's tests brought about, up to the group's end.
const STREAMS: &[u8] = include_bytes!("../../testdata/streams-group.log");
/// A share group to which two members came, whose offsets were altered and deleted, and which was deleted.
const SHARE: &[u8] = include_bytes!("../../testdata/share-group.log");
/// The states of that group's partitions, with a snapshot after three updates.
const STATES: &[u8] = include_bytes!("../../testdata/share-state.log");

#[test]
fn what_apache_kafka_wrote_is_written_back_byte_for_byte() {
    for segment in [CLASSIC, CONSUMER, MIGRATED, STREAMS, SHARE] {
        assert!(written_back::<GroupRecord>(segment) > 2);
    }
    assert!(written_back::<ShareRecord>(STATES) > 10);
}

/// Reads and writes each record, and returns how many there are.
fn written_back<R: LogRecord + std::fmt::Debug>(segment: &'static [u8]) -> usize {
    let mut count = 0;
    for batch in records::batches(Bytes::from_static(segment)) {
        let check = |_, entry: LogEntry| {
            let record = R::from_entry(entry.clone()).expect("it can be read").expect("its type is known");
            assert_eq!(record.to_entry().expect("it can be written"), entry, "{record:?}");
            count += 1;
        };
        unpack(&batch.expect("batches are whole"), check).expect("records are whole");
    }
    count
}

/// The records of a segment of `__share_group_state`.
fn states() -> Vec<ShareRecord> {
    let mut all = Vec::new();
    for batch in records::batches(Bytes::from_static(STATES)) {
        let take = |_, entry| all.extend(ShareRecord::from_entry(entry).expect("it can be read"));
        unpack(&batch.expect("batches are whole"), take).expect("records are whole");
    }
    all
}

#[test]
fn states_of_apache_kafka_are_read_as_it_read_them() {
    let mut machine = ShareMachine::new(ShareCoordinatorConfig::default(), Arc::default());
    let first_snapshot = states().into_iter().find_map(|record| match record {
        ShareRecord::Snapshot { key, value: Some(_) } if &*key.group == "g" && key.partition == 0 => {
            Some(key)
        }
        _ => None,
    });
    let key = first_snapshot.expect("the group's state begins");
    machine.set_metadata(image_of(key.topic_id, 3));
    let is_end =
        |record: &ShareRecord| matches!(record, ShareRecord::Snapshot { value: None, key: of } if *of == key);
    for record in states().into_iter().take_while(|record| !is_end(record)) {
        machine.replay(record);
    }
    let request = ShareRequest::Read { key, leader_epoch: -1 };
    let answer = machine.handle(Now::default(), Ticket(1), request).answers.pop();
    let Some((_, ShareResponse::Read(Ok(state)))) = answer else { panic!("{answer:?}") };
    let batches: Vec<_> = state
        .batches
        .iter()
        .map(|it| (it.first_offset.0, it.last_offset.0, it.state.0, it.delivery_count))
        .collect();
    // What Apache Kafka answered to ReadShareGroupState.
    assert_eq!((state.state_epoch, state.start_offset.0), (6, 13));
    assert_eq!(batches, [(13, 20, 4, 3), (21, 24, 2, 1), (25, 35, 0, 2), (36, 40, 2, 1)]);
}

#[tokio::test]
async fn groups_of_apache_kafka_go_on_here() {
    let groups = [(CLASSIC, "fixture-classic", "classic"), (CONSUMER, "fixture-consumer", "consumer")];
    for (segment, group, group_type) in groups {
        let node = Node::start(Arc::new(MemoryLog::of_segment(segment))).await;
        let listed = node.coordinator.list_groups(ListGroupsRequest::default()).await.groups;
        let listed = listed.iter().find(|listed| listed.group_id == group).expect("the group is there");
        assert_eq!(listed.group_state, "Empty");
        assert_eq!((listed.group_type.as_str(), listed.protocol_type.as_str()), (group_type, "consumer"));
        let all = OffsetFetchRequestGroup { group_id: group.into(), topics: None, ..Default::default() };
        let fetched = node.coordinator.fetch_offsets(&context(8), all, true).await;
        let partitions = &fetched.topics[0].partitions;
        assert_eq!((fetched.topics[0].name.as_str(), partitions.len()), ("t", 6));
        let records: i64 = partitions.iter().map(|partition| partition.committed_offset).sum();
        assert_eq!(records, if group_type == "classic" { 2 } else { 4 });
    }
}

/// Makes the batches of a segment up to `count` records, as a log that ends there.
fn first_batches(segment: &'static [u8], count: i64) -> MemoryLog {
    let mut length = 0;
    for batch in records::batches(Bytes::from_static(segment)) {
        let batch = batch.expect("batches are whole");
        if batch.header().base_offset.0 >= count {
            break;
        }
        length += batch.size();
    }
    MemoryLog::of_segment(&segment[..length])
}

#[tokio::test]
async fn a_group_that_apache_kafka_migrates_goes_on_here_at_each_step() {
    // Offset by offset: the members of both protocols are there, then the classic group again.
    for (count, group_type, state) in
        [(26, "consumer", "Stable"), (36, "classic", "Stable"), (38, "classic", "Empty")]
    {
        let node = Node::start(Arc::new(first_batches(MIGRATED, count))).await;
        let listed = node.coordinator.list_groups(ListGroupsRequest::default()).await.groups;
        let listed = listed.iter().find(|listed| listed.group_id == "g4y").expect("the group is there");
        assert_eq!((listed.group_type.as_str(), listed.group_state.as_str()), (group_type, state), "{count}");
        let described = node.coordinator.describe_consumer_groups(vec!["g4y".into()]).await.remove(0);
        let members = described.members.iter().map(|member| (member.member_type, member.member_epoch));
        let expected: &[(i8, i32)] = if count == 26 { &[(1, 2), (0, 2)] } else { &[] };
        assert_eq!(members.collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn a_streams_group_of_apache_kafka_goes_on_here_at_each_step() {
    // Offset by offset: three members with active and standby tasks, one with all, one that waits, none, and no group.
    for (count, state, epochs) in [
        (18, Some("Reconciling"), vec![("ann", 2, 5, 0), ("bob", 3, 0, 0), ("cid", 4, 0, 2)]),
        (23, Some("Stable"), vec![("ann", 4, 2, 1), ("bob", 4, 2, 0), ("cid", 4, 1, 2)]),
        (35, Some("Stable"), vec![("cid", 6, 5, 0)]),
        (45, Some("Assigning"), vec![("dee", 7, 0, 2)]),
        (49, Some("Empty"), vec![]),
        (52, None, vec![]),
    ] {
        let node = Node::start(Arc::new(first_batches(STREAMS, count))).await;
        let listed = node.coordinator.list_groups(ListGroupsRequest::default()).await.groups;
        let listed = listed.iter().find(|listed| listed.group_id == "g32");
        assert_eq!(listed.map(|listed| listed.group_state.as_str()), state, "{count}");
        let described = node.coordinator.describe_streams_groups(vec!["g32".into()]).await.remove(0);
        let members = described.members.iter().map(|member| {
            let tasks = |of: &[TaskIds]| of.iter().map(|tasks| tasks.partitions.len()).sum::<usize>();
            let (active, standby) = (&member.assignment.active_tasks, &member.assignment.standby_tasks);
            (member.member_id.as_str(), member.member_epoch, tasks(active), tasks(standby))
        });
        assert_eq!(members.collect::<Vec<_>>(), epochs, "{count}");
        assert_eq!(described.topology.is_some(), state.is_some());
    }
}
