//! Random plans of consumers of both protocols, of topics and of time: the log tells all hard state, no partition has two
//! owners, nobody waits for ever, and groups come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use model::Uuid;
use proptest::prelude::*;
use protocol::consumer_group_heartbeat_request::TopicPartitions;
use protocol::join_group_request::JoinGroupRequestProtocol;
use protocol::{
    ConsumerGroupHeartbeatRequest, ConsumerProtocolSubscription, ErrorCode, HeartbeatRequest,
    JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest, to_bytes,
};

use super::scene::Scene;
use super::transcript::consumer::change;
use crate::group::{GroupCoordinatorConfig, GroupRequest, GroupResponse, RequestContext};

const CLIENTS: usize = 4;
const TOPICS: [&str; 3] = ["ta", "tb", "u"];

#[derive(Clone, Debug)]
enum Step {
    /// A consumer joins with its own protocol: whether static, what it reads.
    Join {
        client: usize,
        instance: bool,
        reads: u8,
        regex: bool,
    },
    /// A heartbeat, which says truthfully what the consumer owns, or nothing of it.
    Beat {
        client: usize,
        says: bool,
    },
    /// It leaves, or a static one goes for a while.
    Leave {
        client: usize,
        comes_back: bool,
    },
    /// A consumer joins with the classic protocol, fetches its assignment, sends a heartbeat, leaves.
    ClassicJoin {
        client: usize,
        instance: bool,
        reads: u8,
    },
    Sync {
        client: usize,
    },
    ClassicBeat {
        client: usize,
    },
    ClassicLeave {
        client: usize,
    },
    Topics {
        counts: [i32; 3],
    },
    Advance {
        millis: u64,
    },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS;
    prop_oneof![
        4 => (client.clone(), any::<bool>(), 1..8u8, any::<bool>())
            .prop_map(|(client, instance, reads, regex)| Step::Join { client, instance, reads, regex }),
        10 => (client.clone(), any::<bool>()).prop_map(|(client, says)| Step::Beat { client, says }),
        1 => (client.clone(), any::<bool>()).prop_map(|(client, comes_back)| Step::Leave { client, comes_back }),
        3 => (client.clone(), any::<bool>(), 1..8u8)
            .prop_map(|(client, instance, reads)| Step::ClassicJoin { client, instance, reads }),
        4 => client.clone().prop_map(|client| Step::Sync { client }),
        2 => client.clone().prop_map(|client| Step::ClassicBeat { client }),
        1 => client.prop_map(|client| Step::ClassicLeave { client }),
        1 => [0..5i32, 0..5, 0..5].prop_map(|counts| Step::Topics { counts }),
        4 => prop_oneof![Just(0u64), Just(500), Just(2_000), Just(11_000), Just(50_000)]
            .prop_map(|millis| Step::Advance { millis }),
        1 => Just(Step::Restart),
    ]
}

