//! How transaction machines run: their records in the log, what they do when loaded, and the markers they ask for.

use std::sync::{Arc, Weak};

use coordinators::transaction::{
    Markers, TransactionMachine, TransactionRecord, TransactionRecordError, TransactionRequest,
    TransactionResponse,
};
use machine::{Now, Outcome, Ticket};
use protocol::ErrorCode;
use tokio::sync::mpsc::UnboundedReceiver;

use super::WriteMarkers;
use crate::batches::{EntryError, LogEntry, LogRecord};
use crate::partition::Told;
use crate::runtime::{PartitionMachine, Runtime};

impl LogRecord for TransactionRecord {
    fn to_entry(&self) -> Result<LogEntry, EntryError> {
        Ok(LogEntry::Data { key: Some(self.key_bytes()?), value: self.value_bytes()?, producer: None })
    }

    fn from_entry(entry: LogEntry) -> Result<Option<Self>, EntryError> {
        let LogEntry::Data { key: Some(key), value, .. } = entry else { return Ok(None) };
        match Self::from_bytes(key, value) {
            Ok(record) => Ok(Some(record)),
            Err(TransactionRecordError::UnknownKey(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl PartitionMachine for TransactionMachine {
    /// Goes on with the markers that were not all written when the last coordinator ended.
    fn loaded(&mut self, _now: Now) -> Outcome<TransactionRecord, TransactionResponse> {
        let markers = self.unfinished_markers().into_iter();
        let answers =
            markers.map(|markers| (Ticket::SHELL, TransactionResponse::WriteMarkers(markers))).collect();
        Outcome { records: Vec::new(), answers }
    }
}

/// Does what the machines ask for, each in a task of its own, until the runtime is dropped.
pub(super) async fn run(
    runtime: Weak<Runtime<TransactionMachine>>,
    mut work: UnboundedReceiver<Told<TransactionResponse>>,
    writer: Arc<dyn WriteMarkers>,
) {
    while let Some(told) = work.recv().await {
        let (Some(runtime), writer) = (runtime.upgrade(), writer.clone()) else { return };
        let Told { partition, epoch, end, response } = told;
        let TransactionResponse::WriteMarkers(markers) = response else { continue };
        tokio::spawn(async move {
            if let Err(error) = runtime.committed(partition, epoch, end).await {
                // Whoever leads the partition next finds the transaction in its log, if its end was decided at all.
                let id = &markers.transactional_id;
                tracing::info!(transactional_id = ?id, error = error.name(), "a transaction's end is not committed here");
                return;
            }
            writer.write(markers.clone(), epoch.0).await;
            complete(&runtime, partition, markers);
        });
    }
}

fn complete(runtime: &Runtime<TransactionMachine>, partition: i32, markers: Markers) {
    let Markers { transactional_id, producer, .. } = markers;
    let id = transactional_id.clone();
    let told = runtime.tell(partition, TransactionRequest::MarkersWritten { transactional_id, producer });
    if let Err(error) =
        told.or_else(|error| if error == ErrorCode::NOT_COORDINATOR { Ok(()) } else { Err(error) })
    {
        tracing::error!(
            transactional_id = ?id,
            error = error.name(),
            "a transaction's completion cannot be written: it stays prepared until the coordinator is loaded again"
        );
    }
}
