//! `.txnindex`: the aborted transactions that end in a segment. Entries of 34 bytes, version 0; no file if there are none.
//!
//! Invariants:
//! - last offsets ascend
//! - an entry's last stable offset is that of the moment after its transaction was aborted
//!
//! Kafka: `TransactionIndex`, `AbortedTxn`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use model::{Offset, ProducerId};

use crate::index_file::IndexFile;
use crate::open_files::OpenFiles;

/// An aborted transaction in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    /// Whose it was.
    pub producer_id: ProducerId,
    /// The offset of its first record.
    pub first_offset: Offset,
    /// The offset of the marker that aborted it.
    pub last_offset: Offset,
    /// The last stable offset after it.
    pub last_stable_offset: Offset,
}

impl AbortedTxn {
    fn encode(&self) -> [u8; 34] {
        let mut entry = [0; 34];
        let fields = [self.producer_id.0, self.first_offset.0, self.last_offset.0, self.last_stable_offset.0];
        for (chunk, field) in entry[2..].chunks_exact_mut(8).zip(fields) {
            chunk.copy_from_slice(&field.to_be_bytes());
        }
        entry
    }

    /// Reads an entry; `None` if it is of a later version.
    fn decode(entry: &[u8; 34]) -> Option<Self> {
        let field = |n: usize| i64::from_be_bytes(entry[2 + 8 * n..10 + 8 * n].try_into().expect("8 bytes"));
        (entry[..2] == [0, 0]).then(|| Self {
            producer_id: ProducerId(field(0)),
            first_offset: Offset(field(1)),
            last_offset: Offset(field(2)),
            last_stable_offset: Offset(field(3)),
        })
    }
}

/// The aborted transactions of one segment.
#[derive(Debug)]
pub(crate) struct TransactionIndex {
    pub(crate) file: IndexFile<34>,
}

impl TransactionIndex {
    pub(crate) fn new(cache: Arc<OpenFiles>, path: PathBuf) -> Self {
        Self { file: IndexFile::new(cache, path) }
    }

    /// Appends a transaction, and writes it at once: it comes with its marker, which is seldom.
    pub(crate) fn append(&self, aborted: AbortedTxn) -> io::Result<()> {
        self.file.append(aborted.encode())?;
        self.file.write_out()
    }

    /// Returns all aborted transactions. Fails with [`io::ErrorKind::InvalidData`] on an entry of a later version.
    pub(crate) fn all(&self) -> io::Result<Vec<AbortedTxn>> {
        if self.file.entries()? == 0 {
            return Ok(Vec::new());
        }
        let entries = self.file.read_from(0)?;
        entries
            .iter()
            .map(|entry| AbortedTxn::decode(entry).ok_or_else(|| io::ErrorKind::InvalidData.into()))
            .collect()
    }

    /// Collects the transactions that overlap `from..until`; true if no later segment can have more of them.
    /// Kafka: `TransactionIndex.collectAbortedTxns`.
    pub(crate) fn collect(
        &self,
        from: Offset,
        until: Offset,
        into: &mut Vec<AbortedTxn>,
    ) -> io::Result<bool> {
        for aborted in self.all()? {
            if aborted.last_offset >= from && aborted.first_offset < until {
                into.push(aborted);
            }
            if aborted.last_stable_offset >= until {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Cuts off the transactions that end at or after `offset`.
    pub(crate) fn truncate(&self, offset: Offset) -> io::Result<()> {
        if self.file.entries()? == 0 {
            return Ok(());
        }
        let kept = self.all()?.iter().take_while(|aborted| aborted.last_offset < offset).count();
        self.file.truncate(kept as u64)
    }
}
