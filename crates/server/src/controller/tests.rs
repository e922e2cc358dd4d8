//! The controller on a real disk: from an empty directory, over restarts, and on what Apache Kafka wrote.

use std::path::Path;
use std::time::{Duration, Instant};

use ::controller::ControllerConfig;
use model::{LeaderEpoch, NodeId, Timestamp, Uuid};
use protocol::broker_registration_request::Feature;
use protocol::create_topics_request::CreatableTopic;
use protocol::{
    AllocateProducerIdsRequest, BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest,
    CreateTopicsRequest, DeleteTopicsRequest, DescribeQuorumRequest, ErrorCode, FetchRequest,
};
use raft::{Endpoint, LogView, ReplicaKey, SnapshotHeader, SnapshotId, VoterNode, VoterSet, write_snapshot};
use world::chance::SeededChance;
use world::clock::{Clock, FakeClock, RealClock};
use world::files::RealFiles;

use super::*;

const DIRECTORY: Uuid = Uuid::from_u128(500);
const CLUSTER: &str = "pS-PpaNxTN6GwWZMkfCLgA";

fn endpoint() -> Endpoint {
    Endpoint { name: "CONTROLLER".to_owned(), host: "localhost".to_owned(), port: 9093 }
}

fn options() -> ControllerOptions {
    ControllerOptions {
        machine: ControllerConfig {
            cluster_id: CLUSTER.to_owned(),
            max_idle_interval: None,
            seed: 7,
            ..ControllerConfig::default()
        },
        directory_id: DIRECTORY,
        incarnation_id: Uuid::from_u128(900),
        endpoints: vec![(endpoint(), 0)],
        static_voters: VoterSet::default(),
        segment_bytes: 1 << 30,
        segment_ms: i64::MAX,
        bytes_between_snapshots: 1 << 30,
        snapshot_interval: None,
        retention_bytes: None,
        retention_ms: None,
    }
}

/// Does what `storage format --standalone` does for the metadata log.
fn format(dir: &Path) {
    let key = ReplicaKey { id: NodeId(1), directory_id: Some(DIRECTORY) };
    let voter = VoterNode { key, endpoints: vec![endpoint()], kraft_versions: (0, 1) };
    let header = SnapshotHeader {
        last_contained_log_timestamp: 1,
        kraft_version: 1,
        voters: Some(VoterSet::new([voter])),
    };
    let folder = dir.join("__cluster_metadata-0");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let bytes = write_snapshot(SnapshotId::BOOTSTRAP, &header, [], Timestamp(1)).expect("it fits");
    std::fs::write(folder.join(SnapshotId::BOOTSTRAP.file_name()), bytes).expect("the file can be written");
}

fn start_with(
    dir: &Path,
    options: ControllerOptions,
    clock: Arc<dyn Clock>,
) -> Result<Arc<ControllerService>, ControllerError> {
    let chance = Arc::new(SeededChance::new(3));
    let environment = LogEnvironment::new(Arc::new(RealFiles), clock, chance, 100, 86_400_000);
    let log_dir = Arc::new(LogDir::new(dir.to_owned(), options.directory_id, None));
    ControllerService::start(options, &environment, log_dir)
}

fn start(dir: &Path) -> Arc<ControllerService> {
    start_with(dir, options(), Arc::new(RealClock::default())).expect("the controller starts")
}

fn registration(previous_broker_epoch: i64, incarnation: u128) -> BrokerRegistrationRequest {
    let feature = |(name, range): (String, metadata::VersionRange)| Feature {
        name,
        min_supported_version: range.min,
        max_supported_version: range.max,
        ..Default::default()
    };
    BrokerRegistrationRequest {
        broker_id: 1,
        cluster_id: CLUSTER.to_owned(),
        incarnation_id: Uuid::from_u128(incarnation),
        features: ::controller::supported_features().into_iter().map(feature).collect(),
        log_dirs: vec![DIRECTORY],
        previous_broker_epoch,
        ..Default::default()
    }
}

async fn heartbeat(
    service: &ControllerService,
    broker_epoch: i64,
    want_shut_down: bool,
) -> BrokerHeartbeatResponse {
    let request = BrokerHeartbeatRequest {
        broker_id: 1,
        broker_epoch,
        current_metadata_offset: service.image().provenance().last_contained_offset.0,
        want_shut_down,
        ..Default::default()
    };
    match service.handle(request).await.expect("the controller answers") {
        ResponseBody::BrokerHeartbeat(response) => *response,
        other => panic!("{other:?} is no answer to a heartbeat"),
    }
}

