//! Checkpoint files: a version, a count, and so many lines. Offsets of partitions, and starts of leader epochs.
//!
//! Invariants:
//! - a file is replaced as a whole, so a power cut leaves the old or the new
//! - a malformed file is an error with its path, never a guess
//!
//! Kafka: `CheckpointFile`, `OffsetCheckpointFile`, `LeaderEpochCheckpointFile`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use model::{LeaderEpoch, Offset, TopicPartition, Uuid};
use world::files::Files;

use crate::StorageError;

/// The recovery points of a log dir's partitions.
pub const RECOVERY_POINT_FILE: &str = "recovery-point-offset-checkpoint";
/// The log start offsets of a log dir's partitions.
pub const LOG_START_OFFSET_FILE: &str = "log-start-offset-checkpoint";
/// The high watermarks of a log dir's partitions.
pub const HIGH_WATERMARK_FILE: &str = "replication-offset-checkpoint";
/// The recovery points at which no producer was known, by topic id and partition: the name may have become another topic's
/// while a broker ran that does not know this file. Kafka has no such file, and passes it over; where the recovery point has
/// moved on without it, it says nothing.
pub const PRODUCERLESS_FILE: &str = "monedula-producerless-checkpoint";
/// How far the cleaner has come in a log dir's partitions.
pub const CLEANER_OFFSET_FILE: &str = "cleaner-offset-checkpoint";

/// What stands in [`PRODUCERLESS_FILE`] for a partition.
pub(crate) fn producerless_key(topic_id: Uuid, partition: &TopicPartition) -> TopicPartition {
    TopicPartition::new(topic_id.to_string(), partition.partition)
}

/// Offsets by partition.
pub type Offsets = BTreeMap<TopicPartition, Offset>;

/// Reads the offsets of partitions; none if there is no file or it is empty.
pub fn read_offsets(files: &dyn Files, path: &Path) -> Result<Offsets, StorageError> {
    read_lines(files, path, |line| {
        let mut words = line.split_whitespace();
        let (topic, partition, offset) = (words.next()?, words.next()?, words.next()?);
        let partition = TopicPartition::new(topic, partition.parse().ok()?);
        words.next().is_none().then_some((partition, Offset(offset.parse().ok()?)))
    })
    .map(|lines| lines.into_iter().collect())
}

/// Replaces the offsets of partitions.
pub fn write_offsets(files: &dyn Files, path: &Path, offsets: &Offsets) -> io::Result<()> {
    let lines = offsets
        .iter()
        .map(|(partition, offset)| format!("{} {} {offset}", partition.topic, partition.partition));
    files.write_atomically(path, text(lines, offsets.len()).as_bytes())
}

/// Reads the starts of leader epochs; none if there is no file or it is empty.
pub fn read_epochs(files: &dyn Files, path: &Path) -> Result<Vec<(LeaderEpoch, Offset)>, StorageError> {
    read_lines(files, path, |line| {
        let (epoch, start) = line.split_once(char::is_whitespace)?;
        Some((LeaderEpoch(epoch.parse().ok()?), Offset(start.trim().parse().ok()?)))
    })
}

/// Writes the starts of leader epochs as text.
pub fn epochs_text(epochs: &[(LeaderEpoch, Offset)]) -> String {
    text(epochs.iter().map(|(epoch, start)| format!("{epoch} {start}")), epochs.len())
}

fn text(lines: impl Iterator<Item = String>, count: usize) -> String {
    lines.fold(format!("0\n{count}\n"), |mut text, line| {
        text.push_str(&line);
        text.push('\n');
        text
    })
}

fn read_lines<T>(
    files: &dyn Files,
    path: &Path,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, StorageError> {
    let malformed = |detail: String| StorageError::Malformed { path: path.to_owned(), detail };
    let bytes = match files.read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(malformed(error.to_string())),
    };
    let text = String::from_utf8(bytes).map_err(|_| malformed("not UTF-8".to_owned()))?;
    let mut lines = text.lines();
    let Some(version) = lines.next() else { return Ok(Vec::new()) };
    if version.trim() != "0" {
        return Err(malformed(format!(
            "Unrecognized version of the checkpoint file: {version}. Expected version: 0"
        )));
    }
    let Some(count) = lines.next() else { return Ok(Vec::new()) };
    let count: usize = count.trim().parse().map_err(|_| malformed(format!("Malformed line: {count}")))?;
    let read: Vec<T> = lines
        .map(|line| parse(line).ok_or_else(|| malformed(format!("Malformed line: {line}"))))
        .collect::<Result<_, _>>()?;
    if read.len() != count {
        return Err(malformed(format!(
            "Expected {count} entries in checkpoint file, but found only {}",
            read.len()
        )));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::IoSlice;
    use world::files::{Open, SimFiles};

    fn with(text: &str) -> SimFiles {
        let files = SimFiles::default();
        let file = files.open(Path::new("/c"), Open::Create).expect("the disk is well");
        file.write_at(&[IoSlice::new(text.as_bytes())], 0).expect("the disk is well");
        files
    }

    #[test]
    fn offsets_are_written_as_kafka_writes_them() {
        let files = SimFiles::default();
        let offsets = Offsets::from([
            (TopicPartition::new("a.b", 0), Offset(7)),
            (TopicPartition::new("c", 12), Offset(i64::MAX)),
        ]);
        write_offsets(&files, Path::new("/c"), &offsets).expect("the disk is well");
        let text = files.read(Path::new("/c")).expect("it is there");
        assert_eq!(text, b"0\n2\na.b 0 7\nc 12 9223372036854775807\n");
        assert_eq!(read_offsets(&files, Path::new("/c")).expect("well-formed"), offsets);
    }

    #[test]
    fn malformed_files_are_refused() {
        for text in ["1\n0\n", "0\nx\n", "0\n2\na 0 1\n", "0\n1\na 0\n", "0\n1\na 0 1 2\n", "0\n1\na b 1\n"] {
            assert!(read_offsets(&with(text), Path::new("/c")).is_err(), "{text:?}");
        }
        for text in ["", "0\n", "0\n0\n"] {
            assert!(read_offsets(&with(text), Path::new("/c")).expect("no entries").is_empty(), "{text:?}");
        }
    }

    #[test]
    fn leader_epochs_are_written_as_kafka_writes_them() {
        let epochs = [(LeaderEpoch(0), Offset(0)), (LeaderEpoch(3), Offset(42))];
        assert_eq!(epochs_text(&epochs), "0\n2\n0 0\n3 42\n");
        assert_eq!(read_epochs(&with("0\n2\n0 0\n3 42\n"), Path::new("/c")).expect("well-formed"), epochs);
    }
}
