//! Metrics that clients push (KIP-714): asked for, taken, and handed on.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/harness.rs"]
mod harness;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use harness::{Client, TestNode};
use model::Uuid;
use protocol::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::{
    ApiKey, ApiVersionsRequest, ErrorCode, GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse, IncrementalAlterConfigsRequest, PushTelemetryRequest,
};
use records::{Codec, Compression};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// OTLP `MetricsData` of one resource that has nothing but a schema's address.
const METRICS: &[u8] = b"\x0a\x05\x1a\x03abc";

async fn subscribe(client: &mut Client, configs: &[(&str, &str)]) -> (ErrorCode, Option<String>) {
    let config = |(name, value): &(&str, &str)| AlterableConfig {
        name: (*name).to_owned(),
        value: Some((*value).to_owned()),
        ..Default::default()
    };
    let resource = AlterConfigsResource {
        resource_type: 16,
        resource_name: "s".to_owned(),
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    let answer = client.ask(request, 1).await.responses.remove(0);
    (answer.error_code, answer.error_message)
}

async fn introduce(client: &mut Client) -> Vec<i16> {
    let request = ApiVersionsRequest {
        client_software_name: "rocket".to_owned(),
        client_software_version: "1.2".to_owned(),
        ..Default::default()
    };
    client.ask(request, 4).await.api_keys.iter().map(|key| key.api_key).collect()
}

async fn get(client: &mut Client, id: Uuid) -> GetTelemetrySubscriptionsResponse {
    let request = GetTelemetrySubscriptionsRequest { client_instance_id: id, ..Default::default() };
    client.ask(request, 0).await
}

fn push(subscription: &GetTelemetrySubscriptionsResponse, codec: Codec) -> PushTelemetryRequest {
    let mut metrics = Vec::new();
    Compression::new(codec).compress(METRICS, &mut metrics).unwrap();
    PushTelemetryRequest {
        client_instance_id: subscription.client_instance_id,
        subscription_id: subscription.subscription_id,
        compression_type: codec as i8,
        metrics: Bytes::from(metrics),
        ..Default::default()
    }
}

#[tokio::test]
async fn what_is_pushed_comes_into_the_file_with_who_pushed_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metrics.jsonl");
    let sink = format!("monedula.telemetry.sink=file:{}", path.display());
    let node = TestNode::start(dir.path(), &[&sink]).await;
    let mut client = node.client().await;
    let apis = introduce(&mut client).await;
    assert!(apis.contains(&ApiKey::PushTelemetry.id()));
    let matching = [("metrics", "a.b,c"), ("interval.ms", "100"), ("match", "client_software_name=rock.*")];
    assert_eq!(subscribe(&mut client, &matching).await, (ErrorCode::NONE, None));
    let subscription = get(&mut client, Uuid::ZERO).await;
    assert_eq!(subscription.error_code, ErrorCode::NONE);
    assert_eq!(subscription.requested_metrics, ["a.b", "c"]);
    assert_eq!((subscription.push_interval_ms, subscription.telemetry_max_bytes), (100, 1 << 20));
    assert_eq!(subscription.accepted_compression_types, [4, 3, 1, 2]);
    assert!(subscription.delta_temporality);
    let pushed = client.ask(push(&subscription, Codec::Zstd), 0).await;
    assert_eq!(pushed.error_code, ErrorCode::NONE);
    let early = client.ask(push(&subscription, Codec::Gzip), 0).await;
    assert_eq!(early.error_code, ErrorCode::THROTTLING_QUOTA_EXCEEDED);
    let begun = Instant::now();
    let line = loop {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if let Some((line, "")) = text.split_once('\n') {
            break line.to_owned();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "nothing was written");
        tokio::task::yield_now().await;
    };
    let id = format!("\"client_instance_id\":\"{}\"", subscription.client_instance_id);
    let software = "\"client_software_name\":\"rocket\"";
    for part in [id.as_str(), software, "\"client_id\":\"test\"", "\"metrics\":\"CgUaA2FiYw==\""] {
        assert!(line.contains(part), "{part} is missing in {line}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_collector_gets_otlp() {
    let collector = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let sink = format!("monedula.telemetry.sink=http://{}/v1/metrics", collector.local_addr().unwrap());
    let node = TestNode::start(dir.path(), &[&sink]).await;
    let mut client = node.client().await;
    introduce(&mut client).await;
    subscribe(&mut client, &[("metrics", "*")]).await;
    let subscription = get(&mut client, Uuid::ZERO).await;
    assert_eq!(client.ask(push(&subscription, Codec::Lz4), 0).await.error_code, ErrorCode::NONE);
    let (mut socket, _) = collector.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.windows(6).any(|window| window == b"rocket") {
        assert!(socket.read_buf(&mut request).await.unwrap() > 0, "the request ends too soon");
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    assert!(text.starts_with("POST /v1/metrics HTTP/1.1\r\n"), "{text}");
    assert!(text.contains("application/x-protobuf"), "{text}");
    assert!(text.contains("abc"), "the metrics themselves are missing");
    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    node.stop().await;
}

#[tokio::test]
async fn a_collector_behind_https_is_trusted_by_its_certificate() {
    let collector = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let trusted = dir.path().join("ca.pem");
    std::fs::write(&trusted, own.cert.pem()).unwrap();
    let port = collector.local_addr().unwrap().port();
    let sink = format!("monedula.telemetry.sink=https://localhost:{port}/v1/metrics");
    let trust = format!("monedula.telemetry.sink.ssl.truststore.location={}", trusted.display());
    let node = TestNode::start(dir.path(), &[&sink, &trust]).await;
    let mut client = node.client().await;
    introduce(&mut client).await;
    subscribe(&mut client, &[("metrics", "*")]).await;
    let subscription = get(&mut client, Uuid::ZERO).await;
    assert_eq!(client.ask(push(&subscription, Codec::None), 0).await.error_code, ErrorCode::NONE);
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let (socket, _) = collector.accept().await.unwrap();
    let mut stream = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(socket).await.unwrap();
    let mut request = Vec::new();
    while !request.windows(6).any(|window| window == b"rocket") {
        assert!(stream.read_buf(&mut request).await.unwrap() > 0, "the request ends too soon");
    }
    assert!(request.starts_with(b"POST /v1/metrics HTTP/1.1\r\n"));
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    node.stop().await;
}

#[tokio::test]
async fn a_collector_whose_certificates_cannot_be_read_keeps_the_node_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    let overrides = vec![
        format!("log.dirs={}", dir.path().join("data").display()),
        "listeners=PLAINTEXT://localhost:0,CONTROLLER://localhost:0".to_owned(),
        "controller.quorum.voters=1@localhost:9093".to_owned(),
        "monedula.telemetry.sink=https://localhost".to_owned(),
        "monedula.telemetry.sink.ssl.truststore.location=/nowhere/ca.pem".to_owned(),
    ];
    let options = server::RunOptions { overrides, ..Default::default() };
    let config = Arc::new(server::configuration(&options).unwrap());
    let error = server::start(config, &options).await.expect_err("it refuses").to_string();
    assert!(error.contains("monedula.telemetry.sink") && error.contains("/nowhere/ca.pem"), "{error}");
}

fn empty() -> PushTelemetryRequest {
    PushTelemetryRequest::default()
}

#[tokio::test]
async fn a_push_that_goes_by_the_wrong_rules_is_refused_as_the_kip_says() {
    let dir = tempfile::tempdir().unwrap();
    let sink = format!("monedula.telemetry.sink=file:{}", dir.path().join("metrics.jsonl").display());
    let node = TestNode::start(dir.path(), &[&sink, "telemetry.max.bytes=40"]).await;
    let mut client = node.client().await;
    introduce(&mut client).await;
    subscribe(&mut client, &[("metrics", "*"), ("interval.ms", "3600000")]).await;
    for (change, error) in [
        (PushTelemetryRequest { subscription_id: 1, ..empty() }, ErrorCode::UNKNOWN_SUBSCRIPTION_ID),
        (PushTelemetryRequest { compression_type: 9, ..empty() }, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE),
        (
            PushTelemetryRequest { metrics: Bytes::from(vec![0; 41]), ..empty() },
            ErrorCode::TELEMETRY_TOO_LARGE,
        ),
        (
            PushTelemetryRequest { compression_type: 1, metrics: METRICS.into(), ..empty() },
            ErrorCode::INVALID_RECORD,
        ),
    ] {
        let subscription = get(&mut client, Uuid::ZERO).await;
        let request = PushTelemetryRequest {
            client_instance_id: subscription.client_instance_id,
            subscription_id: subscription.subscription_id ^ change.subscription_id,
            ..change
        };
        assert_eq!(client.ask(request.clone(), 0).await.error_code, error);
        let again = get(&mut client, subscription.client_instance_id).await.error_code;
        let renews =
            [ErrorCode::UNKNOWN_SUBSCRIPTION_ID, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE].contains(&error);
        let expected = if renews { ErrorCode::NONE } else { ErrorCode::THROTTLING_QUOTA_EXCEEDED };
        assert_eq!(again, expected, "who was told {} asks anew", error.name());
    }
    let subscription = get(&mut client, Uuid::ZERO).await;
    let good = push(&subscription, Codec::None);
    let nobody = PushTelemetryRequest { client_instance_id: Uuid::ZERO, ..good.clone() };
    assert_eq!(client.ask(nobody, 0).await.error_code, ErrorCode::INVALID_REQUEST);
    assert_eq!(client.ask(good.clone(), 0).await.error_code, ErrorCode::NONE);
    assert_eq!(client.ask(good.clone(), 0).await.error_code, ErrorCode::THROTTLING_QUOTA_EXCEEDED);
    let early = get(&mut client, good.client_instance_id).await;
    assert_eq!(early.error_code, ErrorCode::THROTTLING_QUOTA_EXCEEDED);
    let last = PushTelemetryRequest { terminating: true, ..good.clone() };
    assert_eq!(client.ask(last.clone(), 0).await.error_code, ErrorCode::NONE, "the last push may come early");
    assert_eq!(client.ask(last, 0).await.error_code, ErrorCode::INVALID_REQUEST);
    assert_eq!(client.ask(good, 0).await.error_code, ErrorCode::INVALID_REQUEST);
    node.stop().await;
}

#[tokio::test]
async fn without_a_sink_clients_are_not_told_of_telemetry() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    let apis = introduce(&mut client).await;
    assert!(!apis.contains(&ApiKey::GetTelemetrySubscriptions.id()));
    assert!(!apis.contains(&ApiKey::PushTelemetry.id()));
    node.stop().await;
}

#[tokio::test]
async fn a_subscription_that_makes_no_sense_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    for (key, value, error, text) in [
        ("nope", "1", ErrorCode::INVALID_REQUEST, "Unknown client metrics configuration: nope"),
        (
            "interval.ms",
            "5",
            ErrorCode::INVALID_REQUEST,
            "Invalid value 5 for interval.ms, interval must be between 100 and 3600000 (1 hour)",
        ),
        ("match", "who=a", ErrorCode::INVALID_CONFIG, "Illegal client matching pattern: who=a"),
    ] {
        assert_eq!(subscribe(&mut client, &[(key, value)]).await, (error, Some(text.to_owned())));
    }
    node.stop().await;
}
