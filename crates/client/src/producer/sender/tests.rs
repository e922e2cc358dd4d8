//! What a producer does at brokers that are slow, gone or of another mind; against a broker within the test.

use std::sync::atomic::{AtomicBool, Ordering};

use model::Uuid;
use protocol::produce_response::{BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse};
use protocol::{ErrorCode, InitProducerIdResponse, MetadataResponse, RequestBody, ResponseBody};
use tokio::sync::Notify;

use super::*;
use crate::fake_broker::{FakeBroker, Reply, metadata};
use crate::producer::{Producer, ProducerRecord};

fn record(bytes: usize) -> ProducerRecord {
    ProducerRecord::to("t").partition(0).value(vec![b'x'; bytes])
}

fn told(response: MetadataResponse) -> Reply {
    Reply::With(ResponseBody::Metadata(Box::new(response)))
}

fn written() -> Reply {
    Reply::With(all_written())
}

fn all_written() -> ResponseBody {
    answer(PartitionProduceResponse::default())
}

fn answer(partition: PartitionProduceResponse) -> ResponseBody {
    let partition_responses = vec![partition];
    let topic =
        TopicProduceResponse { topic_id: Uuid::from_u128(9), partition_responses, ..Default::default() };
    ResponseBody::Produce(Box::new(ProduceResponse { responses: vec![topic], ..Default::default() }))
}

#[tokio::test]
async fn what_waits_for_memory_goes_on_when_a_batch_of_an_unreachable_leader_is_too_old() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let unreachable = gone.local_addr().expect("it is bound").port();
    drop(gone);
    let broker = FakeBroker::start(move |request, port| match request {
        RequestBody::Metadata(_) => told(metadata(port, unreachable)),
        _ => Reply::Usual,
    })
    .await;
    let config = broker.config([
        ("batch.size", "1000"),
        ("buffer.memory", "1000"),
        ("delivery.timeout.ms", "300"),
        ("request.timeout.ms", "200"),
        ("linger.ms", "0"),
        ("enable.idempotence", "false"),
    ]);
    let producer = Producer::from_map(&config).expect("a valid configuration");
    let first = producer.enqueue(record(900)).await.expect("there is memory");
    let start = Instant::now();
    producer.enqueue(record(900)).await.map(drop).expect("there is memory again");
    assert!(start.elapsed() < Duration::from_secs(30), "not before max.block.ms had almost passed");
    assert!(matches!(first.await, Err(Error::Timeout(_))));
}

