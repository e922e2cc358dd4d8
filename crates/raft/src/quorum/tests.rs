//! Elections of a quorum of one, its high watermark, and what strangers are told.

use std::time::Duration;

use model::{LeaderEpoch, NodeId, Offset, Timestamp, Uuid};
use protocol::vote_request::{PartitionData, TopicData};
use protocol::{DescribeQuorumRequest, ErrorCode, KRaftVersionRecord, VoteRequest};

use super::*;

const DIRECTORY: Uuid = Uuid::from_u128(500);

fn local() -> ReplicaKey {
    ReplicaKey { id: NodeId(1), directory_id: Some(DIRECTORY) }
}

fn endpoints(port: u16) -> Vec<Endpoint> {
    vec![Endpoint { name: "CONTROLLER".to_owned(), host: "localhost".to_owned(), port }]
}

fn voter(id: i32, directory_id: Option<Uuid>) -> VoterNode {
    VoterNode {
        key: ReplicaKey { id: NodeId(id), directory_id },
        endpoints: endpoints(9093),
        kraft_versions: (0, 1),
    }
}

/// The history of a node formatted with `--standalone`.
fn standalone() -> VoterHistory {
    let mut history = VoterHistory::default();
    let version = KRaftVersionRecord { kraft_version: 1, ..Default::default() };
    history.observe(Offset(-1), &ControlRecord::KraftVersion(version));
    let voters = VoterSet::new([voter(1, Some(DIRECTORY))]).to_record();
    history.observe(Offset(-1), &ControlRecord::KraftVoters(voters));
    history
}

fn quorum(history: VoterHistory, port: u16, epoch: i32, end: i64) -> Quorum {
    let config = QuorumConfig { local: local(), cluster_id: "c".to_owned(), endpoints: endpoints(port) };
    let election = ElectionState { epoch: LeaderEpoch(epoch), ..ElectionState::initial() };
    Quorum::new(config, history, &election, Offset(end), LeaderEpoch(0))
}

fn appended(actions: &[Action]) -> &[ControlRecord] {
    match actions.last() {
        Some(Action::Append(records)) => records,
        other => panic!("{other:?} is no append"),
    }
}

#[test]
fn a_lone_voter_elects_itself_and_writes_its_voters_once() {
    let mut quorum = quorum(standalone(), 9093, 0, 0);
    let actions = quorum.start().expect("it is the only voter");
    assert_eq!((quorum.epoch(), quorum.leader()), (LeaderEpoch(1), Some(NodeId(1))));
    assert!(
        matches!(&actions[0], Action::Persist(state) if state.voted == Some(local()) && state.leader.is_none())
    );
    assert!(
        matches!(&actions[1], Action::Persist(state) if state.leader == Some(NodeId(1)) && state.voted.is_none())
    );
    let records = appended(&actions);
    assert!(matches!(
        records,
        [ControlRecord::LeaderChange(_), ControlRecord::KraftVersion(_), ControlRecord::KraftVoters(_)]
    ));
}

#[test]
fn a_restart_raises_the_epoch_and_does_not_repeat_the_voters() {
    let mut history = standalone();
    history.observe(
        Offset(2),
        &ControlRecord::KraftVoters(VoterSet::new([voter(1, Some(DIRECTORY))]).to_record()),
    );
    let mut quorum = quorum(history, 9093, 4, 30);
    let actions = quorum.start().expect("it is the only voter");
    assert_eq!(quorum.epoch(), LeaderEpoch(5));
    assert!(matches!(appended(&actions), [ControlRecord::LeaderChange(_)]));
}

#[test]
fn a_voter_that_listens_elsewhere_says_so() {
    let mut history = standalone();
    history.observe(
        Offset(2),
        &ControlRecord::KraftVoters(VoterSet::new([voter(1, Some(DIRECTORY))]).to_record()),
    );
    let mut quorum = quorum(history, 19093, 4, 30);
    let actions = quorum.start().expect("it is the only voter");
    match appended(&actions) {
        [_, _, ControlRecord::KraftVoters(voters)] => assert_eq!(voters.voters[0].endpoints[0].port, 19093),
        other => panic!("{other:?} does not name the voters"),
    }
}

#[test]
fn a_static_voter_leads_without_a_voters_record() {
    let mut quorum = quorum(VoterHistory::new(VoterSet::new([voter(1, None)])), 9093, 0, 0);
    let actions = quorum.start().expect("it is the only voter");
    assert!(matches!(appended(&actions), [ControlRecord::LeaderChange(_)]));
}

