//! What share groups do with their records: acknowledgements, fetches, dead letters.
//!
//! Kafka: `ShareGroupMetrics`, `SharePartitionMetrics`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::Histogram;

use crate::by_name::ByName;
use crate::histogram::CountHistogram;
use crate::{Metric, Page, Row, Source};

const ACKNOWLEDGEMENTS: Metric = Metric::new(
    "kafka.server:type=ShareGroupMetrics,name=RecordAcknowledgementsPerSec",
    "Records that members acknowledged, by what they said of them",
);
const LOAD_TIME: Metric = Metric::new(
    "kafka.server:type=ShareGroupMetrics,name=PartitionLoadTimeMs",
    "Milliseconds until the state of a share partition was loaded",
);
const FETCH_RATIO: Metric = Metric::new(
    "kafka.server:type=ShareGroupMetrics,name=RequestTopicPartitionsFetchRatio",
    "Of the partitions that a share fetch asked for, from how many per cent it got records",
);
const ACQUIRE_TIME: Metric = Metric::new(
    "kafka.server:type=ShareGroupMetrics,name=TopicPartitionsAcquireTimeMs",
    "Milliseconds until a share fetch had records to acquire",
);
const DEAD_LETTERS: Metric = Metric::new(
    "kafka.server:type=ShareGroupMetrics,name=DeadLetterQueueRecordCount",
    "Records written to the group's dead-letter queue",
);
const DEAD_LETTER_WRITES: Metric = Metric::new(
    "kafka.server:type=ShareGroupMetrics,name=DeadLetterQueueTotalProduceRequestsPerSec",
    "Writes to the group's dead-letter queue that were tried",
);
const FAILED_DEAD_LETTER_WRITES: Metric = Metric::new(
    "kafka.server:type=ShareGroupMetrics,name=DeadLetterQueueFailedProduceRequestsPerSec",
    "Writes to the group's dead-letter queue that were given up",
);

/// What members say of records, by the number it has on the wire. Kafka: `AcknowledgeType`.
const ACKNOWLEDGE_TYPES: [(i8, &str); 4] = [(1, "Accept"), (2, "Release"), (3, "Reject"), (4, "Renew")];

/// What is counted of one share group.
#[derive(Debug, Default)]
pub struct GroupMetrics {
    fetch_ratio: CountHistogram,
    acquire_time: Histogram,
    dead_letters: AtomicU64,
    dead_letter_writes: AtomicU64,
    failed_dead_letter_writes: AtomicU64,
}

/// What is counted of all share groups.
#[derive(Debug, Default)]
pub struct ShareGroupMetrics {
    acknowledged: [AtomicU64; ACKNOWLEDGE_TYPES.len()],
    load_time: Histogram,
    groups: ByName<GroupMetrics>,
}

impl ShareGroupMetrics {
    /// Returns a group's metrics. They are forgotten when the last of who got them lets go: names of groups are the clients'.
    pub fn group(&self, group: &str) -> Arc<GroupMetrics> {
        self.groups.get(group, GroupMetrics::default)
    }

    /// Counts records of which a member said what `acknowledge_type` means: 1 accept, 2 release, 3 reject, 4 renew. Of
    /// others, offsets without a record, nothing is counted.
    pub fn acknowledged(&self, acknowledge_type: i8, records: u64) {
        if let Some(index) = ACKNOWLEDGE_TYPES.iter().position(|(id, _)| *id == acknowledge_type) {
            self.acknowledged[index].fetch_add(records, Ordering::Relaxed);
        }
    }

    /// Counts a share partition whose state was loaded.
    pub fn loaded(&self, took: Duration) {
        self.load_time.observe(took);
    }
}

impl GroupMetrics {
    /// Counts a fetch that got records from `acquired` of the partitions it `asked` for, after this long.
    pub fn fetched(&self, acquired: usize, asked: usize, took: Duration) {
        self.fetch_ratio.observe((acquired * 100).checked_div(asked).unwrap_or(0) as u64);
        if acquired > 0 {
            self.acquire_time.observe(took);
        }
    }

