//! What a consumer commits, and how it goes on after failures; against a broker within the test.

use std::sync::atomic::{AtomicBool, Ordering};

use protocol::fetch_response::{FetchableTopicResponse, PartitionData};
use protocol::{ErrorCode, FetchResponse, JoinGroupResponse, RequestBody, ResponseBody, SyncGroupResponse};
use tokio::sync::Notify;

use super::*;
use crate::consumer_protocol::{Assignment, encode_assignment};
use crate::fake_broker::{FakeBroker, Reply, metadata};

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

fn offsets(offset: i64) -> Offsets {
    [(partition(), OffsetAndMetadata::new(Offset(offset)))].into()
}

/// Takes commits, and answers fetches with `fetched`.
async fn broker(fetched: ErrorCode) -> FakeBroker {
    FakeBroker::start(move |request, _| match request {
        RequestBody::OffsetCommit(_) => Reply::With(ResponseBody::OffsetCommit(Box::default())),
        RequestBody::Fetch(_) => {
            let partitions = vec![PartitionData { error_code: fetched, ..Default::default() }];
            let topic = FetchableTopicResponse {
                topic_id: model::Uuid::from_u128(9),
                partitions,
                ..Default::default()
            };
            let response = FetchResponse { responses: vec![topic], ..Default::default() };
            Reply::With(ResponseBody::Fetch(Box::new(response)))
        }
        _ => Reply::Usual,
    })
    .await
}

fn committed(broker: &FakeBroker) -> Vec<i64> {
    broker.asked(|request| match request {
        RequestBody::OffsetCommit(commit) => Some(commit.topics[0].partitions[0].committed_offset),
        _ => None,
    })
}

async fn reader<const N: usize>(broker: &FakeBroker, pairs: [(&str, &str); N]) -> Consumer {
    let mut consumer = Consumer::from_map(&broker.config(pairs)).expect("a valid configuration");
    consumer.assign(&[partition()]).await.expect("nothing is subscribed to");
    consumer
}

#[tokio::test]
async fn commits_reach_the_coordinator_in_their_order() {
    let broker = broker(ErrorCode::NONE).await;
    let mut consumer = reader(&broker, [("group.id", "g"), ("enable.auto.commit", "false")]).await;
    consumer.commit_offsets_sync(&offsets(1)).await.expect("it is taken");
    let first = consumer.commit_offsets_async(offsets(10)).expect("there is a group");
    consumer.commit_offsets_sync(&offsets(20)).await.expect("it is taken");
    first.await.expect("it is taken");
    assert_eq!(committed(&broker), [1, 10, 20]);
}

#[tokio::test]
async fn a_consumer_that_was_woken_up_still_commits_when_it_closes() {
    let broker = broker(ErrorCode::NONE).await;
    let mut consumer = reader(&broker, [("group.id", "g")]).await;
    consumer.seek(&partition(), Offset(5)).expect("it is assigned");
    consumer.waker().wakeup();
    consumer.close(Duration::from_secs(30)).await.expect("it closes");
    assert_eq!(committed(&broker), [5]);
}

#[tokio::test]
async fn an_error_that_the_broker_cannot_name_is_no_error_of_the_poll() {
    let broker = broker(ErrorCode::UNKNOWN_SERVER_ERROR).await;
    let mut consumer = reader(&broker, [("group.id", "g")]).await;
    consumer.seek(&partition(), Offset(5)).expect("it is assigned");
    let fetches = || broker.asked(|request| matches!(request, RequestBody::Fetch(_)).then_some(())).len();
    while fetches() < 3 {
        consumer.poll(Duration::from_millis(20)).await.expect("it is tried again");
    }
}

#[tokio::test]
async fn a_cluster_that_refused_once_is_asked_again() {
    let refused = AtomicBool::new(false);
    let broker = FakeBroker::start(move |request, port| match request {
        RequestBody::Metadata(_) if !refused.swap(true, Ordering::SeqCst) => {
            let mut response = metadata(port, port);
            response.error_code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
            Reply::With(ResponseBody::Metadata(Box::new(response)))
        }
        RequestBody::Fetch(_) => Reply::With(ResponseBody::Fetch(Box::default())),
        _ => Reply::Usual,
    })
    .await;
    let mut consumer = reader(&broker, []).await;
    consumer.seek(&partition(), Offset(5)).expect("it is assigned");
    let mut refusals = 0;
    while consumer.poll(Duration::from_secs(1)).await.is_err() {
        refusals += 1;
        assert!(refusals < 10, "it is refused for ever");
    }
    assert_eq!(refusals, 1, "each try is told once");
}

/// Makes a consumer of group `g` a member as soon as it is told to.
async fn group_that_waits_for(told: Arc<Notify>) -> FakeBroker {
    let assignment = encode_assignment(&Assignment::default()).expect("it can be written");
    FakeBroker::start(move |request, _| match request {
        RequestBody::JoinGroup(_) => Reply::With(ResponseBody::JoinGroup(Box::new(JoinGroupResponse {
            generation_id: 1,
            protocol_name: Some("range".into()),
            leader: "another".into(),
            member_id: "m".into(),
            ..Default::default()
        }))),
        RequestBody::SyncGroup(_) => {
            let response = SyncGroupResponse { assignment: assignment.clone(), ..Default::default() };
            Reply::After(Arc::clone(&told), ResponseBody::SyncGroup(Box::new(response)))
        }
        RequestBody::Heartbeat(_) => Reply::With(ResponseBody::Heartbeat(Box::default())),
        RequestBody::LeaveGroup(_) => Reply::With(ResponseBody::LeaveGroup(Box::default())),
        _ => Reply::Usual,
    })
    .await
}

#[tokio::test]
async fn a_member_lives_from_when_it_has_joined_not_from_the_poll_after_that() {
    let told = Arc::new(Notify::new());
    let broker = group_that_waits_for(Arc::clone(&told)).await;
    let config = broker.config([("group.id", "g"), ("heartbeat.interval.ms", "1")]);
    let mut consumer = Consumer::from_map(&config).expect("a valid configuration");
    consumer.subscribe(&["t"]).await.expect("there is a group");
    let syncs = || broker.asked(|request| matches!(request, RequestBody::SyncGroup(_)).then_some(())).len();
    while syncs() == 0 {
        consumer.poll(Duration::from_millis(5)).await.expect("it waits for the group");
    }
    told.notify_one();
    let beats = || broker.asked(|request| matches!(request, RequestBody::Heartbeat(_)).then_some(())).len();
    let lives = async {
        while beats() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), lives).await.expect("the heartbeat goes on without a poll");
    consumer.poll(Duration::from_millis(5)).await.expect("it is a member");
    assert_eq!(consumer.group_metadata().expect("there is a group").generation, 1);
}
