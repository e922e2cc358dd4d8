//! Transaction markers: what goes to each partition of a transaction whose end is decided.
//!
//! Kafka: `TransactionMarkerChannelManager`, `TransactionCoordinator.sendTxnMarkersCallback`.

use machine::{Now, Outcome, Ticket};
use model::TopicPartition;

use super::machine::{Decision, TransactionMachine};
use super::{Producer, TransactionMetadata, TransactionResponse, TransactionVersion};

/// Markers to write. The shell writes them again after a restart; a partition that has them already ignores that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Markers {
    /// The transactional id.
    pub transactional_id: String,
    /// The producer that the markers name.
    pub producer: Producer,
    /// True for COMMIT, false for ABORT.
    pub commit: bool,
    /// The level at which the transaction ended.
    pub version: TransactionVersion,
    /// Where the markers go; may be empty.
    pub partitions: Vec<TopicPartition>,
}

impl Markers {
    /// Returns the markers that a prepared transaction needs.
    pub(super) fn of(transactional_id: &str, metadata: &TransactionMetadata) -> Self {
        Self {
            transactional_id: transactional_id.to_owned(),
            producer: metadata.producer,
            commit: metadata.state == super::TransactionState::PrepareCommit,
            version: metadata.client_version,
            partitions: metadata.partitions.iter().cloned().collect(),
        }
    }
}

impl TransactionMachine {
    /// Returns the markers of all transactions whose end was decided before the coordinator was loaded.
    pub fn unfinished_markers(&self) -> Vec<Markers> {
        let prepared = self.ids().filter(|(_, metadata)| metadata.state.is_prepared());
        prepared.map(|(id, metadata)| Markers::of(id, metadata)).collect()
    }

    /// Ends a transaction whose markers are written. Markers of an earlier end are ignored.
    pub(super) fn markers_written(&self, now: Now, transactional_id: &str, producer: Producer) -> Decision {
        match self.get(transactional_id) {
            Some(metadata) if metadata.state.is_prepared() && metadata.producer == producer => Decision {
                records: vec![self.change(transactional_id, metadata.complete(now.wall))],
                answers: Vec::new(),
            },
            _ => Outcome::default(),
        }
    }

    /// Records that a transaction's end is decided; its markers go to the shell once that is committed.
    pub(super) fn prepare(&self, transactional_id: &str, prepared: TransactionMetadata) -> Decision {
        let markers = Markers::of(transactional_id, &prepared);
        Decision {
            records: vec![self.change(transactional_id, prepared)],
            answers: vec![(Ticket::SHELL, TransactionResponse::WriteMarkers(markers))],
        }
    }
}
