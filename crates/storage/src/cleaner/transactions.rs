//! Follows the transactions of a log while it is compacted: whose records were aborted, and whose marker is still needed.
//!
//! Invariants:
//! - batches are shown in the order of their offsets, whole batches only
//! - an aborted transaction of which records were still there is passed on, so that the index of what is left names it
//!
//! Kafka: `CleanedTransactionMetadata`.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::{Offset, ProducerId};
use records::{BatchHeader, ControlType, RecordBatch, RecordsError};

use crate::AbortedTxn;

/// Bytes of a control batch's records; they are small, or not for us.
const CONTROL_BYTES: usize = 1 << 20;

/// The transactions around the place that compaction has come to.
#[derive(Debug, Default)]
pub(crate) struct CleanedTransactions {
    /// Aborted ones that begin further on, by their first offsets.
    upcoming: BTreeMap<(Offset, ProducerId), AbortedTxn>,
    /// Aborted ones whose marker is still to come, and whether records of them were seen.
    aborted: HashMap<ProducerId, (AbortedTxn, bool)>,
    /// Producers of committed records whose marker is still to come.
    committed: HashSet<ProducerId>,
    /// Aborted ones that ended, of which records were seen.
    ended: Vec<AbortedTxn>,
}

impl CleanedTransactions {
    /// Takes note of aborted transactions that reach into what is read next; those known are passed over.
    pub(crate) fn add_aborted(&mut self, aborted: impl IntoIterator<Item = AbortedTxn>) {
        for transaction in aborted {
            self.upcoming.insert((transaction.first_offset, transaction.producer_id), transaction);
        }
    }

    /// Takes over a batch of records; tells whether its transaction was aborted.
    pub(crate) fn on_batch(&mut self, header: &BatchHeader) -> bool {
        self.begin_up_to(header.last_offset());
        if !header.is_transactional() {
            return false;
        }
        if let Some((transaction, seen)) = self.aborted.get_mut(&header.producer_id)
            && header.base_offset <= transaction.last_offset
        {
            *seen = true;
            return true;
        }
        self.committed.insert(header.producer_id);
        false
    }

    /// Takes over a control batch; tells whether it is of no use any more, because nothing of its transaction is left.
    pub(crate) fn on_control_batch(&mut self, batch: &RecordBatch) -> Result<bool, RecordsError> {
        let header = batch.header();
        self.begin_up_to(header.last_offset());
        let decoded = batch.decode(CONTROL_BYTES)?;
        let Some(record) = decoded.iter().next().transpose()? else { return Ok(true) };
        Ok(match ControlType::from_key(record.key)? {
            ControlType::Abort => match self.aborted.remove(&header.producer_id) {
                Some((transaction, true)) => {
                    self.ended.push(transaction);
                    false
                }
                _ => true,
            },
            ControlType::Commit => !self.committed.remove(&header.producer_id),
            _ => false,
        })
    }

    /// Returns the aborted transactions that ended since the last call, of which records were seen.
    pub(crate) fn take_ended(&mut self) -> Vec<AbortedTxn> {
        std::mem::take(&mut self.ended)
    }

    fn begin_up_to(&mut self, offset: Offset) {
        while let Some(first) = self.upcoming.first_entry() {
            if first.key().0 > offset {
                break;
            }
            let transaction = first.remove();
            let known = self.aborted.entry(transaction.producer_id).or_insert((transaction, false));
            if known.0.last_offset < transaction.first_offset {
                *known = (transaction, false);
            }
        }
    }
}
