//! How share machines run: their records in the log, what they do when loaded, and the deletion of what they do not need
//! any more.

use std::sync::{PoisonError, Weak};

use coordinators::share::{ShareMachine, ShareRecord, ShareRecordError, ShareResponse};
use machine::{Now, Outcome};
use model::Offset;
use protocol::ErrorCode;
use tokio::sync::mpsc::UnboundedReceiver;

use super::PrunedOffsets;
use crate::batches::{EntryError, LogEntry, LogRecord};
use crate::partition::Told;
use crate::runtime::{PartitionMachine, Runtime};

impl LogRecord for ShareRecord {
    fn to_entry(&self) -> Result<LogEntry, EntryError> {
        Ok(LogEntry::Data { key: Some(self.key_bytes()?), value: self.value_bytes()?, producer: None })
    }

    fn from_entry(entry: LogEntry) -> Result<Option<Self>, EntryError> {
        let LogEntry::Data { key: Some(key), value, .. } = entry else { return Ok(None) };
        match Self::from_bytes(key, value) {
            Ok(record) => Ok(Some(record)),
            Err(ShareRecordError::UnknownKey(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl PartitionMachine for ShareMachine {
    fn loaded(&mut self, now: Now) -> Outcome<ShareRecord, ShareResponse> {
        Self::loaded(self, now);
        Outcome::default()
    }

    fn replay_at(&mut self, offset: Offset, record: ShareRecord) {
        Self::replay_at(self, offset, record);
    }
}

/// Does what the machines ask for, one thing after the other, until the runtime is dropped.
pub(super) async fn run(
    runtime: Weak<Runtime<ShareMachine>>,
    mut work: UnboundedReceiver<Told<ShareResponse>>,
    pruned_offsets: PrunedOffsets,
) {
    while let Some(told) = work.recv().await {
        let Some(runtime) = runtime.upgrade() else { return };
        let Told { partition, epoch, end, response } = told;
        let ShareResponse::Prune(before) = response else { continue };
        let pruned = match runtime.committed(partition, epoch, end).await {
            Ok(()) => runtime.delete_records(partition, epoch, before),
            Err(error) => Err(error),
        };
        match pruned {
            Ok(()) => {
                let mut offsets = pruned_offsets.lock().unwrap_or_else(PoisonError::into_inner);
                offsets.insert(partition, before);
            }
            // Another broker leads the partition now, and prunes it.
            Err(ErrorCode::NOT_COORDINATOR | ErrorCode::NOT_LEADER_OR_FOLLOWER) => {}
            Err(error) => {
                let (before, error) = (before.0, error.name());
                tracing::warn!(partition, before, error, "what snapshots have replaced cannot be deleted");
            }
        }
    }
}
