//! Where batches and transactions meet: what is not sent any more, and when a transaction can be ended.
//! Kafka: `Sender.runOnce`, `RecordAccumulator.abortUndrainedBatches`.

use std::time::Instant;

use super::super::batch::BatchId;
use super::super::delivery::Fate;
use super::super::transactions::{Answer, Request};
use super::Accumulator;
use crate::error::{Error, Result};

impl Accumulator {
    /// The next request to a coordinator, if one can go now. Fails batches that will not be sent any more.
    pub(in crate::producer) fn next_request(&mut self, now: Instant) -> Option<Request> {
        let transactions = self.transactions.as_ref()?;
        if let Some(error) = transactions.fatal_error() {
            self.abort(&error);
        } else if let Some(why) = transactions.why_not_sent() {
            self.abort_unnumbered(&why);
        }
        let unsettled = !self.batches.is_empty();
        self.transactions.as_mut()?.next_request(now, unsettled)
    }

    /// When the next request to a coordinator may go.
    pub(in crate::producer) fn next_request_time(&self) -> Option<Instant> {
        self.transactions.as_ref()?.next_time()
    }

    /// Takes a coordinator's answer.
    pub(in crate::producer) fn answered(&mut self, now: Instant, request: Request, answer: Result<Answer>) {
        let Some(transactions) = self.transactions.as_mut() else { return };
        if let Some(identity) = transactions.answered(now, request, answer) {
            self.sequences.start_anew(identity);
        }
    }

    /// The highest version of Produce that may be used.
    pub(in crate::producer) fn produce_cap(&self) -> i16 {
        self.transactions.as_ref().map_or(i16::MAX, |transactions| transactions.produce_cap())
    }

    /// Gives up on transactions: what waits for a coordinator fails.
    pub(in crate::producer) fn close_transactions(&mut self) {
        if let Some(transactions) = &mut self.transactions {
            transactions.close();
        }
    }

    /// A record was not taken in: its transaction must not be committed without it. Calls at the wrong time change
    /// nothing.
    pub(in crate::producer) fn record_refused(&mut self, error: &Error) {
        let Some(transactions) = self.transactions.as_mut().filter(|transactions| transactions.is_open())
        else {
            return;
        };
        let misuse = matches!(
            error,
            Error::IllegalState(_) | Error::IllegalArgument(_) | Error::InErrorState(_) | Error::Closed(_)
        );
        if !misuse {
            transactions.record_failed(error);
        }
    }

    /// Batches without a number never went out.
    fn abort_unnumbered(&mut self, error: &Error) {
        let unsent = self.batches.iter().filter(|(_, batch)| batch.numbered.is_none());
        let unsent: Vec<BatchId> = unsent.map(|(id, _)| *id).collect();
        for id in unsent {
            if let Some(batch) = self.remove(id) {
                batch.completion.complete(Fate::Failed(error.clone()));
            }
        }
    }

    /// Whether nothing is left to do for a producer that closes. A transaction that is still open is aborted first.
    pub(in crate::producer) fn is_finished(&mut self, feature: Option<(i64, i16)>) -> bool {
        if !self.closing || !self.batches.is_empty() {
            return false;
        }
        let Some(transactions) = self.transactions.as_mut() else { return true };
        if transactions.is_ongoing() && !transactions.is_completing() {
            tracing::info!("aborting the incomplete transaction, for the producer closes");
            if transactions.end(false, feature).is_err() {
                transactions.close();
            }
        }
        !transactions.is_ongoing()
    }
}
