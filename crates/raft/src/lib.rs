//! KRaft: the quorum that keeps `__cluster_metadata`, as a state machine without I/O.
//!
//! Events go in (a start, bytes that reached the disk, requests of other nodes), actions come out (write the
//! quorum-state file, append control records) together with answers. The shell owns the log, the files and the clock.
//! Beside it stand the formats: control records, the quorum-state file, snapshots, and batches of metadata records.
//!
//! Invariants:
//! - nothing is said in an epoch before the quorum-state file that names it is on disk
//! - the high watermark never passes what is synced on this node
//!
//! Not yet: more than one voter (sending Vote, Fetch and BeginQuorumEpoch; following a leader; AddRaftVoter,
//! RemoveRaftVoter, UpdateRaftVoter; upgrading `kraft.version`). A node whose voter set has others refuses to start.
//!
//! Kafka: `KafkaRaftClient`, `QuorumState`, `LeaderState`.

mod batches;
mod describe;
mod election_state;
mod fetch;
mod quorum;
mod requests;
mod snapshot;
mod voter_history;
mod voters;

pub use batches::{BatchError, LogEntry, decode_batch, encode_control_batch, encode_metadata_batches};
pub use election_state::{ElectionState, QuorumStateError};
pub use fetch::{FetchDecision, LogView, SnapshotDecision};
pub use quorum::{Action, Quorum, QuorumConfig, QuorumError};
pub use records::ControlRecord;
pub use snapshot::{Snapshot, SnapshotError, SnapshotHeader, SnapshotId, read_snapshot, write_snapshot};
pub use voter_history::VoterHistory;
pub use voters::{Endpoint, ReplicaKey, VoterNode, VoterSet};
