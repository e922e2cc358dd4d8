//! What each kind of bad input is answered with, and what becomes of good input.

use bytes::Bytes;
use model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};
use proptest::prelude::*;

use super::*;
use crate::*;

const NOW: i64 = 1_000_000;
const MAX: usize = 1 << 20;

fn rules(topic_partition: &TopicPartition) -> AppendRules<'_> {
    AppendRules {
        topic_partition,
        origin: AppendOrigin::Client,
        compression: TargetCompression::Producer,
        compacted: false,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        max_message_bytes: MAX,
        max_decompressed_bytes: MAX,
        now: Timestamp(NOW),
    }
}

fn topic() -> TopicPartition {
    TopicPartition::new("t", 0)
}

/// Three records at 10, 30 and 20 ms.
fn builder(codec: Codec) -> BatchBuilder {
    let options = BatchOptions { compression: Compression::new(codec), ..Default::default() };
    let mut builder = BatchBuilder::new(options);
    for (timestamp, value) in [(10, "one"), (30, "two"), (20, "three")] {
        builder.append(Timestamp(timestamp), Some(b"k"), Some(value.as_bytes()), &[]).expect("fits");
    }
    builder
}

fn batch(codec: Codec) -> Bytes {
    builder(codec).build().expect("fits")
}

/// The bytes with `patch` written at `at` and the checksum made right again.
fn patched(bytes: &Bytes, at: usize, patch: &[u8]) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[at..at + patch.len()].copy_from_slice(patch);
    let crc = crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

fn check(bytes: &Bytes) -> Result<ValidatedBatch, RecordsError> {
    validate(bytes, Some(11), &rules(&topic()))
}

fn refused(bytes: &Bytes) -> (i16, String) {
    let error = check(bytes).expect_err("must be refused");
    (error.error_code().0, error.to_string())
}

fn timestamps_and_offsets(batch: &RecordBatch) -> Vec<(i64, i64)> {
    let decoded = batch.decode(MAX).expect("a known codec");
    decoded
        .iter()
        .map(|record| record.map(|r| (r.timestamp.0, r.offset.0)).expect("a valid record"))
        .collect()
}

#[test]
fn a_good_batch_gets_its_offsets_without_being_copied() {
    for codec in Codec::ALL {
        let bytes = batch(codec);
        let valid = check(&bytes).expect("good");
        assert_eq!((valid.max_timestamp(), valid.record_count()), (Timestamp(30), 3));
        assert!(!valid.recompressed());
        let batch = valid.assign(Offset(100), LeaderEpoch(4));
        batch.ensure_valid().expect("the checksum holds");
        assert_eq!(timestamps_and_offsets(&batch), [(10, 100), (30, 101), (20, 102)]);
        assert_eq!(batch.header().partition_leader_epoch, LeaderEpoch(4));
        assert_eq!(batch.body().as_ptr(), bytes[BATCH_HEADER_LEN..].as_ptr(), "{codec}");
    }
}

