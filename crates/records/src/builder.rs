//! Builds one batch: records are appended plain, and compressed when the batch is built.
//!
//! The header's place is kept free at the front, so that an uncompressed batch is never copied.

use bytes::Bytes;
use model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

use crate::batch_header::BATCH_HEADER_LEN;
use crate::varint::{varint_len, write_varint, write_varlong};
use crate::{
    Attributes, BatchHeader, Compression, ControlRecord, EndTxnMarker, Header, NO_SEQUENCE, Record,
    RecordBatch, RecordsError, TimestampType,
};

/// A compressed batch is taken to be this much larger than the ratio says. Kafka: `COMPRESSION_RATE_ESTIMATION_FACTOR`.
const ESTIMATION_FACTOR: f64 = 1.05;
/// A record's most bytes besides key, value and headers: length, attributes, timestamp, offset.
const MAX_RECORD_OVERHEAD: usize = 21;

/// What a batch is built with. The default is a producer's plain batch at offset 0.
#[derive(Clone, Debug)]
pub struct BatchOptions {
    /// Codec and level.
    pub compression: Compression,
    /// The offset of the first record appended without one; also what deltas are relative to.
    pub base_offset: Offset,
    /// The epoch of the leader that appends the batch.
    pub partition_leader_epoch: LeaderEpoch,
    /// Set to give all records one time, the broker's.
    pub log_append_time: Option<Timestamp>,
    /// The producer.
    pub producer_id: ProducerId,
    /// The producer's incarnation.
    pub producer_epoch: ProducerEpoch,
    /// The sequence of the record at the base offset.
    pub base_sequence: i32,
    /// Whether the batch is part of a transaction.
    pub transactional: bool,
    /// Whether the records are control records.
    pub control: bool,
    /// The time after which the cleaner may drop tombstones; takes the place of the base timestamp.
    pub delete_horizon: Option<Timestamp>,
    /// The most bytes that [`BatchBuilder::has_room_for`] fills: a producer's `batch.size`.
    pub write_limit: usize,
    /// How many compressed bytes a byte is taken to become, from earlier batches.
    pub compression_ratio: f64,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            compression: Compression::default(),
            base_offset: Offset(0),
            partition_leader_epoch: LeaderEpoch::NONE,
            log_append_time: None,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: NO_SEQUENCE,
            transactional: false,
            control: false,
            delete_horizon: None,
            write_limit: usize::MAX,
            compression_ratio: 1.0,
        }
    }
}

/// A batch in the making. Kafka: `MemoryRecordsBuilder`.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    options: BatchOptions,
    /// Room for the header, then the records.
    buffer: Vec<u8>,
    base_timestamp: Option<Timestamp>,
    max_timestamp: Timestamp,
    last_offset: Option<Offset>,
    count: i32,
}

impl BatchBuilder {
    /// Starts a batch.
    pub fn new(options: BatchOptions) -> Self {
        Self::with_buffer(options, Vec::new())
    }

    /// Starts a batch in a buffer to be reused, whose contents are dropped.
    pub fn with_buffer(options: BatchOptions, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        buffer.resize(BATCH_HEADER_LEN, 0);
        let base_timestamp = options.delete_horizon;
        Self { options, buffer, base_timestamp, max_timestamp: Timestamp::NONE, last_offset: None, count: 0 }
    }

    /// Appends a record at the next offset and returns that offset. Headers may repeat keys; their order is kept.
    ///
    /// Fails when the batch would have more records than an int counts.
    pub fn append(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<Offset, RecordsError> {
        let offset = self.next_offset();
        self.append_at(offset, timestamp, key, value, headers.iter().copied())?;
        Ok(offset)
    }

    /// Appends a record of another batch with its offset, which must be past the last one.
    pub fn append_record(&mut self, record: &Record<'_>) -> Result<(), RecordsError> {
        self.append_at(record.offset, record.timestamp, record.key, record.value, record.headers)
    }

    /// Appends a record at `offset`, which must be past the last one and may leave a gap.
    pub fn append_at<'a, H>(
        &mut self,
        offset: Offset,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: H,
    ) -> Result<(), RecordsError>
    where
        H: IntoIterator<Item = Header<'a>>,
        H::IntoIter: ExactSizeIterator + Clone,
    {
        let offset_delta = self.offset_delta(offset)?;
        let count =
            self.count.checked_add(1).ok_or(RecordsError::Unwritable("Too many records in a batch"))?;
        let base = *self.base_timestamp.get_or_insert(timestamp);
        let timestamp_delta = timestamp.0.wrapping_sub(base.0);
        write_record(&mut self.buffer, offset_delta, timestamp_delta, key, value, headers.into_iter())?;
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.last_offset = Some(offset);
        self.count = count;
        Ok(())
    }

