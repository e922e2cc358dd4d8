//! The group coordinator's service.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use coordinators::group::{GroupCoordinatorConfig, Producer};
use model::{LeaderEpoch, ProducerEpoch, ProducerId};
use protocol::join_group_request::JoinGroupRequestProtocol;
use protocol::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::sync_group_request::SyncGroupRequestAssignment;
use protocol::{
    ErrorCode, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest,
    OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest, TxnOffsetCommitRequest,
};
use records::Compression;
use world::chance::SeededChance;
use world::clock::FakeClock;

use super::memory_log::MemoryLog;
use super::share::Local;
use crate::{
    ClientContext, GroupCoordinator, RuntimeConfig, ShareCoordinator, offset_fetch_groups,
    offset_fetch_response, partition_for_key,
};

const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Node {
    pub(super) coordinator: Arc<GroupCoordinator>,
    /// Where the states of share groups are kept.
    pub(super) shares: Arc<ShareCoordinator>,
    pub(super) clock: Arc<FakeClock>,
    pub(super) log: Arc<MemoryLog>,
}

impl Node {
    /// Starts a coordinator whose topic has one partition, and waits until `log` is loaded.
    pub(super) async fn start(log: Arc<MemoryLog>) -> Self {
        let node = Self::start_without_partition(log);
        node.coordinator.on_partition_elected(0, LeaderEpoch(0), node.log.clone());
        node.loaded().await;
        node
    }

    pub(super) fn start_without_partition(log: Arc<MemoryLog>) -> Self {
        let clock = Arc::new(FakeClock::at(1_000_000));
        let config = GroupCoordinatorConfig { initial_rebalance_delay: Duration::ZERO, ..Default::default() };
        let runtime = RuntimeConfig {
            compression: Compression::default(),
            load_buffer_size: 1,
            commit_timeout: COMMIT_TIMEOUT,
        };
        let chance = Arc::new(SeededChance::new(7));
        let shares = Arc::new(ShareCoordinator::start(Default::default(), runtime, 1, clock.clone()));
        shares.on_partition_elected(0, LeaderEpoch(0), Arc::new(MemoryLog::new()));
        let persister = Arc::new(Local(shares.clone()));
        let coordinator = GroupCoordinator::new(config, runtime, 1, clock.clone(), chance, persister);
        coordinator.startup();
        Self { coordinator: Arc::new(coordinator), shares, clock, log }
    }

    pub(super) async fn loaded(&self) {
        while self.coordinator.list_groups(ListGroupsRequest::default()).await.error_code != ErrorCode::NONE {
            tokio::task::yield_now().await;
        }
    }

    async fn commit(&self, offset: i64) -> ErrorCode {
        let response = self.coordinator.commit_offsets(&context(9), commit_request(offset)).await;
        response.topics[0].partitions[0].error_code
    }

    async fn fetch(&self) -> (ErrorCode, i64) {
        let response = self.coordinator.fetch_offsets(&context(8), fetch_request(), true).await;
        let offset = response.topics.first().map(|topic| topic.partitions[0].committed_offset);
        (response.error_code, offset.unwrap_or(-1))
    }

    async fn join(&self, request: JoinGroupRequest, version: i16) -> JoinGroupResponse {
        let (coordinator, context) = (self.coordinator.clone(), context(version));
        let joining = tokio::spawn(async move { coordinator.join_group(&context, request).await });
        while !joining.is_finished() {
            tokio::task::yield_now().await;
            self.coordinator.wake_due();
        }
        joining.await.expect("it is answered")
    }
}

pub(super) fn context(api_version: i16) -> ClientContext {
    let client_address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    ClientContext { api_version, client_id: "app".into(), client_address, topic_gate: None }
}

fn join_request() -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol { name: "range".into(), ..Default::default() };
    JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        ..Default::default()
    }
}

fn commit_request(offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition { committed_offset: offset, ..Default::default() };
    let topic =
        OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    OffsetCommitRequest { group_id: "offsets".into(), topics: vec![topic], ..Default::default() }
}

fn fetch_request() -> OffsetFetchRequestGroup {
    let topic =
        OffsetFetchRequestTopics { name: "t".into(), partition_indexes: vec![0], ..Default::default() };
    OffsetFetchRequestGroup { group_id: "offsets".into(), topics: Some(vec![topic]), ..Default::default() }
}

