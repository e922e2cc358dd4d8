//! Quotas of clients: set, described, and paid for with silence.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/harness.rs"]
mod harness;

use std::time::{Duration, Instant};

use harness::{Client, TestNode, batch, fetch_request, produce_request, values};
use protocol::alter_client_quotas_request::{EntityData, EntryData, OpData};
use protocol::describe_client_quotas_request::ComponentData;
use protocol::{AlterClientQuotasRequest, DescribeClientQuotasRequest, ErrorCode, MetadataRequest};

/// A second's worth of traffic may come at once: two samples, of which the last counts whole.
const WINDOWS: [&str; 4] = [
    "quota.window.num=2",
    "quota.window.size.seconds=1",
    "controller.quota.window.num=1",
    "controller.quota.window.size.seconds=1",
];

fn entity(parts: &[(&str, Option<&str>)]) -> Vec<EntityData> {
    let part = |(kind, name): &(&str, Option<&str>)| EntityData {
        entity_type: (*kind).to_owned(),
        entity_name: name.map(str::to_owned),
        ..Default::default()
    };
    parts.iter().map(part).collect()
}

fn op(key: &str, value: Option<f64>) -> OpData {
    let (remove, value) = (value.is_none(), value.unwrap_or_default());
    OpData { key: key.to_owned(), value, remove, ..Default::default() }
}

async fn alter(
    client: &mut Client,
    parts: &[(&str, Option<&str>)],
    ops: Vec<OpData>,
) -> (ErrorCode, Option<String>) {
    let entry = EntryData { entity: entity(parts), ops, ..Default::default() };
    let request = AlterClientQuotasRequest { entries: vec![entry], ..Default::default() };
    let mut answer = client.ask(request, 1).await;
    let entry = answer.entries.remove(0);
    (entry.error_code, entry.error_message)
}

/// Sets a quota of the harness's client id.
async fn set(client: &mut Client, key: &str, value: f64) {
    let altered = alter(client, &[("client-id", Some("test"))], vec![op(key, Some(value))]).await;
    assert_eq!(altered, (ErrorCode::NONE, None));
}

#[tokio::test]
async fn quotas_are_described_as_the_filter_says() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    for parts in
        [vec![("user", Some("u"))], vec![("user", None)], vec![("user", Some("u")), ("client-id", Some("c"))]]
    {
        let ops = vec![op("producer_byte_rate", Some(1000.0)), op("request_percentage", Some(0.5))];
        assert_eq!(alter(&mut client, &parts, ops).await.0, ErrorCode::NONE);
    }
    let ops = vec![op("request_percentage", None)];
    alter(&mut client, &[("user", None)], ops).await;
    let ask = |kind: &str, match_type: i8, name: Option<&str>, strict| DescribeClientQuotasRequest {
        components: vec![ComponentData {
            entity_type: kind.to_owned(),
            match_type,
            match_: name.map(str::to_owned),
            ..Default::default()
        }],
        strict,
        ..Default::default()
    };
    for (request, found) in [
        (DescribeClientQuotasRequest::default(), 3),
        (ask("user", 0, Some("u"), false), 2),
        (ask("user", 0, Some("u"), true), 1),
        (ask("user", 1, None, true), 1),
        (ask("user", 2, None, false), 3),
        (ask("client-id", 2, None, true), 0),
    ] {
        let answer = client.ask(request.clone(), 1).await;
        assert_eq!(answer.entries.unwrap().len(), found, "{request:?}");
    }
    let default = client.ask(ask("user", 1, None, true), 0).await.entries.unwrap().remove(0);
    assert_eq!(default.values.len(), 1);
    assert_eq!((default.values[0].key.as_str(), default.values[0].value), ("producer_byte_rate", 1000.0));
    for (request, error, text) in [
        (ask("", 2, None, true), ErrorCode::INVALID_REQUEST, "Invalid empty entity type."),
        (ask("group", 2, None, true), ErrorCode::UNSUPPORTED_VERSION, "Unsupported entity type group"),
        (ask("user", 7, None, true), ErrorCode::INVALID_REQUEST, "Unknown match type 7"),
    ] {
        let answer = client.ask(request, 1).await;
        assert_eq!((answer.error_code, answer.error_message.as_deref()), (error, Some(text)));
        assert_eq!(answer.entries, None);
    }
    node.stop().await;
}

