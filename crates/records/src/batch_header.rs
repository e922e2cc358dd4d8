//! The 61 bytes before the records of a batch: read from a slice, changed, written back; no decoding of records.
//!
//! The checksum covers everything from the attributes on; base offset, length, leader epoch and magic stand before it,
//! so that a broker can set the first three without touching it.

use model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

use crate::{Attributes, RecordsError, TimestampType};

/// Bytes of offset and length, which no length field counts. Kafka: `Records.LOG_OVERHEAD`.
pub const LOG_OVERHEAD: usize = 12;
/// Bytes before the first record. Kafka: `DefaultRecordBatch.RECORD_BATCH_OVERHEAD`.
pub const BATCH_HEADER_LEN: usize = 61;
/// The format that is read and written.
pub const MAGIC_V2: i8 = 2;
/// The sequence of a producer that is not idempotent.
pub const NO_SEQUENCE: i32 = -1;

/// The least length field of a batch of any format. Kafka: `LegacyRecord.RECORD_OVERHEAD_V0`.
const MINIMUM_LENGTH: i32 = 14;
const LENGTH_AT: usize = 8;
const LEADER_EPOCH_AT: usize = 12;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
/// Where the checksummed part begins.
pub(crate) const ATTRIBUTES_AT: usize = 21;
const LAST_OFFSET_DELTA_AT: usize = 23;
const BASE_TIMESTAMP_AT: usize = 27;
const MAX_TIMESTAMP_AT: usize = 35;
const PRODUCER_ID_AT: usize = 43;
const PRODUCER_EPOCH_AT: usize = 51;
const BASE_SEQUENCE_AT: usize = 53;
const COUNT_AT: usize = 57;

/// What every entry of a log begins with, whatever its format: 17 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryPrefix {
    /// The base offset; in formats 0 and 1 the last offset.
    pub offset: Offset,
    /// The whole size in bytes, at least 26; it may be more than is there.
    pub size: usize,
    /// 0, 1 or 2.
    pub magic: i8,
}

impl EntryPrefix {
    /// Reads the prefix; `None` when `bytes` ends before the magic byte.
    ///
    /// Fails, as Kafka does, with a length below 14 as soon as the length is there, and with a magic byte other than
    /// 0 to 2. Kafka: `ByteBufferLogInputStream.nextBatchSize`.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, RecordsError> {
        if bytes.len() < LOG_OVERHEAD {
            return Ok(None);
        }
        let length = i32::from_be_bytes(field(bytes, LENGTH_AT));
        if length < MINIMUM_LENGTH {
            return Err(RecordsError::EntryTooSmall { size: length, minimum: MINIMUM_LENGTH });
        }
        if length > i32::MAX - LOG_OVERHEAD as i32 {
            return Err(RecordsError::EntryTooLarge(length));
        }
        let Some(&magic) = bytes.get(MAGIC_AT) else { return Ok(None) };
        let magic = magic as i8;
        if !(0..=MAGIC_V2).contains(&magic) {
            return Err(RecordsError::InvalidMagic(magic));
        }
        let offset = Offset(i64::from_be_bytes(field(bytes, 0)));
        Ok(Some(Self { offset, size: length as usize + LOG_OVERHEAD, magic }))
    }
}

