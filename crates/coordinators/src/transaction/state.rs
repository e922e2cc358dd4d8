//! The states of a transactional id, with the numbers and names that Kafka writes.

/// Where a transactional id stands. Kafka: `TransactionState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum TransactionState {
    /// No transaction since the producer's id was given.
    Empty = 0,
    /// Partitions were added.
    Ongoing = 1,
    /// The commit is decided; markers are being written.
    PrepareCommit = 2,
    /// The abort is decided; markers are being written.
    PrepareAbort = 3,
    /// The commit is done.
    CompleteCommit = 4,
    /// The abort is done.
    CompleteAbort = 5,
    /// The id is about to be removed. Never written by this coordinator.
    Dead = 6,
    /// The epoch is about to be raised. Never written by this coordinator.
    PrepareEpochFence = 7,
}

impl TransactionState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
        Self::Dead,
        Self::PrepareEpochFence,
    ];

    /// Returns the state of a number in the log.
    pub fn from_id(id: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as i8 == id)
    }

    /// Returns the state of a name in a request.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Returns Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
            Self::Dead => "Dead",
            Self::PrepareEpochFence => "PrepareEpochFence",
        }
    }

    /// Tells whether an id in this state may be forgotten. Kafka: `isExpirationAllowed`.
    pub fn may_expire(self) -> bool {
        matches!(self, Self::Empty | Self::CompleteCommit | Self::CompleteAbort)
    }

    /// Tells whether the end of the transaction is decided and its markers are not all written.
    pub fn is_prepared(self) -> bool {
        matches!(self, Self::PrepareCommit | Self::PrepareAbort)
    }
}
