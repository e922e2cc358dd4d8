//! Segments of `__consumer_offsets` that Apache Kafka 4.3.1 wrote, for a console consumer of each protocol.

use std::sync::Arc;

use bytes::Bytes;
use coordinators::group::GroupRecord;
use protocol::ListGroupsRequest;
use protocol::offset_fetch_request::OffsetFetchRequestGroup;

use super::groups::{Node, context};
use super::memory_log::MemoryLog;
use crate::batches::{LogEntry, LogRecord, unpack};

const CLASSIC: &[u8] = include_bytes!("../../testdata/classic-group.log");
const CONSUMER: &[u8] = include_bytes!("../../testdata/consumer-group.log");

#[test]
fn what_apache_kafka_wrote_is_written_back_byte_for_byte() {
    for segment in [CLASSIC, CONSUMER] {
        let mut count = 0;
        for batch in records::batches(Bytes::from_static(segment)) {
            let check = |entry: LogEntry| {
                let record = GroupRecord::from_entry(entry.clone())
                    .expect("it can be read")
                    .expect("its type is known");
                assert_eq!(record.to_entry().expect("it can be written"), entry, "{record:?}");
                count += 1;
            };
            unpack(&batch.expect("batches are whole"), check).expect("records are whole");
        }
        assert!(count > 2);
    }
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
