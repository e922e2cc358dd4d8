//! The log: segments, indexes, producer state, leader epochs, recovery, retention and log directories.
//!
//! A partition's log is a [`UnifiedLog`]; a node's logs, over all its disks, a [`LogManager`]. Rules are in
//! `unified_log`, bytes in `segment`. The disk is reached through [`world::files`] alone.

pub mod checkpoint;
mod clean_shutdown;
mod cleaner;
mod deletions;
mod error;
mod file_slice;
mod group_commit;
mod index_file;
mod leader_epochs;
mod log_dirs;
mod log_manager;
mod meta_properties;
pub mod names;
mod offset_index;
mod open_files;
mod partition_metadata;
mod producer_snapshot;
mod producer_state;
mod recovery;
mod retention;
mod scan;
mod segment;
mod sync_costs;
mod time_index;
mod transaction_index;
mod unified_log;
mod waiters;

pub use clean_shutdown::{CLEAN_SHUTDOWN_FILE, CleanShutdown};
pub use cleaner::{Cleaner, CleanerOptions, CleanerStats, Look as CleanerLook};
pub use deletions::Deletions;
pub use error::StorageError;
pub use file_slice::FileSlice;
pub use group_commit::GroupCommit;
pub use leader_epochs::{EpochStart, LeaderEpochs};
pub use log_dirs::LogDir;
pub use log_manager::{ConfigFor, FoundLogs, LogManager, LogManagerOptions, MoveProgress};
pub use meta_properties::{META_PROPERTIES_FILE, MetaProperties};
pub use offset_index::OffsetPosition;
pub use open_files::OpenFiles;
pub use partition_metadata::PARTITION_METADATA_FILE;
pub use producer_state::{BatchMetadata, CompletedTxn, ProducerAppend, ProducerState, ProducerStateEntry};
pub use recovery::LoadOptions;
pub use time_index::TimestampOffset;
pub use transaction_index::AbortedTxn;
pub use unified_log::{
    AppendOptions, AppendOrigin, FetchDataInfo, FetchIsolation, LogAppendInfo, LogEnvironment,
    LogOffsetMetadata, LogOffsets, LogSegmentInfo, TimestampAndOffset, UnifiedLog,
};
pub use waiters::{Interest, Subscription};

#[cfg(test)]
mod tests;