#[test]
fn a_node_with_other_voters_or_none_refuses_to_start() {
    let two = VoterHistory::new(VoterSet::new([voter(1, None), voter(2, None)]));
    assert_eq!(quorum(two, 9093, 0, 0).start(), Err(QuorumError::OtherVoters(vec![NodeId(1), NodeId(2)])));
    assert_eq!(quorum(VoterHistory::default(), 9093, 0, 0).start(), Err(QuorumError::NoVoters));
    let other_disk = VoterHistory::new(VoterSet::new([voter(1, Some(Uuid::from_u128(9)))]));
    assert_eq!(quorum(other_disk, 9093, 0, 0).start(), Err(QuorumError::OtherVoters(vec![NodeId(1)])));
}

#[test]
fn the_high_watermark_follows_the_disk_and_not_the_log() {
    let mut quorum = quorum(standalone(), 9093, 0, 10);
    quorum.start().expect("it is the only voter");
    assert_eq!(quorum.synced(Offset(10)), None, "nothing of the epoch is synced");
    quorum.appended(Offset(13));
    assert_eq!(quorum.high_watermark(), None);
    assert_eq!(quorum.synced(Offset(13)), Some(Offset(13)));
    quorum.appended(Offset(20));
    assert_eq!(quorum.high_watermark(), Some(Offset(13)));
    assert_eq!(quorum.synced(Offset(99)), Some(Offset(20)), "no more can be synced than was appended");
}

fn vote_request(id: i32, epoch: i32) -> VoteRequest {
    VoteRequest {
        cluster_id: Some("c".to_owned()),
        topics: vec![TopicData {
            topic_name: "__cluster_metadata".to_owned(),
            partitions: vec![PartitionData {
                replica_id: id,
                replica_epoch: epoch,
                last_offset: 1000,
                last_offset_epoch: epoch - 1,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[test]
fn a_strangers_election_changes_nothing() {
    let mut quorum = quorum(standalone(), 9093, 0, 0);
    quorum.start().expect("it is the only voter");
    let answer = quorum.vote(&vote_request(7, 1000));
    let partition = &answer.topics[0].partitions[0];
    assert_eq!(partition.error_code, ErrorCode::INCONSISTENT_VOTER_SET);
    assert!(!partition.vote_granted);
    assert_eq!((partition.leader_id, partition.leader_epoch), (1, 1));
    assert!(quorum.is_leader());
    assert_eq!(
        quorum.vote(&vote_request(7, 0)).topics[0].partitions[0].error_code,
        ErrorCode::INVALID_REQUEST
    );
    let other = VoteRequest { cluster_id: Some("d".to_owned()), ..vote_request(7, 5) };
    assert_eq!(quorum.vote(&other).error_code, ErrorCode::INCONSISTENT_CLUSTER_ID);
    assert_eq!(quorum.vote(&VoteRequest::default()).error_code, ErrorCode::INVALID_REQUEST);
}

#[test]
fn an_observer_is_described_until_it_is_silent_for_five_minutes() {
    let mut quorum = quorum(standalone(), 9093, 0, 0);
    quorum.start().expect("it is the only voter");
    quorum.appended(Offset(3));
    quorum.fetched(
        ReplicaKey { id: NodeId(9), directory_id: None },
        Offset(3),
        Duration::ZERO,
        Timestamp(50),
    );
    let request = DescribeQuorumRequest {
        topics: vec![protocol::describe_quorum_request::TopicData {
            topic_name: "__cluster_metadata".to_owned(),
            partitions: vec![Default::default()],
            ..Default::default()
        }],
        ..Default::default()
    };
    let describe = |at| quorum.describe(&request, 2, at, Timestamp(70)).topics[0].partitions[0].clone();
    let soon = describe(Duration::from_secs(1));
    assert_eq!((soon.leader_id, soon.leader_epoch), (1, 1));
    assert_eq!((soon.current_voters[0].log_end_offset, soon.current_voters[0].last_fetch_timestamp), (3, 70));
    assert_eq!((soon.observers[0].replica_id, soon.observers[0].last_caught_up_timestamp), (9, 50));
    assert!(describe(Duration::from_secs(301)).observers.is_empty());
}

#[test]
fn a_partition_that_is_not_the_metadata_log_is_described_as_unknown_in_words() {
    let quorum = quorum(standalone(), 9093, 0, 0);
    let request = DescribeQuorumRequest {
        topics: vec![protocol::describe_quorum_request::TopicData {
            topic_name: "t".to_owned(),
            partitions: vec![Default::default()],
            ..Default::default()
        }],
        ..Default::default()
    };
    let partition = &quorum.describe(&request, 2, Duration::ZERO, Timestamp(0)).topics[0].partitions[0];
    assert_eq!(partition.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(partition.error_message.as_deref(), Some("This server does not host this topic-partition."));
}
