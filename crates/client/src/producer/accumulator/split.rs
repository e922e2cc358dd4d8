//! A batch that the broker found too large, sent in parts. Kafka: `RecordAccumulator.splitAndReenqueue`.

use std::sync::Arc;
use std::time::Instant;

use model::TopicPartition;
use records::{BatchBuilder, BatchOptions, RecordBatch};

use super::super::batch::{Batch, BatchId, Contents};
use super::super::delivery::Fate;
use super::{Accumulator, Limits};
use crate::error::Result;

impl Accumulator {
    /// Makes several batches of one that was too large; false where it has one record. Kafka: `RecordAccumulator.splitAndReenqueue`.
    pub(in crate::producer) fn split(&mut self, id: BatchId, now: Instant) -> bool {
        let Some(batch) = self.batches.get(&id).filter(|batch| batch.count > 1) else { return false };
        let Contents::Sealed(sealed) = &batch.contents else { return false };
        let Ok(parts) = split_records(sealed, &self.limits) else { return false };
        let topic = Arc::clone(&batch.partition.topic);
        let batch = self.remove(id).expect("the batch was there just now");
        self.ratios.insert(topic, 1.0);
        if let Some((identity, sequence)) = batch.numbered {
            self.sequences.forget(&batch.partition, identity, sequence);
        }
        let mut first = 0;
        let mut children = Vec::new();
        for builder in parts {
            let count = builder.record_count();
            let mut part = Batch::new(batch.partition.clone(), BatchOptions::default(), 0, batch.created);
            part.memory = builder.uncompressed_size().min(self.free);
            self.free -= part.memory;
            part.count = count;
            part.contents = Contents::Open(builder);
            part.last_attempt = now;
            part.transactional = batch.transactional;
            children.push((first, Arc::clone(&part.completion)));
            if let Some((identity, sequence)) = batch.numbered {
                part.set_number(identity, records::increment_sequence(sequence, first));
            }
            // A part takes no more records: its size is what is known to fit.
            let numbered = part.numbered;
            let child = self.insert(part);
            if let Some((_, sequence)) = numbered {
                self.sequences.adopt(&batch.partition, child, sequence);
            }
            self.requeue_part(&batch.partition, child, children.len() - 1);
            first += count;
        }
        batch.completion.complete(Fate::Split(children));
        true
    }

    /// Without numbers, the parts go before all that waits.
    fn requeue_part(&mut self, partition: &TopicPartition, id: BatchId, nth: usize) {
        if self.limits.idempotent {
            return self.requeue(partition, id);
        }
        let queue = self.queues.entry(partition.clone()).or_default();
        queue.insert(nth.min(queue.len()), id);
    }
}

/// The records of a batch in batches of about `batch.size`, taken to compress not at all; of half its size where it is
/// no larger than that, so that parts which are refused too become small enough for their topic.
fn split_records(sealed: &RecordBatch, limits: &Limits) -> Result<Vec<BatchBuilder>> {
    let size = sealed.size();
    let write_limit = if size > limits.batch_size { limits.batch_size } else { size / 2 };
    let options = BatchOptions { compression: limits.compression, write_limit, ..Default::default() };
    let decoded = sealed.decode(usize::MAX)?;
    let mut parts = vec![BatchBuilder::new(options.clone())];
    for record in decoded.iter() {
        let record = record?;
        let headers: Vec<records::Header<'_>> = record.headers.collect();
        let last = parts.last_mut().expect("there is always one");
        if last.has_room_for(record.timestamp, record.key, record.value, &headers) {
            last.append(record.timestamp, record.key, record.value, &headers)?;
        } else {
            let mut next = BatchBuilder::new(options.clone());
            next.append(record.timestamp, record.key, record.value, &headers)?;
            parts.push(next);
        }
    }
    Ok(parts)
}
