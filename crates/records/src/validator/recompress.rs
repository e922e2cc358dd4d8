//! Writes the records of a batch anew, with another codec or with offsets in sequence.
//!
//! Where only the codec changes, the plain bytes of the records stay as they are.

use model::Offset;

use super::{AppendOrigin, AppendRules};
use crate::batch_header::BATCH_HEADER_LEN;
use crate::{
    Attributes, BatchBuilder, BatchOptions, Codec, Compression, RecordBatch, RecordsError, TimestampType,
};

/// Returns `batch` compressed by `target`. Fails if it is then larger than the rules allow.
pub(super) fn recompress(
    batch: &RecordBatch,
    target: Compression,
    in_sequence: bool,
    rules: &AppendRules<'_>,
) -> Result<RecordBatch, RecordsError> {
    // With the broker's time set by a producer, timestamps are not what the deltas say.
    let verbatim = in_sequence && batch.header().timestamp_type() == TimestampType::CreateTime;
    let batch = match verbatim {
        true => with_codec(batch, target, rules),
        false => rebuild(batch, target, rules),
    }?;
    let size = batch.size();
    if rules.origin != AppendOrigin::RaftLeader && size > rules.max_message_bytes {
        let partition = rules.topic_partition.clone();
        return Err(RecordsError::RecompressedTooLarge { partition, size, max: rules.max_message_bytes });
    }
    Ok(batch)
}

fn with_codec(
    batch: &RecordBatch,
    target: Compression,
    rules: &AppendRules<'_>,
) -> Result<RecordBatch, RecordsError> {
    let decoded = batch.decode(rules.max_decompressed_bytes)?;
    let mut whole = Vec::with_capacity(BATCH_HEADER_LEN + decoded.bytes().len() / 2);
    whole.resize(BATCH_HEADER_LEN, 0);
    target.compress(decoded.bytes(), &mut whole)?;
    let mut header = *batch.header();
    header.attributes = Attributes(header.attributes.0 & 0x3f).with_codec(target.codec());
    RecordBatch::from_parts(header, whole)
}

/// Kafka: `LogValidator.buildRecordsAndAssignOffsets`.
fn rebuild(
    batch: &RecordBatch,
    target: Compression,
    rules: &AppendRules<'_>,
) -> Result<RecordBatch, RecordsError> {
    let header = batch.header();
    let decoded = batch.decode(rules.max_decompressed_bytes)?;
    let mut builder = BatchBuilder::new(BatchOptions {
        compression: if header.is_control() { Compression::new(Codec::None) } else { target },
        base_offset: header.base_offset,
        partition_leader_epoch: header.partition_leader_epoch,
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
        transactional: header.is_transactional(),
        control: header.is_control(),
        ..Default::default()
    });
    for (index, record) in decoded.iter().enumerate() {
        let mut record = record?;
        record.offset = Offset(header.base_offset.0.wrapping_add(index as i64));
        builder.append_record(&record)?;
    }
    builder.build_batch()
}
