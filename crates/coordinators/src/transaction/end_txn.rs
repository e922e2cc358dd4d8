//! EndTxn: a producer commits or aborts.
//!
//! At level 2 every end raises the epoch, so a call with the epoch before the current one is a retry of the end that is
//! already decided, and a call with the current epoch belongs to the next transaction: a delayed EndTxn can no longer
//! end a later transaction (KIP-890 part 2).
//!
//! Kafka: `TransactionCoordinator.endTransaction`, `endTransactionWithTV1`.

use machine::{Now, Outcome, Ticket};
use model::ProducerId;
use protocol::ErrorCode;

use super::machine::{Decision, TransactionMachine};
use super::metadata::is_exhausted;
use super::{Producer, TransactionMetadata, TransactionResponse, TransactionState, TransactionVersion};

/// What a valid call to end a transaction means.
enum End {
    /// The end is decided now.
    Decide,
    /// It was decided and done before; the answer is repeated.
    Repeat,
}

impl TransactionMachine {
    pub(super) fn end_txn(
        &mut self,
        now: Now,
        ticket: Ticket,
        transactional_id: &str,
        producer: Producer,
        commit: bool,
        client_version: TransactionVersion,
        spare: ProducerId,
    ) -> Decision {
        // At the older levels the answer carries no producer.
        let told = |producer| if client_version.bumps_epoch() { producer } else { Producer::NONE };
        let answer =
            |result: Result<Producer, ErrorCode>| (ticket, TransactionResponse::EndTxn(result.map(told)));
        let verdict = match self.get(transactional_id) {
            _ if transactional_id.is_empty() => Err(ErrorCode::INVALID_REQUEST),
            None => Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING),
            // Whose call this is can only be told when the end before is done.
            Some(metadata) if metadata.state.is_prepared() => Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            Some(metadata) if client_version.bumps_epoch() => {
                end_at_level_2(metadata, producer, commit).map(|end| (metadata, end))
            }
            Some(metadata) => end_at_level_1(metadata, producer, commit).map(|end| (metadata, end)),
        };
        match verdict {
            Err(error) => Outcome { answers: vec![answer(Err(error))], records: Vec::new() },
            Ok((metadata, End::Repeat)) => {
                Outcome { answers: vec![answer(Ok(metadata.producer))], records: Vec::new() }
            }
            Ok((metadata, End::Decide)) => {
                let rotates = client_version.bumps_epoch() && is_exhausted(metadata.producer.epoch);
                let next = if rotates { spare } else { ProducerId::NONE };
                let prepared = metadata.prepared(commit, client_version, next, now.wall);
                // A producer whose epochs are used up goes on with the new id from 0.
                let goes_on = prepared.complete(now.wall).producer;
                let mut decision = self.prepare(transactional_id, prepared);
                decision.answers.push(answer(Ok(goes_on)));
                decision
            }
        }
    }
}

fn end_at_level_1(
    metadata: &TransactionMetadata,
    producer: Producer,
    commit: bool,
) -> Result<End, ErrorCode> {
    if metadata.producer.id != producer.id {
        return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    }
    if metadata.producer.epoch != producer.epoch {
        return Err(ErrorCode::PRODUCER_FENCED);
    }
    match (metadata.state, commit) {
        (TransactionState::Ongoing, _) => Ok(End::Decide),
        (TransactionState::CompleteCommit, true) | (TransactionState::CompleteAbort, false) => {
            Ok(End::Repeat)
        }
        _ => Err(ErrorCode::INVALID_TXN_STATE),
    }
}

fn end_at_level_2(
    metadata: &TransactionMetadata,
    producer: Producer,
    commit: bool,
) -> Result<End, ErrorCode> {
    let current = metadata.producer;
    let retry_after_rotation = metadata.previous_producer_id == producer.id
        && producer.epoch.0 == i16::MAX - 1
        && current.epoch.0 == 0
        && current.id != producer.id;
    let retry_after_bump = producer.epoch.0.checked_add(1) == Some(current.epoch.0);
    if current.id != producer.id && !retry_after_rotation {
        return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    }
    let retry = retry_after_bump || retry_after_rotation;
    let valid = match metadata.state {
        TransactionState::CompleteCommit | TransactionState::CompleteAbort => {
            retry || producer.epoch == current.epoch
        }
        _ => producer.epoch == current.epoch,
    };
    if !valid {
        return Err(ErrorCode::PRODUCER_FENCED);
    }
    match (metadata.state, commit, retry) {
        (TransactionState::Ongoing, _, _) => Ok(End::Decide),
        (TransactionState::CompleteCommit, true, true) | (TransactionState::CompleteAbort, false, true) => {
            Ok(End::Repeat)
        }
        // A transaction that never got a partition may be aborted, which raises the epoch.
        (
            TransactionState::CompleteCommit | TransactionState::CompleteAbort | TransactionState::Empty,
            false,
            false,
        ) => Ok(End::Decide),
        _ => Err(ErrorCode::INVALID_TXN_STATE),
    }
}
