//! Share groups as the server asks about them, over both coordinators, and the states of their partitions over a log that is
//! loaded again, pruned, and cut off from power.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use coordinators::share::{
    DeliveryState, ShareCoordinatorConfig, SharePartitionKey, ShareState, ShareStateError, ShareStateSummary,
    ShareStateWrite, StateBatch,
};
use metadata::{MetadataDelta, MetadataImage};
use model::{LeaderEpoch, Offset, Uuid};
use protocol::alter_share_group_offsets_request::{
    AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use protocol::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic;
use protocol::{
    AlterShareGroupOffsetsRequest, DeleteShareGroupOffsetsRequest, ErrorCode, ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
};
use records::Compression;
use world::chance::{Chance, SeededChance};
use world::clock::FakeClock;
use world::files::SimFiles;

use super::consumers::image;
use super::groups::{Node, context};
use super::memory_log::MemoryLog;
use super::power_cut::{open_log, sync_for_ever};
use crate::transaction::Later;
use crate::{PartitionLog, Persister, RuntimeConfig, ShareCoordinator};

/// The id of the topic `t`.
const TOPIC: Uuid = Uuid::from_u128(1000);

/// Asks the one share coordinator that there is.
pub(super) struct Local(pub(super) Arc<ShareCoordinator>);

impl Persister for Local {
    fn initialize_state(
        &self,
        key: SharePartitionKey,
        state_epoch: i32,
        start_offset: Offset,
    ) -> Later<'_, Result<(), ShareStateError>> {
        Box::pin(self.0.initialize(key, state_epoch, start_offset))
    }

    fn read_state(
        &self,
        key: SharePartitionKey,
        leader_epoch: i32,
    ) -> Later<'_, Result<ShareState, ShareStateError>> {
        Box::pin(self.0.read(key, leader_epoch))
    }

    fn write_state(
        &self,
        key: SharePartitionKey,
        write: ShareStateWrite,
    ) -> Later<'_, Result<(), ShareStateError>> {
        Box::pin(self.0.write(key, write))
    }

    fn delete_state(&self, key: SharePartitionKey) -> Later<'_, Result<(), ShareStateError>> {
        Box::pin(self.0.delete(key))
    }

    fn read_summary(&self, key: SharePartitionKey) -> Later<'_, Result<ShareStateSummary, ShareStateError>> {
        Box::pin(self.0.summarize(key))
    }
}

fn key(partition: i32) -> SharePartitionKey {
    SharePartitionKey::new("g", TOPIC, partition)
}

fn publish(node: &Node, image: &Arc<MetadataImage>) {
    node.coordinator
        .on_new_metadata(image.clone(), &MetadataDelta::between(&MetadataImage::default(), image));
    node.shares.on_new_metadata(image.clone());
}

async fn beat(node: &Node, member: &str, epoch: i32) -> ShareGroupHeartbeatResponse {
    let request = ShareGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: member.into(),
        member_epoch: epoch,
        subscribed_topic_names: (epoch == 0).then(|| vec!["t".into()]),
        ..Default::default()
    };
    node.coordinator.share_group_heartbeat(&context(1), request).await
}

fn partitions(response: &ShareGroupHeartbeatResponse) -> Vec<i32> {
    let topics = response.assignment.iter().flat_map(|assignment| &assignment.topic_partitions);
    topics.flat_map(|topic| topic.partitions.clone()).collect()
}

/// Joins a group and waits until the member has partitions.
async fn join(node: &Node, member: &str) -> ShareGroupHeartbeatResponse {
    let mut response = beat(node, member, 0).await;
    assert_eq!(response.error_code, ErrorCode::NONE, "{response:?}");
    while partitions(&response).is_empty() {
        tokio::task::yield_now().await;
        node.clock.advance(Duration::from_millis(100));
        response = beat(node, member, response.member_epoch).await;
        assert_eq!(response.error_code, ErrorCode::NONE, "{response:?}");
    }
    response
}

#[tokio::test]
async fn a_share_group_has_partitions_once_their_states_have_begun() {
    let node = Node::start(Arc::new(MemoryLog::new())).await;
    publish(&node, &image(3));
    let joined = join(&node, "ann").await;
    assert_eq!(partitions(&joined), [0, 1, 2]);
    assert_eq!(node.coordinator.share_partitions("g").await, Ok([(TOPIC, BTreeSet::from([0, 1, 2]))].into()));
    let state = node.shares.read(key(1), 0).await.expect("it has begun");
    assert_eq!((state.start_offset, state.batches.len()), (Offset(-1), 0));
    let described = node.coordinator.describe_share_groups(vec!["g".into(), String::new()]).await;
    assert_eq!((described[0].group_state.as_str(), described[0].members.len()), ("Stable", 1));
    assert_eq!(described[1].error_code, ErrorCode::INVALID_GROUP_ID);
}

