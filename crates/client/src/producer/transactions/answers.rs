//! What the coordinators' answers mean: done, again, abort, or the end. Kafka: the handlers in `TransactionManager`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use model::{ProducerEpoch, ProducerId, TopicPartition};
use protocol::{EndTxnResponse, ErrorCode, InitProducerIdResponse};

use super::super::sequences::Identity;
use super::{ADD_PARTITIONS_RETRY_BACKOFF, Answer, Request, State, Step, Transactions};
use crate::error::{Error, Result};

/// What an answer means.
enum Verdict {
    Done,
    Again,
    /// A retry that need not wait as long.
    Soon,
    Abort(Error),
    Fatal(Error),
}

impl Transactions {
    /// Takes the answer to `request`; gives an identity that is new, with which all numbers start at 0.
    pub(in crate::producer) fn answered(
        &mut self,
        now: Instant,
        mut request: Request,
        answer: Result<Answer>,
    ) -> Option<Identity> {
        self.under_way = false;
        let mut identity = None;
        let verdict = match answer {
            Err(error) => lookup_failed(error),
            Ok(Answer::Initialized { response, bumps }) => {
                self.coordinator_bumps = bumps;
                self.initialized(&response, &mut identity)
            }
            Ok(Answer::PartitionsAdded(results)) => self.partitions_added(results),
            Ok(Answer::OffsetsAdded(code)) => self.offsets_added(&mut request, code),
            Ok(Answer::OffsetsCommitted(results)) => offsets_committed(&mut request, results),
            Ok(Answer::Ended(response)) => self.ended(&request, &response, &mut identity),
        };
        self.apply(now, request, verdict);
        identity
    }

    fn apply(&mut self, now: Instant, mut request: Request, verdict: Verdict) {
        match verdict {
            Verdict::Done => request.outcome.complete(Ok(())),
            Verdict::Again | Verdict::Soon => {
                let soon = matches!(verdict, Verdict::Soon);
                let wait = if soon {
                    ADD_PARTITIONS_RETRY_BACKOFF.min(self.retry_backoff)
                } else {
                    self.retry_backoff
                };
                request.not_before = Some(now + wait);
                self.queue.push(request);
            }
            Verdict::Abort(error) => {
                request.outcome.complete(Err(error.clone()));
                self.fail_transaction(error);
            }
            Verdict::Fatal(error) => {
                request.outcome.complete(Err(error.clone()));
                self.fail(error);
            }
        }
    }

    fn initialized(&mut self, response: &InitProducerIdResponse, new: &mut Option<Identity>) -> Verdict {
        match response.error_code {
            ErrorCode::NONE => {
                self.take_identity(response.producer_id, response.producer_epoch, new);
                if self.state == State::Initializing {
                    self.state = State::Ready;
                    self.error = None;
                }
                Verdict::Done
            }
            code @ (ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            | ErrorCode::CLUSTER_AUTHORIZATION_FAILED) => {
                // It may be allowed later.
                self.state = State::Uninitialized;
                self.error = None;
                let error = Error::broker(code);
                for request in self.queue.drain(..) {
                    request.outcome.complete(Err(error.clone()));
                }
                Verdict::Abort(error)
            }
            code => common(code, "Unexpected error in InitProducerIdResponse; "),
        }
    }

    fn take_identity(&mut self, id: i64, epoch: i16, new: &mut Option<Identity>) {
        let identity = Identity { id: ProducerId(id), epoch: ProducerEpoch(epoch) };
        self.identity = Some(identity);
        *new = Some(identity);
    }

    fn partitions_added(&mut self, results: Vec<(TopicPartition, ErrorCode)>) -> Verdict {
        let mut failed = Vec::new();
        let mut unauthorized = BTreeSet::new();
        for (name, code) in &results {
            match *code {
                ErrorCode::NONE => {}
                ErrorCode::CONCURRENT_TRANSACTIONS if self.partitions.is_empty() => return Verdict::Soon,
                code if code.is_retriable() => return Verdict::Again,
                ErrorCode::INVALID_PRODUCER_EPOCH | ErrorCode::PRODUCER_FENCED => return fenced(),
                code @ (ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
                | ErrorCode::INVALID_TXN_STATE
                | ErrorCode::INVALID_PRODUCER_ID_MAPPING) => return Verdict::Fatal(Error::broker(code)),
                ErrorCode::TOPIC_AUTHORIZATION_FAILED => drop(unauthorized.insert(name.topic.to_string())),
                ErrorCode::UNKNOWN_PRODUCER_ID => return self.abort_if_possible(*code),
                ErrorCode::TRANSACTION_ABORTABLE => return Verdict::Abort(Error::broker(*code)),
                code => failed.push(format!("{name}={}", code.name())),
            }
        }
        for (name, _) in &results {
            self.adding_partitions.remove(name);
        }
        if !unauthorized.is_empty() {
            let topics: Vec<String> = unauthorized.into_iter().collect();
            let message = format!("Not authorized to access topics: [{}]", topics.join(", "));
            let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
            return Verdict::Abort(Error::Broker { code, message: Some(message) });
        }
        if !failed.is_empty() {
            let failed = failed.join(", ");
            let text = format!("Could not add partitions to transaction due to errors: {{{failed}}}");
            return Verdict::Abort(Error::Other(text.into()));
        }
        self.partitions.extend(results.into_iter().map(|(name, _)| name));
        self.started = true;
        Verdict::Done
    }

