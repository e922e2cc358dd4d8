//! Where reading begins, and who decides that; against a broker within the test.

use std::time::Duration;

use protocol::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use protocol::{OffsetFetchResponse, RequestBody, ResponseBody};

use super::*;
use crate::config::AutoOffsetReset;
use crate::fake_broker::{FakeBroker, Reply};
use crate::offsets::OffsetAndMetadata;

const LONG: Duration = Duration::from_secs(30);

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

/// A coordinator to which nothing was committed.
async fn coordinator() -> FakeBroker {
    FakeBroker::start(|request, _| match request {
        RequestBody::OffsetFetch(_) => {
            let partitions =
                vec![OffsetFetchResponsePartitions { committed_offset: -1, ..Default::default() }];
            let topic = OffsetFetchResponseTopics { name: "t".into(), partitions, ..Default::default() };
            let group =
                OffsetFetchResponseGroup { group_id: "g".into(), topics: vec![topic], ..Default::default() };
            let response = OffsetFetchResponse { groups: vec![group], ..Default::default() };
            Reply::With(ResponseBody::OffsetFetch(Box::new(response)))
        }
        _ => Reply::Usual,
    })
    .await
}

async fn reader<const N: usize>(broker: &FakeBroker, pairs: [(&str, &str); N]) -> Consumer {
    let mut consumer = Consumer::from_map(&broker.config(pairs)).expect("a valid configuration");
    consumer.assign(&[partition()]).await.expect("nothing is subscribed to");
    consumer
}

#[tokio::test]
async fn a_user_who_goes_to_the_beginning_is_not_taken_to_what_was_committed() {
    let broker = coordinator().await;
    let mut consumer = reader(&broker, [("group.id", "g")]).await;
    consumer.seek_to_beginning(&[]).expect("it is assigned");
    let committed = Ok(Some(OffsetAndMetadata::new(Offset(5))));
    consumer
        .take_committed(&[partition()], Ok([(partition(), committed)].into()))
        .expect("it was asked for before");
    assert_eq!(consumer.known_position(&partition()), None);
    assert_eq!(
        consumer.subscriptions.to_reset(Instant::now()),
        [(partition(), AutoOffsetReset::Earliest)],
        "the beginning is looked for"
    );
}

#[tokio::test]
async fn each_poll_tells_that_nothing_says_where_to_begin() {
    let broker = coordinator().await;
    let mut consumer = reader(&broker, [("group.id", "g"), ("auto.offset.reset", "none")]).await;
    for _ in 0..2 {
        let polled = tokio::time::timeout(LONG / 3, consumer.poll(LONG)).await.expect("it is told soon");
        assert!(matches!(polled.map(drop), Err(Error::NoOffsetForPartition(_))));
    }
}