#[tokio::test]
async fn records_that_nobody_answers_stay_within_the_buffer_until_they_are_on_their_way() {
    let broker = FakeBroker::start(|request, _| match request {
        RequestBody::Produce(_) => Reply::Stall,
        _ => Reply::Usual,
    })
    .await;
    let config = broker.config([
        ("acks", "0"),
        ("batch.size", "65536"),
        ("buffer.memory", "1000000"),
        ("max.block.ms", "1000"),
        ("linger.ms", "0"),
    ]);
    let producer = Producer::from_map(&config).expect("a valid configuration");
    for _ in 0..1000 {
        match producer.enqueue(record(60_000)).await {
            Ok(_) => {}
            Err(Error::BufferExhausted(_)) => return,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("60 MB were taken in by a buffer of 1 MB");
}

#[tokio::test]
async fn a_batch_behind_a_full_one_waits_for_its_linger() {
    let broker = FakeBroker::start(|request, _| match request {
        RequestBody::Produce(_) => written(),
        _ => Reply::Usual,
    })
    .await;
    let config =
        broker.config([("linger.ms", "60000"), ("batch.size", "1000"), ("delivery.timeout.ms", "120000")]);
    let producer = Producer::from_map(&config).expect("a valid configuration");
    let first = producer.enqueue(record(900)).await.expect("there is memory");
    producer.enqueue(record(900)).await.map(drop).expect("there is memory");
    first.await.expect("it is written");
    let sent = producer.metrics().into_iter().find(|metric| metric.name == "record-send-total");
    assert_eq!(sent.map(|metric| metric.value), Some(1.0));
}

#[tokio::test]
async fn a_topic_that_was_refused_once_is_asked_for_again() {
    let refused = AtomicBool::new(false);
    let broker = FakeBroker::start(move |request, port| match request {
        RequestBody::Metadata(_) if !refused.swap(true, Ordering::SeqCst) => {
            let mut response = metadata(port, port);
            response.topics[0].error_code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
            told(response)
        }
        _ => Reply::Usual,
    })
    .await;
    let producer = Producer::from_map(&broker.config([])).expect("a valid configuration");
    let first = producer.partition_count("t").await.expect_err("it is refused");
    assert!(first.is(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
    assert_eq!(producer.partition_count("t").await.expect("it is allowed now"), 1);
}

#[tokio::test]
async fn nothing_is_looked_at_before_its_time() {
    let broker = FakeBroker::start(|_, _| Reply::Usual).await;
    let producer = Producer::from_map(&broker.config([])).expect("a valid configuration");
    let mut sender = Sender::new(Arc::clone(&producer.handle.shared));
    // Asking for an identity failed a while ago, and nothing needs one any more.
    sender.identity.not_before = Some(Instant::now());
    assert_eq!(sender.step(), None);
}

#[tokio::test]
async fn a_flush_that_is_given_up_leaves_the_linger_as_it_was() {
    let broker = FakeBroker::start(|request, _| match request {
        RequestBody::Produce(_) => Reply::Stall,
        _ => Reply::Usual,
    })
    .await;
    let config = broker.config([("linger.ms", "60000"), ("delivery.timeout.ms", "120000")]);
    let producer = Producer::from_map(&config).expect("a valid configuration");
    producer.enqueue(record(10)).await.map(drop).expect("there is memory");
    let _ = tokio::time::timeout(Duration::from_millis(10), producer.flush()).await;
    producer.enqueue(record(10)).await.map(drop).expect("there is memory");
    let shared = &producer.handle.shared;
    let metadata = shared.cluster.metadata();
    let ready = shared.with(|accumulator| accumulator.ready(std::time::Instant::now(), &metadata, |_| true));
    assert!(ready.nodes.is_empty(), "{ready:?}");
}

#[tokio::test]
async fn who_closes_a_producer_too_waits_for_what_is_under_way() {
    let told = Arc::new(Notify::new());
    let gate = Arc::clone(&told);
    let broker = FakeBroker::start(move |request, _| match request {
        RequestBody::Produce(_) => Reply::After(Arc::clone(&gate), all_written()),
        _ => Reply::Usual,
    })
    .await;
    let producer = Producer::from_map(&broker.config([("linger.ms", "0")])).expect("a valid configuration");
    let delivery = producer.enqueue(record(10)).await.expect("there is memory");
    let sent = || broker.asked(|request| matches!(request, RequestBody::Produce(_)).then_some(())).len();
    while sent() == 0 {
        tokio::task::yield_now().await;
    }
    let (other, patience) = (producer.clone(), Duration::from_secs(30));
    let answers = async { told.notify_one() };
    tokio::join!(producer.close(patience), other.close(patience), answers);
    delivery.await.expect("it is written");
}

#[tokio::test]
async fn a_closed_producer_refuses_records_at_once_and_those_that_wait_for_their_topic() {
    let broker = FakeBroker::start(|_, _| Reply::Usual).await;
    let producer = Producer::from_map(&broker.config([])).expect("a valid configuration");
    let unknown = || producer.enqueue(ProducerRecord::to("unknown").value("v"));
    let patience = Duration::from_secs(30);
    let both = async { tokio::join!(unknown(), producer.close(patience)) };
    let (waited, ()) = tokio::time::timeout(patience, both).await.expect("it is refused");
    assert!(matches!(waited.map(drop), Err(Error::Other(_))));
    let refused = tokio::time::timeout(patience, unknown()).await.expect("it is refused");
    assert!(matches!(refused.map(drop), Err(Error::Closed(_))));
}

#[tokio::test]
async fn a_call_to_the_coordinator_does_not_outlive_the_producer() {
    let broker = FakeBroker::start(|request, _| match request {
        RequestBody::InitProducerId(_) => Reply::Stall,
        _ => Reply::Usual,
    })
    .await;
    let config = broker.config([("transactional.id", "x")]);
    let producer = Producer::from_map(&config).expect("a valid configuration");
    let patience = Duration::from_secs(30);
    let both = async { tokio::join!(producer.init_transactions(), producer.close(patience)) };
    let (initialized, ()) = tokio::time::timeout(patience, both).await.expect("not after max.block.ms");
    assert!(matches!(initialized, Err(Error::Closed(_))), "{initialized:?}");
}

#[tokio::test]
async fn a_producer_that_was_not_allowed_an_id_asks_again_for_the_next_record() {
    let refused = AtomicBool::new(false);
    let broker = FakeBroker::start(move |request, _| match request {
        RequestBody::InitProducerId(_) if !refused.swap(true, Ordering::SeqCst) => {
            let error_code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
            let response = InitProducerIdResponse { error_code, ..Default::default() };
            Reply::With(ResponseBody::InitProducerId(Box::new(response)))
        }
        RequestBody::Produce(_) => written(),
        _ => Reply::Usual,
    })
    .await;
    let producer = Producer::from_map(&broker.config([("linger.ms", "0")])).expect("a valid configuration");
    let first = producer.send(record(10)).await.expect_err("it is refused");
    assert!(first.is(ErrorCode::CLUSTER_AUTHORIZATION_FAILED), "{first}");
    producer.send(record(10)).await.map(drop).expect("it is allowed now");
}

#[tokio::test]
async fn each_record_of_a_batch_is_told_what_the_broker_has_against_it() {
    let against = |batch_index, text: Option<&str>| BatchIndexAndErrorMessage {
        batch_index,
        batch_index_error_message: text.map(Into::into),
        ..Default::default()
    };
    for (refused, codes, texts) in [
        (vec![against(1, Some("bad"))], [None, Some(ErrorCode::INVALID_TIMESTAMP)], "bad"),
        (
            vec![against(0, Some("bad")), against(1, None)],
            [Some(ErrorCode::INVALID_RECORD); 2],
            "of the batch",
        ),
    ] {
        let response = answer(PartitionProduceResponse {
            error_code: ErrorCode::INVALID_TIMESTAMP,
            error_message: Some("of the batch".into()),
            record_errors: refused,
            ..Default::default()
        });
        let broker = FakeBroker::start(move |request, _| match request {
            RequestBody::Produce(_) => Reply::With(response.clone()),
            _ => Reply::Usual,
        })
        .await;
        let producer =
            Producer::from_map(&broker.config([("linger.ms", "60000"), ("delivery.timeout.ms", "120000")]))
                .expect("a valid configuration");
        let first = producer.enqueue(record(10)).await.expect("there is memory");
        let second = producer.enqueue(record(10)).await.expect("there is memory");
        producer.flush().await;
        let told = [first.await.expect_err("it is refused"), second.await.expect_err("it is refused")];
        assert_eq!([told[0].code(), told[1].code()], codes);
        assert_eq!(told[1].to_string(), texts);
    }
}

#[tokio::test]
async fn a_record_is_written_once_also_where_its_topic_is_not_known_for_a_while() {
    let (lost, gate) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let (is_lost, written) = (Arc::clone(&lost), Arc::clone(&gate));
    let broker = FakeBroker::start(move |request, port| match request {
        RequestBody::Metadata(_) if is_lost.load(Ordering::SeqCst) => {
            let mut response = metadata(port, port);
            response.topics[0].error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            response.topics[0].topic_id = Uuid::ZERO;
            told(response)
        }
        RequestBody::Produce(_) => Reply::After(Arc::clone(&written), all_written()),
        _ => Reply::Usual,
    })
    .await;
    let producer = Producer::from_map(&broker.config([("linger.ms", "0")])).expect("a valid configuration");
    let delivery = producer.enqueue(record(10)).await.expect("there is memory");
    let sent = || broker.asked(|request| matches!(request, RequestBody::Produce(_)).then_some(())).len();
    while sent() == 0 {
        tokio::task::yield_now().await;
    }
    lost.store(true, Ordering::SeqCst);
    let cluster = &producer.handle.shared.cluster;
    // Another connection than the one that waits.
    cluster.connection(NodeId(1), Purpose::Data).await.map(drop).expect("the broker is there");
    cluster.update(Instant::now() + Duration::from_secs(30)).await.map(drop).expect("the broker tells");
    gate.notify_one();
    let delivered = tokio::time::timeout(Duration::from_secs(10), delivery).await;
    delivered.expect("it is told").map(drop).expect("it is written");
    assert_eq!(sent(), 1);
}
