//! The machine itself: which request goes where, and what a record changes.

use std::collections::BTreeMap;

use machine::{Instant, Machine, Now, Outcome, Ticket};

use super::{
    TransactionConfig, TransactionMetadata, TransactionRecord, TransactionRequest, TransactionResponse,
    TransactionVersion,
};

/// What a request leads to.
pub(super) type Decision = Outcome<TransactionRecord, TransactionResponse>;

/// The transaction coordinator of one partition of `__transaction_state`.
#[derive(Debug)]
pub struct TransactionMachine {
    pub(super) config: TransactionConfig,
    /// The level of the feature `transaction.version`, for what the coordinator does by itself.
    pub(super) level: TransactionVersion,
    hard: Hard,
    pub(super) soft: Soft,
}

/// What the log says.
#[derive(Debug, Default)]
struct Hard {
    ids: BTreeMap<String, TransactionMetadata>,
}

/// When to look for what is overdue; set at the first request or timeout after loading.
#[derive(Debug, Default)]
pub(super) struct Soft {
    pub(super) next_abort_check: Option<Instant>,
    pub(super) next_expiry_check: Option<Instant>,
}

impl TransactionMachine {
    /// Makes the coordinator of a partition whose log was not replayed yet.
    pub fn new(config: TransactionConfig, level: TransactionVersion) -> Self {
        Self { config, level, hard: Hard::default(), soft: Soft::default() }
    }

    /// Returns what is known of an id.
    pub(super) fn get(&self, transactional_id: &str) -> Option<&TransactionMetadata> {
        self.hard.ids.get(transactional_id)
    }

    /// Returns all ids, by name.
    pub(super) fn ids(&self) -> impl Iterator<Item = (&String, &TransactionMetadata)> {
        self.hard.ids.iter()
    }

    /// Returns the record that makes `to` true.
    pub(super) fn change(&self, transactional_id: &str, to: TransactionMetadata) -> TransactionRecord {
        TransactionRecord {
            transactional_id: transactional_id.to_owned(),
            metadata: Some(to),
            level: self.level,
        }
    }
}

impl Machine for TransactionMachine {
    type Request = TransactionRequest;
    type Response = TransactionResponse;
    type Record = TransactionRecord;

    fn handle(&mut self, now: Now, ticket: Ticket, request: TransactionRequest) -> Decision {
        self.start_timers(now);
        match request {
            TransactionRequest::InitProducerId { transactional_id, timeout_ms, expected, spare } => {
                self.init_producer_id(now, ticket, &transactional_id, timeout_ms, expected, spare)
            }
            TransactionRequest::AddPartitions { transactional_id, producer, partitions, client_version } => {
                self.add_partitions(now, ticket, &transactional_id, producer, partitions, client_version)
            }
            TransactionRequest::VerifyPartitions { transactional_id, producer, partitions } => {
                let verdicts = self.verify_partitions(&transactional_id, producer, partitions);
                Outcome::answer(ticket, TransactionResponse::VerifyPartitions(verdicts))
            }
            TransactionRequest::EndTxn { transactional_id, producer, commit, client_version, spare } => {
                self.end_txn(now, ticket, &transactional_id, producer, commit, client_version, spare)
            }
            TransactionRequest::MarkersWritten { transactional_id, producer } => {
                self.markers_written(now, &transactional_id, producer)
            }
            TransactionRequest::List(filter) => Outcome::answer(ticket, self.list(now, &filter)),
            TransactionRequest::Describe(id) => {
                Outcome::answer(ticket, TransactionResponse::Describe(self.describe(id)))
            }
            TransactionRequest::SetLevel(level) => {
                self.level = level;
                Outcome::default()
            }
        }
    }

    fn replay(&mut self, record: TransactionRecord) {
        match record.metadata {
            Some(metadata) => self.hard.ids.insert(record.transactional_id, metadata),
            None => self.hard.ids.remove(&record.transactional_id),
        };
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.hard.ids.is_empty() {
            return None;
        }
        // Right after loading no check is set: the first timeout sets them.
        let soonest = |check: Option<Instant>| check.unwrap_or(Instant::ZERO);
        Some(soonest(self.soft.next_abort_check).min(soonest(self.soft.next_expiry_check)))
    }

    fn handle_timeout(&mut self, now: Now) -> Decision {
        self.start_timers(now);
        self.abort_overdue(now)
    }
}