    /// Appends a control record. The batch must be a control batch, see [`BatchOptions::control`].
    ///
    /// Fails where the record cannot be written.
    pub fn append_control(
        &mut self,
        timestamp: Timestamp,
        record: &ControlRecord,
    ) -> Result<Offset, RecordsError> {
        assert!(self.options.control, "a control record in a batch that is not a control batch");
        self.append(timestamp, Some(&record.control_type().key()), Some(&record.value()?), &[])
    }

    fn offset_delta(&self, offset: Offset) -> Result<i32, RecordsError> {
        if self.last_offset.is_some_and(|last| offset <= last) {
            return Err(RecordsError::Unwritable("Offsets must increase monotonically"));
        }
        let delta = offset.0.wrapping_sub(self.options.base_offset.0);
        i32::try_from(delta)
            .ok()
            .filter(|delta| *delta >= 0)
            .ok_or(RecordsError::Unwritable("Maximum offset delta exceeded"))
    }

    /// Returns the offset that the next record gets.
    pub fn next_offset(&self) -> Offset {
        self.last_offset.map_or(self.options.base_offset, |last| last.plus(1))
    }

    /// Returns how many records there are.
    pub fn record_count(&self) -> i32 {
        self.count
    }

    /// Tells whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the greatest timestamp so far, or [`Timestamp::NONE`].
    pub fn max_timestamp(&self) -> Timestamp {
        self.max_timestamp
    }

    /// Returns the size of the batch as it would be without compression, in bytes.
    pub fn uncompressed_size(&self) -> usize {
        self.buffer.len()
    }

    /// Returns the size that the batch is likely to have: exact without compression.
    pub fn estimated_size(&self) -> usize {
        let records = self.buffer.len() - BATCH_HEADER_LEN;
        if self.options.compression.codec() == crate::Codec::None {
            return BATCH_HEADER_LEN + records;
        }
        BATCH_HEADER_LEN + (records as f64 * self.options.compression_ratio * ESTIMATION_FACTOR) as usize
    }

