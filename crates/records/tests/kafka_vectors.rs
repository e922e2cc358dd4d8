//! Batches written by Apache Kafka 4.3.1 itself (`testdata/kafka-4.3.1.hex`) read here as they were meant, and are
//! written here byte for byte the same where no codec is involved.

use bytes::Bytes;
use model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp, Uuid};
use protocol::{
    KRaftVersionRecord, LeaderChangeMessage, SnapshotFooterRecord, SnapshotHeaderRecord, VotersRecord,
    leader_change_message, voters_record,
};
use records::*;

const VECTORS: &str = include_str!("../testdata/kafka-4.3.1.hex");
const MAX: usize = 1 << 20;

fn vector(name: &str) -> Bytes {
    let line = VECTORS.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let hex = line.expect("the vector is in the file").as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit") as u8;
    hex.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn batch(name: &str) -> RecordBatch {
    let bytes = vector(name);
    let batch = RecordBatch::parse(&bytes).expect("a whole batch");
    assert_eq!(batch.size(), bytes.len(), "{name}");
    batch.ensure_valid().expect("the checksum is right");
    batch
}

fn owned(batch: &RecordBatch) -> Vec<OwnedRecord> {
    batch.decode(MAX).expect("a known codec").owned().collect::<Result<_, _>>().expect("valid records")
}

fn header(key: &str, value: Option<&'static [u8]>) -> OwnedHeader {
    OwnedHeader { key: key.to_owned(), value: value.map(Bytes::from_static) }
}

#[test]
fn records_of_every_codec_are_read() {
    for codec in Codec::ALL {
        for (name, append_time) in [("v2-", None), ("v2-append-time-", Some(Timestamp(7777)))] {
            let batch = batch(&format!("{name}{codec}"));
            let head = batch.header();
            assert_eq!(head.attributes.codec(), Ok(codec));
            assert_eq!((head.base_offset, head.last_offset()), (Offset(1000), Offset(1002)));
            assert_eq!((head.producer_id, head.producer_epoch), (ProducerId(42), ProducerEpoch(3)));
            assert_eq!((head.base_sequence, head.last_sequence()), (17, 19));
            assert_eq!((head.is_transactional(), head.is_control()), (true, false));
            assert_eq!(head.partition_leader_epoch, LeaderEpoch(9));
            assert_eq!(head.max_timestamp, append_time.unwrap_or(Timestamp(1_000_500)));
            let records = owned(&batch);
            let times: Vec<_> = records.iter().map(|record| record.timestamp.0).collect();
            assert_eq!(
                times,
                append_time.map_or(vec![1_000_000, 999_990, 1_000_500], |time| vec![time.0; 3])
            );
            assert_eq!(records[0].key.as_deref(), Some(&b"key"[..]));
            let headers = [header("h", Some(b"1")), header("h", None), header("", Some(b""))];
            assert_eq!(records[0].headers, headers);
            assert_eq!((records[1].key.as_deref(), records[1].value.as_deref()), (None, Some(&b""[..])));
            assert_eq!((records[2].key.as_deref(), records[2].value.as_deref()), (Some(&b""[..]), None));
        }
    }
}

#[test]
fn streams_of_several_blocks_and_all_levels_are_read() {
    for name in ["gzip", "gzip1", "snappy", "lz4", "lz4-17", "zstd", "zstd19", "zstd22"] {
        let records = owned(&batch(&format!("big-{name}")));
        assert_eq!(records.len(), 300, "{name}");
        for (index, record) in records.iter().enumerate() {
            assert_eq!(record.key.as_deref(), Some(format!("k{index}").as_bytes()));
            assert_eq!(
                record.value.as_deref(),
                Some(format!("record {index};").repeat(60).as_bytes()),
                "{name}"
            );
        }
    }
}

#[test]
fn what_kafka_writes_is_valid_to_produce() {
    let partition = model::TopicPartition::new("t", 0);
    for name in ["gzip", "gzip1", "snappy", "lz4", "lz4-17", "zstd", "zstd19", "zstd22"] {
        let rules = AppendRules {
            topic_partition: &partition,
            origin: AppendOrigin::Client,
            compression: TargetCompression::Producer,
            compacted: true,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            max_message_bytes: MAX,
            max_decompressed_bytes: MAX,
            now: Timestamp(1_000_000),
        };
        let valid = validate(&vector(&format!("big-{name}")), Some(12), &rules).expect("good");
        assert_eq!((valid.record_count(), valid.max_timestamp()), (300, Timestamp(5299)), "{name}");
        assert!(!valid.recompressed());
    }
}

#[test]
fn plain_batches_are_written_byte_for_byte_as_kafka_does() {
    for (name, log_append_time) in [("v2-none", None), ("v2-append-time-none", Some(Timestamp(7777)))] {
        let mut builder = BatchBuilder::new(BatchOptions {
            base_offset: Offset(1000),
            partition_leader_epoch: LeaderEpoch(9),
            log_append_time,
            producer_id: ProducerId(42),
            producer_epoch: ProducerEpoch(3),
            base_sequence: 17,
            transactional: true,
            ..Default::default()
        });
        let headers = [Header::new("h", Some(b"1")), Header::new("h", None), Header::new("", Some(b""))];
        builder.append(Timestamp(1_000_000), Some(b"key"), Some(b"value"), &headers).expect("fits");
        builder.append(Timestamp(999_990), None, Some(b""), &[]).expect("fits");
        builder.append(Timestamp(1_000_500), Some(b""), None, &[]).expect("fits");
        assert_eq!(builder.build().expect("fits"), vector(name), "{name}");
    }
}

#[test]
fn old_formats_are_recognised() {
    for magic in [0, 1] {
        let bytes = vector(&format!("v{magic}-gzip"));
        let expected = RecordsError::LegacyMagic { magic, offset: 6, size: bytes.len() };
        assert_eq!(batches(bytes).collect::<Vec<_>>(), [Err(expected)]);
    }
}

#[test]
fn transaction_markers_are_kafkas() {
    for (name, commit, offset, coordinator_epoch) in [("commit", true, 50, 11), ("abort", false, 51, 12)] {
        let marker = EndTxnMarker { commit, coordinator_epoch };
        let bytes = BatchBuilder::end_transaction(
            marker,
            Offset(offset),
            Timestamp(123_456),
            LeaderEpoch(7),
            ProducerId(42),
            ProducerEpoch(3),
        );
        assert_eq!(bytes, vector(name), "{name}");
        let record = &owned(&batch(name))[0];
        let parsed = EndTxnMarker::parse(record.key.as_deref(), record.value.as_deref());
        assert_eq!(parsed, Ok(Some(marker)));
    }
}

fn voters() -> VotersRecord {
    let voter = voters_record::Voter {
        voter_id: 1,
        voter_directory_id: Uuid::from_u128(1 << 64 | 2),
        endpoints: vec![voters_record::Endpoint {
            name: "CONTROLLER".to_owned(),
            host: "localhost".to_owned(),
            port: 9093,
            ..Default::default()
        }],
        kraft_version_feature: voters_record::KRaftVersionFeature {
            min_supported_version: 0,
            max_supported_version: 1,
            ..Default::default()
        },
        ..Default::default()
    };
    VotersRecord { voters: vec![voter], ..Default::default() }
}

#[test]
fn control_records_of_the_quorum_are_kafkas() {
    let voter = |voter_id| leader_change_message::Voter { voter_id, ..Default::default() };
    let leader_change = LeaderChangeMessage {
        leader_id: 1,
        voters: vec![voter(1), voter(2)],
        granting_voters: vec![voter(1)],
        ..Default::default()
    };
    let header = SnapshotHeaderRecord { last_contained_log_timestamp: 99, ..Default::default() };
    let version = KRaftVersionRecord { kraft_version: 1, ..Default::default() };
    let table = [
        ("leader-change", 0, ControlRecord::LeaderChange(leader_change)),
        ("snapshot-header", 0, ControlRecord::SnapshotHeader(header)),
        ("snapshot-footer", 3, ControlRecord::SnapshotFooter(SnapshotFooterRecord::default())),
        ("kraft-version", 1, ControlRecord::KraftVersion(version)),
        ("voters", 2, ControlRecord::KraftVoters(voters())),
    ];
    for (name, offset, control) in table {
        let record = &owned(&batch(name))[0];
        let parsed = ControlRecord::parse(record.key.as_deref(), record.value.as_deref());
        assert_eq!(parsed.as_ref(), Ok(&control), "{name}");
        let mut builder = BatchBuilder::new(BatchOptions {
            base_offset: Offset(offset),
            partition_leader_epoch: LeaderEpoch(7),
            control: true,
            ..Default::default()
        });
        builder.append_control(Timestamp(123_456), &control).expect("fits");
        assert_eq!(builder.build().expect("fits"), vector(name), "{name}");
    }
}
