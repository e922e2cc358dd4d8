//! Records on their way to a broker, and what comes back. Kafka: `ProducerRecord`, `RecordMetadata`.

use std::sync::Arc;

use bytes::Bytes;
use model::{Offset, Timestamp, TopicPartition};

/// A record to send. Keys and values are bytes; `None` is null, which is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerRecord {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition; `None` leaves it to the partitioner.
    pub partition: Option<i32>,
    /// The time; `None` for now.
    pub timestamp: Option<Timestamp>,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers, in order; keys may come more than once.
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl ProducerRecord {
    /// A record of `topic` with nothing in it.
    pub fn to(topic: impl Into<Arc<str>>) -> Self {
        Self {
            topic: topic.into(),
            partition: None,
            timestamp: None,
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    /// With this key.
    #[must_use]
    pub fn key(self, key: impl Into<Bytes>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// With this value.
    #[must_use]
    pub fn value(self, value: impl Into<Bytes>) -> Self {
        Self { value: Some(value.into()), ..self }
    }

    /// For this partition.
    #[must_use]
    pub fn partition(self, partition: i32) -> Self {
        Self { partition: Some(partition), ..self }
    }

    /// With this timestamp.
    #[must_use]
    pub fn timestamp(self, timestamp: Timestamp) -> Self {
        Self { timestamp: Some(timestamp), ..self }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.headers.push((key.into(), Some(value.into())));
        self
    }

    pub(super) fn wire_headers(&self) -> Vec<records::Header<'_>> {
        self.headers.iter().map(|(key, value)| records::Header::new(key, value.as_deref())).collect()
    }
}

/// Where a record was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMetadata {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// The record's offset; `None` where the broker does not tell (`acks=0`, or a duplicate).
    pub offset: Option<Offset>,
    /// The record's timestamp: the broker's where the topic has `message.timestamp.type=LogAppendTime`.
    pub timestamp: Timestamp,
}
