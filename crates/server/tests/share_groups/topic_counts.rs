//! Requests of share consumers are counted of the topics that they name.

use protocol::ErrorCode;
use protocol::read_share_group_state_request::{PartitionData, ReadStateData};

use super::harness::{self, Client, TestNode, batch};
use super::{Member, ONE_BROKER, rows, share};

/// Has the state read by who leads the partition at a later epoch, so that this broker may not use it any more.
async fn fence(client: &mut Client, topic_id: model::Uuid) {
    let partition = PartitionData { leader_epoch: 100, ..Default::default() };
    let topic = ReadStateData { topic_id, partitions: vec![partition], ..Default::default() };
    let request = protocol::ReadShareGroupStateRequest {
        group_id: "g".to_owned(),
        topics: vec![topic],
        ..Default::default()
    };
    let response = client.ask(request, 0).await;
    assert_eq!(response.results[0].partitions[0].error_code, ErrorCode::NONE);
}

#[tokio::test]
async fn share_fetches_and_acknowledgements_are_counted_by_topic_and_so_are_those_that_fail() {
    let dir = tempfile::tempdir().unwrap();
    let overrides = [ONE_BROKER, &["monedula.metrics.listener=localhost:0"]].concat();
    let node = TestNode::start(dir.path(), &overrides).await;
    let (mut client, topic_id) = share(&node).await;
    client.produce("t", 0, batch(&["a", "b"])).await;
    let mut member = Member::new(&node, "m", topic_id).await;
    let response = member.fetch(&[]).await;
    let bytes = rows(&response)[0].records.as_ref().map_or(0, |records| records.len());
    assert!(bytes > 0);
    member.accept(0, 0).await;
    fence(&mut client, topic_id).await;
    let refused = member.acknowledge(&[(1, 1, &[1])]).await;
    assert_eq!(refused.responses[0].partitions[0].error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    let refused = member.fetch(&[]).await;
    assert_eq!(rows(&refused)[0].error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);

    let page = harness::metrics_page(&node).await;
    let count = |row: &str| -> usize {
        let row = format!("kafka_server_brokertopicmetrics_{row} ");
        let value = page.lines().find_map(|line| line.strip_prefix(row.as_str()));
        value.unwrap_or_else(|| panic!("{row} is missing in\n{page}")).parse().unwrap()
    };
    for labels in ["{topic=\"t\"}", ""] {
        let of = |name: &str| count(&format!("{name}_total{labels}"));
        assert_eq!(of("bytesout"), bytes);
        assert_eq!((of("totalsharefetchrequests"), of("failedsharefetchrequests")), (2, 1));
        assert_eq!(
            (of("totalshareacknowledgementrequests"), of("failedshareacknowledgementrequests")),
            (2, 1)
        );
    }
    node.stop().await;
}
