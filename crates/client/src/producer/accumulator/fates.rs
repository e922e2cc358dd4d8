//! What becomes of batches: written, failed, sent again, too old. Kafka: what `Sender` decides about batches.

use std::time::Instant;

use model::{Offset, Timestamp, TopicPartition};
use protocol::ErrorCode;

use super::super::batch::{Batch, BatchId};
use super::super::delivery::Fate;
use super::super::sequences::{Identity, precedes};
use super::Accumulator;
use crate::error::Error;

impl Accumulator {
    /// The batch was written.
    pub(in crate::producer) fn succeed(
        &mut self,
        id: BatchId,
        base: Option<Offset>,
        append_time: Option<Timestamp>,
    ) {
        let Some(batch) = self.remove(id) else { return };
        if let Some((identity, sequence)) = batch.numbered {
            self.sequences.acked(&batch.partition, identity, sequence, batch.count);
        }
        batch.completion.complete(Fate::Written { base, append_time });
    }

    /// The batch will not be written. `certain`: it surely was not.
    pub(in crate::producer) fn fail(&mut self, id: BatchId, fate: Fate, certain: bool) {
        let Some(batch) = self.remove(id) else { return };
        self.measures.failed += batch.count as u64;
        if let (Some(transactions), Fate::Failed(error) | Fate::Invalid { error, .. }) =
            (&mut self.transactions, &fate)
        {
            transactions.record_failed(error);
        }
        if let Some((identity, sequence)) = batch.numbered {
            self.number_left(&batch, identity, sequence, certain);
        }
        batch.completion.complete(fate);
    }

    /// A batch that had a number left without being written, as far as is known. What came after it may be written or
    /// not, so that without a transaction to abort, numbers start anew: to move up could give a number out twice, and
    /// a broker holds a number that it has for written. Kafka: `TransactionManager.handleFailedBatch`.
    fn number_left(&mut self, batch: &Batch, identity: Identity, sequence: i32, certain: bool) {
        let partition = &batch.partition;
        if !certain {
            self.sequences.forget(partition, identity, sequence);
            self.sequences.mark_unresolved(partition, sequence, batch.count);
        } else if self.transactions.is_none() {
            self.sequences.forget(partition, identity, sequence);
            self.sequences.request_bump(partition);
        } else {
            for (other, number) in self.sequences.close_gap(partition, identity, sequence, batch.count) {
                if let Some(other) = self.batches.get_mut(&other) {
                    other.set_number(identity, number);
                }
            }
        }
    }

    pub(super) fn remove(&mut self, id: BatchId) -> Option<Batch> {
        let batch = self.batches.remove(&id)?;
        self.free += batch.memory;
        self.freed = true;
        self.muted.remove(&batch.partition);
        if let Some(queue) = self.queues.get_mut(&batch.partition) {
            queue.retain(|queued| *queued != id);
        }
        Some(batch)
    }

    /// Whether the batch may be sent once more after `code`. Kafka: `Sender.canRetry`.
    pub(in crate::producer) fn can_retry(
        &mut self,
        id: BatchId,
        now: Instant,
        code: Option<ErrorCode>,
        retriable: bool,
    ) -> bool {
        let Some(batch) = self.batches.get(&id) else { return false };
        if batch.attempts >= self.limits.retries || now >= batch.created + self.limits.delivery_timeout {
            return false;
        }
        let Some((_, sequence)) = batch.numbered else { return retriable };
        match code {
            // A transaction is aborted rather than numbered anew, unless the batch only came before an earlier one.
            Some(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER) if self.transactions.is_some() => {
                !self.sequences.is_unresolved(&batch.partition)
                    && !self.sequences.is_next(&batch.partition, sequence)
            }
            _ if self.transactions.is_some() => retriable,
            Some(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER) => {
                if self.sequences.is_gap(&batch.partition, sequence) {
                    self.sequences.request_bump(&batch.partition);
                }
                true
            }
            Some(ErrorCode::UNKNOWN_PRODUCER_ID | ErrorCode::INVALID_PRODUCER_EPOCH) => {
                self.sequences.request_bump(&batch.partition);
                true
            }
            _ => retriable,
        }
    }

    /// Puts the batch back into its place.
    pub(in crate::producer) fn retry(&mut self, id: BatchId, now: Instant) {
        let Some(batch) = self.batches.get_mut(&id) else { return };
        batch.attempts += 1;
        self.measures.retried += batch.count as u64;
        batch.last_attempt = now;
        let partition = batch.partition.clone();
        self.muted.remove(&partition);
        self.requeue(&partition, id);
    }

    /// Ids grow with time, so that order by id is order of making; parts of a split batch were queued in order. Where a
    /// partition has one batch in flight, that one came before all that wait.
    pub(super) fn requeue(&mut self, partition: &TopicPartition, id: BatchId) {
        let number = |id: &BatchId| self.batches.get(id).and_then(|batch| batch.numbered).map(|(_, at)| at);
        let queue = self.queues.get(partition);
        let before = |queued: &BatchId| match (number(queued), number(&id)) {
            (Some(theirs), Some(ours)) => precedes(theirs, ours),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => !self.limits.one_by_one && *queued < id,
        };
        let at = queue.map_or(0, |queue| queue.iter().take_while(|queued| before(queued)).count());
        self.queues.entry(partition.clone()).or_default().insert(at, id);
    }

    /// Fails what is past `delivery.timeout.ms`; tells when to look again.
    pub(in crate::producer) fn expire(&mut self, now: Instant) -> Option<Instant> {
        let timeout = self.limits.delivery_timeout;
        let expired: Vec<BatchId> = self
            .batches
            .iter()
            .filter(|(_, batch)| now >= batch.created + timeout)
            .map(|(id, _)| *id)
            .collect();
        for id in expired {
            let batch = &self.batches[&id];
            let text = format!(
                "Expiring {} record(s) for {}:{} ms has passed since batch creation. The request has not been sent, or no server response has been received yet.",
                batch.count,
                batch.partition,
                now.duration_since(batch.created).as_millis()
            );
            // A batch that was never sent has no number, and leaves no gap.
            self.fail(id, Fate::Failed(Error::Timeout(text)), false);
        }
        self.batches.values().map(|batch| batch.created + timeout).min()
    }

    /// Fails everything.
    pub(in crate::producer) fn abort(&mut self, error: &Error) {
        let ids: Vec<BatchId> = self.batches.keys().copied().collect();
        for id in ids {
            self.fail(id, Fate::Failed(error.clone()), false);
        }
    }

    /// Raises the epoch if that is wanted, and numbers what is in flight anew. True if a new identity is needed.
    pub(in crate::producer) fn settle_sequences(&mut self) -> bool {
        if !self.limits.idempotent {
            return false;
        }
        self.sequences.resolve();
        if let Some(transactions) = &mut self.transactions {
            if self.sequences.take_lost() {
                transactions.records_unresolved();
            }
            return false;
        }
        let mut renumber = self.sequences.bump();
        renumber.extend(self.sequences.restart_after_reset());
        for (id, identity, _) in renumber {
            let Some(batch) = self.batches.get_mut(&id) else { continue };
            let sequence = self.sequences.renumber(&batch.partition, id, batch.count);
            batch.set_number(identity, sequence);
        }
        self.sequences.identity().is_none()
    }
}
