//! Groups on a simulated disk whose power is cut: what was acknowledged is there afterwards.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::{ConfigMap, LogConfig};
use coordinators::group::GroupCoordinatorConfig;
use model::{LeaderEpoch, Offset, TopicPartition};
use protocol::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::offset_fetch_request::OffsetFetchRequestGroup;
use protocol::{ErrorCode, ListGroupsRequest, OffsetCommitRequest};
use records::Compression;
use storage::{
    AppendOptions, AppendOrigin, FetchIsolation, LogEnvironment, LogManager, LogManagerOptions, UnifiedLog,
};
use world::chance::{Chance, SeededChance};
use world::clock::FakeClock;
use world::files::SimFiles;

use super::groups::context;
use super::share::Local;
use crate::partition_log::{Committed, PartitionLog};
use crate::{GroupCoordinator, RuntimeConfig, ShareCoordinator};

/// A log whose records are committed once they are synced, as with `monedula.ack.durability=synced` and one replica.
pub(super) struct SyncedLog(Arc<UnifiedLog>);

impl PartitionLog for SyncedLog {
    fn append(&self, batch: Bytes) -> Result<Offset, ErrorCode> {
        let options = AppendOptions { origin: AppendOrigin::Coordinator, ..Default::default() };
        let appended =
            self.0.append_as_leader(batch, LeaderEpoch(0), options).map_err(|error| error.code())?;
        Ok(appended.last_offset.plus(1))
    }

    fn committed(&self, end: Offset) -> Committed<'_> {
        Box::pin(async move { self.0.wait_synced(end).await.map_err(|error| error.code()) })
    }

    fn read(&self, from: Offset, max_bytes: usize) -> Result<Bytes, ErrorCode> {
        let read =
            self.0.read(from, max_bytes, FetchIsolation::LogEnd, true).map_err(|error| error.code())?;
        read.records.read().map_err(|_| ErrorCode::KAFKA_STORAGE_ERROR)
    }

    fn delete_records(&self, before: Offset) -> Result<(), ErrorCode> {
        let moved = self.0.maybe_increment_log_start_offset(before, "test");
        moved.map(|_| ()).map_err(|error| error.code())
    }

    fn start_offset(&self) -> Offset {
        self.0.log_start_offset()
    }

    fn end_offset(&self) -> Offset {
        self.0.log_end_offset()
    }

    fn max_batch_size(&self) -> usize {
        1 << 20
    }
}

/// Opens the log of a partition on a disk that may lose its power.
pub(super) fn open_log(
    files: &SimFiles,
    clock: Arc<FakeClock>,
    topic: &str,
) -> (SyncedLog, Arc<LogEnvironment>) {
    let chance = Arc::new(SeededChance::new(1));
    let shared: Arc<dyn world::files::Files> = Arc::new(files.clone());
    let environment = LogEnvironment::new(shared, clock, chance, 50, 86_400_000);
    let options =
        LogManagerOptions { log_dirs: vec![Path::new("/data").to_owned()], ..LogManagerOptions::default() };
    let manager = LogManager::open(environment.clone(), options).expect("the dir is usable");
    let config = Arc::new(LogConfig::new(&ConfigMap::new(), &ConfigMap::new()).expect("valid"));
    manager.load(&|_, _| Some(config.clone())).expect("the dir is usable");
    let partition = TopicPartition::new(topic, 0);
    let log = manager.get_or_create_log(&partition, None, None, config).expect("the disk is well");
    (SyncedLog(log), environment)
}

/// One life of a node with one partition of `__consumer_offsets`.
struct Life {
    coordinator: Arc<GroupCoordinator>,
    environment: Arc<LogEnvironment>,
}

impl Life {
    async fn start(files: &SimFiles) -> Self {
        let clock = Arc::new(FakeClock::at(1_000_000));
        let chance = Arc::new(SeededChance::new(1));
        let (log, environment) = open_log(files, clock.clone(), "__consumer_offsets");
        let runtime = RuntimeConfig {
            compression: Compression::default(),
            load_buffer_size: 100,
            commit_timeout: Duration::from_secs(5),
        };
        let shares = Arc::new(ShareCoordinator::start(Default::default(), runtime, 1, clock.clone()));
        let (config, persister) = (GroupCoordinatorConfig::default(), Arc::new(Local(shares)));
        let coordinator = GroupCoordinator::new(config, runtime, 1, clock, chance, persister);
        coordinator.startup();
        coordinator.on_partition_elected(0, LeaderEpoch(0), Arc::new(log));
        while coordinator.list_groups(ListGroupsRequest::default()).await.error_code != ErrorCode::NONE {
            tokio::task::yield_now().await;
        }
        Self { coordinator: Arc::new(coordinator), environment }
    }

    /// Commits offset 0, 1, 2, … of a partition, and returns the last one that was acknowledged.
    fn commit_on(&self, partition: i32) -> tokio::sync::watch::Receiver<i64> {
        let (acknowledged, last) = tokio::sync::watch::channel(-1);
        let coordinator = self.coordinator.clone();
        tokio::spawn(async move {
            for offset in 0.. {
                let response = coordinator.commit_offsets(&context(9), request(partition, offset)).await;
                if response.topics[0].partitions[0].error_code != ErrorCode::NONE {
                    break;
                }
                acknowledged.send_replace(offset);
            }
        });
        last
    }
}

fn request(partition: i32, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        partition_index: partition,
        committed_offset: offset,
        ..Default::default()
    };
    let topic =
        OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    OffsetCommitRequest { group_id: "g".into(), topics: vec![topic], ..Default::default() }
}

#[tokio::test]
async fn acknowledged_offsets_survive_a_power_cut() {
    let mut acknowledged_at_all = 0;
    for seed in 0..20 {
        let chance = SeededChance::new(seed);
        let files = SimFiles::default();
        let life = Life::start(&files).await;
        let writers: Vec<_> = (0..4).map(|partition| life.commit_on(partition)).collect();
        for _ in 0..chance.next_u64() % 60 {
            tokio::task::yield_now().await;
            if chance.next_u64().is_multiple_of(3) {
                life.environment.group_commit.step();
            }
        }
        let acknowledged: Vec<i64> = writers.iter().map(|last| *last.borrow()).collect();
        files.power_cut(Some(&chance));
        life.coordinator.shutdown();

        let life = Life::start(&files).await;
        let all = OffsetFetchRequestGroup { group_id: "g".into(), topics: None, ..Default::default() };
        let context = context(8);
        let fetched = tokio::select! {
            fetched = life.coordinator.fetch_offsets(&context, all, false) => fetched,
            () = sync_for_ever(&life.environment) => unreachable!("it never ends"),
        };
        for (partition, acknowledged) in (0..).zip(acknowledged) {
            acknowledged_at_all += acknowledged + 1;
            let rows = fetched.topics.iter().flat_map(|topic| &topic.partitions);
            let kept =
                rows.filter(|row| row.partition_index == partition).map(|row| row.committed_offset).max();
            assert!(kept.unwrap_or(-1) >= acknowledged, "seed {seed}: {kept:?} of {acknowledged}");
        }
    }
    assert!(acknowledged_at_all > 100, "only {acknowledged_at_all} offsets were acknowledged");
}

pub(super) async fn sync_for_ever(environment: &LogEnvironment) {
    loop {
        environment.group_commit.step();
        tokio::task::yield_now().await;
    }
}