#[test]
fn every_kind_of_damage_has_kafkas_code() {
    let good = batch(Codec::None);
    let mut flipped = good.to_vec();
    *flipped.last_mut().expect("not empty") ^= 1;
    let end = good.len();
    let table: &[(&str, Bytes, i16)] = &[
        ("wrong crc", flipped.into(), 2),
        ("magic 3", patched(&good, 16, &[3]), 2),
        ("length -1", patched(&good, 8, &(-1i32).to_be_bytes()), 2),
        ("length 5", patched(&good, 8, &5i32.to_be_bytes()), 2),
        ("length of no header", patched(&good, 8, &20i32.to_be_bytes()), 2),
        ("length 2^31-1", patched(&good, 8, &i32::MAX.to_be_bytes()), 87),
        ("magic 0", patched(&good, 16, &[0]), 87),
        ("magic 1", patched(&good, 16, &[1]), 87),
        ("no records", Bytes::new(), 87),
        ("cut", good.slice(..end - 1), 87),
        ("two batches", Bytes::from(good.repeat(2)), 87),
        ("count 0", patched(&good, 57, &0i32.to_be_bytes()), 87),
        ("count -7", patched(&good, 57, &(-7i32).to_be_bytes()), 87),
        ("count 1000", patched(&good, 57, &1000i32.to_be_bytes()), 87),
        (
            "count 1000 with its offsets",
            patched(&patched(&good, 57, &1000i32.to_be_bytes()), 23, &999i32.to_be_bytes()),
            87,
        ),
        ("last offset delta", patched(&good, 23, &7i32.to_be_bytes()), 87),
        ("negative last offset delta", patched(&good, 23, &(-1i32).to_be_bytes()), 87),
        ("base offset", patched(&good, 0, &5i64.to_be_bytes()), 87),
        ("key length", patched(&good, BATCH_HEADER_LEN + 4, &[0x70]), 87),
        ("record length", patched(&good, BATCH_HEADER_LEN, &[0x7e]), 87),
        ("control", patched(&good, 21, &0x20i16.to_be_bytes()), 87),
        ("codec 7", patched(&good, 21, &7i16.to_be_bytes()), 87),
        ("no gzip", patched(&good, 21, &1i16.to_be_bytes()), 87),
        ("no snappy", patched(&good, 21, &2i16.to_be_bytes()), 87),
        ("no lz4", patched(&good, 21, &3i16.to_be_bytes()), 87),
        ("no zstd", patched(&good, 21, &4i16.to_be_bytes()), 87),
        ("producer without sequence", patched(&good, 43, &[0; 8]), 87),
    ];
    for (name, bytes, code) in table {
        assert_eq!(refused(bytes).0, *code, "{name}: {}", refused(bytes).1);
    }
}

#[test]
fn messages_are_kafkas() {
    let good = batch(Codec::None);
    let text = |bytes: &Bytes| refused(bytes).1;
    assert_eq!(
        text(&Bytes::new()),
        "Produce requests with version 11 must have at least one record batch per partition"
    );
    assert_eq!(
        text(&good.repeat(2).into()),
        "Produce requests with version 11 are only allowed to contain exactly one record batch per partition"
    );
    assert_eq!(
        text(&patched(&good, 23, &7i32.to_be_bytes())),
        "Inconsistent batch offset range [0, 7] and count of records 3 in topic partition t-0"
    );
    assert_eq!(
        text(&patched(&good, 21, &0x20i16.to_be_bytes())),
        "Clients are not allowed to write control records in topic partition t-0"
    );
}

#[test]
fn zstd_is_refused_in_old_produce_requests() {
    let bytes = batch(Codec::Zstd);
    let error = validate(&bytes, Some(6), &rules(&topic())).expect_err("refused");
    assert_eq!(error.error_code().0, 76);
    assert!(validate(&bytes, Some(7), &rules(&topic())).is_ok());
}

#[test]
fn timestamps_out_of_bounds_are_told_record_by_record() {
    let topic = topic();
    let rules = AppendRules { timestamp_before_max_ms: NOW - 25, ..rules(&topic) };
    for codec in Codec::ALL {
        let error = validate(&batch(codec), Some(11), &rules).expect_err("refused");
        assert_eq!(error.error_code().0, 32);
        assert_eq!(error.to_string(), "One or more records have been rejected due to invalid timestamp");
        let [first, second] = error.record_errors() else { panic!("two records are too old") };
        assert_eq!((first.batch_index, second.batch_index), (0, 2));
        assert_eq!(
            first.message,
            "Timestamp 10 of message with offset 0 is out of range. \
             The timestamp should be within [25, 4600000]"
        );
    }
}

#[test]
fn a_timestamp_far_ahead_is_refused_and_a_negative_one_is_not() {
    let one_at = |timestamp| {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        builder.append(Timestamp(timestamp), None, None, &[]).expect("fits");
        builder.build().expect("fits")
    };
    assert_eq!(refused(&one_at(NOW + 3_600_001)).0, 32);
    for good in [NOW + 3_600_000, -1, -5, 0] {
        assert!(check(&one_at(good)).is_ok(), "{good}");
    }
}