#[test]
fn groups_find_their_partition_by_javas_hash() {
    assert_eq!(partition_for_key("hello", 50), 99_162_322 % 50);
    // The one text whose hash has no positive.
    assert_eq!(partition_for_key("polygenelubricants", 50), 0);
    assert_eq!(partition_for_key("", 50), 0);
    // Two UTF-16 units: 31 * 0xd83d + 0xdc26.
    assert_eq!(partition_for_key("\u{1f426}", 50), (31 * 0xd83d + 0xdc26) % 50);
}

#[tokio::test]
async fn offsets_and_groups_are_there_after_a_restart() {
    let log = Arc::new(MemoryLog::new());
    let node = Node::start(log.clone()).await;
    assert_eq!(node.commit(5).await, ErrorCode::NONE);
    assert_eq!(node.commit(6).await, ErrorCode::NONE);
    let joined = node.join(join_request(), 3).await;
    assert_eq!(joined.error_code, ErrorCode::NONE);
    assert_eq!(joined.members.len(), 1);
    let assignment = SyncGroupRequestAssignment {
        member_id: joined.member_id.clone(),
        assignment: "all".into(),
        ..Default::default()
    };
    let request = SyncGroupRequest {
        group_id: "g".into(),
        generation_id: 1,
        member_id: joined.member_id.clone(),
        assignments: vec![assignment],
        ..Default::default()
    };
    let synced = node.coordinator.sync_group(&context(4), request).await;
    assert_eq!((synced.error_code, &synced.assignment[..]), (ErrorCode::NONE, &b"all"[..]));
    node.coordinator.shutdown();

    let node = Node::start(log).await;
    assert_eq!(node.fetch().await, (ErrorCode::NONE, 6));
    let groups = node.coordinator.describe_groups(&context(6), vec!["g".into()]).await;
    assert_eq!(groups[0].group_state, "Stable");
    assert_eq!(groups[0].members[0].member_id, joined.member_id);
    assert_eq!(groups[0].members[0].client_host, "/127.0.0.1");
    let beat = HeartbeatRequest {
        group_id: "g".into(),
        generation_id: 1,
        member_id: joined.member_id,
        ..Default::default()
    };
    assert_eq!(node.coordinator.heartbeat(beat).await.error_code, ErrorCode::NONE);
}

#[tokio::test]
async fn entries_of_old_formats_are_passed_over() {
    let log = Arc::new(MemoryLog::new());
    for _ in 0..2 {
        log.put_old_entry();
        log.put_old_entry();
        let node = Node::start(log.clone()).await;
        assert_eq!(node.commit(5).await, ErrorCode::NONE);
        node.coordinator.shutdown();
    }
    assert_eq!(Node::start(log).await.fetch().await, (ErrorCode::NONE, 5));
}

