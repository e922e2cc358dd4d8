//! Integers of the protocol, each with a type of its own.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$int> for $name {
            fn from(value: $int) -> Self {
                Self(value)
            }
        }

        impl From<$name> for $int {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}

id!(
    /// The position of a record in its partition, from 0; never reused.
    Offset(i64)
);
id!(
    /// The term of a partition's leader, from 0; -1 where it is not known.
    LeaderEpoch(i32)
);
id!(
    /// A broker's or controller's `node.id`, from 0.
    NodeId(i32)
);
id!(
    /// The number that the transaction coordinator or controller gave a producer; -1 for none.
    ProducerId(i64)
);
id!(
    /// The incarnation of a producer id, from 0; -1 for none.
    ProducerEpoch(i16)
);
id!(
    /// Milliseconds since 1970-01-01T00:00Z; -1 for none.
    Timestamp(i64)
);

impl Offset {
    /// Returns the offset `count` records further on.
    #[must_use]
    pub fn plus(self, count: i64) -> Self {
        Self(self.0 + count)
    }
}

impl LeaderEpoch {
    /// The epoch of a batch or request that names none.
    pub const NONE: Self = Self(-1);
}

impl ProducerId {
    /// The id of a producer that is not idempotent.
    pub const NONE: Self = Self(-1);
}

impl ProducerEpoch {
    /// The epoch of a producer that is not idempotent.
    pub const NONE: Self = Self(-1);
}

impl Timestamp {
    /// The timestamp of a record that has none.
    pub const NONE: Self = Self(-1);
}
