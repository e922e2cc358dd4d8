//! `.txnindex`: the aborted transactions that end in a segment. Entries of 34 bytes, version 0; no file if there are none.
//!
//! Invariants:
//! - last offsets ascend
//! - an entry's last stable offset is that of the moment after its transaction was aborted
//! - below the recovery point nothing else tells which transactions were aborted, so entries are synced before it moves
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

    /// Tells whether the entries are such as appends to the segment that begins at `base` leave.
    /// Kafka: `TransactionIndex.sanityCheck`.
    pub(crate) fn is_sound(&self, base: Offset) -> io::Result<bool> {
        if self.file.entries()? == 0 {
            return Ok(true);
        }
        let mut before = base.plus(-1);
        Ok(self.file.read_from(0)?.iter().all(|entry| {
            // Where a power cut took a piece of a file it is filled with zeros, which have no offsets between them.
            let found = AbortedTxn::decode(entry)
                .filter(|aborted| aborted.first_offset < aborted.last_offset && aborted.last_offset > before);
            before = found.map_or(before, |aborted| aborted.last_offset);
            found.is_some()
        }))
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

    /// Replaces all transactions, for good, so that a kill or power cut leaves the old entries or the new.
    pub(crate) fn replace(&self, aborted: &[AbortedTxn]) -> io::Result<()> {
        if aborted.is_empty() && self.file.entries()? == 0 {
            return Ok(());
        }
        let entries: Vec<_> = aborted.iter().map(AbortedTxn::encode).collect();
        self.file.replace_atomically(&entries)
    }

    /// Cuts off the transactions that end at or after `offset`, in the index of a segment that begins at `base`; and what
    /// follows an entry that cannot be read.
    pub(crate) fn truncate(&self, offset: Offset, base: Offset) -> io::Result<()> {
        let entries = self.file.entries()?;
        if entries == 0 {
            return Ok(());
        }
        let is_kept = |entry: &&[u8; 34]| {
            AbortedTxn::decode(entry).is_some_and(|it| it.last_offset < offset && it.last_offset >= base)
        };
        let kept = self.file.read_from(0)?.iter().take_while(is_kept).count() as u64;
        if kept == entries { Ok(()) } else { self.file.truncate(kept) }
    }
}
