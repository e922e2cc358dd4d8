//! Loading a share partition: its state from the persister, and where to begin if that does not say.
//!
//! Kafka: `SharePartition.maybeInitialize`, `SharePartition.startOffsetDuringInitialization`.

use std::sync::Arc;

use config::ShareOffsetReset;
use coordinators::share::{ShareState, ShareStateError};
use coordinators::share_partition::SharePartition;
use model::{Offset, Timestamp};
use protocol::ErrorCode;
use storage::FetchIsolation;

use super::SharePartitionManager;
use super::cached::{CachedSharePartition, Phase};
use super::writes::client_error;
use crate::broker::partition::LATEST;

/// The sentinel of the log's start.
const EARLIEST: Timestamp = Timestamp(-2);

/// Reads the state, and puts the share partition to use. One that cannot be read is let go, so that the next fetch tries again.
pub(super) async fn load(manager: Arc<SharePartitionManager>, cached: Arc<CachedSharePartition>) {
    let begun = manager.now();
    let read = manager.persister.read_state(cached.key().clone(), cached.leader_epoch().0).await;
    let loaded = read.map_err(client_error).and_then(|state| begin(&manager, &cached, &state));
    match loaded {
        Ok(phase) => {
            cached.set_phase(phase);
            manager.metrics.loaded(manager.now().saturating_sub(begun));
            let letters = cached.change(SharePartition::take_dead_letters);
            manager.bury(&cached, letters.unwrap_or_default());
        }
        Err(error) => {
            tracing::error!(share_partition = %cached.key(), "Failed to initialize the share partition: {error}");
            cached.set_phase(Phase::Failed(error));
            manager.remove(&cached);
        }
    }
}

fn begin(
    manager: &SharePartitionManager,
    cached: &CachedSharePartition,
    state: &ShareState,
) -> Result<Phase, ShareStateError> {
    let start = match state.start_offset {
        Offset(-1) => initial_offset(manager, cached)?,
        start => start,
    };
    let mut share = SharePartition::new(start, &state.batches).map_err(|error| ShareStateError {
        code: ErrorCode::UNKNOWN_SERVER_ERROR,
        message: error.to_string(),
    })?;
    share.resume_dead_letters(&manager.limits(&cached.key().group));
    Ok(Phase::Active { share, state_epoch: state.state_epoch })
}

/// Chooses where a group begins that has not read the partition yet, by `share.auto.offset.reset`.
fn initial_offset(
    manager: &SharePartitionManager,
    cached: &CachedSharePartition,
) -> Result<Offset, ShareStateError> {
    let settings = manager.settings(&cached.key().group).ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
    let timestamp = match settings.auto_offset_reset {
        ShareOffsetReset::Latest => LATEST,
        ShareOffsetReset::Earliest => EARLIEST,
        ShareOffsetReset::ByDuration(age) => Timestamp(
            manager.clock.wall_ms().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)),
        ),
    };
    let (partition, epoch) = (cached.partition(), Some(cached.leader_epoch()));
    let found = partition.offset_for_timestamp(epoch, timestamp, FetchIsolation::HighWatermark);
    let found = found.map_err(|error| ShareStateError { code: error.code(), message: error.to_string() })?;
    found.map(|found| found.offset).ok_or_else(|| ErrorCode::OFFSET_NOT_AVAILABLE.into())
}
