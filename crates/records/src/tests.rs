//! Batches as wholes: built, read back, changed in place, cut and mutated.

use bytes::Bytes;
use model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};
use proptest::prelude::*;

use crate::*;

const MAX: usize = 1 << 20;

fn two_records() -> Bytes {
    let mut builder = BatchBuilder::new(BatchOptions { base_offset: Offset(7), ..Default::default() });
    let headers = [Header::new("h", Some(b"1")), Header::new("h", None)];
    builder.append(Timestamp(100), Some(b"k"), Some(b"v"), &headers).expect("fits");
    builder.append(Timestamp(90), None, Some(b""), &[]).expect("fits");
    builder.build().expect("fits")
}

fn parse(bytes: &Bytes) -> RecordBatch {
    RecordBatch::parse(bytes).expect("a whole batch")
}

fn records(batch: &RecordBatch) -> Vec<OwnedRecord> {
    batch.decode(MAX).expect("known codec").owned().collect::<Result<_, _>>().expect("valid records")
}

#[test]
fn a_batch_reads_back_as_it_was_built() {
    let bytes = two_records();
    let batch = parse(&bytes);
    batch.ensure_valid().expect("the checksum is right");
    let header = batch.header();
    assert_eq!((header.base_offset, header.last_offset(), header.record_count), (Offset(7), Offset(8), 2));
    assert_eq!((header.base_timestamp, header.max_timestamp), (Timestamp(100), Timestamp(100)));
    let records = records(&batch);
    assert_eq!(records[0].headers.len(), 2, "headers with one key are both kept");
    assert_eq!(records[0].headers[1].value, None);
    assert_eq!((records[1].key.as_deref(), records[1].value.as_deref()), (None, Some(&b""[..])));
    assert_eq!((records[1].offset, records[1].timestamp), (Offset(8), Timestamp(90)));
}

#[test]
fn offset_and_epoch_are_set_without_touching_the_checksum() {
    let bytes = two_records();
    let mut batch = parse(&bytes);
    let crc = batch.header().crc;
    batch.set_base_offset(Offset(1000));
    batch.set_partition_leader_epoch(LeaderEpoch(5));
    let moved = parse(&batch.into_bytes());
    moved.ensure_valid().expect("the checksum is still right");
    assert_eq!((moved.header().crc, moved.header().base_offset), (crc, Offset(1000)));
    assert_eq!(moved.header().partition_leader_epoch, LeaderEpoch(5));
}

#[test]
fn log_append_time_becomes_the_time_of_every_record() {
    let mut batch = parse(&two_records());
    batch.set_max_timestamp(TimestampType::LogAppendTime, Timestamp(5000));
    let batch = parse(&batch.into_bytes());
    batch.ensure_valid().expect("the checksum was computed anew");
    assert!(records(&batch).iter().all(|record| record.timestamp == Timestamp(5000)));
}

#[test]
fn a_batch_changed_alone_is_changed_in_its_own_bytes() {
    let bytes = two_records();
    let address = bytes.as_ptr();
    let mut batch = parse(&bytes);
    drop(bytes);
    batch.set_base_offset(Offset(3));
    assert_eq!(batch.into_bytes().as_ptr(), address);
}

#[test]
fn a_batch_that_others_hold_is_left_as_it_was() {
    let bytes = two_records();
    let mut batch = parse(&bytes);
    batch.set_base_offset(Offset(3));
    let (head, body) = batch.pieces();
    assert_eq!([&head[..], &body].concat(), batch.into_bytes());
    assert_eq!(parse(&bytes).header().base_offset, Offset(7));
}

#[test]
fn sequences_follow_the_producers_and_wrap() {
    let mut batch = parse(&two_records());
    batch.set_producer_state(ProducerId(9), ProducerEpoch(1), i32::MAX, true);
    assert_eq!(batch.header().last_sequence(), 0);
    assert!(batch.header().is_transactional());
    let sequences: Vec<_> = records(&batch).iter().map(|record| record.sequence).collect();
    assert_eq!(sequences, [i32::MAX, 0]);
    batch.ensure_valid().expect("the checksum was computed anew");
}

