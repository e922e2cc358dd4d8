//! What a consumer says when it leaves while a join is under way; against a coordinator within the test.

use std::sync::Arc;

use protocol::{ErrorCode, JoinGroupRequest, JoinGroupResponse, RequestBody, ResponseBody};
use tokio::sync::Notify;

use super::*;
use crate::fake_broker::{FakeBroker, Reply};

const LONG: Duration = Duration::from_secs(30);

/// The answer to a join: an id first, and to a member that has it what `then` says.
fn admit(join: &JoinGroupRequest, then: Reply) -> Reply {
    if !join.member_id.is_empty() {
        return then;
    }
    Reply::With(ResponseBody::JoinGroup(Box::new(JoinGroupResponse {
        error_code: ErrorCode::MEMBER_ID_REQUIRED,
        member_id: "m".into(),
        ..Default::default()
    })))
}

/// A follower in generation 1.
fn follower() -> ResponseBody {
    ResponseBody::JoinGroup(Box::new(JoinGroupResponse {
        generation_id: 1,
        protocol_name: Some("range".into()),
        leader: "another".into(),
        member_id: "m".into(),
        ..Default::default()
    }))
}

/// A coordinator that says `join` to joins, takes every farewell, and never ends a rebalance.
async fn coordinator(join: impl Fn(&JoinGroupRequest) -> Reply + Send + Sync + 'static) -> FakeBroker {
    FakeBroker::start(move |request, _| match request {
        RequestBody::JoinGroup(request) => join(request),
        RequestBody::SyncGroup(_) => Reply::Stall,
        RequestBody::LeaveGroup(_) => Reply::With(ResponseBody::LeaveGroup(Box::default())),
        _ => Reply::Usual,
    })
    .await
}

/// Who has left.
fn left(broker: &FakeBroker) -> Vec<String> {
    broker.asked(|request| match request {
        RequestBody::LeaveGroup(leave) => Some(leave.members[0].member_id.clone()),
        _ => None,
    })
}

/// A consumer whose requests, as many as are `under_way`, have reached the coordinator.
async fn joining<const N: usize>(
    broker: &FakeBroker,
    pairs: [(&str, &str); N],
    under_way: impl Fn(&RequestBody) -> bool,
) -> Consumer {
    let mut config = broker.config(pairs);
    config.insert("group.id".into(), "g".into());
    let mut consumer = Consumer::from_map(&config).expect("a valid configuration");
    consumer.subscribe(&["t"]).await.expect("there is a group");
    while broker.asked(|request| under_way(request).then_some(())).is_empty() {
        consumer.poll(Duration::from_millis(5)).await.expect("it waits for the group");
    }
    consumer
}

fn joins_with_an_id(request: &RequestBody) -> bool {
    matches!(request, RequestBody::JoinGroup(join) if !join.member_id.is_empty())
}

#[tokio::test]
async fn a_consumer_that_closes_while_the_group_gathers_leaves_it() {
    let broker = coordinator(|join| admit(join, Reply::Stall)).await;
    let consumer = joining(&broker, [], joins_with_an_id).await;
    consumer.close(LONG).await.expect("it closes");
    assert_eq!(left(&broker), ["m"]);
}

#[tokio::test]
async fn a_consumer_that_closes_before_it_has_its_partitions_leaves_the_group() {
    let broker = coordinator(|join| admit(join, Reply::With(follower()))).await;
    let consumer = joining(&broker, [], |request| matches!(request, RequestBody::SyncGroup(_))).await;
    consumer.close(LONG).await.expect("it closes");
    assert_eq!(left(&broker), ["m"]);
}

#[tokio::test]
async fn a_consumer_that_closes_before_it_has_a_member_id_leaves_the_group_when_it_gets_one() {
    for answer in [None, Some(follower())] {
        let told = Arc::new(Notify::new());
        let gate = Arc::clone(&told);
        let broker = coordinator(move |join| match (admit(join, Reply::Stall), answer.clone()) {
            (_, Some(answer)) => Reply::After(Arc::clone(&gate), answer),
            (Reply::With(required), None) => Reply::After(Arc::clone(&gate), required),
            (other, None) => other,
        })
        .await;
        let consumer = joining(&broker, [], |request| matches!(request, RequestBody::JoinGroup(_))).await;
        let answers = async { told.notify_one() };
        let (closed, ()) = tokio::join!(consumer.close(LONG), answers);
        closed.expect("it closes");
        assert_eq!(left(&broker), ["m"]);
    }
}

#[tokio::test]
async fn a_consumer_that_unsubscribes_while_the_group_gathers_leaves_it_and_may_join_again() {
    let broker = coordinator(|join| admit(join, Reply::Stall)).await;
    let mut consumer = joining(&broker, [], joins_with_an_id).await;
    consumer.unsubscribe().await;
    assert_eq!(left(&broker), ["m"]);
    consumer.subscribe(&["t"]).await.expect("there is a group");
    assert!(
        !consumer.group.as_ref().expect("it is subscribed").is_joining(),
        "what was begun before is over"
    );
}

#[tokio::test]
async fn a_consumer_that_is_dropped_while_the_group_gathers_leaves_it() {
    let broker = coordinator(|join| admit(join, Reply::Stall)).await;
    drop(joining(&broker, [], joins_with_an_id).await);
    let gone = async {
        while left(&broker).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, gone).await.expect("it leaves in the background");
    assert_eq!(left(&broker), ["m"]);
}

#[tokio::test]
async fn a_static_member_that_closes_while_the_group_gathers_may_come_back() {
    let broker = coordinator(|join| match join.group_instance_id {
        Some(_) => Reply::Stall,
        None => Reply::Usual,
    })
    .await;
    let is_join = |request: &RequestBody| matches!(request, RequestBody::JoinGroup(_));
    let consumer = joining(&broker, [("group.instance.id", "i")], is_join).await;
    consumer.close(LONG).await.expect("it closes");
    assert!(left(&broker).is_empty());
}