/// Registers the broker and has it unfenced; returns its epoch.
async fn ready(service: &ControllerService, previous: i64, incarnation: u128) -> i64 {
    let epoch =
        match service.handle(registration(previous, incarnation)).await.expect("the controller answers") {
            ResponseBody::BrokerRegistration(response) => {
                assert_eq!(response.error_code, ErrorCode::NONE);
                response.broker_epoch
            }
            other => panic!("{other:?} is no answer to a registration"),
        };
    assert!(!heartbeat(service, epoch, false).await.is_fenced);
    epoch
}

fn create(name: &str, num_partitions: i32) -> CreateTopicsRequest {
    let topic =
        CreatableTopic { name: name.to_owned(), num_partitions, replication_factor: 1, ..Default::default() };
    CreateTopicsRequest { topics: vec![topic], ..Default::default() }
}

async fn created(service: &ControllerService, name: &str, partitions: i32) -> Uuid {
    match service.handle(create(name, partitions)).await.expect("the controller answers") {
        ResponseBody::CreateTopics(response) => {
            assert_eq!(
                response.topics[0].error_code,
                ErrorCode::NONE,
                "{:?}",
                response.topics[0].error_message
            );
            response.topics[0].topic_id
        }
        other => panic!("{other:?} is no answer to CreateTopics"),
    }
}

#[tokio::test]
async fn an_empty_directory_becomes_a_cluster_with_a_topic() {
    let dir = tempfile::tempdir().expect("a folder");
    format(dir.path());
    let began = Instant::now();
    let service = start(dir.path());
    ready(&service, -1, 1).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let id = created(&service, "t", 3).await;
    let image = service.image();
    assert_eq!(image.topics().by_id(id).map(|topic| topic.partition_count()), Some(3));
    assert_eq!(image.features().metadata_version(), metadata::MetadataVersion::LATEST);
    assert_eq!(image.topics().partition("t", 0).expect("it is there").leader, NodeId(1));
    service.stop();
}

#[tokio::test]
async fn a_restart_brings_everything_back_in_a_higher_epoch() {
    let dir = tempfile::tempdir().expect("a folder");
    format(dir.path());
    let service = start(dir.path());
    let broker = ready(&service, -1, 1).await;
    created(&service, "t", 2).await;
    while !heartbeat(&service, broker, true).await.should_shut_down {}
    let before = service.image();
    service.stop();
    drop(service);

    let service = start(dir.path());
    let image = service.image();
    assert_eq!(image.topics(), before.topics());
    assert_eq!(image.configs(), before.configs());
    assert_eq!(image.provenance().last_contained_epoch, LeaderEpoch(2));
    ready(&service, broker, 2).await;
    let partition = service.image().topics().partition("t", 1).expect("it is there").clone();
    assert_eq!((partition.leader, partition.isr.as_slice()), (NodeId(1), [NodeId(1)].as_slice()));
    assert_eq!(partition.leader_recovery_state, metadata::LeaderRecoveryState::Recovered);
    service.stop();
}

#[tokio::test]
async fn a_broker_that_was_killed_comes_back_without_waiting_for_its_session() {
    let dir = tempfile::tempdir().expect("a folder");
    format(dir.path());
    let service = start(dir.path());
    ready(&service, -1, 1).await;
    created(&service, "t", 1).await;
    service.stop();

    let began = Instant::now();
    let service = start(dir.path());
    ready(&service, -1, 2).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let partition = service.image().topics().partition("t", 0).expect("it is there").clone();
    assert_eq!((partition.leader, partition.isr.as_slice()), (NodeId(1), [NodeId(1)].as_slice()));
    service.stop();
}

#[tokio::test]
async fn a_snapshot_takes_the_place_of_the_log_before_it() {
    let dir = tempfile::tempdir().expect("a folder");
    format(dir.path());
    let small = ControllerOptions {
        bytes_between_snapshots: 2000,
        segment_bytes: 4096,
        retention_bytes: Some(1),
        ..options()
    };
    let service = start_with(dir.path(), small.clone(), Arc::new(RealClock::default())).expect("it starts");
    ready(&service, -1, 1).await;
    for n in 0..100 {
        created(&service, &format!("topic-{n}"), 2).await;
    }
    let before = service.image();
    service.stop();
    let snapshots = snapshots::list(&service.log);
    assert!(snapshots.last().is_some_and(|id| id.end_offset > Offset(0)), "{snapshots:?}");
    assert!(service.log.start() > Offset(0), "nothing of the log was dropped");
    drop(service);

    let service = start_with(dir.path(), small, Arc::new(RealClock::default())).expect("it starts");
    assert_eq!(service.image().topics(), before.topics());
    assert_eq!(service.image().features(), before.features());
    service.stop();
}