/// What a consumer knows.
#[derive(Clone, Debug, Default)]
struct Client {
    member_id: String,
    instance: bool,
    epoch: i32,
    /// What it owns, as it was last told; one of the consumer protocol takes it at once.
    owned: BTreeMap<Uuid, Vec<i32>>,
    /// Its rebalance by the classic protocol: the protocol that was chosen, and whether it leads.
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
            consumer_max_size: 3,
            initial_rebalance_delay: Duration::ZERO,
            ..Default::default()
        };
        let mut play = Self { scene: Scene::new(config), clients: vec![Client::default(); CLIENTS] };
        play.take(&Step::Topics { counts: [3, 2, 4] });
        play
    }

    fn take(&mut self, step: &Step) {
        let happened = match step {
            Step::Advance { millis } => self.scene.advance(Duration::from_millis(*millis)),
            Step::Restart => self.scene.restart(),
            Step::Topics { counts } => {
                let topics: Vec<(&str, i32)> =
                    TOPICS.into_iter().zip(*counts).filter(|it| it.1 > 0).collect();
                let (image, request) = change(&self.scene.image, &topics);
                self.scene.image = image;
                self.scene.ask("0", request)
            }
            step => {
                let (client, request) = self.request(step);
                self.scene.ask(&client.to_string(), request)
            }
        };
        for (client, response) in happened.answers {
            self.hear(client.parse().expect("clients are numbers"), response);
        }
        super::assert_log_tells_all(&self.scene.log, &self.scene.machine);
        self.check_owners();
    }

    fn hear(&mut self, client: usize, response: GroupResponse) {
        let client = &mut self.clients[client];
        match response {
            GroupResponse::ConsumerHeartbeat(beat) if beat.error_code == ErrorCode::NONE => {
                client.member_id = beat.member_id.unwrap_or_default();
                client.epoch = beat.member_epoch;
                if let Some(assignment) = beat.assignment {
                    let topics = assignment.topic_partitions.into_iter();
                    client.owned = topics.map(|topic| (topic.topic_id, topic.partitions)).collect();
                }
                if beat.member_epoch < 0 {
                    client.owned.clear();
                }
            }
            GroupResponse::ConsumerHeartbeat(_) => client.owned.clear(),
            GroupResponse::Join(joined) => {
                client.member_id = joined.member_id.clone();
                client.generation = joined.generation_id;
                client.leads = joined.leader == joined.member_id && !joined.members.is_empty();
                client.others = joined.members.into_iter().map(|member| member.member_id).collect();
            }
            _ => {}
        }
    }

    /// The machine never lets two members have a partition.
    fn check_owners(&mut self) {
        let request = GroupRequest::ConsumerDescribe(vec!["g".into()]);
        let described = self.scene.ask("0", request).answers.remove(0).1;
        let GroupResponse::ConsumerDescribe(groups) = described else { panic!("{described:?}") };
        let mut owned = BTreeSet::new();
        for member in &groups[0].members {
            for topic in &member.assignment.topic_partitions {
                for partition in &topic.partitions {
                    assert!(owned.insert((topic.topic_id, *partition)), "two have {topic:?} in {groups:#?}");
                }
            }
        }
    }

    fn context(&mut self, client: usize, api_version: i16) -> RequestContext {
        self.scene.fresh += 1;
        RequestContext {
            api_version,
            client_id: client.to_string(),
            client_host: "/127.0.0.1".into(),
            fresh_id: self.scene.fresh.to_string(),
            fresh_uuid: Uuid::from_u128(self.scene.fresh.into()),
            topic_gate: None,
        }
    }

    fn request(&mut self, step: &Step) -> (usize, GroupRequest) {
        match *step {
            Step::Join { client, instance, reads, regex } => {
                (client, self.join(client, instance, reads, regex))
            }
            Step::Beat { client, says } => (client, self.beat(client, says)),
            Step::Leave { client, comes_back } => {
                let request = ConsumerGroupHeartbeatRequest {
                    member_epoch: if comes_back { -2 } else { -1 },
                    ..self.heartbeat_of(client)
                };
                (client, GroupRequest::ConsumerHeartbeat(self.context(client, 1), request))
            }
            Step::ClassicJoin { client, instance, reads } => {
                (client, self.classic_join(client, instance, reads))
            }
            Step::Sync { client } => (client, self.sync(client)),
            Step::ClassicBeat { client } => {
                let request = HeartbeatRequest {
                    group_id: "g".into(),
                    generation_id: self.clients[client].generation,
                    member_id: self.clients[client].member_id.clone(),
                    ..Default::default()
                };
                (client, GroupRequest::Heartbeat(request))
            }
            Step::ClassicLeave { client } => {
                let member_id = self.clients[client].member_id.clone();
                let identity =
                    protocol::leave_group_request::MemberIdentity { member_id, ..Default::default() };
                let request =
                    LeaveGroupRequest { group_id: "g".into(), members: vec![identity], ..Default::default() };
                (client, GroupRequest::Leave(request))
            }
            Step::Topics { .. } | Step::Advance { .. } | Step::Restart => {
                (0, GroupRequest::Delete(Vec::new()))
            }
        }
    }

    fn heartbeat_of(&self, client: usize) -> ConsumerGroupHeartbeatRequest {
        let known = &self.clients[client];
        ConsumerGroupHeartbeatRequest {
            group_id: "g".into(),
            member_id: known.member_id.clone(),
            member_epoch: known.epoch,
            instance_id: known.instance.then(|| format!("i{client}")),
            rebalance_timeout_ms: -1,
            ..Default::default()
        }
    }

    fn join(&mut self, client: usize, instance: bool, reads: u8, regex: bool) -> GroupRequest {
        let context = self.context(client, 1);
        self.clients[client] = Client {
            member_id: format!("m{client}-{}", self.scene.fresh % 3),
            instance,
            ..Default::default()
        };
        let request = ConsumerGroupHeartbeatRequest {
            rebalance_timeout_ms: 10_000,
            subscribed_topic_names: (!regex).then(|| topics(reads)),
            subscribed_topic_regex: regex.then(|| if reads < 4 { "t.*" } else { "(tb|u)" }.into()),
            topic_partitions: Some(Vec::new()),
            ..self.heartbeat_of(client)
        };
        GroupRequest::ConsumerHeartbeat(context, request)
    }

    fn beat(&mut self, client: usize, says: bool) -> GroupRequest {
        let context = self.context(client, 1);
        let owned = self.clients[client].owned.iter().map(|(topic_id, partitions)| TopicPartitions {
            topic_id: *topic_id,
            partitions: partitions.clone(),
            ..Default::default()
        });
        let topic_partitions = says.then(|| owned.collect());
        let request = ConsumerGroupHeartbeatRequest { topic_partitions, ..self.heartbeat_of(client) };
        GroupRequest::ConsumerHeartbeat(context, request)
    }

    fn classic_join(&mut self, client: usize, instance: bool, reads: u8) -> GroupRequest {
        let context = self.context(client, 3);
        let subscription =
            ConsumerProtocolSubscription { topics: topics(reads), user_data: None, ..Default::default() };
        let mut metadata = BytesMut::new();
        metadata.put_i16(1);
        metadata.extend_from_slice(&to_bytes(&subscription, 1).expect("it can be written"));
        let protocol = JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: metadata.freeze(),
            ..Default::default()
        };
        GroupRequest::Join(
            context,
            JoinGroupRequest {
                group_id: "g".into(),
                session_timeout_ms: 10_000,
                rebalance_timeout_ms: 20_000,
                member_id: if instance { String::new() } else { self.clients[client].member_id.clone() },
                group_instance_id: instance.then(|| format!("i{client}")),
                protocol_type: "consumer".into(),
                protocols: vec![protocol],
                ..Default::default()
            },
        )
    }

    fn sync(&self, client: usize) -> GroupRequest {
        let known = &self.clients[client];
        let assign = |member: &String| protocol::sync_group_request::SyncGroupRequestAssignment {
            member_id: member.clone(),
            assignment: Bytes::new(),
            ..Default::default()
        };
        GroupRequest::Sync(SyncGroupRequest {
            group_id: "g".into(),
            generation_id: known.generation,
            member_id: known.member_id.clone(),
            assignments: known.others.iter().filter(|_| known.leads).map(assign).collect(),
            ..Default::default()
        })
    }
}