#[test]
fn a_compacted_topic_refuses_records_without_key() {
    let topic = topic();
    let rules = AppendRules { compacted: true, ..rules(&topic) };
    for codec in Codec::ALL {
        let mut builder = builder(codec);
        builder.append(Timestamp(1), None, Some(b"v"), &[]).expect("fits");
        let error = validate(&builder.build().expect("fits"), Some(11), &rules).expect_err("refused");
        assert_eq!(error.error_code().0, 87);
        assert_eq!(error.record_errors()[0].batch_index, 3);
        assert_eq!(
            error.to_string(),
            "One or more records have been rejected due to 1 record errors in total, and only showing the first \
             three errors at most: [RecordError(batchIndex=3, message='Compacted topic cannot accept message \
             without key in topic partition t-0')]"
        );
    }
}

#[test]
fn a_batch_over_the_limit_is_refused() {
    let topic = topic();
    let bytes = batch(Codec::None);
    let limit = |max| validate(&bytes, Some(11), &AppendRules { max_message_bytes: max, ..rules(&topic) });
    assert_eq!(limit(bytes.len() - 1).expect_err("refused").error_code().0, 10);
    assert!(limit(bytes.len()).is_ok());
}

#[test]
fn a_bomb_is_refused_as_too_large() {
    let zeros = vec![0; 8 << 20];
    for codec in Codec::ALL.into_iter().skip(1) {
        let options = BatchOptions { compression: Compression::new(codec), ..Default::default() };
        let mut builder = BatchBuilder::new(options);
        builder.append(Timestamp(1), None, Some(&zeros), &[]).expect("fits");
        assert_eq!(refused(&builder.build().expect("fits")).0, 10, "{codec}");
    }
}

#[test]
fn large_compressed_records_are_valid_within_the_bound() {
    for codec in Codec::ALL.into_iter().skip(1) {
        let options = BatchOptions { compression: Compression::new(codec), ..Default::default() };
        let mut builder = BatchBuilder::new(options);
        let big = vec![7; 200_000];
        let headers = [Header::new("h", Some(&big)), Header::new("i", None)];
        for timestamp in 0..3 {
            builder
                .append(Timestamp(timestamp), Some(&big[..10]), Some(&big[..100_000]), &headers)
                .expect("fits");
        }
        let plain_size = builder.uncompressed_size();
        let valid = check(&builder.build().expect("fits")).expect("good");
        assert_eq!((valid.uncompressed_size(), valid.max_timestamp()), (plain_size, Timestamp(2)), "{codec}");
    }
}

#[test]
fn log_append_time_overwrites_what_the_producer_set() {
    let topic = topic();
    let rules = AppendRules { timestamp_type: TimestampType::LogAppendTime, ..rules(&topic) };
    for codec in Codec::ALL {
        let valid = validate(&batch(codec), Some(11), &rules).expect("good");
        assert_eq!((valid.append_time(), valid.max_timestamp()), (Some(Timestamp(NOW)), Timestamp(NOW)));
        let batch = valid.assign(Offset(5), LeaderEpoch(0));
        batch.ensure_valid().expect("the checksum holds");
        assert_eq!(timestamps_and_offsets(&batch), [(NOW, 5), (NOW, 6), (NOW, 7)]);
    }
}

#[test]
fn a_producer_may_not_set_log_append_time_itself() {
    let topic = topic();
    let rules = AppendRules { timestamp_type: TimestampType::LogAppendTime, ..rules(&topic) };
    let mut own = RecordBatch::parse(&batch(Codec::None)).expect("whole");
    own.set_max_timestamp(TimestampType::LogAppendTime, Timestamp(9));
    let error = validate(&own.into_bytes(), Some(11), &rules).expect_err("refused");
    assert_eq!(error.error_code().0, 32);
    assert_eq!(
        error.record_errors()[0].message,
        "Invalid timestamp type in message DefaultRecord(offset=0, timestamp=9, key=1 bytes, value=3 bytes). \
         Producer should not set timestamp type to LogAppendTime."
    );
}

