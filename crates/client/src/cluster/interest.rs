//! Which topics a client wants to know about.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// The topics that metadata requests name.
#[derive(Clone, Debug, PartialEq)]
pub enum Interest {
    /// No topic: brokers alone.
    Brokers,
    /// Every topic; for pattern subscriptions.
    All,
    /// These topics, each with the time of its last use, and whether asking may create them.
    Topics {
        /// The names and their last uses.
        names: BTreeMap<Arc<str>, Instant>,
        /// After how long without use a name is dropped. Kafka: `metadata.max.idle.ms`.
        max_idle: Option<Duration>,
        /// Whether the broker may create a topic that is missing.
        create: bool,
    },
}

impl Interest {
    /// No topics yet, for a client that names them as it uses them.
    pub fn topics(create: bool, max_idle: Option<Duration>) -> Self {
        Self::Topics { names: BTreeMap::new(), max_idle, create }
    }

    /// Notes that `topic` is used; tells whether it is new.
    pub fn touch(&mut self, topic: &Arc<str>, now: Instant) -> bool {
        match self {
            Self::Topics { names, .. } => names.insert(Arc::clone(topic), now).is_none(),
            Self::Brokers | Self::All => false,
        }
    }

    /// Makes exactly `topics` known from now on; tells whether one of them is new.
    pub fn replace(
        &mut self,
        topics: impl IntoIterator<Item = Arc<str>>,
        create: bool,
        now: Instant,
    ) -> bool {
        let wanted: BTreeMap<Arc<str>, Instant> = topics.into_iter().map(|topic| (topic, now)).collect();
        let wider = match self {
            Self::Topics { names, .. } => wanted.keys().any(|topic| !names.contains_key(topic)),
            Self::Brokers => !wanted.is_empty(),
            Self::All => false,
        };
        *self = Self::Topics { names: wanted, max_idle: None, create };
        wider
    }

    /// Drops names that were not used for their time.
    pub(super) fn expire(&mut self, now: Instant) {
        if let Self::Topics { names, max_idle: Some(max_idle), .. } = self {
            names.retain(|_, used| now.duration_since(*used) < *max_idle);
        }
    }
}