fn topics(reads: u8) -> Vec<String> {
    let chosen = (0..).zip(TOPICS).filter(|(index, _)| reads & (1 << index) != 0);
    chosen.map(|(_, topic)| topic.to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_log_tells_all_and_no_partition_has_two_owners(steps in prop::collection::vec(step(), 1..60)) {
        let mut play = Play::new();
        for step in &steps {
            play.take(step);
        }
        play.scene.advance(Duration::from_secs(3600));
        prop_assert!(play.scene.waiting.is_empty(), "still waiting: {:?}", play.scene.waiting);
    }

    #[test]
    fn a_group_whose_members_send_heartbeats_comes_to_rest(
        joins in prop::collection::vec((0..3usize, any::<bool>(), 1..8u8, any::<bool>()), 1..8),
        leaves in prop::collection::vec(0..3usize, 0..2),
    ) {
        let mut play = Play::new();
        for (client, instance, reads, regex) in joins {
            let left = Step::Leave { client, comes_back: false };
            play.take(&left);
            play.take(&Step::Join { client, instance, reads, regex });
            play.take(&Step::Beat { client, says: true });
        }
        for client in leaves {
            play.take(&Step::Leave { client, comes_back: false });
        }
        for _ in 0..12 {
            play.take(&Step::Advance { millis: 3_000 });
            for client in 0..3 {
                if play.clients[client].epoch > 0 {
                    play.take(&Step::Beat { client, says: true });
                }
            }
        }
        let listed = play.scene.ask("0", GroupRequest::List(Default::default())).answers.remove(0).1;
        let GroupResponse::List(listed) = listed else { panic!("{listed:?}") };
        prop_assert!(matches!(listed[0].group_state.as_str(), "Stable" | "Empty"), "{:?}", listed);
    }
}