#[tokio::test]
async fn an_answer_waits_for_the_commit_and_so_do_those_who_read_after_it() {
    let node = Node::start(Arc::new(MemoryLog::new())).await;
    node.log.hold_back(true);
    let coordinator = node.coordinator.clone();
    let committing =
        tokio::spawn(async move { coordinator.commit_offsets(&context(9), commit_request(5)).await });
    while node.log.batch_sizes().is_empty() {
        tokio::task::yield_now().await;
    }
    let coordinator = node.coordinator.clone();
    let fetching =
        tokio::spawn(async move { coordinator.fetch_offsets(&context(8), fetch_request(), false).await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!committing.is_finished() && !fetching.is_finished());
    node.log.hold_back(false);
    let committed = committing.await.expect("it is answered");
    assert_eq!(committed.topics[0].partitions[0].error_code, ErrorCode::NONE);
    let fetched = fetching.await.expect("it is answered");
    assert_eq!(fetched.topics[0].partitions[0].committed_offset, 5);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_committed_in_time_is_not_available() {
    let node = Node::start(Arc::new(MemoryLog::new())).await;
    node.log.hold_back(true);
    assert_eq!(node.commit(5).await, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert_eq!(node.fetch().await, (ErrorCode::NOT_COORDINATOR, -1));
}

#[tokio::test]
async fn a_partition_that_is_not_led_or_not_yet_loaded_says_so() {
    let node = Node::start(Arc::new(MemoryLog::new())).await;
    assert_eq!(node.commit(5).await, ErrorCode::NONE);
    let node = Node::start_without_partition(node.log.clone());
    assert_eq!(node.commit(5).await, ErrorCode::NOT_COORDINATOR);
    node.log.block_reads(true);
    node.coordinator.on_partition_elected(0, LeaderEpoch(3), node.log.clone());
    let beat = HeartbeatRequest { group_id: "g".into(), ..Default::default() };
    assert_eq!(node.commit(5).await, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    assert_eq!(node.coordinator.heartbeat(beat.clone()).await.error_code, ErrorCode::NONE);
    node.log.block_reads(false);
    node.loaded().await;
    assert_eq!(node.coordinator.heartbeat(beat).await.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    node.coordinator.on_partition_resigned(0, Some(LeaderEpoch(2)));
    assert_eq!(node.commit(5).await, ErrorCode::NONE, "an old resignation is ignored");
    node.coordinator.on_partition_resigned(0, Some(LeaderEpoch(3)));
    assert_eq!(node.commit(5).await, ErrorCode::NOT_COORDINATOR);
    node.coordinator.shutdown();
    assert_eq!(node.commit(5).await, ErrorCode::COORDINATOR_NOT_AVAILABLE);
}

#[tokio::test]
async fn members_that_wait_when_the_leader_resigns_look_for_the_next_one() {
    let node = Node::start(Arc::new(MemoryLog::new())).await;
    let coordinator = node.coordinator.clone();
    let joining = tokio::spawn(async move { coordinator.join_group(&context(3), join_request()).await });
    while node.log.batch_sizes().is_empty() {
        tokio::task::yield_now().await;
    }
    node.coordinator.on_partition_resigned(0, None);
    assert_eq!(joining.await.expect("it is answered").error_code, ErrorCode::NOT_COORDINATOR);
}

#[tokio::test]
async fn errors_of_the_log_become_errors_of_the_coordinator() {
    let node = Node::start(Arc::new(MemoryLog::new())).await;
    let cases = [
        (ErrorCode::NOT_ENOUGH_REPLICAS, ErrorCode::COORDINATOR_NOT_AVAILABLE),
        (ErrorCode::NOT_LEADER_OR_FOLLOWER, ErrorCode::NOT_COORDINATOR),
        (ErrorCode::KAFKA_STORAGE_ERROR, ErrorCode::NOT_COORDINATOR),
        (ErrorCode::MESSAGE_TOO_LARGE, ErrorCode::UNKNOWN_SERVER_ERROR),
    ];
    for (of_log, of_coordinator) in cases {
        node.log.fail_appends(Some(of_log));
        assert_eq!(node.commit(5).await, of_coordinator, "{}", of_log.name());
    }
    node.log.fail_appends(None);
    assert_eq!(node.fetch().await, (ErrorCode::NONE, -1));
    assert_eq!(node.commit(5).await, ErrorCode::NONE);
}

#[tokio::test]
async fn what_does_not_fit_into_one_batch_goes_into_several() {
    let node = Node::start(Arc::new(MemoryLog::with_max_batch_size(1_000))).await;
    let mut request = commit_request(1);
    let partition = |index| OffsetCommitRequestPartition {
        partition_index: index,
        committed_offset: i64::from(index),
        committed_metadata: Some("x".repeat(100)),
        ..Default::default()
    };
    request.topics[0].partitions = (0..50).map(partition).collect();
    let response = node.coordinator.commit_offsets(&context(9), request).await;
    assert!(response.topics[0].partitions.iter().all(|partition| partition.error_code == ErrorCode::NONE));
    let sizes = node.log.batch_sizes();
    assert!(sizes.len() > 5 && sizes.iter().all(|size| *size <= 1_000), "{sizes:?}");
    let restarted = Node::start(node.log.clone()).await;
    let all = OffsetFetchRequestGroup { topics: None, ..fetch_request() };
    let fetched = restarted.coordinator.fetch_offsets(&context(8), all, false).await;
    assert_eq!(fetched.topics[0].partitions.len(), 50);
}

#[tokio::test]
async fn transactions_survive_a_restart_in_the_log() {
    let node = Node::start(Arc::new(MemoryLog::new())).await;
    let commit = commit_request(5);
    let request = TxnOffsetCommitRequest {
        group_id: commit.group_id,
        producer_id: 7,
        producer_epoch: 1,
        generation_id_or_member_epoch: -1,
        topics: vec![protocol::txn_offset_commit_request::TxnOffsetCommitRequestTopic {
            name: "t".into(),
            partitions: vec![protocol::txn_offset_commit_request::TxnOffsetCommitRequestPartition {
                committed_offset: 5,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let response = node.coordinator.commit_transactional_offsets(request).await;
    assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::NONE);
    let node = Node::start(node.log.clone()).await;
    let unstable = node.coordinator.fetch_offsets(&context(8), fetch_request(), true).await;
    assert_eq!(unstable.topics[0].partitions[0].error_code, ErrorCode::UNSTABLE_OFFSET_COMMIT);
    let producer = Producer { id: ProducerId(7), epoch: ProducerEpoch(1) };
    node.coordinator.complete_transaction(0, producer, 3, true).await.expect("the marker is written");
    assert_eq!(node.fetch().await, (ErrorCode::NONE, 5));
    let node = Node::start(node.log.clone()).await;
    assert_eq!(node.fetch().await, (ErrorCode::NONE, 5));
}

#[tokio::test]
async fn sessions_end_by_the_clock() {
    let node = Node::start(Arc::new(MemoryLog::new())).await;
    let joined = node.join(join_request(), 3).await;
    assert_eq!(joined.error_code, ErrorCode::NONE);
    node.clock.advance(Duration::from_secs(10));
    node.coordinator.wake_due();
    let groups = node.coordinator.describe_groups(&context(6), vec!["g".into()]).await;
    assert_eq!((groups[0].group_state.as_str(), groups[0].members.len()), ("Empty", 0));
}

#[tokio::test]
async fn answers_at_old_versions_say_what_those_can() {
    let node = Node::start(Arc::new(MemoryLog::new())).await;
    let unknown = JoinGroupRequest { member_id: "who".into(), ..join_request() };
    assert_eq!(node.join(unknown.clone(), 6).await.protocol_name.as_deref(), Some(""));
    assert_eq!(node.join(unknown, 7).await.protocol_name, None);
    let short = JoinGroupRequest { session_timeout_ms: 5_999, ..join_request() };
    assert_eq!(node.join(short, 9).await.error_code, ErrorCode::INVALID_SESSION_TIMEOUT);
    let nameless = JoinGroupRequest { group_id: String::new(), ..join_request() };
    assert_eq!(node.join(nameless, 9).await.error_code, ErrorCode::INVALID_GROUP_ID);

    let leave = LeaveGroupRequest { group_id: "g".into(), member_id: "who".into(), ..Default::default() };
    let left = node.coordinator.leave_group(&context(2), leave).await;
    assert_eq!((left.error_code, left.members.len()), (ErrorCode::UNKNOWN_MEMBER_ID, 0));

    let sync = SyncGroupRequest { group_id: "g".into(), ..Default::default() };
    let synced = node.coordinator.sync_group(&context(5), sync.clone()).await;
    assert_eq!(synced.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    let synced = node.coordinator.sync_group(&context(4), sync).await;
    assert_eq!(synced.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[tokio::test]
async fn offset_fetch_of_one_group_is_the_same_at_every_version() {
    let node = Node::start(Arc::new(MemoryLog::new())).await;
    assert_eq!(node.commit(5).await, ErrorCode::NONE);
    let old = OffsetFetchRequest { group_id: "offsets".into(), topics: None, ..Default::default() };
    for version in [2, 7] {
        let mut groups = Vec::new();
        for group in offset_fetch_groups(old.clone(), version) {
            groups.push(node.coordinator.fetch_offsets(&context(version), group, false).await);
        }
        let response = offset_fetch_response(groups, version);
        assert_eq!(response.topics[0].partitions[0].committed_offset, 5);
    }
    node.coordinator.on_partition_resigned(0, None);
    let refused = node.coordinator.fetch_offsets(&context(1), fetch_request(), false).await;
    let response = offset_fetch_response(vec![refused], 1);
    assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::NOT_COORDINATOR);
}

#[tokio::test]
async fn groups_are_described_in_the_order_asked_for() {
    let node = Node::start(Arc::new(MemoryLog::new())).await;
    let asked = ["z", "a", "m", "z"].map(String::from).to_vec();
    let described = node.coordinator.describe_groups(&context(6), asked).await;
    let groups: Vec<&str> = described.iter().map(|group| group.group_id.as_str()).collect();
    assert_eq!(groups, ["z", "z", "a", "m"]);
    assert!(described.iter().all(|group| group.error_code == ErrorCode::GROUP_ID_NOT_FOUND));
}
