//! Records as a consumer gives them. Kafka: `ConsumerRecord`, `ConsumerRecords`.

use std::sync::Arc;

use bytes::Bytes;
use model::{LeaderEpoch, Offset, Timestamp, TopicPartition};
use records::{OwnedHeader, TimestampType};

/// A record that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerRecord {
    /// Its topic.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// Who set the timestamp.
    pub timestamp_type: TimestampType,
    /// Its key; `None` is null.
    pub key: Option<Bytes>,
    /// Its value; `None` is null.
    pub value: Option<Bytes>,
    /// Its headers, in order.
    pub headers: Vec<OwnedHeader>,
    /// The epoch of the leader that wrote it, if known.
    pub leader_epoch: Option<LeaderEpoch>,
}

/// What one poll gave: records of each partition in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConsumerRecords {
    /// The records, those of one partition together.
    pub records: Vec<ConsumerRecord>,
}

impl ConsumerRecords {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Those of one partition.
    pub fn of<'a>(&'a self, partition: &'a TopicPartition) -> impl Iterator<Item = &'a ConsumerRecord> + 'a {
        self.records.iter().filter(|r| r.topic == partition.topic && r.partition == partition.partition)
    }
}

impl IntoIterator for ConsumerRecords {
    type Item = ConsumerRecord;
    type IntoIter = std::vec::IntoIter<ConsumerRecord>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.into_iter()
    }
}

impl<'a> IntoIterator for &'a ConsumerRecords {
    type Item = &'a ConsumerRecord;
    type IntoIter = std::slice::Iter<'a, ConsumerRecord>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.iter()
    }
}