#[tokio::test]
async fn requests_of_share_consumers_that_say_too_little_are_refused_in_kafkas_words() {
    let node = Node::start(Arc::new(MemoryLog::new())).await;
    let good = ShareGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: "m".into(),
        subscribed_topic_names: Some(vec!["t".into()]),
        ..Default::default()
    };
    let wrong = [
        (ShareGroupHeartbeatRequest { member_id: " ".into(), ..good.clone() }, "MemberId can't be empty."),
        (ShareGroupHeartbeatRequest { group_id: String::new(), ..good.clone() }, "GroupId can't be empty."),
        (
            ShareGroupHeartbeatRequest { rack_id: Some(String::new()), ..good.clone() },
            "RackId can't be empty.",
        ),
        (
            ShareGroupHeartbeatRequest { subscribed_topic_names: Some(vec![]), ..good.clone() },
            "SubscribedTopicNames must be set in first request.",
        ),
        (ShareGroupHeartbeatRequest { member_epoch: -2, ..good }, "MemberEpoch is invalid."),
    ];
    for (request, message) in wrong {
        let response = node.coordinator.share_group_heartbeat(&context(1), request).await;
        assert_eq!(response.error_code, ErrorCode::INVALID_REQUEST);
        assert_eq!(response.error_message.as_deref(), Some(message));
    }
}

async fn alter(node: &Node, partition_index: i32, start_offset: i64) -> ErrorCode {
    let partition =
        AlterShareGroupOffsetsRequestPartition { partition_index, start_offset, ..Default::default() };
    let topic = AlterShareGroupOffsetsRequestTopic {
        topic_name: "t".into(),
        partitions: vec![partition],
        ..Default::default()
    };
    let request =
        AlterShareGroupOffsetsRequest { group_id: "g".into(), topics: vec![topic], ..Default::default() };
    let response = node.coordinator.alter_share_group_offsets(request).await;
    match response.error_code {
        ErrorCode::NONE => response.responses[0].partitions[0].error_code,
        error => error,
    }
}

