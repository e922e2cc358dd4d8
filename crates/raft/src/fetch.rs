//! Fetch and FetchSnapshot of the metadata log: what an observer may read, decided; the shell reads it.
//!
//! Kafka: `KafkaRaftClient.handleFetchRequest`, `handleFetchSnapshotRequest`, `ReplicatedLog.validateOffsetAndEpoch`.

use model::topic_name::CLUSTER_METADATA;
use model::{LeaderEpoch, Offset, Uuid};
use protocol::fetch_response::{self, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch};
use protocol::{
    ErrorCode, FetchRequest, FetchResponse, FetchSnapshotRequest, FetchSnapshotResponse, Records,
};
use protocol::{fetch_snapshot_request, fetch_snapshot_response};

use crate::{Quorum, ReplicaKey, SnapshotId};

/// What the shell must know of the log to let the quorum decide.
pub trait LogView {
    /// The log's first offset.
    fn start(&self) -> Offset;
    /// The log's end.
    fn end(&self) -> Offset;
    /// The newest snapshot.
    fn latest_snapshot(&self) -> Option<SnapshotId>;
    /// The greatest epoch that is not past `epoch`, and where it ends.
    fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)>;
}

/// What a fetch gets.
#[derive(Clone, Debug, PartialEq)]
pub enum FetchDecision {
    /// This answer, at once.
    Answer(FetchResponse),
    /// Records from an offset on, now or when there are some: see [`Quorum::fetch_response`].
    Read {
        /// Who fetches.
        replica: ReplicaKey,
        /// From which offset on.
        offset: Offset,
    },
}

/// What a fetch of a snapshot gets.
#[derive(Clone, Debug, PartialEq)]
pub enum SnapshotDecision {
    /// This answer.
    Answer(FetchSnapshotResponse),
    /// Bytes of the snapshot from a position on: see [`Quorum::snapshot_response`].
    Read {
        /// Which snapshot.
        id: SnapshotId,
        /// The first byte.
        position: u64,
    },
}

impl Quorum {
    /// Checks a request that only the leader answers.
    fn check_leader_request(&self, epoch: i32) -> Result<(), ErrorCode> {
        match epoch {
            epoch if epoch < self.epoch().0 => Err(ErrorCode::FENCED_LEADER_EPOCH),
            epoch if epoch > self.epoch().0 => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
            _ if !self.is_leader() => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
            _ => Ok(()),
        }
    }

    /// Decides on a fetch.
    pub fn fetch(&self, request: &FetchRequest, log: &dyn LogView) -> FetchDecision {
        let refuse = |error_code| FetchDecision::Answer(FetchResponse { error_code, ..Default::default() });
        if self.is_other_cluster(request.cluster_id.as_deref()) {
            return refuse(ErrorCode::INCONSISTENT_CLUSTER_ID);
        }
        let [topic] = request.topics.as_slice() else { return refuse(ErrorCode::INVALID_REQUEST) };
        let [partition] = topic.partitions.as_slice() else { return refuse(ErrorCode::INVALID_REQUEST) };
        let is_metadata = topic.topic_id == Uuid::METADATA_TOPIC || topic.topic == CLUSTER_METADATA;
        if !is_metadata || partition.partition != 0 {
            return refuse(ErrorCode::INVALID_REQUEST);
        }
        let with = |error_code| {
            let data = fetch_response::PartitionData { error_code, ..Default::default() };
            FetchDecision::Answer(self.fetch_response(data))
        };
        let malformed = request.max_wait_ms < 0
            || partition.fetch_offset < 0
            || partition.last_fetched_epoch < 0
            || partition.last_fetched_epoch > partition.current_leader_epoch;
        if malformed {
            return with(ErrorCode::INVALID_REQUEST);
        }
        if let Err(error) = self.check_leader_request(partition.current_leader_epoch) {
            return with(error);
        }
        let offset = Offset(partition.fetch_offset);
        if let Some(data) = divergence(offset, LeaderEpoch(partition.last_fetched_epoch), log) {
            return FetchDecision::Answer(self.fetch_response(data));
        }
        let id = if request.replica_state.replica_id >= 0 {
            request.replica_state.replica_id
        } else {
            request.replica_id
        };
        FetchDecision::Read { replica: ReplicaKey::of(id, partition.replica_directory_id), offset }
    }

    /// Completes the answer for the one partition there is.
    pub fn fetch_response(&self, data: fetch_response::PartitionData) -> FetchResponse {
        let data = fetch_response::PartitionData {
            partition_index: 0,
            high_watermark: self.high_watermark().map_or(-1, |offset| offset.0),
            current_leader: LeaderIdAndEpoch {
                leader_id: self.leader_or_none(),
                leader_epoch: self.epoch().0,
                ..Default::default()
            },
            records: Some(data.records.unwrap_or(Records::Bytes(bytes::Bytes::new()))),
            ..data
        };
        let topic = FetchableTopicResponse {
            topic: CLUSTER_METADATA.to_owned(),
            topic_id: Uuid::METADATA_TOPIC,
            partitions: vec![data],
            ..Default::default()
        };
        FetchResponse { responses: vec![topic], ..Default::default() }
    }

