//! Record batches that a message carries without looking into them: bytes in memory, or a region of a file.

use std::fmt::Debug;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use bytes::Bytes;

/// A part of a file that the network may send without reading it into memory.
pub trait Region: Send + Sync + Debug {
    /// Returns the region's length in bytes.
    fn len(&self) -> usize;

    /// Tells whether the region has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads the whole region.
    fn read(&self) -> io::Result<Bytes>;

    /// Returns the file and the region's position in it, for `sendfile`; none where there is no such file.
    fn descriptor(&self) -> Option<(BorrowedFd<'_>, u64)>;
}

/// Record batches, carried as they are.
#[derive(Clone, Debug)]
pub enum Records {
    /// In memory.
    Bytes(Bytes),
    /// In a file.
    Region(Arc<dyn Region>),
}

impl Records {
    /// Returns the number of bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Region(region) => region.len(),
        }
    }

    /// Tells whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes, reading them if they are in a file.
    pub fn read(&self) -> io::Result<Bytes> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::Region(region) => region.read(),
        }
    }
}

impl Default for Records {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

/// Equal if both are in memory with the same bytes, or both are the same region.
impl PartialEq for Records {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Region(a), Self::Region(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}
