//! What bad input gets, over a real socket: an answer as Apache Kafka gives it, or the end of the connection; and a good
//! client goes on.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/harness.rs"]
mod harness;

use bytes::{BufMut, Bytes, BytesMut};
use harness::{Client, TestNode, batch, batch_with, fetch_request, produce_request};
use model::{ProducerEpoch, ProducerId};
use protocol::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::{ApiKey, ErrorCode};
use records::BatchOptions;
use tokio::io::AsyncWriteExt;

/// The header of a request: key, version, correlation id 7, client `x`, and for flexible versions no tagged fields.
fn header(api: i16, version: i16, flexible: bool) -> Vec<u8> {
    let mut out = BytesMut::new();
    out.put_i16(api);
    out.put_i16(version);
    out.put_i32(7);
    out.put_i16(1);
    out.put_u8(b'x');
    if flexible {
        out.put_u8(0);
    }
    out.to_vec()
}

fn request(api: ApiKey, version: i16, flexible: bool, body: &[u8]) -> Vec<u8> {
    [&header(api.id(), version, flexible), body].concat()
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as i32).to_be_bytes(), body].concat()
}

/// What a connection gets for some bytes.
enum Gets {
    /// Its end, without an answer.
    Close,
    /// An answer.
    Answer,
}

/// Bytes on a fresh connection, and what they get.
fn frames() -> Vec<(&'static str, Vec<u8>, Gets)> {
    use Gets::{Answer, Close};
    let metadata =
        |version, flexible, body: &[u8]| framed(&request(ApiKey::Metadata, version, flexible, body));
    vec![
        ("frame size -1", (-1i32).to_be_bytes().to_vec(), Close),
        ("frame size 0", 0i32.to_be_bytes().to_vec(), Close),
        ("frame size over the limit", 104_857_601i32.to_be_bytes().to_vec(), Close),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), Close),
        ("TLS", [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 600]].concat(), Close),
        ("a 1-byte frame", framed(&[0]), Close),
        ("a cut header", framed(&header(3, 9, true)[..6]), Close),
        ("random bytes", framed(&[0xa7; 64]), Close),
        ("an unknown api key", framed(&header(9999, 0, false)), Close),
        ("a negative api key", framed(&header(-1, 0, false)), Close),
        ("a version that is not served", framed(&header(3, 99, true)), Close),
        ("a negative version", framed(&header(3, -1, false)), Close),
        ("an array of 2^31-1", metadata(1, false, &i32::MAX.to_be_bytes()), Close),
        ("a uvarint of 2^32", metadata(9, true, &[0xff, 0xff, 0xff, 0xff, 0x1f]), Close),
        ("an overlong varint", metadata(9, true, &[0x80; 12]), Close),
        ("an array of -5", metadata(1, false, &(-5i32).to_be_bytes()), Answer),
        ("trailing bytes", metadata(1, false, &[&(-1i32).to_be_bytes()[..], b"trailing"].concat()), Answer),
        ("a topic that is not UTF-8", metadata(1, false, &[0, 0, 0, 1, 0, 2, 0xff, 0xfe]), Answer),
    ]
}

#[tokio::test]
async fn frames_that_are_no_requests_end_their_connection_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut good = node.client().await;
    for (name, bytes, gets) in frames() {
        let mut bad = node.client().await;
        bad.socket.write_all(&bytes).await.unwrap();
        match gets {
            Gets::Close => assert!(bad.is_closed().await, "{name}: answered"),
            Gets::Answer => {
                let answer = bad.receive_frame().await.unwrap_or_else(|| panic!("{name}: closed"));
                assert_eq!(answer[..4], 7i32.to_be_bytes(), "{name}");
            }
        }
        good.ask(protocol::MetadataRequest::default(), 1).await;
    }
    node.stop().await;
}

#[tokio::test]
async fn api_versions_from_the_future_is_answered_with_error_35_in_version_0() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.send_frame(&header(18, 30_000, true)).await;
    let answer = client.receive_frame().await.unwrap();
    let response = protocol::from_bytes::<protocol::ApiVersionsResponse>(answer.slice(4..), 0).unwrap();
    assert_eq!(response.error_code, ErrorCode::UNSUPPORTED_VERSION);
    assert_eq!((response.api_keys.len(), response.api_keys[0].api_key), (1, 18));
    // The connection lives, and the client comes again with a version that is there.
    let versions = client.ask(protocol::ApiVersionsRequest::default(), 0).await;
    assert_eq!(versions.error_code, ErrorCode::NONE);
    node.stop().await;
}

