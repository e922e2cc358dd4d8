//! Subscriptions to clients' metrics: whose, how often, and what is refused.

use protocol::{ConfigRecord, MetadataRecord};

use super::*;

const ID: Uuid = Uuid::from_random_bytes([7; 16]);

fn attributes(client_id: &str) -> ClientAttributes {
    let values = BTreeMap::from([("client_id", client_id.to_owned())]);
    ClientAttributes { connection: ConnectionId(1), values }
}

fn configured(rows: &[(&str, &str, &str)]) -> ClientMetrics {
    let metrics = ClientMetrics::new(None);
    let mut image = MetadataImage::default();
    for (subscription, name, value) in rows {
        let record = ConfigRecord {
            resource_type: ResourceType::CLIENT_METRICS.0,
            resource_name: (*subscription).to_owned(),
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
            ..Default::default()
        };
        image.replay(&MetadataRecord::ConfigRecord(record)).unwrap();
    }
    metrics.update(&image);
    metrics
}

fn push(subscription: &ClientSubscription) -> Push {
    Push {
        subscription_id: subscription.id,
        terminating: false,
        compression_type: 0,
        metrics: Bytes::from_static(b"metrics"),
        max_bytes: 100,
    }
}

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_client_gets_what_all_its_subscriptions_ask_for() {
    let metrics = configured(&[
        ("a", "metrics", "org.apache.kafka.producer"),
        ("a", "interval.ms", "2000"),
        ("b", "metrics", "org.apache.kafka.consumer"),
        ("b", "interval.ms", "1000"),
        ("b", "match", "client_id=app.*"),
        ("c", "metrics", "*"),
        ("c", "match", "client_id=everything"),
    ]);
    let app = metrics.get(ID, attributes("app-1"), at(0)).unwrap();
    assert_eq!(app.metrics, ["org.apache.kafka.consumer", "org.apache.kafka.producer"]);
    assert_eq!(app.push_interval_ms, 1000);
    let other = Uuid::from_random_bytes([8; 16]);
    let all = metrics.get(other, attributes("everything"), at(0)).unwrap();
    assert_eq!((all.metrics, all.push_interval_ms), (vec!["*".to_owned()], 2000));
    assert_ne!(all.id, app.id);
    let nothing = ClientMetrics::new(None).get(ID, attributes("x"), at(0)).unwrap();
    assert_eq!((nothing.metrics, nothing.push_interval_ms), (Vec::new(), 300_000));
}

#[test]
fn a_client_is_heard_once_in_an_interval() {
    let metrics = configured(&[("a", "interval.ms", "1000"), ("a", "metrics", "*")]);
    let subscription = metrics.get(ID, attributes("c"), at(0)).unwrap();
    assert_eq!(metrics.get(ID, attributes("c"), at(10)), Err(ErrorCode::THROTTLING_QUOTA_EXCEEDED));
    assert_eq!(metrics.push(ID, attributes("c"), push(&subscription), at(20), 0), Ok(()));
    let early = metrics.push(ID, attributes("c"), push(&subscription), at(900), 0);
    assert_eq!(early, Err(ErrorCode::THROTTLING_QUOTA_EXCEEDED));
    assert_eq!(metrics.push(ID, attributes("c"), push(&subscription), at(1100), 0), Ok(()));
    let last = Push { terminating: true, ..push(&subscription) };
    assert_eq!(metrics.push(ID, attributes("c"), last.clone(), at(1101), 0), Ok(()), "the last one is heard");
    assert_eq!(metrics.push(ID, attributes("c"), last, at(9000), 0), Err(ErrorCode::INVALID_REQUEST));
    for late in [at(9001), at(20_000)] {
        let more = metrics.push(ID, attributes("c"), push(&subscription), late, 0);
        assert_eq!(more, Err(ErrorCode::INVALID_REQUEST), "nor after that");
    }
    assert_eq!(metrics.counts(), PushCounts { throttles: 2, ..PushCounts::default() });
}

