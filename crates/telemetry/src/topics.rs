//! What goes into topics and comes out of them: in all, and for each topic.
//!
//! Not yet: the rates of replication, of reassignments, and of tiers.
//! Kafka: `BrokerTopicStats`, `BrokerTopicMetrics`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::by_name::ByName;
use crate::{Metric, Page, Row, Source};

const COUNTERS: [Metric; 17] = [
    Metric::new("kafka.server:type=BrokerTopicMetrics,name=MessagesInPerSec", "Records appended"),
    Metric::new(
        "kafka.server:type=BrokerTopicMetrics,name=BytesInPerSec",
        "Bytes of record batches appended",
    ),
    Metric::new(
        "kafka.server:type=BrokerTopicMetrics,name=BytesOutPerSec",
        "Bytes of record batches fetched",
    ),
    Metric::new(
        "kafka.server:type=BrokerTopicMetrics,name=BytesRejectedPerSec",
        "Bytes of record batches refused",
    ),
    Metric::new("kafka.server:type=BrokerTopicMetrics,name=TotalProduceRequestsPerSec", "Appends asked for"),
    Metric::new(
        "kafka.server:type=BrokerTopicMetrics,name=FailedProduceRequestsPerSec",
        "Appends that failed",
    ),
    Metric::new("kafka.server:type=BrokerTopicMetrics,name=TotalFetchRequestsPerSec", "Fetches asked for"),
    Metric::new("kafka.server:type=BrokerTopicMetrics,name=FailedFetchRequestsPerSec", "Fetches that failed"),
    Metric::new(
        "kafka.server:type=BrokerTopicMetrics,name=InvalidMessageCrcRecordsPerSec",
        "Batches refused for a wrong checksum",
    ),
    Metric::new(
        "kafka.server:type=BrokerTopicMetrics,name=InvalidMagicNumberRecordsPerSec",
        "Batches refused for a format that is not served",
    ),
    Metric::new(
        "kafka.server:type=BrokerTopicMetrics,name=InvalidOffsetOrSequenceRecordsPerSec",
        "Batches refused for offsets or sequence numbers out of order",
    ),
    Metric::new(
        "kafka.server:type=BrokerTopicMetrics,name=NoKeyCompactedTopicRecordsPerSec",
        "Batches refused for records without a key in a topic that is compacted",
    ),
    Metric::new(
        "kafka.server:type=BrokerTopicMetrics,name=ProduceMessageConversionsPerSec",
        "Records that were written anew, mostly compressed as the topic's compression.type says",
    ),
    Metric::new(
        "kafka.server:type=BrokerTopicMetrics,name=TotalShareFetchRequestsPerSec",
        "Share fetches that asked for the topic",
    ),
    Metric::new(
        "kafka.server:type=BrokerTopicMetrics,name=FailedShareFetchRequestsPerSec",
        "Share fetches that could not have a partition of the topic",
    ),
    Metric::new(
        "kafka.server:type=BrokerTopicMetrics,name=TotalShareAcknowledgementRequestsPerSec",
        "Requests that acknowledged records of the topic in a share group",
    ),
    Metric::new(
        "kafka.server:type=BrokerTopicMetrics,name=FailedShareAcknowledgementRequestsPerSec",
        "Requests of which an acknowledgement of the topic's records was refused",
    ),
];

/// What is counted, in the order of `COUNTERS`.
#[derive(Clone, Copy)]
enum Counter {
    MessagesIn,
    BytesIn,
    BytesOut,
    BytesRejected,
    Produces,
    FailedProduces,
    Fetches,
    FailedFetches,
    BadCrcs,
    BadMagic,
    BadSequences,
    MissingKeys,
    Conversions,
    ShareFetches,
    FailedShareFetches,
    ShareAcknowledgements,
    FailedShareAcknowledgements,
}

/// What is wrong with a batch that is refused, if that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadBatch {
    /// Its checksum.
    Crc,
    /// Its format.
    Magic,
    /// Its offsets or sequence numbers.
    Sequence,
    /// A record without a key, where there must be one.
    MissingKey,
}

#[derive(Debug, Default)]
struct Counters([AtomicU64; COUNTERS.len()]);

impl Counters {
    fn add(&self, counter: Counter, count: u64) {
        self.0[counter as usize].fetch_add(count, Ordering::Relaxed);
    }
}

/// What is counted of one topic; everything is counted of the broker too.
#[derive(Debug, Default)]
pub struct TopicMetrics {
    own: Counters,
    all: Arc<Counters>,
}

impl TopicMetrics {
    fn add(&self, counter: Counter, count: u64) {
        self.own.add(counter, count);
        self.all.add(counter, count);
    }

    /// Counts an append.
    pub fn appended(&self, records: u64, bytes: u64) {
        self.add(Counter::Produces, 1);
        self.add(Counter::MessagesIn, records);
        self.add(Counter::BytesIn, bytes);
    }

