//! What a consumer says when it leaves while requests are under way; against a coordinator within the test.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::{Offset, TopicPartition};
use protocol::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};

use protocol::{
    ErrorCode, FetchResponse, JoinGroupRequest, JoinGroupResponse, OffsetFetchResponse, RequestBody,
    ResponseBody, SyncGroupResponse,
};
use tokio::sync::Notify;

use super::super::Offsets;
use super::*;
use crate::consumer_protocol::{Assignment, encode_assignment};
use crate::error::Error;
use crate::fake_broker::{FakeBroker, Reply};
use crate::offsets::OffsetAndMetadata;

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
fn follower(assignor: &str) -> ResponseBody {
    ResponseBody::JoinGroup(Box::new(JoinGroupResponse {
        generation_id: 1,
        protocol_name: Some(assignor.into()),
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
    let broker = coordinator(|join| admit(join, Reply::With(follower("range")))).await;
    let consumer = joining(&broker, [], |request| matches!(request, RequestBody::SyncGroup(_))).await;
    consumer.close(LONG).await.expect("it closes");
    assert_eq!(left(&broker), ["m"]);
}

#[tokio::test]
async fn a_consumer_that_closes_before_it_has_a_member_id_leaves_the_group_when_it_gets_one() {
    for answer in [None, Some(follower("range"))] {
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

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

/// What a member of generation 1 is told, until it joins once more: it has the partition, of which 5 is committed.
fn told_to_member(request: &RequestBody, joins: &AtomicUsize) -> Reply {
    Reply::With(match request {
        RequestBody::JoinGroup(join) => {
            let again = !join.member_id.is_empty() && joins.fetch_add(1, Ordering::SeqCst) > 0;
            return admit(
                join,
                if again { Reply::Stall } else { Reply::With(follower(&join.protocols[0].name)) },
            );
        }
        RequestBody::SyncGroup(_) => {
            let given = Assignment { partitions: vec![partition()], user_data: None };
            let assignment = encode_assignment(&given).expect("it can be written");
            ResponseBody::SyncGroup(Box::new(SyncGroupResponse { assignment, ..Default::default() }))
        }
        RequestBody::OffsetFetch(_) => {
            let partitions =
                vec![OffsetFetchResponsePartitions { committed_offset: 5, ..Default::default() }];
            let topic = OffsetFetchResponseTopics { name: "t".into(), partitions, ..Default::default() };
            let group =
                OffsetFetchResponseGroup { group_id: "g".into(), topics: vec![topic], ..Default::default() };
            let response = OffsetFetchResponse { groups: vec![group], ..Default::default() };
            ResponseBody::OffsetFetch(Box::new(response))
        }
        RequestBody::OffsetCommit(_) => ResponseBody::OffsetCommit(Box::default()),
        RequestBody::LeaveGroup(_) => ResponseBody::LeaveGroup(Box::default()),
        RequestBody::Fetch(_) => return Reply::Stall,
        _ => return Reply::Usual,
    })
}

/// A member that has its partition and knows its position.
async fn member<const N: usize>(pairs: [(&str, &str); N]) -> (FakeBroker, Consumer) {
    let joins = AtomicUsize::new(0);
    let broker = FakeBroker::start(move |request, _| told_to_member(request, &joins)).await;
    let consumer = joining(&broker, pairs, |request| matches!(request, RequestBody::Fetch(_))).await;
    assert_eq!(consumer.known_position(&partition()), Some(Offset(5)));
    (broker, consumer)
}

/// What was committed, and, as -1, when the consumer left.
fn said(broker: &FakeBroker) -> Vec<i64> {
    broker.asked(|request| match request {
        RequestBody::OffsetCommit(commit) => Some(commit.topics[0].partitions[0].committed_offset),
        RequestBody::LeaveGroup(_) => Some(-1),
        _ => None,
    })
}

#[tokio::test]
async fn commits_that_were_made_before_come_before_the_farewell() {
    let (broker, mut consumer) = member([("enable.auto.commit", "false")]).await;
    let mut commit = |offset| {
        let offsets: Offsets = [(partition(), OffsetAndMetadata::new(Offset(offset)))].into();
        consumer.commit_offsets_async(offsets).expect("it is a member")
    };
    let commits = [commit(8), commit(9)];
    consumer.close(LONG).await.expect("it closes");
    assert_eq!(said(&broker), [8, 9, -1]);
    for commit in commits {
        commit.await.expect("it is taken");
    }
}

#[tokio::test]
async fn a_member_without_time_to_close_still_says_that_it_leaves() {
    let (broker, consumer) = member([]).await;
    consumer.close(Duration::ZERO).await.expect("it closes");
    let gone = async {
        while !said(&broker).contains(&-1) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, gone).await.expect("it leaves in the background");
}

#[tokio::test]
async fn while_a_member_joins_again_it_neither_commits_nor_waits_to_do_so() {
    let keeps = ("partition.assignment.strategy", "cooperative-sticky");
    let (broker, mut consumer) = member([keeps]).await;
    consumer.enforce_rebalance("for the test").expect("there is a group");
    while !consumer.group.as_ref().expect("it is subscribed").is_joining() {
        consumer.poll(Duration::from_millis(5)).await.expect("it waits for the group");
    }
    let before = said(&broker);
    let refused = consumer.commit_sync().await.expect_err("the generation ends");
    assert!(matches!(refused, Error::RebalanceInProgress(_)), "{refused}");
    let closed = tokio::time::timeout(LONG / 3, consumer.close(LONG)).await;
    closed.expect("nothing waits for the join").expect("it closes");
    assert_eq!(said(&broker), [before, vec![-1]].concat());
}

#[tokio::test]
async fn a_consumer_that_closes_ends_its_fetch_sessions() {
    let broker = FakeBroker::start(|request, _| match request {
        RequestBody::Fetch(_) => {
            let response = FetchResponse { session_id: 77, ..Default::default() };
            Reply::With(ResponseBody::Fetch(Box::new(response)))
        }
        _ => Reply::Usual,
    })
    .await;
    let mut consumer = Consumer::from_map(&broker.config([])).expect("a valid configuration");
    consumer.assign(&[partition()]).await.expect("nothing is subscribed to");
    consumer.seek(&partition(), Offset(5)).expect("it is assigned");
    let sessions = || {
        broker.asked(|request| match request {
            RequestBody::Fetch(fetch) => Some((fetch.session_id, fetch.session_epoch, fetch.topics.len())),
            _ => None,
        })
    };
    while sessions().len() < 2 {
        consumer.poll(Duration::from_millis(5)).await.expect("there is nothing to read");
    }
    consumer.close(LONG).await.expect("it closes");
    assert_eq!(sessions().last(), Some(&(77, -1, 0)));
}