const MAGIC: usize = 16;
const CRC: usize = 17;
const ATTRIBUTES: usize = 21;
const LAST_OFFSET_DELTA: usize = 23;
const COUNT: usize = 57;
const RECORDS: usize = 61;

/// Changes a good batch of one record and gives it the CRC that it then needs.
fn changed(change: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut bytes = BytesMut::from(&batch(&["value"])[..]);
    change(&mut bytes);
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &bytes[ATTRIBUTES..]) as u32;
    bytes[CRC..CRC + 4].copy_from_slice(&crc.to_be_bytes());
    bytes.freeze()
}

fn put(bytes: &mut BytesMut, at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// Batches that a producer may not send, and the error that they get.
fn batches() -> Vec<(&'static str, Bytes, ErrorCode)> {
    let invalid = ErrorCode::INVALID_RECORD;
    let corrupt = ErrorCode::CORRUPT_MESSAGE;
    let timestamp = |time: i64| {
        changed(|b| {
            put(b, 27, &time.to_be_bytes());
            put(b, 35, &time.to_be_bytes());
        })
    };
    let flipped = {
        let mut bytes = BytesMut::from(&batch(&["value"])[..]);
        bytes[CRC] ^= 1;
        bytes.freeze()
    };
    let whole = batch(&["value"]);
    vec![
        ("a wrong CRC", flipped, corrupt),
        ("magic 3", changed(|b| put(b, MAGIC, &[3])), corrupt),
        ("a batch length of -1", changed(|b| put(b, 8, &(-1i32).to_be_bytes())), corrupt),
        ("a batch length of 5", changed(|b| put(b, 8, &5i32.to_be_bytes())), corrupt),
        ("magic 0", changed(|b| put(b, MAGIC, &[0])), invalid),
        ("magic 1", changed(|b| put(b, MAGIC, &[1])), invalid),
        ("an empty record set", Bytes::new(), invalid),
        ("a cut record set", whole.slice(..whole.len() - 3), invalid),
        ("two batches", Bytes::from([&whole[..], &whole].concat()), invalid),
        ("a count of 0", changed(|b| put(b, COUNT, &0i32.to_be_bytes())), invalid),
        ("a count of -7", changed(|b| put(b, COUNT, &(-7i32).to_be_bytes())), invalid),
        ("a count of 1000", changed(|b| put(b, COUNT, &1000i32.to_be_bytes())), invalid),
        ("a wrong last offset delta", changed(|b| put(b, LAST_OFFSET_DELTA, &9i32.to_be_bytes())), invalid),
        // Record: length, attributes, timestamp delta, offset delta, key length (-1 as 0x01), value length.
        ("a bad key length", changed(|b| put(b, RECORDS + 4, &[0x7e])), invalid),
        ("a bad value length", changed(|b| put(b, RECORDS + 5, &[0x7e])), invalid),
        ("a control batch", changed(|b| b[ATTRIBUTES + 1] |= 0x20), invalid),
        ("a batch length of 2^31-1", changed(|b| put(b, 8, &i32::MAX.to_be_bytes())), invalid),
        ("codec 7", changed(|b| b[ATTRIBUTES + 1] |= 7), invalid),
        ("garbage for gzip", changed(|b| b[ATTRIBUTES + 1] |= 1), invalid),
        ("garbage for zstd", changed(|b| b[ATTRIBUTES + 1] |= 4), invalid),
        ("a transaction without an id", changed(|b| b[ATTRIBUTES + 1] |= 0x10), ErrorCode(53)),
        ("a timestamp far ahead", timestamp(i64::MAX / 2), ErrorCode::INVALID_TIMESTAMP),
        ("a negative timestamp", timestamp(-5), ErrorCode::NONE),
    ]
}

#[tokio::test]
async fn batches_that_no_producer_may_send_get_kafkas_errors() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    let mut end = 0;
    for (name, records, expected) in batches() {
        let row = client.produce("t", 0, records).await;
        assert_eq!(row.error_code, expected, "{name}: {:?}", row.error_message);
        if expected.is_none() {
            end = row.base_offset + 1;
        }
        let good = client.produce("t", 0, batch(&["good"])).await;
        assert_eq!((good.error_code, good.base_offset), (ErrorCode::NONE, end), "after {name}");
        end += 1;
    }
    node.stop().await;
}