#[tokio::test]
async fn the_most_partitions_of_a_request_are_made_in_linear_time() {
    let dir = tempfile::tempdir().expect("a folder");
    format(dir.path());
    let service = start(dir.path());
    ready(&service, -1, 1).await;
    let began = Instant::now();
    created(&service, "wide", 9_999).await;
    let first = began.elapsed();
    let began = Instant::now();
    created(&service, "wider", 9_999).await;
    assert!(began.elapsed() < first * 10 + Duration::from_secs(1), "{first:?}, then {:?}", began.elapsed());
    service.stop();
}

#[tokio::test]
async fn the_quorum_describes_itself_truly() {
    let dir = tempfile::tempdir().expect("a folder");
    format(dir.path());
    let service = start(dir.path());
    let request = DescribeQuorumRequest {
        topics: vec![protocol::describe_quorum_request::TopicData {
            topic_name: "__cluster_metadata".to_owned(),
            partitions: vec![Default::default()],
            ..Default::default()
        }],
        ..Default::default()
    };
    let response = service.describe_quorum(&request, 2);
    let partition = &response.topics[0].partitions[0];
    let end = service.image().provenance().last_contained_offset.plus(1);
    assert_eq!((partition.leader_id, partition.leader_epoch, partition.high_watermark), (1, 1, end.0));
    assert_eq!(partition.current_voters[0].replica_directory_id, DIRECTORY);
    assert_eq!(response.nodes[0].listeners[0].port, 9093);
    service.stop();
}

#[tokio::test]
async fn an_observer_reads_the_log_from_its_beginning() {
    let dir = tempfile::tempdir().expect("a folder");
    format(dir.path());
    let service = start(dir.path());
    let partition = protocol::fetch_request::FetchPartition { current_leader_epoch: 1, ..Default::default() };
    let topic = protocol::fetch_request::FetchTopic {
        topic_id: Uuid::METADATA_TOPIC,
        partitions: vec![protocol::fetch_request::FetchPartition { last_fetched_epoch: 0, ..partition }],
        ..Default::default()
    };
    let request = FetchRequest { max_bytes: 1 << 20, topics: vec![topic], ..Default::default() };
    let response = service.fetch(&request).await;
    let data = &response.responses[0].partitions[0];
    assert_eq!(data.error_code, ErrorCode::NONE);
    assert!(data.high_watermark > 0);
    let bytes = match data.records.as_ref().expect("records") {
        protocol::Records::Bytes(bytes) => bytes.clone(),
        protocol::Records::Region(region) => region.read().expect("the file is there"),
    };
    assert!(!bytes.is_empty());
    service.stop();
}

#[tokio::test]
async fn a_directory_that_was_not_formatted_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let refused = start_with(dir.path(), options(), Arc::new(RealClock::default()));
    assert!(matches!(refused, Err(ControllerError::Quorum(raft::QuorumError::NoVoters))), "{refused:?}");
}

#[tokio::test]
async fn a_broker_of_another_epoch_gets_no_producer_ids() {
    let dir = tempfile::tempdir().expect("a folder");
    format(dir.path());
    let service = start(dir.path());
    let broker = ready(&service, -1, 1).await;
    let allocate =
        |broker_epoch| AllocateProducerIdsRequest { broker_id: 1, broker_epoch, ..Default::default() };
    for (epoch, expected) in [(broker, ErrorCode::NONE), (99, ErrorCode::STALE_BROKER_EPOCH)] {
        match service.handle(allocate(epoch)).await.expect("the controller answers") {
            ResponseBody::AllocateProducerIds(response) => assert_eq!(response.error_code, expected),
            other => panic!("{other:?} is no answer to AllocateProducerIds"),
        }
    }
    service.stop();
}

#[tokio::test]
async fn no_op_records_are_written_while_nothing_else_is() {
    let dir = tempfile::tempdir().expect("a folder");
    format(dir.path());
    let mut options = options();
    options.machine.max_idle_interval = Some(Duration::from_millis(5));
    let service = start_with(dir.path(), options, Arc::new(RealClock::default())).expect("it starts");
    let offset = service.image().provenance().last_contained_offset;
    let later = service.wait_for(offset.plus(3)).await.expect("the controller runs");
    assert_eq!(later.topics(), service.image().topics());
    service.stop();
}

#[tokio::test]
async fn a_stopped_controller_answers_nobody() {
    let dir = tempfile::tempdir().expect("a folder");
    format(dir.path());
    let service = start_with(dir.path(), options(), Arc::new(FakeClock::at(1))).expect("it starts");
    service.stop();
    assert_eq!(service.handle(DeleteTopicsRequest::default()).await.err(), Some(ControllerStopped));
}
