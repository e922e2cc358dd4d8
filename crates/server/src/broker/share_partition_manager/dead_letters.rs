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
        let (counts, source) = (cached.of_group(), cached.partition());
        let written = dead_letter_queue::write(&manager.broker, group, counts, source, &letters).await;
        if let Err(error) = written {
            tracing::error!(share_partition = %cached.key(), "Failed to write to DLQ, proceeding to ARCHIVED regardless: {error}");
        }
        let mut archived = Vec::with_capacity(letters.len());
        for letter in &letters {
            archived.extend(manager.decide(&cached, |share| ((), share.archive_dead_letter(letter))));
        }
        if manager.is_used(group) || cached.has_dead_letters() {
            // Nobody waits until that is written: who loads the share partition before it is writes them again.
            continue;
        }
        for ((), written) in archived {
            // A failed write was logged.
            _ = written.wait().await;
        }
        // It had to stay for its dead letters when the group's last session ended.
        if !manager.is_used(group) {
            manager.remove(&cached);
        }
    }
}

impl CachedSharePartition {
    fn has_dead_letters(&self) -> bool {
        !self.state().dead_letters.is_empty()
    }

    /// Takes what is to be written; the task ends when that is nothing.
    fn take_dead_letters(&self) -> Option<Vec<DeadLetter>> {
        let mut state = self.state();
        let letters = std::mem::take(&mut state.dead_letters);
        state.is_burying = !letters.is_empty();
        Some(letters).filter(|letters| !letters.is_empty())
    }
}
