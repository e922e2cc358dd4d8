//! Records that follow each other and are in the same state.

use model::Offset;

/// How far the delivery of a record to a share group is. Kafka: `RecordState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryState(pub i8);

impl DeliveryState {
    /// It may be delivered.
    pub const AVAILABLE: Self = Self(0);
    /// A consumer has processed it.
    pub const ACKNOWLEDGED: Self = Self(2);
    /// It is not delivered any more, but is yet to be written to the group's dead-letter queue.
    pub const ARCHIVING: Self = Self(3);
    /// It is not delivered any more.
    pub const ARCHIVED: Self = Self(4);
}

/// Records that follow each other and are in the same state, in order of their offsets. Kafka: `PersisterStateBatch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateBatch {
    /// The first record.
    pub first_offset: Offset,
    /// The last record.
    pub last_offset: Offset,
    /// How often they were delivered.
    pub delivery_count: i16,
    /// Their state.
    pub state: DeliveryState,
}

impl StateBatch {
    /// Tells whether the batch has records at all.
    pub(super) fn is_valid(&self) -> bool {
        self.first_offset.0 >= 0 && self.first_offset <= self.last_offset
    }
}
