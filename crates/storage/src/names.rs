//! How files and folders of the log are named.
//!
//! Kafka: `LogFileUtils`, `LocalLog.parseTopicPartitionName`.

use std::path::Path;

use model::{Offset, TopicPartition};

use crate::StorageError;

/// A file of a segment, by what its name ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The batches.
    Log,
    /// The offset index.
    OffsetIndex,
    /// The time index.
    TimeIndex,
    /// The aborted transactions.
    TransactionIndex,
    /// The producers' state.
    Snapshot,
}

impl Kind {
    const ALL: [Self; 5] =
        [Self::Log, Self::OffsetIndex, Self::TimeIndex, Self::TransactionIndex, Self::Snapshot];

    fn extension(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::OffsetIndex => "index",
            Self::TimeIndex => "timeindex",
            Self::TransactionIndex => "txnindex",
            Self::Snapshot => "snapshot",
        }
    }
}

/// What a deleted file's name ends in until it is removed.
pub const DELETED_SUFFIX: &str = ".deleted";
/// What a compacted file's name ends in while it is written.
pub const CLEANED_SUFFIX: &str = ".cleaned";
/// What a compacted file's name ends in while it replaces others.
pub const SWAP_SUFFIX: &str = ".swap";
/// What a deleted partition's folder ends in.
pub const DELETE_DIR_SUFFIX: &str = "-delete";
/// What the folder of a partition on its way from another log dir ends in.
pub const FUTURE_DIR_SUFFIX: &str = "-future";
/// What the folder of a partition that should not be here ends in.
pub const STRAY_DIR_SUFFIX: &str = "-stray";

/// Names a file by its offset: 20 digits and an extension.
pub fn file_name(offset: Offset, kind: Kind) -> String {
    format!("{:020}.{}", offset.0, kind.extension())
}

/// Reads a file's name.
pub fn parse_file_name(name: &str) -> Option<(Offset, Kind)> {
    let (digits, extension) = name.split_once('.')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.extension() == extension)?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
        .map(|offset| (Offset(offset), kind))
}

/// What a partition's folder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderKind {
    /// The partition's log.
    Current,
    /// The log on its way from another log dir.
    Future,
    /// A deleted log, to be removed.
    Deleted,
    /// A log that should not be here.
    Stray,
}

/// Reads the name of a partition's folder: `topic-0`, `topic-0.<32 hex digits>-future`, `-delete` or `-stray`.
pub fn parse_folder(path: &Path) -> Result<(TopicPartition, FolderKind), StorageError> {
    let invalid = || {
        StorageError::InvalidFolder(format!(
            "Found directory {0}, {1} is not in the form of topic-partition or topic-partition.uniqueId-delete (if \
             marked for deletion). Kafka's log directories (and children) should only contain Kafka topic data.",
            path.display(),
            path.file_name().unwrap_or_default().to_string_lossy(),
        ))
    };
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(invalid)?;
    let suffixes = [
        (DELETE_DIR_SUFFIX, FolderKind::Deleted),
        (FUTURE_DIR_SUFFIX, FolderKind::Future),
        (STRAY_DIR_SUFFIX, FolderKind::Stray),
    ];
    let marked = suffixes.iter().find_map(|(suffix, kind)| {
        let (rest, id) = name.strip_suffix(suffix)?.rsplit_once('.')?;
        (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some((rest, *kind))
    });
    let (name, kind) = marked.unwrap_or((name, FolderKind::Current));
    let (topic, partition) = name.rsplit_once('-').ok_or_else(invalid)?;
    let partition = partition.parse().ok().filter(|partition: &i32| *partition >= 0).ok_or_else(invalid)?;
    if topic.is_empty() {
        return Err(invalid());
    }
    Ok((TopicPartition::new(topic, partition), kind))
}

/// Names the folder of a partition that is to be removed, moved in or put aside; `id` makes the name unique.
/// A long topic's name is cut so that the whole has at most 255 characters.
pub fn marked_folder(partition: &TopicPartition, id: [u8; 16], suffix: &str) -> String {
    let id = id.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let end = format!("-{}.{id}{suffix}", partition.partition);
    let topic = &partition.topic[..partition.topic.len().min(255 - end.len())];
    format!("{topic}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_its_offset() {
        assert_eq!(file_name(Offset(42), Kind::Log), "00000000000000000042.log");
        assert_eq!(
            parse_file_name("00000000000000000042.txnindex"),
            Some((Offset(42), Kind::TransactionIndex))
        );
        for name in [
            "42.log",
            "0000000000000000004x.log",
            "00000000000000000042.log.deleted",
            "leader-epoch-checkpoint",
        ] {
            assert_eq!(parse_file_name(name), None, "{name}");
        }
    }

    #[test]
    fn folders_tell_their_partition_and_fate() {
        let read = |name: &str| parse_folder(Path::new(name)).ok().map(|(tp, kind)| (tp.to_string(), kind));
        assert_eq!(read("/d/a-b.c-3"), Some(("a-b.c-3".to_owned(), FolderKind::Current)));
        let marked = marked_folder(&TopicPartition::new("t", 1), [0xab; 16], DELETE_DIR_SUFFIX);
        assert_eq!(marked, "t-1.abababababababababababababababab-delete");
        assert_eq!(read(&marked), Some(("t-1".to_owned(), FolderKind::Deleted)));
        for name in ["nodash", "a-", "-1", "a-x", "a--1x"] {
            assert_eq!(read(name), None, "{name}");
        }
    }

    #[test]
    fn a_long_topics_marked_folder_fits_in_a_file_name() {
        let partition = TopicPartition::new("t".repeat(249), 12345);
        assert_eq!(marked_folder(&partition, [1; 16], STRAY_DIR_SUFFIX).len(), 255);
    }
}