#[tokio::test]
async fn quotas_that_make_no_sense_are_refused_in_kafkas_words() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    let rate = || vec![op("producer_byte_rate", Some(1.0))];
    type Case<'a> = (Vec<(&'a str, Option<&'a str>)>, Vec<OpData>, &'a str);
    let cases: Vec<Case<'_>> = vec![
        (vec![], rate(), "Invalid empty client quota entity"),
        (vec![("group", Some("g"))], rate(), "Unhandled client quota entity type: group"),
        (vec![("user", Some(""))], rate(), "Empty user not supported"),
        (
            vec![("ip", Some("1.2.3.4")), ("user", Some("u"))],
            rate(),
            "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId",
        ),
        (vec![("ip", Some("1.2.3.4"))], rate(), "Invalid configuration key producer_byte_rate"),
        (
            vec![("user", Some("u"))],
            vec![op("connection_creation_rate", Some(1.0))],
            "Invalid configuration key connection_creation_rate",
        ),
        (
            vec![("user", Some("u"))],
            vec![op("producer_byte_rate", Some(0.0))],
            "Quota producer_byte_rate must be greater than 0",
        ),
        (
            vec![("user", Some("u"))],
            vec![op("producer_byte_rate", Some(1.5))],
            "producer_byte_rate cannot be a fractional value.",
        ),
        (
            vec![("ip", None)],
            vec![op("connection_creation_rate", Some(3e9))],
            "Proposed value for connection_creation_rate is too large for an INT.",
        ),
    ];
    for (parts, ops, text) in cases {
        let altered = alter(&mut client, &parts, ops).await;
        assert_eq!(altered, (ErrorCode::INVALID_REQUEST, Some(text.to_owned())));
    }
    node.stop().await;
}

#[tokio::test]
async fn a_producer_over_its_rate_is_told_so_and_not_listened_to() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &WINDOWS).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    set(&mut client, "producer_byte_rate", 10_000.0).await;
    let small = client.ask(produce_request("t", 0, batch(&["small"]), 1), 12).await;
    assert_eq!(small.throttle_time_ms, 0);
    let large = batch(&["x".repeat(14_000).as_str()]);
    let asked = Instant::now();
    let answer = client.ask(produce_request("t", 0, large, 1), 12).await;
    assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
    assert!((300..=900).contains(&answer.throttle_time_ms), "{}", answer.throttle_time_ms);
    let throttle = Duration::from_millis(answer.throttle_time_ms as u64);
    assert!(asked.elapsed() < throttle, "the answer itself is not late");
    // Nobody else is held back.
    let mut other = node.client().await;
    other.ask(MetadataRequest::default(), 1).await;
    client.ask(MetadataRequest::default(), 1).await;
    assert!(asked.elapsed() >= throttle, "the connection was listened to after {:?}", asked.elapsed());
    node.stop().await;
}

#[tokio::test]
async fn a_producer_that_is_not_listened_to_takes_no_memory_from_others() {
    let dir = tempfile::tempdir().unwrap();
    let scarce = ["socket.request.max.bytes=1048576", "monedula.request.memory.bytes=1048576"];
    let node = TestNode::start(dir.path(), &[WINDOWS.as_slice(), &scarce].concat()).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    set(&mut client, "producer_byte_rate", 10.0).await;
    let large = batch(&["x".repeat(700_000).as_str()]);
    let mut silent = Vec::new();
    for mut producer in [client, node.client().await] {
        let answer = producer.ask(produce_request("t", 0, large.clone(), 1), 12).await;
        assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
        assert!(answer.throttle_time_ms > 60_000, "{}", answer.throttle_time_ms);
        silent.push(producer);
    }
    node.stop().await;
}

#[tokio::test]
async fn who_is_not_listened_to_for_longer_than_a_connection_may_be_idle_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let overrides = [WINDOWS.as_slice(), &["connections.max.idle.ms=500"]].concat();
    let node = TestNode::start(dir.path(), &overrides).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    set(&mut client, "producer_byte_rate", 10.0).await;
    let large = batch(&["x".repeat(10_000).as_str()]);
    let answer = client.ask(produce_request("t", 0, large, 1), 12).await;
    assert!(answer.throttle_time_ms > 60_000, "{}", answer.throttle_time_ms);
    assert!(client.is_closed().await);
    node.stop().await;
}

#[tokio::test]
async fn a_consumer_over_its_rate_gets_nothing_until_it_has_waited() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &WINDOWS).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    for _ in 0..4 {
        client.produce("t", 0, batch(&["x".repeat(4_000).as_str()])).await;
    }
    set(&mut client, "consumer_byte_rate", 10_000.0).await;
    let mut small = fetch_request("t", 0, 0, 0);
    small.max_bytes = 9_000;
    let first = client.ask(small, 12).await;
    assert_eq!(first.throttle_time_ms, 0);
    let got = values(&first.responses[0].partitions[0].records).len() as i64;
    assert!((1..=2).contains(&got), "one response brings what a second allows, not {got} records");
    let throttled = client.ask(fetch_request("t", 0, got, 0), 12).await;
    assert!(throttled.throttle_time_ms > 0);
    assert!(throttled.responses.is_empty());
    assert_eq!(throttled.error_code, ErrorCode::NONE);
    let mut from = got;
    while from < 4 {
        let answer = client.ask(fetch_request("t", 0, from, 0), 12).await;
        from +=
            answer.responses.iter().map(|row| values(&row.partitions[0].records).len() as i64).sum::<i64>();
    }
    node.stop().await;
}