#[test]
fn a_push_that_makes_no_sense_is_refused() {
    let metrics = configured(&[("a", "interval.ms", "100"), ("a", "metrics", "*")]);
    let subscription = metrics.get(ID, attributes("c"), at(0)).unwrap();
    let good = push(&subscription);
    let unknown = Push { subscription_id: good.subscription_id + 1, ..good.clone() };
    let codec = Push { compression_type: 9, ..good.clone() };
    let large = Push { max_bytes: 3, ..good };
    for (index, (push, error)) in [
        (unknown, ErrorCode::UNKNOWN_SUBSCRIPTION_ID),
        (codec, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE),
        (large, ErrorCode::TELEMETRY_TOO_LARGE),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(metrics.push(ID, attributes("c"), push, at(1000 * (index as u64 + 1)), 0), Err(error));
    }
    let zero = metrics.push(Uuid::ZERO, attributes("c"), push(&subscription), at(0), 0);
    assert_eq!(zero, Err(ErrorCode::INVALID_REQUEST));
}

#[test]
fn a_new_configuration_gives_a_new_subscription() {
    let metrics = configured(&[("a", "interval.ms", "1000"), ("a", "metrics", "x")]);
    let old = metrics.get(ID, attributes("c"), at(0)).unwrap();
    metrics.update(&MetadataImage::default());
    let refused = metrics.push(ID, attributes("c"), push(&old), at(10), 0);
    assert_eq!(refused, Err(ErrorCode::UNKNOWN_SUBSCRIPTION_ID));
    let new = metrics.get(ID, attributes("c"), at(20)).unwrap();
    assert_ne!(new.id, old.id);
    assert!(new.metrics.is_empty());
}

#[test]
fn a_silent_client_is_forgotten() {
    let metrics = configured(&[("a", "interval.ms", "1000"), ("a", "metrics", "x")]);
    metrics.get(ID, attributes("c"), at(0)).unwrap();
    metrics.get(Uuid::from_random_bytes([9; 16]), attributes("d"), at(61_000)).unwrap();
    assert_eq!(metrics.clients(), 1);
}

/// A push that is not decompressed is a slice of its request; a slow sink must not keep all of that.
#[test]
fn what_waits_for_the_sink_holds_nothing_of_its_request() {
    let (sink, mut waiting) = TelemetrySink::new();
    let metrics = ClientMetrics::new(Some(sink));
    let subscription = metrics.get(ID, attributes("c"), at(0)).unwrap();
    let request = Bytes::from(vec![7; 1000]);
    let pushed = Push { metrics: request.slice(..10), ..push(&subscription) };
    assert_eq!(metrics.push(ID, attributes("c"), pushed, at(1), 0), Ok(()));
    assert!(request.is_unique());
    assert_eq!(waiting.try_recv().unwrap().export.metrics, [7; 10][..]);
}

#[test]
fn nobody_waits_while_what_another_client_pushes_is_decompressed() {
    let (sink, _waiting) = TelemetrySink::new();
    let metrics = ClientMetrics::new(Some(sink));
    let subscription = metrics.get(ID, attributes("c"), at(0)).unwrap();
    let max_bytes = 32 << 20;
    let mut body = Vec::new();
    records::Compression::new(Codec::Gzip).compress(&vec![0; max_bytes], &mut body).unwrap();
    let large = Push { compression_type: 1, metrics: body.into(), max_bytes, ..push(&subscription) };
    let (mut longest, begun) = (Duration::ZERO, std::time::Instant::now());
    let took = std::thread::scope(|scope| {
        let pushing = scope.spawn(|| metrics.push(ID, attributes("c"), large, at(1), 0));
        while !pushing.is_finished() {
            let asked = std::time::Instant::now();
            metrics.clients();
            longest = longest.max(asked.elapsed());
        }
        assert_eq!(pushing.join().unwrap(), Ok(()));
        begun.elapsed()
    });
    assert!(longest < took / 2, "somebody waited for {longest:?} of {took:?}");
}

#[test]
fn a_crowd_of_new_clients_makes_room_for_itself_at_the_cost_of_those_who_are_silent() {
    let metrics = configured(&[("a", "interval.ms", "1000"), ("a", "metrics", "x")]);
    let id = |number: u32| Uuid::from_u128(1000 + u128::from(number));
    for number in 0..40_000 {
        metrics.get(id(number), attributes("c"), at(u64::from(number) / 1000)).unwrap();
        assert!(metrics.clients() <= CLIENTS_MAX);
    }
    let known = metrics.get(id(39_999), attributes("c"), at(40));
    assert_eq!(known, Err(ErrorCode::THROTTLING_QUOTA_EXCEEDED), "the newest is still known");
}
