//! The logs: how large each is, from where to where it goes; and the log dirs.
//!
//! Kafka: `Log`, `LogManager`, `LogFlushStats`.

use std::fmt;
use std::sync::Arc;

use model::TopicPartition;
use storage::{LogDir, LogManager, UnifiedLog};
use telemetry::{Metric, Page, Row, Source};

const SIZE: Metric = Metric::new("kafka.log:type=Log,name=Size", "Bytes of record batches in a log");
const SEGMENTS: Metric = Metric::new("kafka.log:type=Log,name=NumLogSegments", "Segments of a log");
const START: Metric = Metric::new("kafka.log:type=Log,name=LogStartOffset", "First offset of a log");
const END: Metric =
    Metric::new("kafka.log:type=Log,name=LogEndOffset", "Offset that a log's next record gets");
const OFFLINE_DIRS: Metric =
    Metric::new("kafka.log:type=LogManager,name=OfflineLogDirectoryCount", "Log dirs that failed");
const DIR_OFFLINE: Metric =
    Metric::new("kafka.log:type=LogManager,name=LogDirectoryOffline", "Whether a log dir failed: 1 or 0");

const CORDONED_DIRS: Metric =
    Metric::new("kafka.log:type=LogManager,name=CordonedLogDirectoryCount", "Log dirs that take no new logs");
const DIR_CORDONED: Metric = Metric::new(
    "kafka.log:type=LogManager,name=LogDirectoryCordoned",
    "Whether a log dir takes no new logs: 1 or 0",
);
const FLUSHES: Metric = Metric::new(
    "kafka.log:type=LogFlushStats,name=LogFlushRateAndTimeMs",
    "Milliseconds that it took to have a log's new batches on disk",
);

#[derive(Debug)]
pub(super) struct Logs(pub(super) Arc<LogManager>);

impl Source for Logs {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let logs = self.0.all_logs();
        page.gauges(SIZE, rows(&logs, |log| log.size() as f64))?;
        page.gauges(SEGMENTS, rows(&logs, |log| log.segment_infos().len() as f64))?;
        page.gauges(START, rows(&logs, |log| log.log_start_offset().0 as f64))?;
        page.gauges(END, rows(&logs, |log| log.log_end_offset().0 as f64))?;
        let failed = self.0.offline_dirs();
        page.gauge(OFFLINE_DIRS, failed.len() as f64)?;
        let online = self.0.online_dirs().map(|dir| (dir.path().to_owned(), 0.0));
        let dirs = failed.iter().map(|(path, _)| (path.clone(), 1.0)).chain(online);
        let row = |(path, value): (std::path::PathBuf, f64)| -> Row<f64> {
            (vec![("logDirectory", path.display().to_string())], value)
        };
        page.gauges(DIR_OFFLINE, dirs.map(row))?;
        let cordoned = |dir: &Arc<LogDir>| if dir.is_cordoned() { 1.0 } else { 0.0 };
        page.gauge(CORDONED_DIRS, self.0.dirs().iter().map(cordoned).sum())?;
        page.gauges(
            DIR_CORDONED,
            self.0.dirs().iter().map(|dir| row((dir.path().to_owned(), cordoned(dir)))),
        )?;
        page.histogram(FLUSHES, &self.0.environment().flush_times)
    }
}

fn rows(logs: &[Arc<UnifiedLog>], value: impl Fn(&UnifiedLog) -> f64) -> impl Iterator<Item = Row<f64>> {
    logs.iter().map(move |log| (labels(log.topic_partition()), value(log)))
}

fn labels(name: &TopicPartition) -> Vec<(&'static str, String)> {
    vec![("topic", name.topic.to_string()), ("partition", name.partition.to_string())]
}
