//! Compaction: what it set aside, and what its last pass did.
//!
//! Kafka: `LogCleaner`, `LogCleanerManager`.

use std::fmt;
use std::sync::Arc;

use storage::LogManager;
use telemetry::{Metric, Page, Source};

const UNCLEANABLE: Metric = Metric::new(
    "kafka.log:type=LogCleanerManager,name=uncleanable-partitions-count",
    "Logs that cannot be compacted and are set aside",
);
const RECOPY: Metric = Metric::new(
    "kafka.log:type=LogCleaner,name=cleaner-recopy-percent",
    "Of the bytes that the last pass of compaction read, how many per cent it wrote",
);

#[derive(Debug)]
pub(super) struct Cleaner(pub(super) Arc<LogManager>);

impl Source for Cleaner {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let cleaner = self.0.cleaner();
        page.gauge(UNCLEANABLE, cleaner.uncleanable().len() as f64)?;
        let stats = cleaner.last_stats();
        let read = stats.bytes_read.max(1) as f64;
        page.gauge(RECOPY, 100.0 * stats.bytes_written as f64 / read)
    }
}
