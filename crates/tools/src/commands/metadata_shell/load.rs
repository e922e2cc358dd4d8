//! Reads snapshots and segments of `__cluster_metadata` into an image. Kafka: `SnapshotFileReader`.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use metadata::{MetadataImage, MetadataProvenance};
use protocol::MetadataRecord;
use records::RecordBatch;
use world::files::{Files, Lock, RealFiles};

use crate::Failure;
use crate::commands::dump_log::log::{BatchFile, MAX_DECOMPRESSED};

/// Keeps nodes away from the directory that the file is of, if there is one that nodes lock.
pub(super) fn lock(path: &Path) -> Result<Option<Box<dyn Lock>>, Failure> {
    let above = |path: &Path| path.parent().map_or_else(|| path.to_owned(), Path::to_owned);
    let folder = if path.is_dir() { above(path) } else { above(&above(path)) };
    let file = folder.join(".lock");
    if !file.exists() {
        return Ok(None);
    }
    match RealFiles.lock(&file)? {
        Some(lock) => Ok(Some(lock)),
        None => Err(Failure::message(format!(
            "Unexpected error: Unable to lock {}. Please ensure that no broker or controller process is using this \
             directory before proceeding.",
            std::path::absolute(&folder)?.display()
        ))),
    }
}

/// Reads a file; of a directory, its newest snapshot and the segments after that.
pub(super) fn image(path: &Path) -> Result<MetadataImage, Failure> {
    let mut image = MetadataImage::default();
    let files = if path.is_dir() { newest(path)? } else { vec![path.to_owned()] };
    let from_snapshot = files.first().is_some_and(|first| is_snapshot(first)) && files.len() > 1;
    for (index, file) in files.iter().enumerate() {
        let least = if from_snapshot && index > 0 { base_offset(&files[0]) } else { 0 };
        read(file, least, &mut image)?;
    }
    Ok(image)
}

fn is_snapshot(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "checkpoint")
}

/// The offset that a file's name begins with; that of a snapshot is the first one after it.
fn base_offset(path: &Path) -> i64 {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split(['-', '.']).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn newest(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.sort();
    let snapshot = files.iter().rev().find(|path| is_snapshot(path)).cloned();
    let segments =
        files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    let found: Vec<_> = snapshot.into_iter().chain(segments).collect();
    if found.is_empty() {
        let text = format!("there is no snapshot and no log in {}", folder.display());
        return Err(Failure::message(text));
    }
    Ok(found)
}

/// Replays the records of a file whose offset is at least `least`.
fn read(path: &Path, least: i64, image: &mut MetadataImage) -> Result<(), Failure> {
    let mut file = BatchFile::open(path, 0, u64::MAX)?;
    while let Some((_, batch)) = file.next()? {
        let header = batch.header();
        if header.last_offset().0 < least {
            continue;
        }
        if !header.is_control() {
            replay(&batch, least, image)?;
        }
        image.set_provenance(MetadataProvenance {
            last_contained_offset: header.last_offset(),
            last_contained_epoch: header.partition_leader_epoch,
            last_contained_timestamp: header.max_timestamp,
        });
    }
    Ok(())
}

fn replay(batch: &RecordBatch, least: i64, image: &mut MetadataImage) -> Result<(), Failure> {
    let decoded = batch.decode(MAX_DECOMPRESSED).map_err(|error| Failure::message(error.to_string()))?;
    for record in decoded.iter() {
        let record = record.map_err(|error| Failure::message(error.to_string()))?;
        if record.offset.0 < least {
            continue;
        }
        let at =
            |error: &dyn std::fmt::Display| Failure::message(format!("at offset {}: {error}", record.offset));
        let bytes = Bytes::copy_from_slice(record.value.unwrap_or_default());
        let (record, _) = MetadataRecord::from_bytes(bytes).map_err(|error| at(&error))?;
        image.replay(&record).map_err(|error| at(&error))?;
    }
    Ok(())
}