    /// Counts a write to the dead-letter queue that is tried.
    pub fn dead_letter_write_begun(&self) {
        self.dead_letter_writes.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a write to the dead-letter queue that is not tried again.
    pub fn dead_letter_write_failed(&self) {
        self.failed_dead_letter_writes.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts records that are in the dead-letter queue.
    pub fn dead_letters_written(&self, records: u64) {
        self.dead_letters.fetch_add(records, Ordering::Relaxed);
    }
}

fn of_group(name: &str) -> Vec<(&'static str, String)> {
    vec![("group", name.to_owned())]
}

impl Source for Arc<ShareGroupMetrics> {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let by_type = ACKNOWLEDGE_TYPES
            .iter()
            .zip(&self.acknowledged)
            .map(|((_, name), count)| (vec![("ackType", (*name).to_owned())], count.load(Ordering::Relaxed)));
        page.counters(ACKNOWLEDGEMENTS, by_type)?;
        page.histograms(LOAD_TIME, [(Vec::new(), &self.load_time)])?;
        let groups = self.groups.all();
        page.histograms(
            FETCH_RATIO,
            groups.iter().map(|(name, group)| (of_group(name), &group.fetch_ratio)),
        )?;
        page.histograms(
            ACQUIRE_TIME,
            groups.iter().map(|(name, group)| (of_group(name), &group.acquire_time)),
        )?;
        let counts = |count: fn(&GroupMetrics) -> &AtomicU64| {
            let row = move |(name, group): &(String, Arc<GroupMetrics>)| -> Row<u64> {
                (of_group(name), count(group).load(Ordering::Relaxed))
            };
            groups.iter().map(row).filter(|(_, count)| *count > 0).collect::<Vec<_>>()
        };
        page.counters(DEAD_LETTERS, counts(|group| &group.dead_letters))?;
        page.counters(DEAD_LETTER_WRITES, counts(|group| &group.dead_letter_writes))?;
        page.counters(FAILED_DEAD_LETTER_WRITES, counts(|group| &group.failed_dead_letter_writes))
    }
}

const LOCK_TIMEOUTS: Metric = Metric::new(
    "kafka.server:type=SharePartitionMetrics,name=AcquisitionLockTimeoutPerSec",
    "Records taken back from members that held them for too long",
);
const IN_FLIGHT_MESSAGES: Metric = Metric::new(
    "kafka.server:type=SharePartitionMetrics,name=InFlightMessageCount",
    "Records from the first that is not done with to the last that was acquired",
);
const IN_FLIGHT_BATCHES: Metric = Metric::new(
    "kafka.server:type=SharePartitionMetrics,name=InFlightBatchCount",
    "Batches in which those records were acquired",
);
const BATCH_MESSAGES: Metric = Metric::new(
    "kafka.server:type=SharePartitionMetrics,name=InFlightBatchMessageCount",
    "Records of each batch that was acquired",
);

/// What is counted of one share partition.
#[derive(Debug, Default)]
pub struct SharePartitionMetrics {
    lock_timeouts: AtomicU64,
    batch_messages: CountHistogram,
}

impl SharePartitionMetrics {
    /// Counts records whose locks ran out.
    pub fn timed_out(&self, records: u64) {
        self.lock_timeouts.fetch_add(records, Ordering::Relaxed);
    }

    /// Counts a batch that was acquired.
    pub fn acquired(&self, records: u64) {
        self.batch_messages.observe(records);
    }
}

/// A share partition as a reader of the metrics gets it.
#[derive(Clone, Debug)]
pub struct SharePartitionRow {
    /// The group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition's index.
    pub partition: i32,
    /// How many records are in flight.
    pub messages: u64,
    /// In how many batches.
    pub batches: u64,
    /// What was counted.
    pub metrics: Arc<SharePartitionMetrics>,
}

impl SharePartitionRow {
    fn labels(&self) -> Vec<(&'static str, String)> {
        vec![
            ("group", self.group.clone()),
            ("topic", self.topic.clone()),
            ("partition", self.partition.to_string()),
        ]
    }
}

/// Writes the families of share partitions.
pub fn write_share_partitions(page: &mut Page<'_>, rows: &[SharePartitionRow]) -> fmt::Result {
    let timeouts = |row: &SharePartitionRow| row.metrics.lock_timeouts.load(Ordering::Relaxed);
    page.counters(LOCK_TIMEOUTS, rows.iter().map(|row| (row.labels(), timeouts(row))))?;
    page.gauges(IN_FLIGHT_MESSAGES, rows.iter().map(|row| (row.labels(), row.messages as f64)))?;
    page.gauges(IN_FLIGHT_BATCHES, rows.iter().map(|row| (row.labels(), row.batches as f64)))?;
    page.histograms(BATCH_MESSAGES, rows.iter().map(|row| (row.labels(), &row.metrics.batch_messages)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_nobody_holds_is_forgotten() {
        let metrics = ShareGroupMetrics::default();
        let held = metrics.group("held");
        metrics.group("gone").fetched(0, 1, Duration::ZERO);
        held.dead_letters_written(3);
        let names: Vec<_> = metrics.groups.all().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["held"]);
        assert_eq!(metrics.group("held").dead_letters.load(Ordering::Relaxed), 3);
    }
}
