//! Records that share partitions give up go to their group's dead-letter queue: one task for each that has some.
//!
//! Invariants:
//! - the records of a share partition are written in the order in which they were given up
//! - they are archived in the end, in the queue or not: one that cannot be had there must not hold up those behind it
//!
//! Kafka: `SharePartition.initiateDLQAndArchive`.

use std::sync::Arc;

use coordinators::share_partition::DeadLetter;

use super::SharePartitionManager;
use super::cached::CachedSharePartition;
use crate::broker::dead_letter_queue;

impl SharePartitionManager {
    /// Has records written to the group's dead-letter queue, after those before them, and then archived.
    pub(super) fn bury(self: &Arc<Self>, cached: &Arc<CachedSharePartition>, letters: Vec<DeadLetter>) {
        if letters.is_empty() {
            return;
        }
        let mut state = cached.state();
        state.dead_letters.extend(letters);
        if !std::mem::replace(&mut state.is_burying, true) {
            tokio::spawn(bury_all(self.clone(), cached.clone()));
        }
    }
}

async fn bury_all(manager: Arc<SharePartitionManager>, cached: Arc<CachedSharePartition>) {
    while let Some(letters) = cached.take_dead_letters() {
        let group = &cached.key().group;
        let written = dead_letter_queue::write(&manager.broker, group, cached.partition(), &letters).await;
        if let Err(error) = written {
            tracing::error!(share_partition = %cached.key(), "Failed to write to DLQ, proceeding to ARCHIVED regardless: {error}");
        }
        for letter in &letters {
            // Nobody waits until that is written: who loads the share partition before it is writes them again.
            _ = manager.decide(&cached, |share| ((), share.archive_dead_letter(letter)));
        }
    }
}

impl CachedSharePartition {
    /// Takes what is to be written; the task ends when that is nothing.
    fn take_dead_letters(&self) -> Option<Vec<DeadLetter>> {
        let mut state = self.state();
        let letters = std::mem::take(&mut state.dead_letters);
        state.is_burying = !letters.is_empty();
        Some(letters).filter(|letters| !letters.is_empty())
    }
}