#[test]
fn iteration_stops_before_a_batch_that_is_cut() {
    let whole = two_records();
    let run = Bytes::from([&whole[..], &whole[..whole.len() - 1]].concat());
    let mut found = batches(run);
    assert!(found.next().expect("one batch").is_ok());
    assert!(found.next().is_none());
    assert_eq!((found.consumed(), found.rest().len()), (whole.len(), whole.len() - 1));
}

#[test]
fn an_entry_of_an_old_format_is_told_and_passed_over() {
    let whole = two_records();
    let mut legacy = [0; 30];
    legacy[7] = 42;
    legacy[11] = 18;
    legacy[16] = 1;
    let found: Vec<_> = batches(Bytes::from([&legacy[..], &whole].concat())).collect();
    assert_eq!(found[0], Err(RecordsError::LegacyMagic { magic: 1, offset: 42, size: 30 }));
    assert!(found[1].is_ok());
}

#[test]
fn bad_lengths_and_magic_end_the_iteration_with_kafkas_texts() {
    let with = |at: usize, bytes: &[u8]| {
        let mut batch = two_records().to_vec();
        batch[at..at + bytes.len()].copy_from_slice(bytes);
        let found: Vec<_> = batches(Bytes::from(batch)).collect();
        assert_eq!(found.len(), 1);
        found[0].as_ref().expect_err("refused").to_string()
    };
    let too_small = |size: i32| format!("Record size {size} is less than the minimum record overhead (14)");
    assert_eq!(with(8, &(-1i32).to_be_bytes()), too_small(-1));
    assert_eq!(with(8, &5i32.to_be_bytes()), too_small(5));
    assert_eq!(with(16, &[3]), "Invalid magic found in record: 3");
    let overhead = "Record batch is corrupt (the size 32 is smaller than the minimum allowed overhead 61)";
    assert_eq!(with(8, &20i32.to_be_bytes()), overhead);
}

#[test]
fn a_flipped_bit_is_seen() {
    let mut bytes = two_records().to_vec();
    *bytes.last_mut().expect("not empty") ^= 1;
    let error = parse(&Bytes::from(bytes)).ensure_valid().expect_err("refused");
    assert!(error.to_string().starts_with("Record is corrupt (stored crc = "));
}

#[test]
fn counts_that_lie_are_errors() {
    let with_count = |count: i32| {
        let bytes = two_records();
        let mut header = *parse(&bytes).header();
        header.record_count = count;
        let body = &bytes[BATCH_HEADER_LEN..];
        RecordIter::new(&header, body).collect::<Result<Vec<_>, _>>().map(|records| records.len())
    };
    assert_eq!(with_count(1), Err(RecordsError::RecordsRemain));
    assert_eq!(with_count(3), Err(RecordsError::PrematureEnd));
    assert_eq!(with_count(-7), Err(RecordsError::InvalidCount(-7)));
    assert_eq!(with_count(i32::MAX), Err(RecordsError::PrematureEnd));
    assert_eq!(with_count(0), Ok(0));
}

#[test]
fn a_builder_tells_when_a_batch_is_full() {
    let options = BatchOptions { write_limit: 100, ..Default::default() };
    let mut builder = BatchBuilder::new(options);
    let big = [0u8; 200];
    assert!(builder.has_room_for(Timestamp(0), None, Some(&big), &[]), "one record always fits");
    builder.append(Timestamp(0), None, Some(b"0123456789"), &[]).expect("fits");
    assert_eq!(builder.estimated_size(), 61 + 17);
    assert!(builder.has_room_for(Timestamp(0), None, Some(b"0123456789"), &[]));
    assert!(!builder.has_room_for(Timestamp(0), None, Some(&[0; 16]), &[]));
    assert!(BatchBuilder::size_upper_bound(None, Some(b"0123456789"), &[]) >= builder.estimated_size());
}

