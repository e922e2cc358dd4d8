//! One batch over the bytes it came in: header decoded, records untouched, changes kept beside the bytes.
//!
//! Setters change the decoded header alone. [`RecordBatch::pieces`] gives the header's bytes and the records' bytes
//! apart, for a vectored write that copies nothing; [`RecordBatch::into_bytes`] joins them.

use bytes::{Bytes, BytesMut};
use model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

use crate::batch_header::{ATTRIBUTES_AT, BATCH_HEADER_LEN, crc32c};
use crate::{Attributes, BatchHeader, Codec, OwnedRecord, RecordIter, RecordsError, TimestampType};

/// A batch of format 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordBatch {
    header: BatchHeader,
    /// Header and records as they came; the header in it is old once `patched`.
    whole: Bytes,
    patched: bool,
}

impl RecordBatch {
    /// Takes the batch at the start of `bytes`, which may go on after it. The checksum is not looked at.
    ///
    /// Fails when the batch is cut, too small, or of another format.
    pub fn parse(bytes: &Bytes) -> Result<Self, RecordsError> {
        let header = BatchHeader::parse(bytes)?;
        let size = header.size();
        if size > bytes.len() {
            return Err(RecordsError::Cut { size, available: bytes.len() });
        }
        Ok(Self { header, whole: bytes.slice(..size), patched: false })
    }

    /// Joins a header and the bytes of its records; length and checksum are set here.
    pub(crate) fn from_parts(header: BatchHeader, mut whole: Vec<u8>) -> Result<Self, RecordsError> {
        let mut header = header;
        header.length = i32::try_from(whole.len() - crate::LOG_OVERHEAD)
            .map_err(|_| RecordsError::Unwritable("Record batch exceeds 2 GiB"))?;
        header.crc = header.compute_crc(&whole[BATCH_HEADER_LEN..]);
        whole[..BATCH_HEADER_LEN].copy_from_slice(&header.to_array());
        Ok(Self { header, whole: whole.into(), patched: false })
    }

    /// Returns what compaction leaves of a batch whose records are all gone, so that the producer's sequence stays
    /// known. Kafka: `DefaultRecordBatch.writeEmptyHeader`.
    #[must_use]
    pub fn emptied(&self) -> Self {
        let attributes = self.header.attributes.with_codec(Codec::None).with_delete_horizon(false);
        let header =
            BatchHeader { attributes, base_timestamp: Timestamp::NONE, record_count: 0, ..self.header };
        Self::from_parts(header, vec![0; BATCH_HEADER_LEN]).expect("61 bytes are below 2 GiB")
    }

    /// Returns the header with all changes made to it.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Returns the whole size in bytes.
    pub fn size(&self) -> usize {
        self.whole.len()
    }

    /// Returns the bytes of the records, compressed if the header says so.
    pub fn body(&self) -> &[u8] {
        &self.whole[BATCH_HEADER_LEN..]
    }

    /// Returns the bytes of the records without copying them.
    pub fn body_bytes(&self) -> Bytes {
        self.whole.slice(BATCH_HEADER_LEN..)
    }

    /// Checks the checksum. Fails with [`RecordsError::CrcMismatch`]. Kafka: `DefaultRecordBatch.ensureValid`.
    pub fn ensure_valid(&self) -> Result<(), RecordsError> {
        let computed = match self.patched {
            true => self.header.compute_crc(self.body()),
            false => crc32c(&self.whole[ATTRIBUTES_AT..]),
        };
        if computed == self.header.crc {
            return Ok(());
        }
        Err(RecordsError::CrcMismatch { stored: self.header.crc, computed })
    }

    /// Moves the batch to another base offset.
    pub fn set_base_offset(&mut self, offset: Offset) {
        self.header.base_offset = offset;
        self.patched = true;
    }

    /// Sets the epoch of the leader that appends the batch.
    pub fn set_partition_leader_epoch(&mut self, epoch: LeaderEpoch) {
        self.header.partition_leader_epoch = epoch;
        self.patched = true;
    }

    /// Sets the greatest timestamp and who set it. The checksum is computed anew only if one of them changes.
    pub fn set_max_timestamp(&mut self, timestamp_type: TimestampType, timestamp: Timestamp) {
        if self.header.timestamp_type() == timestamp_type && self.header.max_timestamp == timestamp {
            return;
        }
        // Bits without a meaning are dropped when attributes are rewritten, as Kafka does.
        self.header.attributes =
            Attributes(self.header.attributes.0 & 0x7f).with_timestamp_type(timestamp_type);
        self.header.max_timestamp = timestamp;
        self.recompute_crc();
    }

    /// Sets the producer's id, epoch and sequence, and whether the batch is part of a transaction.
    pub fn set_producer_state(
        &mut self,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        base_sequence: i32,
        transactional: bool,
    ) {
        self.header.producer_id = producer_id;
        self.header.producer_epoch = producer_epoch;
        self.header.base_sequence = base_sequence;
        self.header.attributes = self.header.attributes.with_transactional(transactional);
        self.recompute_crc();
    }

    fn recompute_crc(&mut self) {
        self.header.crc = self.header.compute_crc(&self.whole[BATCH_HEADER_LEN..]);
        self.patched = true;
    }

    /// Returns the header's bytes and the records' bytes, copying no record: for a vectored write.
    pub fn pieces(&self) -> ([u8; BATCH_HEADER_LEN], Bytes) {
        (self.header.to_array(), self.body_bytes())
    }

    /// Returns the batch as one piece: as it came if nothing was changed, changed in place if nobody else holds the
    /// bytes, copied otherwise.
    pub fn into_bytes(self) -> Bytes {
        if !self.patched {
            return self.whole;
        }
        let mut whole = self.whole.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        whole[..BATCH_HEADER_LEN].copy_from_slice(&self.header.to_array());
        whole.freeze()
    }

    /// Decompresses the records, if they are compressed, so that they can be iterated over.
    ///
    /// Fails past `max_bytes` of records, with an unknown codec, and with bytes that the codec did not write. Bytes
    /// that are not compressed are never copied, nor bounded by `max_bytes`.
    pub fn decode(&self, max_bytes: usize) -> Result<DecodedBatch, RecordsError> {
        let codec = self.header.attributes.codec()?;
        let records = crate::compression::decompress(codec, self.body_bytes(), max_bytes)?;
        Ok(DecodedBatch { header: self.header, records })
    }
}

/// A batch whose records are there as plain bytes.
#[derive(Clone, Debug)]
pub struct DecodedBatch {
    header: BatchHeader,
    records: Bytes,
}

impl DecodedBatch {
    /// Returns the header, in which the codec is still the one that the batch had.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Returns the plain bytes of the records.
    pub fn bytes(&self) -> &Bytes {
        &self.records
    }

    /// Iterates over the records without copying.
    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter::new(&self.header, &self.records)
    }

    /// Iterates over the records, each of which holds on to the batch's bytes.
    pub fn owned(&self) -> impl Iterator<Item = Result<OwnedRecord, RecordsError>> + '_ {
        self.iter().map(|record| record.map(|record| OwnedRecord::new(&record, &self.records)))
    }
}