#[tokio::test]
async fn a_consumer_that_takes_too_much_of_the_threads_gets_nothing_until_it_has_waited() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &WINDOWS).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    client.produce("t", 0, batch(&["a"])).await;
    set(&mut client, "request_percentage", 0.000_001).await;
    let throttled = client.ask(fetch_request("t", 0, 0, 0), 12).await;
    assert!((1..=1000).contains(&throttled.throttle_time_ms), "{}", throttled.throttle_time_ms);
    assert_eq!((throttled.error_code, throttled.responses.len()), (ErrorCode::NONE, 0));
    let unset = vec![op("request_percentage", None)];
    assert_eq!(alter(&mut client, &[("client-id", Some("test"))], unset).await.0, ErrorCode::NONE);
    let answer = client.ask(fetch_request("t", 0, 0, 0), 12).await;
    assert_eq!(answer.throttle_time_ms, 0);
    assert_eq!(values(&answer.responses[0].partitions[0].records), [(0, "a".to_owned())]);
    node.stop().await;
}

#[tokio::test]
async fn who_takes_too_much_of_the_threads_is_held_back_for_a_sample_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &WINDOWS).await;
    let mut client = node.client().await;
    set(&mut client, "request_percentage", 0.000_001).await;
    let answer = client.ask(MetadataRequest::default(), 12).await;
    assert!((1..=1000).contains(&answer.throttle_time_ms), "{}", answer.throttle_time_ms);
    let asked = Instant::now();
    client.ask(MetadataRequest::default(), 12).await;
    let waited = asked.elapsed().as_millis() as i32;
    assert!(waited >= answer.throttle_time_ms - 200, "listened to after {waited} ms");
    node.stop().await;
}

#[tokio::test]
async fn a_producer_that_wants_no_answer_gets_none_while_threads_are_rationed() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &WINDOWS).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    set(&mut client, "request_percentage", 1000.0).await;
    client.send(produce_request("t", 0, batch(&["quiet"]), 0), 9).await;
    let fetched = client.ask(fetch_request("t", 0, 0, 0), 12).await;
    assert_eq!(values(&fetched.responses[0].partitions[0].records), [(0, "quiet".to_owned())]);
    node.stop().await;
}

fn create(name: &str, partitions: i32) -> protocol::CreateTopicsRequest {
    let topic = protocol::create_topics_request::CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: 1,
        ..Default::default()
    };
    protocol::CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() }
}

#[tokio::test]
async fn changes_over_the_rate_are_refused_to_new_clients_and_paid_for_by_old_ones() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &WINDOWS).await;
    let mut client = node.client().await;
    set(&mut client, "controller_mutation_rate", 10.0).await;
    let first = client.ask(create("a", 13), 7).await;
    assert_eq!((first.topics[0].error_code, first.throttle_time_ms), (ErrorCode::NONE, 0));
    let refused = client.ask(create("b", 1), 7).await;
    assert_eq!(refused.topics[0].error_code, ErrorCode::THROTTLING_QUOTA_EXCEEDED);
    assert!((1..=300).contains(&refused.throttle_time_ms), "{}", refused.throttle_time_ms);
    // After the wait that it was told, the same is let through.
    let paid = client.ask(create("b", 15), 7).await;
    assert_eq!(paid.topics[0].error_code, ErrorCode::NONE);
    let old = client.ask(create("c", 1), 5).await;
    assert_eq!(old.topics[0].error_code, ErrorCode::NONE);
    assert!(old.throttle_time_ms > 0);
    node.stop().await;
}

#[tokio::test]
async fn who_owes_changes_has_no_topics_created_by_asking_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &WINDOWS).await;
    let mut client = node.client().await;
    set(&mut client, "controller_mutation_rate", 0.001).await;
    let first = client.ask(create("a", 13), 7).await;
    assert_eq!(first.topics[0].error_code, ErrorCode::NONE);
    let named = protocol::metadata_request::MetadataRequestTopic {
        name: Some("auto".to_owned()),
        ..Default::default()
    };
    for _ in 0..20 {
        let topics = Some(vec![named.clone()]);
        let asked = MetadataRequest { topics, allow_auto_topic_creation: true, ..Default::default() };
        let known = client.ask(asked, 12).await;
        assert_eq!(known.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        // The controller has decided on what came before it.
        set(&mut client, "producer_byte_rate", 1e9).await;
    }
    node.stop().await;
}

