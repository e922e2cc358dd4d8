//! What may be asked of the transaction coordinator, and what it answers.

use std::collections::BTreeSet;

use model::{ProducerEpoch, ProducerId, TopicPartition};
use protocol::ErrorCode;
use protocol::describe_transactions_response::TransactionState as Described;
use protocol::list_transactions_response::TransactionState as Listed;

use regex::Regex;

use super::{Markers, Producer, TransactionState, TransactionVersion};

/// What may be asked. Where a request may need a new producer id, the shell brings a spare one along.
#[derive(Clone, Debug)]
pub enum TransactionRequest {
    /// Gives a producer its id and next epoch, aborting what its predecessor left open.
    InitProducerId {
        /// The transactional id; not empty.
        transactional_id: String,
        /// How long its transactions may take, in milliseconds.
        timeout_ms: i32,
        /// The producer that asks, if it had an id before.
        expected: Option<Producer>,
        /// A producer id that was never given out.
        spare: ProducerId,
    },
    /// Adds partitions to the producer's transaction.
    AddPartitions {
        /// The transactional id.
        transactional_id: String,
        /// The producer that asks.
        producer: Producer,
        /// The partitions.
        partitions: BTreeSet<TopicPartition>,
        /// The level that the client uses.
        client_version: TransactionVersion,
    },
    /// Asks whether partitions are in the producer's transaction.
    VerifyPartitions {
        /// The transactional id.
        transactional_id: String,
        /// The producer whose records are about to be appended.
        producer: Producer,
        /// The partitions.
        partitions: BTreeSet<TopicPartition>,
    },
    /// Commits or aborts the producer's transaction.
    EndTxn {
        /// The transactional id.
        transactional_id: String,
        /// The producer that asks.
        producer: Producer,
        /// True to commit, false to abort.
        commit: bool,
        /// The level that the client uses.
        client_version: TransactionVersion,
        /// A producer id that was never given out.
        spare: ProducerId,
    },
    /// Tells that all markers of a transaction are written.
    MarkersWritten {
        /// The transactional id.
        transactional_id: String,
        /// The producer that the markers named.
        producer: Producer,
    },
    /// Lists transactional ids.
    List(ListFilter),
    /// Describes a transactional id.
    Describe(String),
    /// Takes in the level of the feature `transaction.version`. Has no answer.
    SetLevel(TransactionVersion),
}

/// Which transactional ids to list; an empty filter lets all pass.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Producer ids.
    pub producer_ids: BTreeSet<i64>,
    /// Names of states.
    pub states: BTreeSet<String>,
    /// Only transactions that run for longer, in milliseconds; negative for all.
    pub duration_ms: i64,
    /// Only ids that the expression matches.
    pub id_pattern: Option<String>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum TransactionResponse {
    /// The producer's id and epoch.
    InitProducerId(Result<Producer, ErrorCode>),
    /// Whether the partitions were added.
    AddPartitions(Result<(), ErrorCode>),
    /// For each partition, whether it is in the transaction.
    VerifyPartitions(Vec<(TopicPartition, ErrorCode)>),
    /// The producer's id and epoch for its next transaction.
    EndTxn(Result<Producer, ErrorCode>),
    /// Markers that the shell must now write; goes to [`machine::Ticket::SHELL`].
    WriteMarkers(Markers),
    /// The transactional ids that pass the filter.
    List(Vec<Listed>),
    /// What is known of the id.
    Describe(Described),
}

impl ListFilter {
    /// Tells whether a text is a regular expression.
    pub fn is_pattern(text: &str) -> bool {
        Self::compile(text).is_some()
    }

    /// Returns the names that are no states.
    pub fn unknown_states(&self) -> Vec<String> {
        self.states.iter().filter(|name| TransactionState::from_name(name).is_none()).cloned().collect()
    }

    /// Compiles an expression that must match a whole id.
    pub(super) fn compile(text: &str) -> Option<Regex> {
        Regex::new(&format!("^(?:{text})$")).ok()
    }
}

impl Producer {
    /// Reads a producer from a request: none if its id is -1.
    pub fn from_request(id: i64, epoch: i16) -> Option<Self> {
        (id != -1).then_some(Self { id: ProducerId(id), epoch: ProducerEpoch(epoch) })
    }
}
