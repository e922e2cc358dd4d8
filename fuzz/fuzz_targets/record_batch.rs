//! Records of a produce request, of any bytes behind a right checksum: accepted or refused within the bound on what may be
//! decompressed; what is accepted can be read.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use model::{LeaderEpoch, Offset, Timestamp, TopicPartition};
use records::{AppendOrigin, AppendRules, BATCH_HEADER_LEN, LOG_OVERHEAD, RecordBatch, TargetCompression, TimestampType, validate};

const MAX_DECOMPRESSED: usize = 1 << 20;

/// Makes lengths and checksum right, most of the time, so that what follows them is reached.
fn mended(data: &[u8]) -> Bytes {
    let mut bytes = data.to_vec();
    if bytes.len() >= BATCH_HEADER_LEN && bytes[0] < 200 {
        let length = (bytes.len() - LOG_OVERHEAD) as i32;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[16] = 2;
        let checksum = crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    }
    bytes.into()
}

/// CRC-32C, bit by bit: short inputs need no more.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 })
    };
    !bytes.iter().fold(!0, step)
}

fuzz_target!(|data: &[u8]| {
    let topic_partition = TopicPartition::new("t", 0);
    let rules = AppendRules {
        topic_partition: &topic_partition,
        origin: AppendOrigin::Client,
        compression: TargetCompression::Producer,
        compacted: data.first().is_some_and(|byte| byte % 2 == 1),
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        max_message_bytes: 1 << 20,
        max_decompressed_bytes: MAX_DECOMPRESSED,
        now: Timestamp(1_700_000_000_000),
    };
    let records = mended(data);
    if let Ok(valid) = validate(&records, Some(11), &rules) {
        let batch: RecordBatch = valid.assign(Offset(7), LeaderEpoch(1));
        batch.ensure_valid().expect("an accepted batch is whole");
        let decoded = batch.decode(MAX_DECOMPRESSED).expect("an accepted batch can be decompressed");
        for record in decoded.iter() {
            record.expect("an accepted batch's records can be read");
        }
    }
});