#[tokio::test]
async fn an_address_that_connects_too_fast_is_closed_unheard() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &WINDOWS).await;
    let mut client = node.client().await;
    let rate = vec![op("connection_creation_rate", Some(2.0))];
    assert_eq!(alter(&mut client, &[("ip", Some("127.0.0.1"))], rate).await.0, ErrorCode::NONE);
    let mut closed = 0;
    for _ in 0..8 {
        let mut other = node.client().await;
        other.send(MetadataRequest::default(), 1).await;
        closed += usize::from(other.is_closed().await);
    }
    assert!(closed > 0, "every connection was let in");
    let unset = vec![op("connection_creation_rate", None)];
    assert_eq!(alter(&mut client, &[("ip", Some("127.0.0.1"))], unset).await.0, ErrorCode::NONE);
    node.client().await.ask(MetadataRequest::default(), 1).await;
    node.stop().await;
}

#[tokio::test]
async fn a_listener_with_a_connection_rate_takes_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let rate = ["listener.name.plaintext.max.connection.creation.rate=2"];
    let node = TestNode::start(dir.path(), &[&WINDOWS[..], &rate].concat()).await;
    let begun = Instant::now();
    for _ in 0..4 {
        node.client().await.ask(MetadataRequest::default(), 1).await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(450), "four connections in {:?}", begun.elapsed());
    node.stop().await;
}

const LISTENERS: [&str; 3] = [
    "listeners=PLAINTEXT://localhost:0,INTERNAL://localhost:0,CONTROLLER://localhost:0",
    "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name=INTERNAL",
];

#[tokio::test]
async fn the_connection_that_was_silent_the_longest_makes_room_for_one_of_another_broker() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[&LISTENERS[..], &["max.connections=2"]].concat()).await;
    let (mut first, mut second) = (node.client().await, node.client().await);
    first.ask(MetadataRequest::default(), 1).await;
    second.ask(MetadataRequest::default(), 1).await;
    first.ask(MetadataRequest::default(), 1).await;
    let mut broker = Client::connect(node.address_of("INTERNAL")).await;
    broker.ask(MetadataRequest::default(), 1).await;
    assert!(second.is_closed().await, "nobody made room");
    first.ask(MetadataRequest::default(), 1).await;
    // A third client waits until somebody leaves.
    let mut third = node.client().await;
    third.send(MetadataRequest::default(), 1).await;
    let early = tokio::time::timeout(Duration::from_millis(100), third.receive_frame()).await;
    assert!(early.is_err(), "max.connections holds clients back");
    drop(first);
    assert!(third.receive_frame().await.is_some());
    node.stop().await;
}

#[tokio::test]
async fn a_lone_listener_of_clients_and_brokers_is_held_back_by_the_nodes_limit() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &["max.connections=1"]).await;
    let mut first = node.client().await;
    first.ask(MetadataRequest::default(), 1).await;
    let mut second = node.client().await;
    second.send(MetadataRequest::default(), 1).await;
    let early = tokio::time::timeout(Duration::from_millis(100), second.receive_frame()).await;
    assert!(early.is_err(), "max.connections does not bind");
    first.ask(MetadataRequest::default(), 1).await;
    drop(first);
    assert!(second.receive_frame().await.is_some());
    node.stop().await;
}

#[tokio::test]
async fn a_listener_has_a_limit_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let limit = ["listener.name.internal.max.connections=1"];
    let node = TestNode::start(dir.path(), &[&LISTENERS[..], &limit].concat()).await;
    let mut first = Client::connect(node.address_of("INTERNAL")).await;
    first.ask(MetadataRequest::default(), 1).await;
    let mut second = Client::connect(node.address_of("INTERNAL")).await;
    second.send(MetadataRequest::default(), 1).await;
    let early = tokio::time::timeout(Duration::from_millis(100), second.receive_frame()).await;
    assert!(early.is_err(), "the listener has more than its limit");
    node.client().await.ask(MetadataRequest::default(), 1).await;
    drop(first);
    assert!(second.receive_frame().await.is_some());
    node.stop().await;
}

#[tokio::test]
async fn a_host_can_be_named_where_its_address_is_meant() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &WINDOWS).await;
    let mut client = node.client().await;
    let rate = || vec![op("connection_creation_rate", Some(2.0))];
    let unknown = alter(&mut client, &[("ip", Some("no host at all"))], rate()).await;
    let text = "no host at all is not a valid IP or resolvable host.";
    assert_eq!(unknown, (ErrorCode::INVALID_REQUEST, Some(text.to_owned())));
    assert_eq!(alter(&mut client, &[("ip", Some("localhost"))], rate()).await.0, ErrorCode::NONE);
    // Names are resolved beside everything else, so it may take a moment.
    let begun = Instant::now();
    loop {
        let mut other = node.client().await;
        other.send(MetadataRequest::default(), 1).await;
        if other.is_closed().await {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "every connection was let in");
    }
    node.stop().await;
}