    /// The offsets themselves go next, to the group's coordinator.
    fn offsets_added(&mut self, request: &mut Request, code: ErrorCode) -> Verdict {
        match code {
            ErrorCode::NONE => {
                self.started = true;
                if let Step::AddOffsets { identity, offsets, group } = request.step.clone() {
                    let step = Step::CommitOffsets { identity, offsets, group, implicit: self.implicit };
                    // The one who waits waits for that.
                    let outcome = std::mem::take(&mut request.outcome);
                    self.queue.push(Request { step, outcome, not_before: None });
                }
                Verdict::Done
            }
            ErrorCode::UNKNOWN_PRODUCER_ID => self.abort_if_possible(code),
            ErrorCode::GROUP_AUTHORIZATION_FAILED => Verdict::Abort(Error::broker(code)),
            ErrorCode::INVALID_TXN_STATE | ErrorCode::INVALID_PRODUCER_ID_MAPPING => {
                Verdict::Fatal(Error::broker(code))
            }
            code => common(code, "Unexpected error in AddOffsetsToTxnResponse: "),
        }
    }

    fn ended(&mut self, request: &Request, response: &EndTxnResponse, new: &mut Option<Identity>) -> Verdict {
        let aborts = matches!(request.step, Step::End { commit: false, .. });
        match response.error_code {
            ErrorCode::NONE => {
                if response.producer_id >= 0 {
                    self.take_identity(response.producer_id, response.producer_epoch, new);
                }
                self.reset();
                Verdict::Done
            }
            ErrorCode::UNKNOWN_PRODUCER_ID => self.abort_if_possible(response.error_code),
            code @ (ErrorCode::INVALID_TXN_STATE | ErrorCode::INVALID_PRODUCER_ID_MAPPING) => {
                Verdict::Fatal(Error::broker(code))
            }
            ErrorCode::TRANSACTION_ABORTABLE if aborts => {
                Verdict::Fatal(Error::Other("Failed to abort transaction".into()))
            }
            code => common(code, "Unhandled error in EndTxnResponse: "),
        }
    }

    fn abort_if_possible(&mut self, code: ErrorCode) -> Verdict {
        if !self.can_abort() {
            return Verdict::Fatal(Error::broker(code));
        }
        self.bump_needed |= self.client_must_bump();
        Verdict::Abort(Error::broker(code))
    }
}

fn offsets_committed(request: &mut Request, results: Vec<(TopicPartition, ErrorCode)>) -> Verdict {
    let Step::CommitOffsets { offsets, .. } = &mut request.step else { return Verdict::Done };
    for (name, code) in results {
        match code {
            ErrorCode::NONE => drop(offsets.remove(&name)),
            code if code.is_retriable() => {}
            ErrorCode::GROUP_AUTHORIZATION_FAILED | ErrorCode::FENCED_INSTANCE_ID => {
                return Verdict::Abort(Error::broker(code));
            }
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION => {
                return Verdict::Abort(Error::CommitFailed(format!(
                    "Transaction offset Commit failed due to consumer group metadata mismatch: {}",
                    code.message()
                )));
            }
            code @ ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT => return Verdict::Fatal(Error::broker(code)),
            code => return common(code, "Unexpected error in TxnOffsetCommitResponse: "),
        }
    }
    if offsets.is_empty() { Verdict::Done } else { Verdict::Again }
}

/// What codes mean that every answer may have.
fn common(code: ErrorCode, unexpected: &str) -> Verdict {
    match code {
        code if code.is_retriable() => Verdict::Again,
        ErrorCode::INVALID_PRODUCER_EPOCH | ErrorCode::PRODUCER_FENCED => fenced(),
        ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED => Verdict::Fatal(Error::broker(code)),
        ErrorCode::TRANSACTION_ABORTABLE => Verdict::Abort(Error::broker(code)),
        code => Verdict::Fatal(Error::Other(Arc::from(format!("{unexpected}{}", code.message())))),
    }
}

fn fenced() -> Verdict {
    Verdict::Fatal(Error::broker(ErrorCode::PRODUCER_FENCED))
}

/// There was no answer: the coordinator was not found or not reached, or does not know the request.
fn lookup_failed(error: Error) -> Verdict {
    match error.code() {
        _ if error.is_retriable() => Verdict::Again,
        Some(ErrorCode::GROUP_AUTHORIZATION_FAILED | ErrorCode::TRANSACTION_ABORTABLE) => {
            Verdict::Abort(error)
        }
        _ => Verdict::Fatal(error),
    }
}