#[test]
fn a_max_timestamp_that_lies_is_set_right() {
    let bytes = patched(&batch(Codec::Lz4), 35, &777i64.to_be_bytes());
    let batch = check(&bytes).expect("good").assign(Offset(0), LeaderEpoch(0));
    assert_eq!(batch.header().max_timestamp, Timestamp(30));
    batch.ensure_valid().expect("the checksum was computed anew");
}

#[test]
fn batches_are_compressed_as_the_topic_demands() {
    let topic = topic();
    for source in Codec::ALL {
        for target in Codec::ALL {
            let compression = TargetCompression::Fixed(Compression::new(target));
            let rules = AppendRules { compression, ..rules(&topic) };
            let mut builder = builder(source);
            builder.set_producer_state(ProducerId(8), ProducerEpoch(1), 40, true);
            let valid = validate(&builder.build().expect("fits"), Some(11), &rules).expect("good");
            assert_eq!(valid.recompressed(), source != target);
            let batch = valid.assign(Offset(9), LeaderEpoch(1));
            batch.ensure_valid().expect("the checksum holds");
            assert_eq!(batch.header().attributes.codec(), Ok(target));
            assert_eq!((batch.header().producer_id, batch.header().base_sequence), (ProducerId(8), 40));
            assert!(batch.header().is_transactional());
            assert_eq!(timestamps_and_offsets(&batch), [(10, 9), (30, 10), (20, 11)], "{source} to {target}");
        }
    }
}

#[test]
fn a_batch_that_outgrows_the_limit_when_recompressed_is_refused() {
    let topic = topic();
    let mut builder =
        BatchBuilder::new(BatchOptions { compression: Compression::new(Codec::Zstd), ..Default::default() });
    builder.append(Timestamp(1), None, Some(&[1; 5000]), &[]).expect("fits");
    let compression = TargetCompression::Fixed(Compression::new(Codec::None));
    let rules = AppendRules { compression, max_message_bytes: 1000, ..rules(&topic) };
    let error = validate(&builder.build().expect("fits"), Some(11), &rules).expect_err("refused");
    assert_eq!(error.error_code().0, 10);
    assert!(error.to_string().starts_with("Message batch size is 50"), "{error}");
}

#[test]
fn offsets_out_of_sequence_are_put_in_sequence() {
    for codec in Codec::ALL {
        let options = BatchOptions { compression: Compression::new(codec), ..Default::default() };
        let mut builder = BatchBuilder::new(options);
        for (offset, timestamp) in [(3, 10), (5, 30), (9, 20)] {
            builder.append_at(Offset(offset), Timestamp(timestamp), None, None, []).expect("fits");
        }
        builder.override_last_offset(Offset(2));
        let valid = check(&builder.build().expect("fits")).expect("good");
        assert!(valid.recompressed());
        let batch = valid.assign(Offset(100), LeaderEpoch(0));
        assert_eq!(timestamps_and_offsets(&batch), [(10, 100), (30, 101), (20, 102)], "{codec}");
    }
}

