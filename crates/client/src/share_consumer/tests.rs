//! What a share consumer says when it leaves while requests are under way; against a broker within the test.

use protocol::{RequestBody, ResponseBody, ShareGroupHeartbeatResponse};
use tokio::sync::Notify;

use super::*;
use crate::fake_broker::{FakeBroker, Reply};

const LONG: Duration = Duration::from_secs(30);

/// A coordinator that lets members in when that is told, and a member that has asked for it.
async fn joining(told: &Arc<Notify>) -> (FakeBroker, ShareConsumer) {
    let gate = Arc::clone(told);
    let broker = FakeBroker::start(move |request, _| match request {
        RequestBody::ShareGroupHeartbeat(beat) => {
            let response = ShareGroupHeartbeatResponse {
                member_epoch: if beat.member_epoch < 0 { beat.member_epoch } else { 1 },
                heartbeat_interval_ms: 5000,
                ..Default::default()
            };
            let response = ResponseBody::ShareGroupHeartbeat(Box::new(response));
            if beat.member_epoch == 0 {
                Reply::After(Arc::clone(&gate), response)
            } else {
                Reply::With(response)
            }
        }
        _ => Reply::Usual,
    })
    .await;
    let config = broker.config([("group.id", "g")]);
    let mut consumer = ShareConsumer::from_map(&config).expect("a valid configuration");
    consumer.subscribe(&["t"]).await.expect("there is a topic");
    while epochs(&broker).is_empty() {
        consumer.poll(Duration::from_millis(5)).await.expect("it waits for the group");
    }
    (broker, consumer)
}

/// The epochs of the heartbeats.
fn epochs(broker: &FakeBroker) -> Vec<i32> {
    broker.asked(|request| match request {
        RequestBody::ShareGroupHeartbeat(beat) => Some(beat.member_epoch),
        _ => None,
    })
}

async fn until_left(broker: &FakeBroker) {
    let gone = async {
        while epochs(broker) != [0, -1] {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, gone).await.expect("it leaves");
}

#[tokio::test]
async fn a_member_that_closes_before_it_was_let_in_leaves_the_group() {
    let told = Arc::default();
    let (broker, consumer) = joining(&told).await;
    let answers = async { told.notify_one() };
    let (closed, ()) = tokio::join!(consumer.close(LONG), answers);
    closed.expect("it closes");
    assert_eq!(epochs(&broker), [0, -1]);
}

#[tokio::test]
async fn a_member_without_time_to_close_still_says_that_it_leaves() {
    let told = Arc::default();
    let (broker, consumer) = joining(&told).await;
    consumer.close(Duration::ZERO).await.expect("it closes");
    told.notify_one();
    until_left(&broker).await;
}

#[tokio::test]
async fn a_member_that_is_dropped_leaves_the_group() {
    let told = Arc::default();
    let (broker, consumer) = joining(&told).await;
    drop(consumer);
    told.notify_one();
    until_left(&broker).await;
}

#[tokio::test]
async fn heartbeats_polls_and_connections_are_measured() {
    let told = Arc::default();
    let (broker, mut consumer) = joining(&told).await;
    let value = |consumer: &ShareConsumer, name: &str| {
        let metrics = consumer.metrics();
        metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value).expect("it is measured")
    };
    assert_eq!(value(&consumer, "heartbeat-total"), 0.0, "it is not answered yet");
    assert!(value(&consumer, "last-heartbeat-seconds-ago") >= 0.0);
    told.notify_one();
    while value(&consumer, "heartbeat-total") < 1.0 {
        consumer.poll(Duration::from_millis(5)).await.expect("it waits for records");
    }
    assert!(value(&consumer, "heartbeat-response-time-max") > 0.0);
    assert_eq!(value(&consumer, "rebalance-total"), 0.0, "there are no partitions yet");
    assert!(value(&consumer, "poll-idle-ratio-avg") > 0.0);
    let responses = value(&consumer, "response-total");
    assert!(responses >= 1.0 && responses <= broker.asked(|_| Some(())).len() as f64);
    assert!(value(&consumer, "connection-count") >= 1.0);
}
