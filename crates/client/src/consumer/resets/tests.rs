//! What keeps a consumer from finding where to begin, and what does not; against a broker within the test.

use std::sync::atomic::{AtomicI64, Ordering};

use model::Offset;
use protocol::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use protocol::metadata_response::MetadataResponsePartition;
use protocol::{ListOffsetsResponse, RequestBody, ResponseBody};

use super::*;
use crate::fake_broker::{FakeBroker, Reply, metadata};

fn partition(index: i32) -> TopicPartition {
    TopicPartition::new("t", index)
}

fn listed(offset: i64) -> Reply {
    let partitions = vec![ListOffsetsPartitionResponse { offset, ..Default::default() }];
    let topic = ListOffsetsTopicResponse { name: "t".into(), partitions, ..Default::default() };
    let response = ListOffsetsResponse { topics: vec![topic], ..Default::default() };
    Reply::With(ResponseBody::ListOffsets(Box::new(response)))
}

/// Leads partition 0 of two, of which the other has no leader; its log begins at 3.
async fn leader_of_one() -> FakeBroker {
    FakeBroker::start(|request, port| match request {
        RequestBody::Metadata(_) => {
            let mut response = metadata(port, port);
            let second =
                MetadataResponsePartition { partition_index: 1, leader_id: -1, ..Default::default() };
            response.topics[0].partitions.push(second);
            Reply::With(ResponseBody::Metadata(Box::new(response)))
        }
        RequestBody::ListOffsets(_) => listed(3),
        RequestBody::Fetch(_) => Reply::Stall,
        _ => Reply::Usual,
    })
    .await
}

async fn reader<const N: usize>(broker: &FakeBroker, pairs: [(&str, &str); N]) -> Consumer {
    let mut consumer = Consumer::from_map(&broker.config(pairs)).expect("a valid configuration");
    consumer.assign(&[partition(0), partition(1)]).await.expect("nothing is subscribed to");
    consumer
}

#[tokio::test]
async fn a_partition_without_a_leader_keeps_no_other_from_its_beginning() {
    let broker = leader_of_one().await;
    let mut consumer = reader(&broker, []).await;
    consumer.seek_to_beginning(&[]).expect("they are assigned");
    assert_eq!(found(&mut consumer).await, Offset(3));
}

/// Where reading of partition 0 begins.
async fn found(consumer: &mut Consumer) -> Offset {
    let found = async {
        loop {
            consumer.poll(Duration::from_millis(20)).await.expect("there is nothing to read");
            if let Some(offset) = consumer.known_position(&partition(0)) {
                return offset;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), found).await.expect("its leader tells")
}

#[tokio::test]
async fn where_no_record_is_young_enough_none_that_comes_meanwhile_is_passed_over() {
    let next = AtomicI64::new(5);
    let broker = FakeBroker::start(move |request, _| match request {
        RequestBody::ListOffsets(request) if request.topics[0].partitions[0].timestamp >= 0 => {
            next.fetch_add(1, Ordering::SeqCst);
            listed(-1)
        }
        RequestBody::ListOffsets(_) => listed(next.load(Ordering::SeqCst)),
        RequestBody::Fetch(_) => Reply::Stall,
        _ => Reply::Usual,
    })
    .await;
    let mut consumer = reader(&broker, [("auto.offset.reset", "by_duration:PT1H")]).await;
    assert_eq!(found(&mut consumer).await, Offset(5));
}

#[tokio::test]
async fn an_error_that_the_broker_cannot_name_is_asked_about_again() {
    let broker = leader_of_one().await;
    let mut consumer = reader(&broker, []).await;
    consumer.seek_to_end(&[]).expect("they are assigned");
    let resets = |code| vec![(partition(0), AutoOffsetReset::Latest, Err(Error::broker(code)))];
    consumer.take_resets(resets(ErrorCode::UNKNOWN_SERVER_ERROR)).expect("it may pass");
    let refused = consumer.take_resets(resets(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
    assert!(refused.is_err(), "the user must know");
}
