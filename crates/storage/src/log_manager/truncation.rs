//! Cutting logs at their ends, as a follower does whose leader has other records.
//!
//! Kafka: `LogManager.truncateTo`.

use std::sync::Arc;

use model::Offset;

use super::LogManager;
use crate::{StorageError, UnifiedLog};

impl LogManager {
    /// Cuts off all records of each log at and after its offset, and writes the checkpoints: a recovery point past the cut would
    /// vouch for what is appended there later. Nothing may be appended to these logs meanwhile.
    ///
    /// Fails when a log dir is offline or goes so; the logs of others are cut all the same.
    pub fn truncate_to(
        &self,
        cuts: impl IntoIterator<Item = (Arc<UnifiedLog>, Offset)>,
    ) -> Result<(), StorageError> {
        let mut result = Ok(());
        for (log, target) in cuts {
            match log.truncate_to(target) {
                Ok(true) => log.dir().note_changed(),
                Ok(false) => {}
                Err(error) => result = Err(error),
            }
        }
        self.checkpoint();
        result
    }
}