#[test]
fn the_brokers_own_markers_are_let_through_and_stay_plain() {
    let topic = topic();
    let marker = EndTxnMarker { commit: false, coordinator_epoch: 1 };
    let (id, epoch) = (ProducerId(1), ProducerEpoch(0));
    let bytes = BatchBuilder::end_transaction(marker, Offset(0), Timestamp(5), LeaderEpoch(0), id, epoch);
    let compression = TargetCompression::Fixed(Compression::new(Codec::Gzip));
    let rules = AppendRules { origin: AppendOrigin::Coordinator, compression, ..rules(&topic) };
    let valid = validate(&bytes, None, &rules).expect("good");
    assert_eq!((valid.recompressed(), valid.header().attributes.codec()), (false, Ok(Codec::None)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn mutated_batches_never_panic(
        codec in 0..5u8,
        fix_crc: bool,
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = batch(Codec::from_id(codec).expect("a known codec")).to_vec();
        for (at, flip) in &flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        let bytes = if fix_crc { patched(&bytes.into(), 0, &[]) } else { bytes.into() };
        if let Ok(valid) = check(&bytes) {
            let batch = valid.assign(Offset(50), LeaderEpoch(1));
            prop_assert!(batch.ensure_valid().is_ok());
            let offsets: Vec<_> = timestamps_and_offsets(&batch).into_iter().map(|(_, offset)| offset).collect();
            let expected: Vec<_> = (50..50 + i64::from(batch.header().record_count)).collect();
            prop_assert_eq!(offsets, expected);
        }
    }

    #[test]
    fn the_stream_finds_what_the_iterator_finds(
        sizes in proptest::collection::vec((0..70_000usize, 0..3usize), 1..6),
        codec in 1..5u8,
    ) {
        let codec = Codec::from_id(codec).expect("a known codec");
        let options = BatchOptions { compression: Compression::new(codec), ..Default::default() };
        let mut builder = BatchBuilder::new(options);
        for (size, headers) in &sizes {
            let value = vec![3; *size];
            let headers = vec![Header::new("name", Some(&value)); *headers];
            builder.append(Timestamp(*size as i64), None, Some(&value), &headers).expect("fits");
        }
        let batch = builder.build_batch().expect("fits");
        let scan = RecordScan::new(batch.header(), codec, batch.body(), MAX).expect("begins well");
        let scanned: Result<Vec<_>, _> = scan.collect();
        let decoded = batch.decode(MAX).expect("reads back");
        let whole: Result<Vec<_>, _> = decoded.iter().map(|record| record.map(Scanned::from)).collect();
        prop_assert_eq!(scanned, whole);
    }

    #[test]
    fn what_is_summed_up_in_one_pass_is_what_care_finds(
        fields in proptest::collection::vec(
            (-9000..9000i64, proptest::option::of(0..90usize), proptest::option::of(0..9000usize), 0..40usize),
            1..6,
        ),
        base in prop_oneof![Just(NOW), Just(5000), any::<i64>()],
        log_append_time: bool,
        compacted: bool,
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..2),
        cut in 0..2usize,
        codec in 1..5u8,
    ) {
        let codec = Codec::from_id(codec).expect("a known codec");
        let mut builder = BatchBuilder::new(BatchOptions::default());
        for (time, key, value, headers) in &fields {
            let (key, value) = (key.map(|size| vec![1; size]), value.map(|size| vec![2; size]));
            let headers = vec![Header::new("name", value.as_deref()); headers.saturating_sub(38)];
            let time = Timestamp(base.saturating_add(*time));
            builder.append(time, key.as_deref(), value.as_deref(), &headers).expect("fits");
        }
        let batch = builder.build_batch().expect("fits");
        let mut body = batch.body()[..batch.body().len() - cut].to_vec();
        for (at, flip) in &flips {
            let at = at.index(body.len());
            body[at] ^= flip;
        }
        let topic = topic();
        let timestamp_type =
            if log_append_time { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
        let rules = AppendRules { compacted, timestamp_type, ..rules(&topic) };
        let header = batch.header();
        if let Some(summary) = walk::plain(header, &body, &rules) {
            prop_assert_eq!(Ok(summary), check_with_care(header, &body, &rules));
        }
        let mut compressed = Vec::new();
        Compression::new(codec).compress(&body, &mut compressed).expect("compresses");
        let records = || RecordScan::new(header, codec, &compressed, MAX).expect("begins well");
        if let Some(summary) = walk::compressed(header, records(), &rules).transpose() {
            prop_assert_eq!(summary, check_each(header, records(), &rules, "PartialDefaultRecord"));
        }
    }
}

#[test]
fn records_as_most_are_need_no_care() {
    let topic = topic();
    let rules = rules(&topic);
    let batch = RecordBatch::parse(&batch(Codec::None)).expect("a whole batch");
    assert!(walk::plain(batch.header(), batch.body(), &rules).is_some());
}
