//! What a coordinator needs of the partition that it stands on.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use model::Offset;
use protocol::ErrorCode;

/// Ends when what is waited for is committed, or can no longer be by this leader.
pub type Committed<'a> = Pin<Box<dyn Future<Output = Result<(), ErrorCode>> + Send + 'a>>;

/// A partition that this broker leads at one leader epoch. Errors are Kafka's, as a produce request would get them.
pub trait PartitionLog: Send + Sync + 'static {
    /// Appends one batch of format 2, whose base offset is still to be set, and returns the offset after its last record.
    ///
    /// Called under the coordinator's lock of the partition: it must not wait for a sync or for followers.
    fn append(&self, batch: Bytes) -> Result<Offset, ErrorCode>;

    /// Waits until all records before `end` are committed, and synced where acknowledgements promise it.
    fn committed(&self, end: Offset) -> Committed<'_>;

    /// Reads whole batches from the one that holds `from`, about `max_bytes` of them but at least one; nothing at the end.
    fn read(&self, from: Offset, max_bytes: usize) -> Result<Bytes, ErrorCode>;

    /// Deletes what lies before `before`, which is not past what is committed.
    fn delete_records(&self, before: Offset) -> Result<(), ErrorCode>;

    /// Returns the offset of the first record.
    fn start_offset(&self) -> Offset;

    /// Returns the offset after the last record.
    fn end_offset(&self) -> Offset;

    /// Returns the largest batch that [`PartitionLog::append`] takes, in bytes: `max.message.bytes`.
    fn max_batch_size(&self) -> usize;
}