#[tokio::test]
async fn offsets_of_an_empty_share_group_are_altered_and_deleted() {
    let node = Node::start(Arc::new(MemoryLog::new())).await;
    publish(&node, &image(2));
    let joined = join(&node, "ann").await;
    assert_eq!(alter(&node, 0, 5).await, ErrorCode::NON_EMPTY_GROUP);
    let busy = node.coordinator.delete_groups(vec!["g".into()]).await;
    assert_eq!(busy[0].error_code, ErrorCode::NON_EMPTY_GROUP);
    assert!(joined.member_epoch > 0);
    beat(&node, "ann", -1).await;
    assert_eq!(alter(&node, 0, 5).await, ErrorCode::NONE);
    assert_eq!(alter(&node, 7, 5).await, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let summary = node.shares.summarize(key(0)).await.expect("it has begun");
    assert_eq!((summary.start_offset, summary.delivery_complete_count), (Offset(5), 0));

    let topic = DeleteShareGroupOffsetsRequestTopic { topic_name: "t".into(), ..Default::default() };
    let request =
        DeleteShareGroupOffsetsRequest { group_id: "g".into(), topics: vec![topic], ..Default::default() };
    let deleted = node.coordinator.delete_share_group_offsets(request.clone()).await;
    assert_eq!((deleted.error_code, deleted.responses[0].error_code), (ErrorCode::NONE, ErrorCode::NONE));
    assert_eq!(node.shares.summarize(key(0)).await.map(|summary| summary.start_offset), Ok(Offset(-1)));
    let again = node.coordinator.delete_share_group_offsets(request).await;
    assert_eq!(again.responses[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);

    assert_eq!(alter(&node, 1, 3).await, ErrorCode::NONE);
    let gone = node.coordinator.delete_groups(vec!["g".into()]).await;
    assert_eq!(gone[0].error_code, ErrorCode::NONE);
    assert_eq!(node.shares.summarize(key(1)).await.map(|summary| summary.start_offset), Ok(Offset(-1)));
    let gone = node.coordinator.delete_groups(vec!["g".into()]).await;
    assert_eq!(gone[0].error_code, ErrorCode::GROUP_ID_NOT_FOUND);
}

/// A share coordinator alone, over one log.
struct Shares {
    coordinator: Arc<ShareCoordinator>,
    clock: Arc<FakeClock>,
}

impl Shares {
    async fn start(log: Arc<dyn PartitionLog>, clock: Arc<FakeClock>) -> Self {
        let config = ShareCoordinatorConfig { updates_per_snapshot: 3, ..Default::default() };
        let runtime = RuntimeConfig {
            compression: Compression::default(),
            load_buffer_size: 100,
            commit_timeout: Duration::from_secs(5),
        };
        let coordinator = Arc::new(ShareCoordinator::start(config, runtime, 1, clock.clone()));
        coordinator.on_new_metadata(image(4));
        coordinator.on_partition_elected(0, LeaderEpoch(0), log);
        let loading = |error: ShareStateError| error.code == ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
        while coordinator.read(key(0), -1).await.is_err_and(loading) {
            tokio::task::yield_now().await;
        }
        Self { coordinator, clock }
    }

    async fn write(&self, partition: i32, offset: i64) -> Result<(), ShareStateError> {
        let (first_offset, last_offset) = (Offset(offset), Offset(offset + 9));
        let (state, delivery_count) = (DeliveryState::ACKNOWLEDGED, 1);
        let write = ShareStateWrite {
            state_epoch: 0,
            leader_epoch: 0,
            start_offset: Offset(offset),
            delivery_complete_count: 10,
            batches: vec![StateBatch { first_offset, last_offset, delivery_count, state }],
        };
        self.coordinator.write(key(partition), write).await
    }
}

#[tokio::test]
async fn states_are_the_same_after_a_restart() {
    let log = Arc::new(MemoryLog::new());
    let shares = Shares::start(log.clone(), Arc::new(FakeClock::at(1_000_000))).await;
    for partition in 0..3 {
        shares.coordinator.initialize(key(partition), 0, Offset(-1)).await.expect("it begins");
        for offset in 0..=i64::from(partition) * 2 {
            shares.write(partition, offset * 10).await.expect("it is written");
        }
    }
    shares.coordinator.delete(key(1)).await.expect("it is forgotten");
    let before = shares.coordinator.read(key(2), 0).await.expect("it is there");
    shares.coordinator.shutdown();

    let shares = Shares::start(log, shares.clock.clone()).await;
    assert_eq!(shares.coordinator.read(key(2), 0).await.expect("it is there"), before);
    assert_eq!(before.start_offset, Offset(40));
    let gone = shares.coordinator.read(key(1), 0).await.expect_err("it was forgotten");
    assert_eq!(gone.code, ErrorCode::INVALID_REQUEST);
}

#[tokio::test]
async fn what_snapshots_have_replaced_is_deleted_from_the_log() {
    let log = Arc::new(MemoryLog::new());
    let shares = Shares::start(log.clone(), Arc::new(FakeClock::at(1_000_000))).await;
    shares.coordinator.initialize(key(0), 0, Offset(0)).await.expect("it begins");
    for offset in 0..8 {
        shares.write(0, offset * 10).await.expect("it is written");
    }
    shares.clock.advance(ShareCoordinatorConfig::default().prune_interval);
    shares.coordinator.wake_due();
    while log.start_offset() == Offset(0) {
        tokio::task::yield_now().await;
    }
    // The first record began the state; three updates and a snapshot follow, twice.
    assert_eq!(log.start_offset(), Offset(8));
    while shares.coordinator.pruned_offsets().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(shares.coordinator.pruned_offsets(), BTreeMap::from([(0, Offset(8))]));
    shares.coordinator.shutdown();
    let shares = Shares::start(log, shares.clock.clone()).await;
    assert_eq!(shares.coordinator.read(key(0), 0).await.map(|state| state.start_offset), Ok(Offset(70)));
}

#[tokio::test]
async fn acknowledged_states_survive_a_power_cut() {
    let mut acknowledged_at_all = 0;
    for seed in 0..20 {
        let chance = SeededChance::new(seed);
        let files = SimFiles::default();
        let clock = Arc::new(FakeClock::at(1_000_000));
        let (log, environment) = open_log(&files, clock.clone(), "__share_group_state");
        let shares = Arc::new(Shares::start(Arc::new(log), clock.clone()).await);
        let (acknowledged, last) = tokio::sync::watch::channel(-1);
        let writer = shares.clone();
        tokio::spawn(async move {
            if writer.coordinator.initialize(key(0), 0, Offset(0)).await.is_err() {
                return;
            }
            for offset in 0.. {
                if writer.write(0, offset).await.is_err() {
                    return;
                }
                acknowledged.send_replace(offset);
            }
        });
        for _ in 0..chance.next_u64() % 60 {
            tokio::task::yield_now().await;
            if chance.next_u64().is_multiple_of(3) {
                environment.group_commit.step();
            }
        }
        let acknowledged = *last.borrow();
        files.power_cut(Some(&chance));
        shares.coordinator.shutdown();

        let (log, environment) = open_log(&files, clock.clone(), "__share_group_state");
        let shares = tokio::select! {
            shares = Shares::start(Arc::new(log), clock) => shares,
            () = sync_for_ever(&environment) => unreachable!("it never ends"),
        };
        let kept = shares.coordinator.read(key(0), -1).await.map_or(-1, |state| state.start_offset.0);
        assert!(kept >= acknowledged, "seed {seed}: {kept} of {acknowledged}");
        acknowledged_at_all += acknowledged + 1;
    }
    assert!(acknowledged_at_all > 30, "only {acknowledged_at_all} writes were acknowledged");
}
