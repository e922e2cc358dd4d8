//! Random plans of requests and time: the log tells all hard state, and nobody waits for ever.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use protocol::join_group_request::JoinGroupRequestProtocol;
use protocol::leave_group_request::MemberIdentity;
use protocol::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use protocol::{
    HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest, SyncGroupRequest,
    TxnOffsetCommitRequest,
};

use super::scene::Scene;
use crate::group::{GroupCoordinatorConfig, GroupRequest, GroupResponse, Producer, RequestContext};

#[derive(Clone, Debug)]
enum Step {
    Join { client: u8, version: i16, known: bool, instance: bool, protocols: u8 },
    Sync { client: u8 },
    Heartbeat { client: u8 },
    Leave { client: u8 },
    Commit { client: u8, partition: i32, member: bool },
    TxnCommit { producer: i64, partition: i32 },
    EndTxn { producer: i64, commit: bool },
    Delete,
    Advance { millis: u64 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..4u8;
    prop_oneof![
        6 => (client.clone(), prop_oneof![Just(3i16), Just(9i16)], any::<bool>(), any::<bool>(), 1..4u8).prop_map(
            |(client, version, known, instance, protocols)| Step::Join { client, version, known, instance, protocols }
        ),
        6 => client.clone().prop_map(|client| Step::Sync { client }),
        2 => client.clone().prop_map(|client| Step::Heartbeat { client }),
        1 => client.clone().prop_map(|client| Step::Leave { client }),
        2 => (client, 0..3, any::<bool>())
            .prop_map(|(client, partition, member)| Step::Commit { client, partition, member }),
        1 => (1..3i64, 0..3).prop_map(|(producer, partition)| Step::TxnCommit { producer, partition }),
        1 => (1..3i64, any::<bool>()).prop_map(|(producer, commit)| Step::EndTxn { producer, commit }),
        1 => Just(Step::Delete),
        4 => prop_oneof![Just(500u64), Just(3_000), Just(11_000), Just(61_000)].prop_map(|millis| Step::Advance { millis }),
        1 => Just(Step::Restart),
    ]
}

/// What each client last learnt.
#[derive(Clone, Debug, Default)]
struct Client {
    member_id: String,
    generation: i32,
    leads: bool,
    others: Vec<String>,
}

struct Play {
    scene: Scene,
    clients: Vec<Client>,
}

impl Play {
    fn new() -> Self {
        let config = GroupCoordinatorConfig {
            max_size: 3,
            offsets_retention: Duration::from_secs(120),
            offsets_retention_check_interval: Duration::from_secs(30),
            ..Default::default()
        };
        Self { scene: Scene::new(config), clients: vec![Client::default(); 4] }
    }

    fn take(&mut self, step: &Step) {
        let happened = match step {
            Step::Advance { millis } => self.scene.advance(Duration::from_millis(*millis)),
            Step::Restart => self.scene.restart(),
            step => {
                let request = self.request(step);
                self.scene.ask(&client_of(step).to_string(), request)
            }
        };
        for (client, response) in happened.answers {
            let client = &mut self.clients[client.parse::<usize>().expect("clients are numbers")];
            if let GroupResponse::Join(joined) = response {
                client.member_id = joined.member_id.clone();
                client.generation = joined.generation_id;
                client.leads = joined.leader == joined.member_id && !joined.members.is_empty();
                client.others = joined.members.into_iter().map(|member| member.member_id).collect();
            }
        }
        super::assert_log_tells_all(&self.scene.log, &self.scene.machine);
    }

