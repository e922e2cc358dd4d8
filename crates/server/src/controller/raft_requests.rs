//! What other nodes, and tools, ask of the quorum: DescribeQuorum, Vote, BeginQuorumEpoch, EndQuorumEpoch, Fetch and
//! FetchSnapshot of the metadata log.
//!
//! Kafka: `KafkaRaftClient.handleRequest`.

use std::time::Duration;

use bytes::Bytes;
use model::{NodeId, Offset, Timestamp};
use protocol::{
    BeginQuorumEpochRequest, BeginQuorumEpochResponse, DescribeQuorumRequest, DescribeQuorumResponse,
    EndQuorumEpochRequest, EndQuorumEpochResponse, ErrorCode, FetchRequest, FetchResponse,
    FetchSnapshotRequest, FetchSnapshotResponse, Records, VoteRequest, VoteResponse, fetch_response,
    fetch_snapshot_response,
};
use raft::{FetchDecision, LogView, Quorum, SnapshotDecision, SnapshotId};

use super::{ControllerService, snapshots};

impl ControllerService {
    fn quorum(&self) -> std::sync::MutexGuard<'_, Quorum> {
        self.quorum.lock().expect("no holder panics")
    }

    fn times(&self) -> (Duration, Timestamp) {
        (self.log.clock().monotonic(), Timestamp(self.log.clock().wall_ms()))
    }

    /// Returns who leads the quorum; -1 while nobody does.
    pub fn leader(&self) -> NodeId {
        self.quorum().leader().unwrap_or(NodeId(-1))
    }

    /// Answers DescribeQuorum, at `version`.
    pub fn describe_quorum(&self, request: &DescribeQuorumRequest, version: i16) -> DescribeQuorumResponse {
        let (at, now) = self.times();
        self.quorum().describe(request, version, at, now)
    }

    /// Answers Vote.
    pub fn vote(&self, request: &VoteRequest) -> VoteResponse {
        self.quorum().vote(request)
    }

    /// Answers BeginQuorumEpoch.
    pub fn begin_quorum_epoch(&self, request: &BeginQuorumEpochRequest) -> BeginQuorumEpochResponse {
        self.quorum().begin_quorum_epoch(request)
    }

    /// Answers EndQuorumEpoch.
    pub fn end_quorum_epoch(&self, request: &EndQuorumEpochRequest) -> EndQuorumEpochResponse {
        self.quorum().end_quorum_epoch(request)
    }

    /// Answers a Fetch of the metadata log; waits up to its `max_wait_ms` for records.
    pub async fn fetch(&self, request: &FetchRequest) -> FetchResponse {
        let decision = self.quorum().fetch(request, &*self.log);
        let (replica, offset) = match decision {
            FetchDecision::Answer(response) => return response,
            FetchDecision::Read { replica, offset } => (replica, offset),
        };
        let (at, now) = self.times();
        self.quorum().fetched(replica, offset, at, now);
        let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        let mut end = self.log_end.clone();
        // Whether there are records or not when the time is over, what there is is the answer.
        let _ = tokio::time::timeout(wait, end.wait_for(|end| *end > offset)).await;
        let read = self.read_log(offset, request.max_bytes);
        self.quorum().fetch_response(
            read.unwrap_or_else(|error_code| fetch_response::PartitionData {
                error_code,
                ..Default::default()
            }),
        )
    }

    fn read_log(&self, offset: Offset, max_bytes: i32) -> Result<fetch_response::PartitionData, ErrorCode> {
        let max_bytes = usize::try_from(max_bytes).unwrap_or(0);
        let read = self.log.log().read(offset, max_bytes, storage::FetchIsolation::LogEnd, true);
        let info = read.map_err(|_| ErrorCode::UNKNOWN_SERVER_ERROR)?;
        Ok(fetch_response::PartitionData {
            records: Some(info.records),
            log_start_offset: self.log.start().0,
            last_stable_offset: -1,
            ..Default::default()
        })
    }

    /// Answers FetchSnapshot.
    pub fn fetch_snapshot(&self, request: &FetchSnapshotRequest) -> FetchSnapshotResponse {
        let size_of =
            |id: SnapshotId| Some(self.log.files().metadata(&snapshots::path(&self.log, id)).ok()?.len);
        let decision = self.quorum().fetch_snapshot(request, size_of);
        let (id, position) = match decision {
            SnapshotDecision::Answer(response) => return response,
            SnapshotDecision::Read { id, position } => (id, position),
        };
        let data = self.read_snapshot(id, position, request.max_bytes).unwrap_or_else(|error_code| {
            fetch_snapshot_response::PartitionSnapshot { error_code, ..Default::default() }
        });
        self.quorum().snapshot_response(model::topic_name::CLUSTER_METADATA.to_owned(), data)
    }

    fn read_snapshot(
        &self,
        id: SnapshotId,
        position: u64,
        max_bytes: i32,
    ) -> Result<fetch_snapshot_response::PartitionSnapshot, ErrorCode> {
        let failed = |_| ErrorCode::UNKNOWN_SERVER_ERROR;
        let path = snapshots::path(&self.log, id);
        let file = self.log.files().open(&path, world::files::Open::Read).map_err(failed)?;
        let size = file.len().map_err(failed)?;
        let length = (size - position.min(size)).min(u64::try_from(max_bytes).unwrap_or(0));
        let mut bytes = vec![0; length as usize];
        let read = file.read_at(&mut bytes, position).map_err(failed)?;
        bytes.truncate(read);
        Ok(fetch_snapshot_response::PartitionSnapshot {
            snapshot_id: fetch_snapshot_response::SnapshotId {
                end_offset: id.end_offset.0,
                epoch: id.epoch.0,
                ..Default::default()
            },
            size: size as i64,
            position: position as i64,
            unaligned_records: Records::Bytes(Bytes::from(bytes)),
            ..Default::default()
        })
    }
}
