//! Writing the state of share partitions: one task for each that has something to write.
//!
//! Invariants:
//! - what has gathered during a write is written together by the next one
//! - a change is decided and put in its place in one go, so that what is written last is what was decided last
//! - a change is settled before whoever waits for it goes on
//!
//! Kafka: `SharePartition.rollbackOrProcessStateUpdates`, `SharePartition.writeShareGroupState`.

use std::sync::Arc;

use coordinators::share::{ShareStateError, ShareStateWrite};
use coordinators::share_partition::{SharePartition, StateChange, merge};
use protocol::ErrorCode;
use tokio::sync::oneshot;

use super::cached::{CachedSharePartition, Phase};
use super::{Acknowledged, SharePartitionManager};

/// A change that is to be written, and who waits for that.
pub(super) struct Queued {
    change: StateChange,
    done: oneshot::Sender<Acknowledged>,
}

/// Waits for a change to be written.
pub(super) struct Written(Option<oneshot::Receiver<Acknowledged>>);

impl Written {
    pub(super) async fn wait(self) -> Acknowledged {
        match self.0 {
            None => Ok(()),
            // The writing task ends without an answer only when the node stops.
            Some(done) => done.await.unwrap_or_else(|_| Err(ErrorCode::COORDINATOR_NOT_AVAILABLE.into())),
        }
    }
}

impl SharePartitionManager {
    /// Decides on a share partition that is in use, and has what changed written after all that changed before.
    pub(super) fn decide<T>(
        self: &Arc<Self>,
        cached: &Arc<CachedSharePartition>,
        decide: impl FnOnce(&mut SharePartition) -> (T, Option<StateChange>),
    ) -> Option<(T, Written)> {
        let mut state = cached.state();
        let Phase::Active { share, .. } = &mut state.phase else { return None };
        let (outcome, change) = decide(share);
        let (timeout, letters) = (share.poll_timeout(), share.take_dead_letters());
        let written = Written(change.map(|change| {
            let (done, written) = oneshot::channel();
            state.queue.push(Queued { change, done });
            if !std::mem::replace(&mut state.is_writing, true) {
                tokio::spawn(write_all(self.clone(), cached.clone()));
            }
            written
        }));
        drop(state);
        self.timers.ask(cached, timeout);
        self.bury(cached, letters);
        Some((outcome, written))
    }

    /// Ends changes, and lets go of a share partition that somebody else leads by now. Kafka:
    /// `SharePartitionManager.fencedSharePartitionHandler`.
    fn settle(
        self: &Arc<Self>,
        cached: &Arc<CachedSharePartition>,
        queued: Vec<Queued>,
        outcome: &Acknowledged,
    ) {
        let (now, limits) = (self.now(), self.limits(&cached.key().group));
        let settled = cached.change(|share| {
            queued.iter().for_each(|queued| share.settle(now, &limits, &queued.change, outcome.is_ok()));
            (share.poll_timeout(), share.take_dead_letters())
        });
        let (timeout, letters) = settled.unwrap_or_default();
        self.timers.ask(cached, timeout);
        self.bury(cached, letters);
        if let Err(error) = outcome {
            tracing::warn!(share_partition = %cached.key(), "Failed to write the share group state: {error}");
            if is_fencing(error.code) {
                self.remove(cached);
            }
        }
        for queued in queued {
            // Whoever waited may be gone.
            _ = queued.done.send(outcome.clone());
        }
        cached.wake();
    }
}

async fn write_all(manager: Arc<SharePartitionManager>, cached: Arc<CachedSharePartition>) {
    while let Some((queued, write)) = cached.take_queued() {
        let outcome = manager.persister.write_state(cached.key().clone(), write).await;
        manager.settle(&cached, queued, &outcome.map_err(client_error));
    }
}

impl CachedSharePartition {
    /// Takes what is to be written; the writing ends when that is nothing.
    fn take_queued(&self) -> Option<(Vec<Queued>, ShareStateWrite)> {
        let mut state = self.state();
        let queued = std::mem::take(&mut state.queue);
        let Phase::Active { share, state_epoch } = &state.phase else { return None };
        if queued.is_empty() {
            state.is_writing = false;
            return None;
        }
        let write = ShareStateWrite {
            state_epoch: *state_epoch,
            leader_epoch: self.leader_epoch().0,
            start_offset: share.start_offset(),
            delivery_complete_count: i32::try_from(share.delivery_complete_count()).unwrap_or(i32::MAX),
            batches: merge(queued.iter().map(|queued| &queued.change)),
        };
        Some((queued, write))
    }
}

/// What a member is told of the persister's error. Kafka: `SharePartition.fetchPersisterError`.
pub(super) fn client_error(error: ShareStateError) -> ShareStateError {
    let code = match error.code {
        ErrorCode::NOT_COORDINATOR
        | ErrorCode::COORDINATOR_NOT_AVAILABLE
        | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::FENCED_LEADER_EPOCH | ErrorCode::FENCED_STATE_EPOCH => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        code @ (ErrorCode::GROUP_ID_NOT_FOUND | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) => code,
        _ => ErrorCode::UNKNOWN_SERVER_ERROR,
    };
    ShareStateError { code, message: error.message }
}

fn is_fencing(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NOT_LEADER_OR_FOLLOWER
            | ErrorCode::GROUP_ID_NOT_FOUND
            | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    )
}
