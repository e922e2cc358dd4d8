//! The state of one partition of a share group, as the log tells it.
//!
//! Kafka: `ShareGroupOffset`.

use model::Offset;
use protocol::{ShareSnapshotValue, ShareUpdateValue, share_snapshot_value, share_update_value};

use super::combiner::combine;
use super::state_batch::{DeliveryState, StateBatch};

/// What nobody has said yet.
pub(super) const UNKNOWN: Offset = Offset(-1);

/// The state of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PartitionState {
    /// How many snapshots there were before.
    pub(super) snapshot_epoch: i32,
    pub(super) state_epoch: i32,
    pub(super) leader_epoch: i32,
    pub(super) start_offset: Offset,
    pub(super) delivery_complete_count: i32,
    pub(super) batches: Vec<StateBatch>,
    /// When the last snapshot was made of a request, in milliseconds since 1970.
    pub(super) create_timestamp: i64,
    /// When the last snapshot was written, if only to have it again.
    pub(super) write_timestamp: i64,
}

impl PartitionState {
    /// Makes the state of a partition that is initialized.
    pub(super) fn initial(snapshot_epoch: i32, state_epoch: i32, start_offset: Offset, now: i64) -> Self {
        Self {
            snapshot_epoch,
            state_epoch,
            leader_epoch: 0,
            start_offset,
            delivery_complete_count: if start_offset == UNKNOWN { -1 } else { 0 },
            batches: Vec::new(),
            create_timestamp: now,
            write_timestamp: now,
        }
    }

    /// Reads what a snapshot says.
    pub(super) fn from_snapshot(value: ShareSnapshotValue) -> Self {
        let batch = |batch: share_snapshot_value::StateBatch| StateBatch {
            first_offset: Offset(batch.first_offset),
            last_offset: Offset(batch.last_offset),
            delivery_count: batch.delivery_count,
            state: DeliveryState(batch.delivery_state),
        };
        Self {
            snapshot_epoch: value.snapshot_epoch,
            state_epoch: value.state_epoch,
            leader_epoch: value.leader_epoch,
            start_offset: Offset(value.start_offset),
            delivery_complete_count: value.delivery_complete_count,
            batches: value.state_batches.into_iter().map(batch).collect(),
            create_timestamp: value.create_timestamp,
            write_timestamp: value.write_timestamp,
        }
    }

    /// Reads an update that no snapshot came before.
    pub(super) fn from_update(value: ShareUpdateValue) -> Self {
        let batches = value.state_batches.iter().map(batch_of_update).collect();
        Self {
            snapshot_epoch: value.snapshot_epoch,
            state_epoch: 0,
            leader_epoch: value.leader_epoch,
            start_offset: Offset(value.start_offset),
            delivery_complete_count: value.delivery_complete_count,
            batches,
            create_timestamp: 0,
            write_timestamp: 0,
        }
    }

    /// Takes in an update.
    pub(super) fn update(&mut self, value: &ShareUpdateValue) {
        if value.start_offset != UNKNOWN.0 {
            self.start_offset = Offset(value.start_offset);
        }
        if value.leader_epoch != -1 {
            self.leader_epoch = value.leader_epoch;
        }
        self.delivery_complete_count = value.delivery_complete_count;
        let known = std::mem::take(&mut self.batches);
        self.batches = combine(known, value.state_batches.iter().map(batch_of_update), self.start_offset);
    }

    /// Makes the value of a snapshot.
    pub(super) fn to_snapshot(&self) -> ShareSnapshotValue {
        let batch = |batch: &StateBatch| share_snapshot_value::StateBatch {
            first_offset: batch.first_offset.0,
            last_offset: batch.last_offset.0,
            delivery_state: batch.state.0,
            delivery_count: batch.delivery_count,
            ..Default::default()
        };
        ShareSnapshotValue {
            snapshot_epoch: self.snapshot_epoch,
            state_epoch: self.state_epoch,
            leader_epoch: self.leader_epoch,
            start_offset: self.start_offset.0,
            delivery_complete_count: self.delivery_complete_count,
            create_timestamp: self.create_timestamp,
            write_timestamp: self.write_timestamp,
            state_batches: self.batches.iter().map(batch).collect(),
            ..Default::default()
        }
    }
}

fn batch_of_update(batch: &share_update_value::StateBatch) -> StateBatch {
    StateBatch {
        first_offset: Offset(batch.first_offset),
        last_offset: Offset(batch.last_offset),
        delivery_count: batch.delivery_count,
        state: DeliveryState(batch.delivery_state),
    }
}

/// Makes a batch of an update's value.
pub(super) fn batch_to_update(batch: StateBatch) -> share_update_value::StateBatch {
    share_update_value::StateBatch {
        first_offset: batch.first_offset.0,
        last_offset: batch.last_offset.0,
        delivery_state: batch.state.0,
        delivery_count: batch.delivery_count,
        ..Default::default()
    }
}
