//! What goes wrong in a transaction, and what that leaves: to abort, or nothing at all.

use std::sync::Arc;

use protocol::ErrorCode;

use super::{Request, State, Step, Transactions};
use crate::error::{Error, Result};

impl Transactions {
    /// A record could not be sent. Kafka: `TransactionManager.maybeTransitionToErrorState`.
    pub(in crate::producer) fn record_failed(&mut self, error: &Error) {
        let fatal = matches!(
            error.code(),
            Some(
                ErrorCode::CLUSTER_AUTHORIZATION_FAILED
                    | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
                    | ErrorCode::PRODUCER_FENCED
                    | ErrorCode::UNSUPPORTED_VERSION
                    | ErrorCode::INVALID_PRODUCER_ID_MAPPING
            )
        );
        if fatal || matches!(error, Error::UnsupportedVersion(_)) {
            return self.fail(error.clone());
        }
        let error = if error.is_retriable() || error.is(ErrorCode::INVALID_TXN_STATE) {
            let text = format!("Transaction Request was aborted after exhausting retries: {error}");
            Error::Broker { code: ErrorCode::TRANSACTION_ABORTABLE, message: Some(text) }
        } else {
            error.clone()
        };
        if self.client_must_bump() && !self.is_completing() {
            self.bump_needed = true;
        }
        self.fail_transaction(error);
    }

    /// It cannot be known whether some records were written.
    pub(in crate::producer) fn records_unresolved(&mut self) {
        let text = "The client hasn't received acknowledgment for some previously sent messages and can no longer retry them. ";
        let error = |end: &str| Error::Other(format!("{text}{end}").into());
        if self.can_abort() {
            self.bump_after_end();
            self.fail_transaction(error("It is safe to abort the transaction and continue."));
        } else {
            self.fail(error("It isn't safe to continue."));
        }
    }

    /// Has a newer epoch asked for when the transaction has ended, where that is our part. Where it is being ended
    /// already, the one who waits for the end waits for the epoch too.
    fn bump_after_end(&mut self) {
        if !self.client_must_bump() || std::mem::replace(&mut self.bump_needed, true) {
            return;
        }
        let ends = |request: &&mut Request| matches!(request.step, Step::End { .. });
        if let (Some(identity), Some(end)) = (self.identity, self.queue.iter_mut().find(ends)) {
            let outcome = std::mem::take(&mut end.outcome);
            let step = Step::Initialize { bump: Some(identity) };
            self.queue.push(Request { step, outcome, not_before: None });
        }
    }

    /// The transaction can only be aborted.
    pub(super) fn fail_transaction(&mut self, error: Error) {
        if self.state != State::Aborting && self.state.may_become(State::AbortableError) {
            tracing::info!(id = &*self.id, %error, "the transaction must be aborted");
            self.state = State::AbortableError;
            self.error = Some(error);
        }
    }

    /// The producer can do nothing any more.
    pub(super) fn fail(&mut self, error: Error) {
        if self.state == State::FatalError {
            return;
        }
        tracing::info!(id = &*self.id, %error, "the producer can do nothing any more");
        self.state = State::FatalError;
        if let Some(pending) = &self.pending {
            pending.outcome.complete(Err(error.clone()));
        }
        self.error = Some(error);
    }

    pub(super) fn client_must_bump(&self) -> bool {
        self.coordinator_bumps && !self.implicit
    }

    pub(super) fn can_abort(&self) -> bool {
        self.coordinator_bumps || self.implicit
    }

    /// Kafka: `TransactionManager.maybeFailWithError`.
    pub(super) fn check_error(&self) -> Result<()> {
        if !matches!(self.state, State::AbortableError | State::FatalError) {
            return Ok(());
        }
        let Some(error) = &self.error else { return Ok(()) };
        let who = format!(
            "Producer with transactionalId '{}' and {}",
            self.id,
            self.identity.map_or_else(
                || "ProducerIdAndEpoch(producerId=-1, epoch=-1)".into(),
                |identity| {
                    format!("ProducerIdAndEpoch(producerId={}, epoch={})", identity.id.0, identity.epoch.0)
                }
            )
        );
        let fenced = "has been fenced by another producer with the same transactionalId";
        Err(match error.code() {
            Some(code @ ErrorCode::PRODUCER_FENCED) => {
                Error::Broker { code, message: Some(format!("{who} {fenced}")) }
            }
            Some(code @ ErrorCode::INVALID_PRODUCER_EPOCH) => {
                Error::Broker { code, message: Some(format!("{who} attempted to produce with an old epoch")) }
            }
            _ => Error::InErrorState(Arc::new(error.clone())),
        })
    }
}
