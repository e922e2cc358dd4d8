//! Compaction: what it set aside, and what its last pass did.
//!
//! Kafka: `LogCleaner`, `LogCleanerManager`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use storage::LogManager;
use telemetry::{Metric, Page, Row, Source};

const UNCLEANABLE: Metric = Metric::new(
    "kafka.log:type=LogCleanerManager,name=uncleanable-partitions-count",
    "Logs that cannot be compacted and are set aside",
);
const UNCLEANABLE_BYTES: Metric = Metric::new(
    "kafka.log:type=LogCleanerManager,name=uncleanable-bytes",
    "Bytes in logs that are set aside that compaction would have looked at",
);
const DIRTY: Metric = Metric::new(
    "kafka.log:type=LogCleanerManager,name=max-dirty-percent",
    "Of the log that needs compaction most, how many per cent of its bytes were not compacted yet",
);
const SINCE: Metric = Metric::new(
    "kafka.log:type=LogCleanerManager,name=time-since-last-run-ms",
    "Milliseconds since a log to compact was last looked for",
);
const BUFFER: Metric = Metric::new(
    "kafka.log:type=LogCleaner,name=max-buffer-utilization-percent",
    "Of the memory for keys, how many per cent the last pass of compaction took",
);
const TOOK: Metric = Metric::new(
    "kafka.log:type=LogCleaner,name=max-clean-time-secs",
    "Seconds that the last pass of compaction took",
);
const DELAY: Metric = Metric::new(
    "kafka.log:type=LogCleaner,name=max-compaction-delay-secs",
    "Seconds by which a record waits longer than max.compaction.lag.ms to be compacted",
);
const DEAD: Metric =
    Metric::new("kafka.log:type=LogCleaner,name=DeadThreadCount", "Threads of compaction that failed");
const RECOPY: Metric = Metric::new(
    "kafka.log:type=LogCleaner,name=cleaner-recopy-percent",
    "Of the bytes that the last pass of compaction read, how many per cent it wrote",
);

#[derive(Debug)]
pub(super) struct Cleaner(pub(super) Arc<LogManager>);

impl Source for Cleaner {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let cleaner = self.0.cleaner();
        self.write_set_aside(page)?;
        let look = cleaner.last_look();
        page.gauge(DIRTY, (100.0 * look.max_dirty_ratio).floor())?;
        let since = self.0.environment().clock.monotonic().saturating_sub(look.at);
        page.gauge(SINCE, since.as_millis() as f64)?;
        page.gauge(DELAY, look.max_delay.as_secs_f64())?;
        page.gauge(BUFFER, cleaner.buffer_utilization_percent())?;
        page.gauge(DEAD, cleaner.dead_threads() as f64)?;
        let stats = cleaner.last_stats();
        page.gauge(TOOK, stats.took.as_secs_f64())?;
        let read = stats.bytes_read.max(1) as f64;
        page.gauge(RECOPY, 100.0 * stats.bytes_written as f64 / read)
    }
}

impl Cleaner {
    fn write_set_aside(&self, page: &mut Page<'_>) -> fmt::Result {
        let dirs = self.0.online_dirs().map(|dir| (dir.path().display().to_string(), (0_usize, 0_u64)));
        let mut by_dir: BTreeMap<String, (usize, u64)> = dirs.collect();
        for partition in self.0.cleaner().uncleanable().keys() {
            let Some(log) = self.0.get_log(partition) else { continue };
            let (count, bytes) = by_dir.entry(log.dir().path().display().to_string()).or_default();
            *count += 1;
            *bytes += self.0.cleanable_bytes(&log);
        }
        let row = |dir: &String, value: f64| -> Row<f64> { (vec![("logDirectory", dir.clone())], value) };
        page.gauges(UNCLEANABLE, by_dir.iter().map(|(dir, (count, _))| row(dir, *count as f64)))?;
        page.gauges(UNCLEANABLE_BYTES, by_dir.iter().map(|(dir, (_, bytes))| row(dir, *bytes as f64)))
    }
}