    fn request(&mut self, step: &Step) -> GroupRequest {
        let client = self.clients[usize::from(client_of(step))].clone();
        let group_id = "g".to_owned();
        match step {
            Step::Join { client: number, version, known, instance, protocols } => {
                self.scene.fresh += 1;
                let context = RequestContext {
                    api_version: *version,
                    client_id: number.to_string(),
                    client_host: "/127.0.0.1".into(),
                    fresh_id: self.scene.fresh.to_string(),
                    fresh_uuid: model::Uuid::from_u128(self.scene.fresh.into()),
                    topic_gate: None,
                };
                let names = ["range", "sticky"].into_iter().enumerate();
                let protocols = names.filter(|(index, _)| protocols & (1 << index) != 0).map(|(_, name)| {
                    JoinGroupRequestProtocol {
                        name: name.into(),
                        metadata: Bytes::from_static(b"?"),
                        ..Default::default()
                    }
                });
                GroupRequest::Join(
                    context,
                    JoinGroupRequest {
                        group_id,
                        session_timeout_ms: 10_000,
                        rebalance_timeout_ms: 60_000,
                        member_id: if *known { client.member_id } else { String::new() },
                        group_instance_id: instance.then(|| format!("i{number}")),
                        protocol_type: "consumer".into(),
                        protocols: protocols.collect(),
                        ..Default::default()
                    },
                )
            }
            Step::Sync { .. } => {
                let assign = |member: &String| protocol::sync_group_request::SyncGroupRequestAssignment {
                    member_id: member.clone(),
                    assignment: Bytes::copy_from_slice(member.as_bytes()),
                    ..Default::default()
                };
                GroupRequest::Sync(SyncGroupRequest {
                    group_id,
                    generation_id: client.generation,
                    member_id: client.member_id,
                    assignments: client.others.iter().filter(|_| client.leads).map(assign).collect(),
                    ..Default::default()
                })
            }
            Step::Heartbeat { .. } => GroupRequest::Heartbeat(HeartbeatRequest {
                group_id,
                generation_id: client.generation,
                member_id: client.member_id,
                ..Default::default()
            }),
            Step::Leave { .. } => GroupRequest::Leave(LeaveGroupRequest {
                group_id,
                members: vec![MemberIdentity { member_id: client.member_id, ..Default::default() }],
                ..Default::default()
            }),
            Step::Commit { partition, member, .. } => {
                let partition = OffsetCommitRequestPartition {
                    partition_index: *partition,
                    committed_offset: 1,
                    ..Default::default()
                };
                let topic = OffsetCommitRequestTopic {
                    name: "t".into(),
                    partitions: vec![partition],
                    ..Default::default()
                };
                GroupRequest::OffsetCommit(
                    RequestContext { api_version: 8, ..Default::default() },
                    OffsetCommitRequest {
                        group_id,
                        generation_id_or_member_epoch: if *member { client.generation } else { -1 },
                        member_id: if *member { client.member_id } else { String::new() },
                        topics: vec![topic],
                        ..Default::default()
                    },
                )
            }
            Step::TxnCommit { producer, partition } => {
                let partition = TxnOffsetCommitRequestPartition {
                    partition_index: *partition,
                    committed_offset: 2,
                    ..Default::default()
                };
                let topic = TxnOffsetCommitRequestTopic {
                    name: "t".into(),
                    partitions: vec![partition],
                    ..Default::default()
                };
                GroupRequest::TxnOffsetCommit(TxnOffsetCommitRequest {
                    group_id,
                    producer_id: *producer,
                    generation_id_or_member_epoch: -1,
                    topics: vec![topic],
                    ..Default::default()
                })
            }
            Step::EndTxn { producer, commit } => GroupRequest::EndTransaction {
                producer: Producer { id: model::ProducerId(*producer), epoch: model::ProducerEpoch(0) },
                coordinator_epoch: 0,
                commit: *commit,
            },
            Step::Delete | Step::Advance { .. } | Step::Restart => GroupRequest::Delete(vec![group_id]),
        }
    }
}

fn client_of(step: &Step) -> u8 {
    match step {
        Step::Join { client, .. }
        | Step::Sync { client }
        | Step::Heartbeat { client }
        | Step::Leave { client }
        | Step::Commit { client, .. } => *client,
        _ => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_log_tells_all_and_nobody_waits_for_ever(steps in prop::collection::vec(step(), 1..60)) {
        let mut play = Play::new();
        for step in &steps {
            play.take(step);
        }
        play.scene.advance(Duration::from_secs(3600));
        prop_assert!(play.scene.waiting.is_empty(), "still waiting: {:?}", play.scene.waiting);
    }
}