#[test]
fn a_marker_reads_back() {
    let marker = EndTxnMarker { commit: true, coordinator_epoch: 3 };
    let (id, epoch) = (ProducerId(4), ProducerEpoch(2));
    let bytes = BatchBuilder::end_transaction(marker, Offset(9), Timestamp(1), LeaderEpoch(6), id, epoch);
    let batch = parse(&bytes);
    assert!(batch.header().is_control() && batch.header().is_transactional());
    let records = records(&batch);
    let (key, value) = (records[0].key.as_deref(), records[0].value.as_deref());
    assert_eq!(EndTxnMarker::parse(key, value), Ok(Some(marker)));
}

#[test]
fn compaction_keeps_offsets_and_the_delete_horizon() {
    let mut builder = BatchBuilder::new(BatchOptions {
        base_offset: Offset(10),
        delete_horizon: Some(Timestamp(777)),
        ..Default::default()
    });
    builder.append_at(Offset(12), Timestamp(50), Some(b"k"), None, []).expect("fits");
    builder.override_last_offset(Offset(19));
    let batch = parse(&builder.build().expect("fits"));
    assert_eq!(batch.header().last_offset(), Offset(19));
    assert_eq!(batch.header().delete_horizon(), Some(Timestamp(777)));
    assert_eq!((records(&batch)[0].offset, records(&batch)[0].timestamp), (Offset(12), Timestamp(50)));
}

#[test]
fn an_emptied_batch_keeps_offsets_and_sequence() {
    let mut full = parse(&two_records());
    full.set_producer_state(ProducerId(9), ProducerEpoch(1), 5, false);
    let empty = parse(&full.emptied().into_bytes());
    empty.ensure_valid().expect("the checksum is right");
    assert_eq!((empty.size(), empty.header().record_count), (BATCH_HEADER_LEN, 0));
    assert_eq!((empty.header().last_offset(), empty.header().last_sequence()), (Offset(8), 6));
    assert_eq!(empty.header().max_timestamp, Timestamp(100));
    assert!(records(&empty).is_empty());
}

type Plain = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

fn any_record() -> impl Strategy<Value = Plain> {
    let bytes = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200));
    let headers = proptest::collection::vec((".{0,5}", bytes()), 0..4);
    (any::<i64>(), bytes(), bytes(), headers)
}

fn build(records: &[Plain], compression: Compression) -> Bytes {
    let mut builder = BatchBuilder::new(BatchOptions { compression, ..Default::default() });
    for (timestamp, key, value, headers) in records {
        let headers: Vec<_> = headers.iter().map(|(key, value)| Header::new(key, value.as_deref())).collect();
        builder.append(Timestamp(*timestamp), key.as_deref(), value.as_deref(), &headers).expect("fits");
    }
    builder.build().expect("fits")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_records_read_back(plain in proptest::collection::vec(any_record(), 1..30), codec in 0..5u8) {
        let codec = Codec::from_id(codec).expect("a known codec");
        let batch = parse(&build(&plain, Compression::new(codec)));
        prop_assert_eq!(batch.header().attributes.codec(), Ok(codec));
        prop_assert!(batch.ensure_valid().is_ok());
        let found: Vec<Plain> = records(&batch)
            .into_iter()
            .map(|record| {
                let headers = record.headers.into_iter().map(|h| (h.key, h.value.map(Vec::from))).collect();
                (record.timestamp.0, record.key.map(Vec::from), record.value.map(Vec::from), headers)
            })
            .collect();
        prop_assert_eq!(found, plain);
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic(mut bytes: Vec<u8>, size in 0..200u8) {
        if bytes.len() > 16 {
            bytes[8..12].copy_from_slice(&[0, 0, 0, size]);
            bytes[16] = 2;
        }
        for batch in batches(Bytes::from(bytes)).flatten() {
            let _ = batch.decode(MAX).map(|decoded| decoded.owned().count());
        }
    }
}
