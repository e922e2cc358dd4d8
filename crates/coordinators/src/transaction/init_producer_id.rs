//! InitProducerId: a producer gets its id and epoch, and whoever had the transactional id before is fenced.
//!
//! Kafka: `TransactionCoordinator.handleInitProducerId`, `prepareInitProducerIdTransit`.

use machine::{Now, Outcome, Ticket};
use model::ProducerEpoch;
use model::ProducerId;
use protocol::ErrorCode;

use super::machine::{Decision, TransactionMachine};
use super::metadata::is_exhausted;
use super::{Producer, TransactionMetadata, TransactionResponse, TransactionState};

impl TransactionMachine {
    pub(super) fn init_producer_id(
        &mut self,
        now: Now,
        ticket: Ticket,
        transactional_id: &str,
        timeout_ms: i32,
        expected: Option<Producer>,
        spare: ProducerId,
    ) -> Decision {
        let refuse = |error| Outcome::answer(ticket, TransactionResponse::InitProducerId(Err(error)));
        if transactional_id.is_empty() {
            return refuse(ErrorCode::INVALID_REQUEST);
        }
        if timeout_ms <= 0 || timeout_ms > self.config.max_timeout_ms {
            return refuse(ErrorCode::INVALID_TRANSACTION_TIMEOUT);
        }
        let unseen = TransactionMetadata::new(spare, timeout_ms, now.wall);
        let metadata = self.get(transactional_id).unwrap_or(&unseen);
        if expected.is_some_and(|expected| !may_continue(metadata, expected)) {
            return refuse(ErrorCode::PRODUCER_FENCED);
        }
        match metadata.state {
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                refuse(ErrorCode::CONCURRENT_TRANSACTIONS)
            }
            TransactionState::Ongoing => {
                // The producer asks again until the transaction that it left open is aborted.
                let mut decision = self.abort_fenced(now, transactional_id, metadata);
                let answer = TransactionResponse::InitProducerId(Err(ErrorCode::CONCURRENT_TRANSACTIONS));
                decision.answers.push((ticket, answer));
                decision
            }
            _ => match next_incarnation(metadata, timeout_ms, expected, spare, now) {
                Err(error) => refuse(error),
                Ok(to) => Outcome {
                    answers: vec![(ticket, TransactionResponse::InitProducerId(Ok(to.producer)))],
                    records: vec![self.change(transactional_id, to)],
                },
            },
        }
    }

    /// Fences the producer of an open transaction and aborts it, at the level of the cluster.
    pub(super) fn abort_fenced(
        &self,
        now: Now,
        transactional_id: &str,
        metadata: &TransactionMetadata,
    ) -> Decision {
        // At level 2 the end itself raises the epoch.
        let fenced = if self.level.bumps_epoch() { metadata.clone() } else { metadata.fenced() };
        self.prepare(transactional_id, fenced.prepared(false, self.level, ProducerId::NONE, now.wall))
    }
}

/// Tells whether a producer that had an id may go on: it has the current one, or the one before and no epoch left
/// (then its answer to the last change was lost), or the transactional id is new here.
fn may_continue(metadata: &TransactionMetadata, expected: Producer) -> bool {
    metadata.producer.epoch == ProducerEpoch::NONE
        || expected.id == metadata.producer.id
        || (expected.id == metadata.previous_producer_id && is_exhausted(expected.epoch))
}

fn next_incarnation(
    metadata: &TransactionMetadata,
    timeout_ms: i32,
    expected: Option<Producer>,
    spare: ProducerId,
    now: Now,
) -> Result<TransactionMetadata, ErrorCode> {
    let current = metadata.producer.epoch;
    if is_exhausted(current) && expected.is_none_or(|expected| expected.epoch == current) {
        Ok(metadata.with_new_producer_id(spare, timeout_ms, expected.is_some(), now.wall))
    } else {
        metadata.with_next_epoch(timeout_ms, expected.map(|expected| expected.epoch), now.wall)
    }
}