    /// Counts an append that failed.
    pub fn append_failed(&self, bytes: usize, bad: Option<BadBatch>) {
        self.add(Counter::Produces, 1);
        self.add(Counter::FailedProduces, 1);
        self.add(Counter::BytesRejected, bytes as u64);
        let counter = match bad {
            None => return,
            Some(BadBatch::Crc) => Counter::BadCrcs,
            Some(BadBatch::Magic) => Counter::BadMagic,
            Some(BadBatch::Sequence) => Counter::BadSequences,
            Some(BadBatch::MissingKey) => Counter::MissingKeys,
        };
        self.add(counter, 1);
    }

    /// Counts records that were written anew.
    pub fn converted(&self, records: u64) {
        self.add(Counter::Conversions, records);
    }

    /// Counts what a fetch got.
    pub fn fetched(&self, bytes: usize) {
        self.add(Counter::Fetches, 1);
        self.add(Counter::BytesOut, bytes as u64);
    }

    /// Counts a share fetch that asks for partitions of the topic, however many.
    pub fn share_fetched(&self) {
        self.add(Counter::ShareFetches, 1);
    }

    /// Counts bytes of record batches that a share fetch got.
    pub fn share_sent(&self, bytes: usize) {
        self.add(Counter::BytesOut, bytes as u64);
    }

    /// Counts a share fetch that cannot have a partition of the topic.
    pub fn share_fetch_failed(&self) {
        self.add(Counter::FailedShareFetches, 1);
    }

    /// Counts a request that acknowledges records of the topic in a share group.
    pub fn share_acknowledged(&self) {
        self.add(Counter::ShareAcknowledgements, 1);
    }

    /// Counts a request of which an acknowledgement of the topic's records was refused.
    pub fn share_acknowledgement_failed(&self) {
        self.add(Counter::FailedShareAcknowledgements, 1);
    }

    /// Counts a fetch that failed.
    pub fn fetch_failed(&self) {
        self.add(Counter::Fetches, 1);
        self.add(Counter::FailedFetches, 1);
    }
}

/// What is counted of all topics of a broker.
#[derive(Debug, Default)]
pub struct BrokerTopicMetrics {
    all: Arc<Counters>,
    topics: ByName<TopicMetrics>,
}

impl BrokerTopicMetrics {
    /// Returns a topic's metrics. They are forgotten when the last of who got them lets go.
    pub fn topic(&self, name: &str) -> Arc<TopicMetrics> {
        self.topics.get(name, || TopicMetrics { own: Counters::default(), all: self.all.clone() })
    }

    /// Counts an append to a topic that this broker does not have.
    pub fn append_to_unknown_failed(&self, bytes: usize) {
        self.all.add(Counter::Produces, 1);
        self.all.add(Counter::FailedProduces, 1);
        self.all.add(Counter::BytesRejected, bytes as u64);
    }

    /// Counts a fetch from a topic that this broker does not have.
    pub fn fetch_from_unknown_failed(&self) {
        self.all.add(Counter::Fetches, 1);
        self.all.add(Counter::FailedFetches, 1);
    }

    fn rows(&self, topics: &[(String, Arc<TopicMetrics>)], index: usize) -> Vec<Row<u64>> {
        let value = |counters: &Counters| counters.0[index].load(Ordering::Relaxed);
        let of_topic = |(name, metrics): &(String, Arc<TopicMetrics>)| {
            (vec![("topic", name.clone())], value(&metrics.own))
        };
        let mut rows: Vec<Row<u64>> = topics.iter().map(of_topic).filter(|(_, value)| *value > 0).collect();
        rows.push((Vec::new(), value(&self.all)));
        rows
    }
}

impl Source for Arc<BrokerTopicMetrics> {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let topics = self.topics.all();
        (0..COUNTERS.len()).try_for_each(|index| page.counters(COUNTERS[index], self.rows(&topics, index)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_counts_for_itself_and_for_the_broker() {
        let broker = BrokerTopicMetrics::default();
        broker.topic("a").appended(0, 0);
        let (a, b) = (broker.topic("a"), broker.topic("b"));
        a.appended(3, 100);
        b.appended(4, 50);
        let value = |name: &str| vec![("topic", name.to_owned())];
        assert_eq!(
            broker.rows(&broker.topics.all(), Counter::MessagesIn as usize),
            [(value("a"), 3), (value("b"), 4), (vec![], 7)]
        );
    }

    #[test]
    fn a_topic_that_is_gone_is_forgotten_but_stays_in_the_sum() {
        let broker = BrokerTopicMetrics::default();
        broker.topic("a").fetched(10);
        assert_eq!(broker.rows(&broker.topics.all(), Counter::BytesOut as usize), [(vec![], 10)]);
    }
}
