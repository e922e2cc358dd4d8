//! From whom a consumer fetches, and what it makes of refusals; against brokers within the test.

use std::sync::atomic::{AtomicU16, Ordering};

use model::Timestamp;
use protocol::fetch_response::FetchableTopicResponse;
use protocol::metadata_response::MetadataResponsePartition;
use protocol::{FetchResponse, MetadataResponse, RequestBody, ResponseBody};
use records::{BatchBuilder, BatchOptions};

use super::*;
use crate::fake_broker::{FakeBroker, Reply, metadata};

const LONG: Duration = Duration::from_secs(30);

fn partition(index: i32) -> TopicPartition {
    TopicPartition::new("t", index)
}

fn told(response: MetadataResponse) -> Reply {
    Reply::With(ResponseBody::Metadata(Box::new(response)))
}

/// A fetch's answer of one partition, outside a session.
fn fetched(data: PartitionData) -> Reply {
    let topic =
        FetchableTopicResponse { topic_id: Uuid::from_u128(9), partitions: vec![data], ..Default::default() };
    let response = FetchResponse { responses: vec![topic], ..Default::default() };
    Reply::With(ResponseBody::Fetch(Box::new(response)))
}

/// What fetches said.
fn fetches<T>(broker: &FakeBroker, of: impl Fn(&FetchRequest) -> T) -> Vec<T> {
    broker.asked(|request| match request {
        RequestBody::Fetch(fetch) => Some(of(fetch)),
        _ => None,
    })
}

/// A consumer of `partitions` from offset 0 on.
async fn reader(broker: &FakeBroker, partitions: &[TopicPartition]) -> Consumer {
    let mut consumer = Consumer::from_map(&broker.config([])).expect("a valid configuration");
    consumer.assign(partitions).await.expect("nothing is subscribed to");
    for name in partitions {
        consumer.seek(name, Offset(0)).expect("it is assigned");
    }
    consumer
}

async fn poll_until(consumer: &mut Consumer, done: impl Fn() -> bool) {
    let polls = async {
        while !done() {
            consumer.poll(Duration::from_millis(20)).await.expect("it goes on");
        }
    };
    tokio::time::timeout(LONG, polls).await.expect("it comes to that");
}

/// A leader, node 2, that sends its readers to the replica on node 1, at the port that `replica` will hold.
async fn leader_with_replica(replica: Arc<AtomicU16>) -> FakeBroker {
    FakeBroker::start(move |request, port| match request {
        RequestBody::Metadata(_) => told(with_replica(replica.load(Ordering::SeqCst), port)),
        RequestBody::Fetch(_) => fetched(PartitionData { preferred_read_replica: 1, ..Default::default() }),
        _ => Reply::Usual,
    })
    .await
}

fn with_replica(replica: u16, leader: u16) -> MetadataResponse {
    let mut response = metadata(replica, leader);
    response.topics[0].partitions[0].replica_nodes = vec![2, 1];
    response
}

#[tokio::test]
async fn a_replica_that_gave_its_partition_up_is_read_from_no_more() {
    let (at, leads_at) = (Arc::new(AtomicU16::new(0)), Arc::new(AtomicU16::new(0)));
    let leader = leader_with_replica(Arc::clone(&at)).await;
    leads_at.store(leader.port, Ordering::SeqCst);
    let replica = FakeBroker::start(move |request, port| match request {
        RequestBody::Metadata(_) => told(with_replica(port, leads_at.load(Ordering::SeqCst))),
        RequestBody::Fetch(_) => {
            let error_code = ErrorCode::NOT_LEADER_OR_FOLLOWER;
            fetched(PartitionData { error_code, preferred_read_replica: -1, ..Default::default() })
        }
        _ => Reply::Usual,
    })
    .await;
    at.store(replica.port, Ordering::SeqCst);
    let mut consumer = reader(&leader, &[partition(0)]).await;
    poll_until(&mut consumer, || fetches(&leader, |_| ()).len() > 1).await;
    assert!(!fetches(&replica, |_| ()).is_empty());
}

#[tokio::test]
async fn a_replica_that_cannot_be_reached_is_left_for_the_leader() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let at = Arc::new(AtomicU16::new(gone.local_addr().expect("it is bound").port()));
    drop(gone);
    let leader = leader_with_replica(at).await;
    let mut consumer = reader(&leader, &[partition(0)]).await;
    poll_until(&mut consumer, || fetches(&leader, |_| ()).len() > 1).await;
}