/// The header of a batch of format 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of the first record that the batch had when it was produced.
    pub base_offset: Offset,
    /// The bytes of the batch after the length field, at least 49.
    pub length: i32,
    /// The epoch of the leader that appended the batch.
    pub partition_leader_epoch: LeaderEpoch,
    /// CRC-32C of all that follows it.
    pub crc: u32,
    /// Codec, timestamp type and flags.
    pub attributes: Attributes,
    /// The last record's offset less the base offset; the cleaner keeps it when it removes records.
    pub last_offset_delta: i32,
    /// What the records' timestamps are relative to; the delete horizon if the attributes say so.
    pub base_timestamp: Timestamp,
    /// The greatest timestamp; the append time under [`TimestampType::LogAppendTime`].
    pub max_timestamp: Timestamp,
    /// The producer, if it is idempotent.
    pub producer_id: ProducerId,
    /// The producer's incarnation.
    pub producer_epoch: ProducerEpoch,
    /// The sequence of the first record, or [`NO_SEQUENCE`].
    pub base_sequence: i32,
    /// How many records the batch says it has; not checked, and negative in hostile bytes.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header from the first 61 bytes of a batch. The rest need not be there.
    ///
    /// Fails when there are fewer bytes, when the length is too small for a header, and with another magic byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordsError> {
        let cut = RecordsError::Cut { size: BATCH_HEADER_LEN, available: bytes.len() };
        let prefix = EntryPrefix::parse(bytes)?.ok_or_else(|| cut.clone())?;
        if prefix.magic != MAGIC_V2 {
            let EntryPrefix { offset, size, magic } = prefix;
            return Err(RecordsError::LegacyMagic { magic, offset: offset.0, size });
        }
        if prefix.size < BATCH_HEADER_LEN {
            return Err(RecordsError::BatchTooSmall(prefix.size));
        }
        bytes.first_chunk().map(Self::from_array).ok_or(cut)
    }

    fn from_array(bytes: &[u8; BATCH_HEADER_LEN]) -> Self {
        Self {
            base_offset: Offset(i64::from_be_bytes(field(bytes, 0))),
            length: i32::from_be_bytes(field(bytes, LENGTH_AT)),
            partition_leader_epoch: LeaderEpoch(i32::from_be_bytes(field(bytes, LEADER_EPOCH_AT))),
            crc: u32::from_be_bytes(field(bytes, CRC_AT)),
            attributes: Attributes(i16::from_be_bytes(field(bytes, ATTRIBUTES_AT))),
            last_offset_delta: i32::from_be_bytes(field(bytes, LAST_OFFSET_DELTA_AT)),
            base_timestamp: Timestamp(i64::from_be_bytes(field(bytes, BASE_TIMESTAMP_AT))),
            max_timestamp: Timestamp(i64::from_be_bytes(field(bytes, MAX_TIMESTAMP_AT))),
            producer_id: ProducerId(i64::from_be_bytes(field(bytes, PRODUCER_ID_AT))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(field(bytes, PRODUCER_EPOCH_AT))),
            base_sequence: i32::from_be_bytes(field(bytes, BASE_SEQUENCE_AT)),
            record_count: i32::from_be_bytes(field(bytes, COUNT_AT)),
        }
    }

    /// Returns the header's bytes, the checksum as it is in [`BatchHeader::crc`].
    pub fn to_array(&self) -> [u8; BATCH_HEADER_LEN] {
        let mut out = [0; BATCH_HEADER_LEN];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.base_offset.0.to_be_bytes());
        put(LENGTH_AT, &self.length.to_be_bytes());
        put(LEADER_EPOCH_AT, &self.partition_leader_epoch.0.to_be_bytes());
        put(MAGIC_AT, &MAGIC_V2.to_be_bytes());
        put(CRC_AT, &self.crc.to_be_bytes());
        put(ATTRIBUTES_AT, &self.attributes.0.to_be_bytes());
        put(LAST_OFFSET_DELTA_AT, &self.last_offset_delta.to_be_bytes());
        put(BASE_TIMESTAMP_AT, &self.base_timestamp.0.to_be_bytes());
        put(MAX_TIMESTAMP_AT, &self.max_timestamp.0.to_be_bytes());
        put(PRODUCER_ID_AT, &self.producer_id.0.to_be_bytes());
        put(PRODUCER_EPOCH_AT, &self.producer_epoch.0.to_be_bytes());
        put(BASE_SEQUENCE_AT, &self.base_sequence.to_be_bytes());
        put(COUNT_AT, &self.record_count.to_be_bytes());
        out
    }

    /// Computes the checksum over this header's attributes and later fields, and the bytes of the records.
    pub fn compute_crc(&self, body: &[u8]) -> u32 {
        let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
        digest.update(&self.to_array()[ATTRIBUTES_AT..]);
        digest.update(body);
        digest.finalize() as u32
    }

    /// Returns the size of the whole batch in bytes, at least 61.
    pub fn size(&self) -> usize {
        self.length.max(0) as usize + LOG_OVERHEAD
    }

    /// Returns the offset of the last record that the batch had when it was produced.
    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset.0.wrapping_add(i64::from(self.last_offset_delta)))
    }

    /// Returns the offset after the last one.
    pub fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.wrapping_add(1))
    }

    /// Returns the sequence of the last record, or [`NO_SEQUENCE`].
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE {
            return NO_SEQUENCE;
        }
        increment_sequence(self.base_sequence, self.last_offset_delta)
    }

    /// Tells whether the batch is from an idempotent producer.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > ProducerId::NONE
    }

    /// Tells who set the timestamps.
    pub fn timestamp_type(&self) -> TimestampType {
        self.attributes.timestamp_type()
    }

    /// Tells whether the batch belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes.is_transactional()
    }

    /// Tells whether the records are control records.
    pub fn is_control(&self) -> bool {
        self.attributes.is_control()
    }

    /// Returns the time after which the cleaner may drop tombstones and markers, if it was set.
    pub fn delete_horizon(&self) -> Option<Timestamp> {
        self.attributes.has_delete_horizon().then_some(self.base_timestamp)
    }
}

/// Returns the sequence `increment` further on; after 2^31-1 comes 0. Kafka: `DefaultRecordBatch.incrementSequence`.
pub fn increment_sequence(sequence: i32, increment: i32) -> i32 {
    if sequence > i32::MAX.wrapping_sub(increment) {
        return increment.wrapping_sub(i32::MAX.wrapping_sub(sequence)).wrapping_sub(1);
    }
    sequence.wrapping_add(increment)
}

/// The checksum of batches. Kafka: `Crc32C`.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// The `N` bytes of `bytes` at `at`, which the caller knows to be there.
fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("a slice of N bytes is an array of N")
}