    /// Decides on a fetch of a snapshot; `size_of` tells how many bytes one has, if it is there.
    pub fn fetch_snapshot(
        &self,
        request: &FetchSnapshotRequest,
        size_of: impl Fn(SnapshotId) -> Option<u64>,
    ) -> SnapshotDecision {
        let refuse =
            |error_code| SnapshotDecision::Answer(FetchSnapshotResponse { error_code, ..Default::default() });
        if self.is_other_cluster(request.cluster_id.as_deref()) {
            return refuse(ErrorCode::INCONSISTENT_CLUSTER_ID);
        }
        let [topic] = request.topics.as_slice() else { return refuse(ErrorCode::INVALID_REQUEST) };
        let [partition] = topic.partitions.as_slice() else { return refuse(ErrorCode::INVALID_REQUEST) };
        let checked = if topic.name == CLUSTER_METADATA && partition.partition == 0 {
            self.check_snapshot_request(partition, size_of)
        } else {
            Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        };
        match checked {
            Ok((id, position)) => SnapshotDecision::Read { id, position },
            Err(error_code) => {
                let data = fetch_snapshot_response::PartitionSnapshot {
                    index: partition.partition,
                    error_code,
                    ..Default::default()
                };
                SnapshotDecision::Answer(self.snapshot_response(topic.name.clone(), data))
            }
        }
    }

    fn check_snapshot_request(
        &self,
        partition: &fetch_snapshot_request::PartitionSnapshot,
        size_of: impl Fn(SnapshotId) -> Option<u64>,
    ) -> Result<(SnapshotId, u64), ErrorCode> {
        self.check_leader_request(partition.current_leader_epoch)?;
        let wanted = &partition.snapshot_id;
        let id = SnapshotId { end_offset: Offset(wanted.end_offset), epoch: LeaderEpoch(wanted.epoch) };
        let size =
            size_of(id).filter(|_| id != SnapshotId::BOOTSTRAP).ok_or(ErrorCode::SNAPSHOT_NOT_FOUND)?;
        let position = u64::try_from(partition.position).map_err(|_| ErrorCode::POSITION_OUT_OF_RANGE)?;
        if position < size { Ok((id, position)) } else { Err(ErrorCode::POSITION_OUT_OF_RANGE) }
    }

    /// Completes the answer for one snapshot.
    pub fn snapshot_response(
        &self,
        name: String,
        data: fetch_snapshot_response::PartitionSnapshot,
    ) -> FetchSnapshotResponse {
        let data = fetch_snapshot_response::PartitionSnapshot {
            current_leader: fetch_snapshot_response::LeaderIdAndEpoch {
                leader_id: self.leader_or_none(),
                leader_epoch: self.epoch().0,
                ..Default::default()
            },
            ..data
        };
        let topic =
            fetch_snapshot_response::TopicSnapshot { name, partitions: vec![data], ..Default::default() };
        FetchSnapshotResponse { topics: vec![topic], ..Default::default() }
    }
}

/// What a replica is told whose log cannot go on at `offset`: fetch a snapshot first, or truncate.
fn divergence(
    offset: Offset,
    epoch: LeaderEpoch,
    log: &dyn LogView,
) -> Option<fetch_response::PartitionData> {
    let snapshot = log.latest_snapshot().filter(|id| *id != SnapshotId::BOOTSTRAP);
    let fetch_snapshot = |id: SnapshotId| fetch_response::PartitionData {
        snapshot_id: fetch_response::SnapshotId {
            end_offset: id.end_offset.0,
            epoch: id.epoch.0,
            ..Default::default()
        },
        ..Default::default()
    };
    if let Some(id) = snapshot.filter(|id| offset.0 == 0 || offset < log.start() && offset != id.end_offset) {
        return Some(fetch_snapshot(id));
    }
    if snapshot.is_some_and(|id| id.end_offset == offset && id.epoch == epoch) || offset == Offset(0) {
        return None;
    }
    let (known, end) = log.end_offset_for_epoch(epoch).unwrap_or((LeaderEpoch(0), log.start()));
    if known == epoch && offset <= end {
        return None;
    }
    Some(fetch_response::PartitionData {
        diverging_epoch: EpochEndOffset {
            epoch: known.0,
            end_offset: end.0.min(log.end().0),
            ..Default::default()
        },
        ..Default::default()
    })
}
