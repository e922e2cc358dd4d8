//! `partition.metadata`: the id of the topic that a partition's folder belongs to.
//!
//! Kafka: `PartitionMetadataFile`.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use model::Uuid;
use world::files::{File, Files, Open};

/// The file's name.
pub const PARTITION_METADATA_FILE: &str = "partition.metadata";

/// Reads the topic's id; `None` if there is no such file, or a power cut left it without contents.
pub(crate) fn read(files: &dyn Files, folder: &Path) -> io::Result<Option<Uuid>> {
    let bytes = match files.read(&folder.join(PARTITION_METADATA_FILE)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let text = String::from_utf8_lossy(&bytes);
    let id =
        text.lines().find_map(|line| line.strip_prefix("topic_id:")).and_then(|id| id.trim().parse().ok());
    Ok(id.filter(|id| *id != Uuid::ZERO))
}

/// Writes the topic's id. It survives a power cut once the file and the folder are synced.
pub(crate) fn write(files: &dyn Files, folder: &Path, topic_id: Uuid) -> io::Result<()> {
    let text = format!("version: 0\ntopic_id: {topic_id}");
    create(files, &folder.join(PARTITION_METADATA_FILE))?.write_at(&[IoSlice::new(text.as_bytes())], 0)
}

/// Makes the file, empty. Only one that is there already is cut: ext4 writes a file that was cut to nothing out as soon as it
/// is closed, which for ten thousand new partitions is ten thousand writes to the disk.
fn create(files: &dyn Files, path: &Path) -> io::Result<Arc<dyn File>> {
    match files.open(path, Open::CreateNew) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let file = files.open(path, Open::Write)?;
            file.set_len(0).map(|()| file)
        }
        made => made,
    }
}

/// Makes what was written survive a power cut, but for its name.
pub(crate) fn sync(files: &dyn Files, folder: &Path) -> io::Result<()> {
    match files.open(&folder.join(PARTITION_METADATA_FILE), Open::Write) {
        Ok(file) => file.sync(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