    /// Tells whether a record still fits the write limit; the first one always does.
    ///
    /// Kafka: `MemoryRecordsBuilder.hasRoomFor`.
    pub fn has_room_for(
        &self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> bool {
        if self.count == 0 {
            return true;
        }
        let offset_delta = self.next_offset().0.wrapping_sub(self.options.base_offset.0);
        let base = self.base_timestamp.unwrap_or(timestamp);
        let timestamp_delta = timestamp.0.wrapping_sub(base.0);
        let body = body_len(offset_delta, timestamp_delta, key, value, headers.iter().copied());
        let size = varint_len(body as i64) + body;
        !self.is_full() && self.options.write_limit >= self.estimated_size() + size
    }

    /// Tells whether the write limit is reached.
    pub fn is_full(&self) -> bool {
        self.count > 0 && self.options.write_limit <= self.estimated_size()
    }

    /// Sets what a producer knows only when it sends: id, epoch, sequence, and whether in a transaction.
    pub fn set_producer_state(
        &mut self,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        base_sequence: i32,
        transactional: bool,
    ) {
        self.options.producer_id = producer_id;
        self.options.producer_epoch = producer_epoch;
        self.options.base_sequence = base_sequence;
        self.options.transactional = transactional;
    }

    /// Sets the last offset past that of the last record, as compaction does to keep the sequence of a batch.
    pub fn override_last_offset(&mut self, offset: Offset) {
        self.last_offset = Some(offset);
    }

    /// Finishes the batch and returns its bytes.
    ///
    /// Fails when the codec does, and when the batch would exceed 2 GiB.
    pub fn build(self) -> Result<Bytes, RecordsError> {
        Ok(self.build_batch()?.into_bytes())
    }

    /// Finishes the batch, as [`BatchBuilder::build`] does.
    pub fn build_batch(self) -> Result<RecordBatch, RecordsError> {
        let header = self.header()?;
        if self.options.compression.codec() == crate::Codec::None || self.count == 0 {
            return RecordBatch::from_parts(header, self.buffer);
        }
        let records = &self.buffer[BATCH_HEADER_LEN..];
        let mut whole = Vec::with_capacity(BATCH_HEADER_LEN + records.len() / 2);
        whole.resize(BATCH_HEADER_LEN, 0);
        self.options.compression.compress(records, &mut whole)?;
        RecordBatch::from_parts(header, whole)
    }

    fn header(&self) -> Result<BatchHeader, RecordsError> {
        let options = &self.options;
        let codec = if self.count == 0 { crate::Codec::None } else { options.compression.codec() };
        let timestamp_type = match options.log_append_time {
            Some(_) => TimestampType::LogAppendTime,
            None => TimestampType::CreateTime,
        };
        let attributes = Attributes::default()
            .with_codec(codec)
            .with_timestamp_type(timestamp_type)
            .with_transactional(options.transactional)
            .with_control(options.control)
            .with_delete_horizon(options.delete_horizon.is_some());
        let delta = self.last_offset.map_or(0, |last| last.0.wrapping_sub(options.base_offset.0));
        Ok(BatchHeader {
            base_offset: options.base_offset,
            length: 0,
            partition_leader_epoch: options.partition_leader_epoch,
            crc: 0,
            attributes,
            last_offset_delta: i32::try_from(delta)
                .map_err(|_| RecordsError::Unwritable("Maximum offset delta exceeded"))?,
            base_timestamp: self.base_timestamp.unwrap_or(Timestamp::NONE),
            max_timestamp: options.log_append_time.unwrap_or(self.max_timestamp),
            producer_id: options.producer_id,
            producer_epoch: options.producer_epoch,
            base_sequence: options.base_sequence,
            record_count: self.count,
        })
    }

    /// Builds the control batch that ends a transaction. Kafka: `MemoryRecords.withEndTransactionMarker`.
    pub fn end_transaction(
        marker: EndTxnMarker,
        base_offset: Offset,
        timestamp: Timestamp,
        partition_leader_epoch: LeaderEpoch,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
    ) -> Bytes {
        let mut builder = Self::new(BatchOptions {
            base_offset,
            partition_leader_epoch,
            producer_id,
            producer_epoch,
            transactional: true,
            control: true,
            ..Default::default()
        });
        builder
            .append_control(timestamp, &ControlRecord::EndTxn(marker))
            .and_then(|_| builder.build())
            .expect("one small record always fits a batch")
    }

    /// Returns the most bytes that a batch of this one record can take without compression.
    ///
    /// Kafka: `AbstractRecords.estimateSizeInBytesUpperBound`.
    pub fn size_upper_bound(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header<'_>]) -> usize {
        BATCH_HEADER_LEN + MAX_RECORD_OVERHEAD + payload_len(key, value, headers.iter().copied())
    }
}

fn write_record<'a>(
    out: &mut Vec<u8>,
    offset_delta: i32,
    timestamp_delta: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: impl ExactSizeIterator<Item = Header<'a>> + Clone,
) -> Result<(), RecordsError> {
    let body = body_len(i64::from(offset_delta), timestamp_delta, key, value, headers.clone());
    let length = i32::try_from(body).map_err(|_| RecordsError::Unwritable("Record exceeds 2 GiB"))?;
    out.reserve(body + 5);
    write_varint(out, length);
    out.push(0);
    write_varlong(out, timestamp_delta);
    write_varint(out, offset_delta);
    write_nullable(out, key);
    write_nullable(out, value);
    write_varlong(out, headers.len() as i64);
    for header in headers {
        write_nullable(out, Some(header.key));
        write_nullable(out, header.value);
    }
    Ok(())
}

/// Lengths are below 2 GiB because the record's is.
fn write_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    write_varlong(out, bytes.map_or(-1, |bytes| bytes.len() as i64));
    out.extend_from_slice(bytes.unwrap_or_default());
}

fn body_len<'a>(
    offset_delta: i64,
    timestamp_delta: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: impl ExactSizeIterator<Item = Header<'a>>,
) -> usize {
    1 + varint_len(timestamp_delta) + varint_len(offset_delta) + payload_len(key, value, headers)
}

fn payload_len<'a>(
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: impl ExactSizeIterator<Item = Header<'a>>,
) -> usize {
    let count = varint_len(headers.len() as i64);
    let headers: usize =
        headers.map(|header| nullable_len(Some(header.key)) + nullable_len(header.value)).sum();
    nullable_len(key) + nullable_len(value) + count + headers
}

fn nullable_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint_len(bytes.len() as i64) + bytes.len())
}
