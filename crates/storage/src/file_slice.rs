//! A run of bytes of a segment's file, for the network to send without reading it.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use bytes::Bytes;
use protocol::Region;
use world::files::File;

/// A run of bytes of a file. The file stays readable after the segment was closed, renamed or removed.
#[derive(Clone, Debug)]
pub struct FileSlice {
    file: Arc<dyn File>,
    position: u64,
    length: usize,
}

impl FileSlice {
    /// Names `length` bytes of `file` from `position`.
    pub fn new(file: Arc<dyn File>, position: u64, length: usize) -> Self {
        Self { file, position, length }
    }

    /// Where the slice begins in the file.
    pub fn position(&self) -> u64 {
        self.position
    }
}

impl Region for FileSlice {
    fn len(&self) -> usize {
        self.length
    }

    fn read(&self) -> io::Result<Bytes> {
        let mut bytes = vec![0; self.length];
        let read = self.file.read_at(&mut bytes, self.position)?;
        bytes.truncate(read);
        Ok(bytes.into())
    }

    fn descriptor(&self) -> Option<(BorrowedFd<'_>, u64)> {
        self.file.descriptor().map(|descriptor| (descriptor, self.position))
    }
}
