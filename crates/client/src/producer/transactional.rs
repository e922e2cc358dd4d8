//! Transactions, as the user of a producer sees them. Kafka: the transactional calls of `KafkaProducer`.
//!
//! A call that fails with [`Error::Timeout`] goes on, and must be repeated until its outcome is known. After any other
//! error the transaction can be aborted and the next one begun, unless [`Producer::fatal_error`] gives an error too.

use std::sync::Arc;

use super::Producer;
use super::accumulator::Accumulator;
use super::transactions::{Outcome, Transactions};
use crate::consumer::{GroupMetadata, Offsets};
use crate::error::{Error, Result};

impl Producer {
    /// Must be called once, before the first transaction: ends the transaction that an earlier producer with our
    /// `transactional.id` left open, and fences that producer. Takes `max.block.ms` at most.
    pub async fn init_transactions(&self) -> Result<()> {
        let outcome = self.transact(Transactions::initialize)?;
        let text = "InitTransactions timed out - did not complete coordinator discovery or receive the InitProducerId response within max.block.ms.";
        self.settle(&outcome, text).await?;
        let feature = self.shared().transaction_version();
        self.transact(|transactions| {
            transactions.learn_level(feature, true);
            Ok(())
        })
    }

    /// Begins a transaction: records that are sent from now on are part of it.
    pub fn begin_transaction(&self) -> Result<()> {
        self.transact(Transactions::begin)
    }

    /// Makes a group's offsets (each that of the next record to read) part of the transaction. `group` is from
    /// [`crate::Consumer::group_metadata`]; the consumer itself must not commit. Takes `max.block.ms` at most.
    pub async fn send_offsets_to_transaction(&self, offsets: &Offsets, group: &GroupMetadata) -> Result<()> {
        if group.generation > 0 && group.member_id.is_empty() {
            return Err(Error::IllegalArgument(
                "Passed in group metadata has generationId > 0 but the member.id is unknown".into(),
            ));
        }
        if offsets.is_empty() {
            return self.transact(|_| Ok(()));
        }
        let (offsets, group) = (offsets.clone(), group.clone());
        let outcome = self.transact(|transactions| transactions.send_offsets(offsets, group))?;
        let text = "SendOffsetsToTransaction timed out - did not reach the coordinator or receive the TxnOffsetCommit/AddOffsetsToTxn response within max.block.ms";
        self.settle(&outcome, text).await
    }

    /// Sends what waits and commits; fails if any record of the transaction failed. Takes `max.block.ms` at most.
    pub async fn commit_transaction(&self) -> Result<()> {
        let feature = self.shared().transaction_version();
        let outcome = self.transact(|transactions| transactions.end(true, feature))?;
        let text = "CommitTransaction timed out - did not complete EndTxn with the transaction coordinator within max.block.ms";
        self.settle(&outcome, text).await
    }

    /// Drops what waits and aborts. Takes `max.block.ms` at most.
    pub async fn abort_transaction(&self) -> Result<()> {
        let feature = self.shared().transaction_version();
        let outcome = self.transact(|transactions| transactions.end(false, feature))?;
        let text = "AbortTransaction timed out - did not complete EndTxn(abort) with the transaction coordinator within max.block.ms";
        self.settle(&outcome, text).await
    }

    /// Why the producer can only be closed, if so: it was fenced, or is not allowed what it wants.
    pub fn fatal_error(&self) -> Option<Error> {
        let shared = self.shared();
        let without = || shared.fatal.lock().expect("no holder panics").clone();
        shared.with(|accumulator| accumulator.transactions.as_ref()?.fatal_error()).or_else(without)
    }

    /// Does something with the transactions, and has the sender look what there is to ask.
    fn transact<T>(&self, act: impl FnOnce(&mut Transactions) -> Result<T>) -> Result<T> {
        let shared = self.shared();
        let done = shared.with(|accumulator: &mut Accumulator| {
            if accumulator.is_closing() {
                return Err(super::closed());
            }
            let none = || Error::IllegalState(no_transactions(shared.config.idempotence).into());
            act(accumulator.transactions.as_mut().ok_or_else(none)?)
        });
        shared.wake.notify_one();
        done
    }

    async fn settle(&self, outcome: &Arc<Outcome>, timeout_text: &str) -> Result<()> {
        let shared = self.shared();
        let result = tokio::select! {
            biased;
            result = outcome.wait() => result,
            () = self.stopped() => return Err(Error::Closed("The producer closed forcefully".into())),
            () = tokio::time::sleep(shared.config.max_block) => return Err(Error::Timeout(timeout_text.to_owned())),
        };
        shared.with(|accumulator| {
            if let Some(transactions) = &mut accumulator.transactions {
                transactions.observed(outcome);
            }
        });
        result
    }
}

fn no_transactions(idempotent: bool) -> &'static str {
    if idempotent {
        "Transactional method invoked on a non-transactional producer."
    } else {
        "Cannot use transactional methods without enabling transactions by setting the transactional.id configuration property"
    }
}