#[tokio::test]
async fn a_session_whose_connection_was_lost_is_ended_by_the_next_fetch() {
    let broker = FakeBroker::start(|request, _| match request {
        RequestBody::Fetch(fetch) if fetch.session_epoch > 0 => Reply::HangUp,
        RequestBody::Fetch(_) => {
            let response = FetchResponse { session_id: 77, ..Default::default() };
            Reply::With(ResponseBody::Fetch(Box::new(response)))
        }
        _ => Reply::Usual,
    })
    .await;
    let mut consumer = reader(&broker, &[partition(0)]).await;
    poll_until(&mut consumer, || fetches(&broker, |_| ()).len() > 2).await;
    let sessions = fetches(&broker, |fetch| (fetch.session_id, fetch.session_epoch));
    assert_eq!(sessions[..3], [(0, 0), (77, 1), (77, 0)]);
}

fn two_partitions(port: u16) -> MetadataResponse {
    let mut response = metadata(port, port);
    let second = MetadataResponsePartition { partition_index: 1, leader_id: 2, ..Default::default() };
    response.topics[0].partitions.push(second);
    response
}

/// One record at `offset`.
fn one_record(offset: i64) -> Records {
    let mut builder = BatchBuilder::new(BatchOptions { base_offset: Offset(offset), ..Default::default() });
    builder.append(Timestamp(5), None, Some(b"v"), &[]).expect("it fits");
    Records::Bytes(builder.build().expect("it can be built"))
}

#[tokio::test]
async fn a_broker_that_answers_for_the_first_partition_alone_is_asked_for_each_first_in_its_turn() {
    let broker = FakeBroker::start(|request, port| match request {
        RequestBody::Metadata(_) => told(two_partitions(port)),
        RequestBody::Fetch(fetch) => {
            let first = &fetch.topics[0].partitions[0];
            let records = Some(one_record(first.fetch_offset));
            fetched(PartitionData { partition_index: first.partition, records, ..Default::default() })
        }
        _ => Reply::Usual,
    })
    .await;
    let mut consumer = reader(&broker, &[partition(0), partition(1)]).await;
    poll_until(&mut consumer, || fetches(&broker, |_| ()).len() > 4).await;
    let firsts = fetches(&broker, |fetch| fetch.topics[0].partitions[0].partition);
    assert_eq!(firsts[..4], [0, 1, 0, 1]);
}

#[tokio::test]
async fn a_topic_that_is_refused_is_told_also_to_who_chose_its_partitions() {
    let broker = FakeBroker::start(|request, port| match request {
        RequestBody::Metadata(_) => {
            let mut response = metadata(port, port);
            response.topics[0].error_code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
            response.topics[0].partitions.clear();
            told(response)
        }
        _ => Reply::Usual,
    })
    .await;
    let mut consumer = reader(&broker, &[partition(0)]).await;
    let refused = consumer.poll(LONG).await.expect_err("it may not be read");
    assert!(refused.is(ErrorCode::TOPIC_AUTHORIZATION_FAILED), "{refused}");
}

#[tokio::test]
async fn a_position_is_not_taken_to_a_leader_that_has_not_confirmed_it() {
    let broker = FakeBroker::start(|request, _| match request {
        RequestBody::OffsetForLeaderEpoch(_) | RequestBody::Fetch(_) => Reply::Stall,
        _ => Reply::Usual,
    })
    .await;
    let mut consumer = reader(&broker, &[partition(0)]).await;
    let cluster = consumer.cluster().clone();
    cluster.update(tokio::time::Instant::now() + LONG).await.expect("the broker tells");
    let position = Position { offset: Offset(9), epoch: Some(LeaderEpoch(0)), checked_in: LeaderEpoch(0) };
    consumer.subscriptions.get_mut(&partition(0)).expect("it is assigned").phase = Phase::Fetch(position);
    let newer = LeaderAndEpoch { leader: Some(NodeId(1)), epoch: LeaderEpoch(3) };
    cluster.learn_leaders(&[(partition(0), newer)], &[]);
    consumer.start_fetches().expect("nothing fails");
    assert!(consumer.fetcher.busy.is_empty(), "it is the new leader's to say where its log parts");
    assert_eq!(consumer.subscriptions.to_validate(Instant::now()).len(), 1);
}

#[tokio::test]
async fn an_answer_for_a_partition_that_was_given_up_is_no_error_of_the_poll() {
    let broker = FakeBroker::start(|_, _| Reply::Usual).await;
    let mut consumer = reader(&broker, &[partition(0)]).await;
    let refused =
        || PartitionData { error_code: ErrorCode::TOPIC_AUTHORIZATION_FAILED, ..Default::default() };
    let here = consumer.take_partition(NodeId(2), &partition(0), Offset(0), refused());
    assert!(here.is_err_and(|error| error.is(ErrorCode::TOPIC_AUTHORIZATION_FAILED)));
    consumer.take_partition(NodeId(2), &partition(1), Offset(0), refused()).expect("it is nobody's any more");
}