#[tokio::test]
async fn what_the_log_refuses_is_told_with_its_start_and_single_records_with_a_text() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    for (name, records, _) in batches() {
        let row = client.produce("t", 0, records).await;
        let (start, has_text) = match name {
            "a negative timestamp" => continue,
            "a timestamp far ahead" => (0, true),
            // Refused before the log is asked, or as bytes that are not what was written.
            "a wrong CRC" | "magic 0" | "magic 1" => (-1, false),
            "magic 3" | "a batch length of -1" | "a batch length of 5" => (-1, true),
            "an empty record set" | "a cut record set" | "two batches" => (-1, false),
            "a transaction without an id" => (-1, false),
            _ => (0, false),
        };
        assert_eq!((row.log_start_offset, row.error_message.is_some()), (start, has_text), "{name}");
        assert_eq!(row.record_errors.is_empty(), name != "a timestamp far ahead", "{name}");
    }
    node.stop().await;
}

#[tokio::test]
async fn an_unknown_type_of_coordinator_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    // Keys of share groups came with version 6.
    for (key_type, has_text) in [(3, true), (-1, true), (2, false)] {
        let coordinator_keys = vec!["g:AAAAAAAAAAAAAAAAAAAABQ:0".to_owned()];
        let request = protocol::FindCoordinatorRequest { key_type, coordinator_keys, ..Default::default() };
        let found = client.ask(request, 5).await.coordinators.remove(0);
        assert_eq!(found.error_code, ErrorCode::INVALID_REQUEST);
        let text = found.error_message.unwrap_or_default();
        assert_eq!(!text.is_empty(), has_text, "of type {key_type}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_marker_of_no_producer_is_refused() {
    use protocol::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    for (producer_id, producer_epoch) in [(-1, 0), (5, -1)] {
        let topic =
            WritableTxnMarkerTopic { name: "t".to_owned(), partition_indexes: vec![0], ..Default::default() };
        let marker =
            WritableTxnMarker { producer_id, producer_epoch, topics: vec![topic], ..Default::default() };
        let request = protocol::WriteTxnMarkersRequest { markers: vec![marker], ..Default::default() };
        let answer = client.ask(request, 1).await;
        let error = answer.markers[0].topics[0].partitions[0].error_code;
        assert_eq!(error, ErrorCode::INVALID_REQUEST);
    }
    assert_eq!(client.produce("t", 0, batch(&["first"])).await.base_offset, 0);
    node.stop().await;
}

#[tokio::test]
async fn a_produce_request_with_bad_fields_gets_kafkas_errors() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[("max.message.bytes", "1000")]).await;
    client.create_topic("open", 1, &[("max.decompressed.message.bytes", "100000")]).await;
    let bomb = {
        let zeros = "0".repeat(10_000_000);
        let compression = records::Compression::new(records::Codec::Gzip);
        batch_with(BatchOptions { compression, ..Default::default() }, &[&zeros])
    };
    let large = batch(&[&"x".repeat(2000)]);
    for (name, request, expected) in [
        ("acks=5", produce_request("t", 0, batch(&["v"]), 5), ErrorCode::INVALID_REQUIRED_ACKS),
        (
            "a bad partition",
            produce_request("t", 9, batch(&["v"]), -1),
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ),
        (
            "a negative partition",
            produce_request("t", -9, batch(&["v"]), -1),
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ),
        (
            "an unknown topic",
            produce_request("u", 0, batch(&["v"]), -1),
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ),
        ("a record over the limit", produce_request("t", 0, large, -1), ErrorCode::MESSAGE_TOO_LARGE),
        ("a bomb", produce_request("open", 0, bomb, -1), ErrorCode::MESSAGE_TOO_LARGE),
    ] {
        let row = client.ask(request, 9).await.responses.remove(0).partition_responses.remove(0);
        assert_eq!(row.error_code, expected, "{name}");
    }
    node.stop().await;
}

#[tokio::test]
async fn producers_are_held_to_their_sequence_and_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    let given = client
        .ask(
            protocol::InitProducerIdRequest {
                transactional_id: None,
                transaction_timeout_ms: 60_000,
                producer_id: -1,
                producer_epoch: -1,
                ..Default::default()
            },
            4,
        )
        .await;
    assert_eq!(given.error_code, ErrorCode::NONE);
    let send = |id: i64, epoch: i16, sequence: i32| {
        let options = BatchOptions {
            producer_id: ProducerId(id),
            producer_epoch: ProducerEpoch(epoch),
            base_sequence: sequence,
            ..Default::default()
        };
        batch_with(options, &["v"])
    };
    for (name, epoch, sequence, expected) in [
        ("the first batch", 1, 0, ErrorCode::NONE),
        ("an out-of-order sequence", 1, 5, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
        ("a stale epoch", 0, 1, ErrorCode::INVALID_PRODUCER_EPOCH),
        ("the next batch", 1, 1, ErrorCode::NONE),
        ("the same batch again", 1, 1, ErrorCode::NONE),
    ] {
        let row = client.produce("t", 0, send(given.producer_id, epoch, sequence)).await;
        assert_eq!(row.error_code, expected, "{name}");
    }
    let unknown = client.produce("t", 0, send(given.producer_id + 1_000_000, 0, 5)).await;
    assert_eq!((unknown.error_code, unknown.base_offset), (ErrorCode::NONE, 2));
    node.stop().await;
}

async fn create(client: &mut Client, topic: CreatableTopic) -> ErrorCode {
    let request =
        protocol::CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
    client.ask(request, 7).await.topics.remove(0).error_code
}

fn topic(name: &str) -> CreatableTopic {
    CreatableTopic { name: name.to_owned(), num_partitions: 1, replication_factor: 1, ..Default::default() }
}

#[tokio::test]
async fn topics_that_cannot_be_get_kafkas_errors() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    for name in ["..", ".", "", &"x".repeat(250), "nul\0", "../../etc/passwd"] {
        assert_eq!(create(&mut client, topic(name)).await, ErrorCode::INVALID_TOPIC_EXCEPTION, "{name:?}");
    }
    let config = |name: &str, value: &str| {
        let config = CreatableTopicConfig {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            ..Default::default()
        };
        CreatableTopic { configs: vec![config], ..topic("t") }
    };
    for (name, topic, expected) in [
        (
            "10^9 partitions",
            CreatableTopic { num_partitions: 1_000_000_000, ..topic("t") },
            ErrorCode::POLICY_VIOLATION,
        ),
        ("no partitions", CreatableTopic { num_partitions: 0, ..topic("t") }, ErrorCode::INVALID_PARTITIONS),
        (
            "99 replicas",
            CreatableTopic { replication_factor: 99, ..topic("t") },
            ErrorCode::INVALID_REPLICATION_FACTOR,
        ),
        ("a bad config", config("retention.ms", "soon"), ErrorCode::INVALID_CONFIG),
        ("an unknown config", config("no.such.key", "1"), ErrorCode::INVALID_CONFIG),
    ] {
        assert_eq!(create(&mut client, topic).await, expected, "{name}");
    }
    node.stop().await;
}

#[tokio::test]
async fn what_only_members_logins_and_replicas_may_do_is_refused_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    let join = protocol::JoinGroupRequest {
        group_id: "g".to_owned(),
        session_timeout_ms: 0,
        protocol_type: "consumer".to_owned(),
        ..Default::default()
    };
    assert_eq!(client.ask(join, 4).await.error_code, ErrorCode::INVALID_SESSION_TIMEOUT);
    let handshake = protocol::SaslHandshakeRequest { mechanism: "PLAIN".to_owned(), ..Default::default() };
    assert_eq!(client.ask(handshake, 1).await.error_code, ErrorCode::ILLEGAL_SASL_STATE);
    let replica = protocol::FetchRequest { replica_id: 2, ..fetch_request("t", 0, 0, 0) };
    let answer = client.ask(replica, 12).await;
    assert!(answer.responses[0].partitions[0].error_code.is_error());
    node.stop().await;
}
