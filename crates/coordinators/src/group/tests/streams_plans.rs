//! Random plans of streams members in several processes, of topics, settings and time: the log tells all hard state, no task
//! is active twice or twice in a process, and groups come to rest with every task assigned.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::Uuid;
use proptest::prelude::*;
use protocol::streams_group_describe_response::{Assignment, DescribedGroup};
use protocol::streams_group_heartbeat_request::{Endpoint, Subtopology, TaskIds, TopicInfo, Topology};
use protocol::streams_group_heartbeat_response::TaskIds as Answered;
use protocol::{ErrorCode, StreamsGroupHeartbeatRequest};

use super::scene::Scene;
use super::transcript::consumer::change;
use crate::group::{GroupCoordinatorConfig, GroupRequest, GroupResponse, RequestContext};

const CLIENTS: usize = 5;
/// What the topology reads, the repartition topic between its subtopologies, and the changelog of the second.
const TOPICS: [&str; 3] = ["t", "r", "c"];

#[derive(Clone, Debug)]
enum Step {
    /// A member joins as a thread of a process.
    Join {
        client: usize,
        process: u8,
        endpoint: bool,
    },
    /// It sends a heartbeat, and says what it has or not.
    Beat {
        client: usize,
        says: bool,
    },
    /// It has stopped what it is no longer to have, and says so.
    Revoke {
        client: usize,
    },
    Leave {
        client: usize,
        shutdown: bool,
    },
    /// The topics are as many of [`TOPICS`], with so many partitions.
    Topics {
        count: usize,
        partitions: i32,
    },
    Advance {
        millis: u64,
    },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let client = || 0..CLIENTS;
    prop_oneof![
        3 => (client(), 0..3u8, any::<bool>())
            .prop_map(|(client, process, endpoint)| Step::Join { client, process, endpoint }),
        6 => (client(), any::<bool>()).prop_map(|(client, says)| Step::Beat { client, says }),
        4 => client().prop_map(|client| Step::Revoke { client }),
        1 => (client(), any::<bool>()).prop_map(|(client, shutdown)| Step::Leave { client, shutdown }),
        1 => (0..=TOPICS.len(), 1..5i32).prop_map(|(count, partitions)| Step::Topics { count, partitions }),
        3 => (1..30_000u64).prop_map(|millis| Step::Advance { millis }),
        1 => Just(Step::Restart),
    ]
}

/// Tasks by subtopology.
type Tasks = BTreeMap<String, Vec<i32>>;

/// What a client knows.
#[derive(Clone, Debug, Default)]
struct Client {
    member_id: String,
    epoch: i32,
    process: u8,
    endpoint: bool,
    /// What it was told to have.
    told: [Tasks; 2],
    /// What it runs: it does not stop at once what it is no longer to have.
    runs: [Tasks; 2],
}

impl Client {
    fn named(number: usize) -> Self {
        Self { member_id: format!("m{number}"), ..Default::default() }
    }
}

struct Play {
    scene: Scene,
    clients: Vec<Client>,
    standby_replicas: usize,
}

impl Play {
    fn new(standby_replicas: usize) -> Self {
        let config = GroupCoordinatorConfig {
            streams_num_standby_replicas: i32::try_from(standby_replicas).expect("few"),
            ..Default::default()
        };
        let mut play = Self {
            scene: Scene::new(config),
            clients: (0..CLIENTS).map(Client::named).collect(),
            standby_replicas,
        };
        play.take(&Step::Topics { count: TOPICS.len(), partitions: 3 });
        play
    }

    fn take(&mut self, step: &Step) {
        let happened = match *step {
            Step::Advance { millis } => self.scene.advance(Duration::from_millis(millis)),
            Step::Restart => self.scene.restart(),
            Step::Topics { count, partitions } => {
                let topics: Vec<_> = TOPICS[..count].iter().map(|topic| (*topic, partitions)).collect();
                let (image, request) = change(&self.scene.image, &topics);
                self.scene.image = image;
                self.scene.ask("0", request)
            }
            ref step => {
                let (client, request) = self.request(step);
                self.scene.ask(&client.to_string(), request)
            }
        };
        for (client, response) in happened.answers {
            self.hear(client.parse().expect("clients are numbers"), response);
        }
        super::assert_log_tells_all(&self.scene.log, &self.scene.machine);
        self.check_tasks();
    }

    fn hear(&mut self, client: usize, response: GroupResponse) {
        let GroupResponse::StreamsHeartbeat(beat) = response else { return };
        let beat = beat.response;
        assert_ne!(beat.error_code, ErrorCode::UNKNOWN_SERVER_ERROR);
        let client = &mut self.clients[client];
        if beat.error_code != ErrorCode::NONE || beat.member_epoch < 0 {
            // It stops all, and joins again some time.
            let Client { member_id, process, endpoint, .. } = client.clone();
            *client = Client { member_id, process, endpoint, ..Default::default() };
            return;
        }
        client.epoch = beat.member_epoch;
        for (place, told) in [(0, beat.active_tasks), (1, beat.standby_tasks)] {
            let Some(told) = told else { continue };
            let told = told.into_iter().map(|it: Answered| (it.subtopology_id, it.partitions));
            client.told[place] = told.collect();
            for (subtopology, tasks) in &client.told[place] {
                let runs = client.runs[place].entry(subtopology.clone()).or_default();
                runs.extend(tasks.iter().copied().filter(|task| !runs.contains(task)).collect::<Vec<_>>());
            }
        }
    }

    fn describe(&mut self) -> Option<DescribedGroup> {
        let request = GroupRequest::StreamsDescribe(vec!["g".into()]);
        let described = self.scene.ask("0", request).answers.remove(0).1;
        let GroupResponse::StreamsDescribe(mut groups) = described else { panic!("{described:?}") };
        let group = groups.remove(0);
        (group.error_code == ErrorCode::NONE).then_some(group)
    }

    /// The machine never lets two members have a task active, nor a process the same task twice.
    fn check_tasks(&mut self) {
        let Some(group) = self.describe() else { return };
        let (mut active, mut in_process) = (BTreeSet::new(), BTreeSet::new());
        for member in &group.members {
            for task in tasks(&member.assignment, true) {
                assert!(active.insert(task.clone()), "{task:?} is active twice: {group:#?}");
                let place = (member.process_id.clone(), task);
                assert!(in_process.insert(place.clone()), "{place:?} twice: {group:#?}");
            }
            for task in tasks(&member.assignment, false) {
                let place = (member.process_id.clone(), task);
                assert!(in_process.insert(place.clone()), "{place:?} twice: {group:#?}");
            }
        }
    }

    fn request(&mut self, step: &Step) -> (usize, GroupRequest) {
        let (client, request) = match *step {
            Step::Join { client, process, endpoint } => {
                self.scene.fresh += 1;
                let member_id = format!("m{client}-{}", self.scene.fresh);
                self.clients[client] = Client { member_id, process, endpoint, ..Default::default() };
                (client, self.join(client))
            }
            Step::Beat { client, says } => (client, self.beat(client, says)),
            Step::Revoke { client } => {
                let known = &mut self.clients[client];
                known.runs = known.told.clone();
                (client, self.beat(client, true))
            }
            Step::Leave { client, shutdown } => {
                let request = StreamsGroupHeartbeatRequest {
                    member_epoch: -1,
                    shutdown_application: shutdown,
                    ..self.heartbeat_of(client)
                };
                (client, request)
            }
            Step::Topics { .. } | Step::Advance { .. } | Step::Restart => unreachable!("no client's"),
        };
        let context = RequestContext {
            api_version: 0,
            client_id: client.to_string(),
            client_host: "/127.0.0.1".into(),
            fresh_id: String::new(),
            fresh_uuid: Uuid::from_u128(0),
            topic_gate: None,
        };
        (client, GroupRequest::StreamsHeartbeat(context, request))
    }

    fn heartbeat_of(&self, client: usize) -> StreamsGroupHeartbeatRequest {
        let known = &self.clients[client];
        StreamsGroupHeartbeatRequest {
            group_id: "g".into(),
            member_id: known.member_id.clone(),
            member_epoch: known.epoch,
            rebalance_timeout_ms: -1,
            ..Default::default()
        }
    }

    fn join(&self, client: usize) -> StreamsGroupHeartbeatRequest {
        let known = &self.clients[client];
        let endpoint = Endpoint { host: format!("p{}", known.process), port: 80, ..Default::default() };
        StreamsGroupHeartbeatRequest {
            rebalance_timeout_ms: 10_000,
            topology: Some(topology()),
            active_tasks: Some(Vec::new()),
            standby_tasks: Some(Vec::new()),
            warmup_tasks: Some(Vec::new()),
            process_id: Some(format!("p{}", known.process)),
            user_endpoint: known.endpoint.then_some(endpoint),
            ..self.heartbeat_of(client)
        }
    }

    fn beat(&self, client: usize, says: bool) -> StreamsGroupHeartbeatRequest {
        let known = &self.clients[client];
        if known.epoch == 0 {
            // One that was put out joins again.
            return self.join(client);
        }
        let list = |tasks: &Tasks| -> Vec<TaskIds> {
            let one = |(subtopology_id, partitions): (&String, &Vec<i32>)| TaskIds {
                subtopology_id: subtopology_id.clone(),
                partitions: partitions.clone(),
                ..Default::default()
            };
            tasks.iter().map(one).collect()
        };
        StreamsGroupHeartbeatRequest {
            active_tasks: says.then(|| list(&known.runs[0])),
            standby_tasks: says.then(|| list(&known.runs[1])),
            warmup_tasks: says.then(Vec::new),
            ..self.heartbeat_of(client)
        }
    }
}

fn tasks(assignment: &Assignment, active: bool) -> Vec<(String, i32)> {
    let tasks = if active { &assignment.active_tasks } else { &assignment.standby_tasks };
    let one = |it: &protocol::streams_group_describe_response::TaskIds| -> Vec<(String, i32)> {
        it.partitions.iter().map(|partition| (it.subtopology_id.clone(), *partition)).collect()
    };
    tasks.iter().flat_map(one).collect()
}

/// One subtopology writes to a repartition topic, the other reads it into a store.
fn topology() -> Topology {
    let topic = |name: &str| TopicInfo { name: name.into(), ..Default::default() };
    let first = Subtopology {
        subtopology_id: "0".into(),
        source_topics: vec!["t".into()],
        repartition_sink_topics: vec!["r".into()],
        ..Default::default()
    };
    let second = Subtopology {
        subtopology_id: "1".into(),
        repartition_source_topics: vec![topic("r")],
        state_changelog_topics: vec![topic("c")],
        ..Default::default()
    };
    Topology { subtopologies: vec![first, second], ..Default::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_log_tells_all_and_no_task_is_active_twice(
        standby_replicas in 0..3usize,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut play = Play::new(standby_replicas);
        for step in &steps {
            play.take(step);
        }
        play.scene.advance(Duration::from_secs(3600));
        prop_assert!(play.describe().is_none_or(|group| group.group_state == "Empty"));
    }

    #[test]
    fn a_group_whose_members_send_heartbeats_comes_to_rest_with_all_tasks(
        standby_replicas in 0..3usize,
        steps in prop::collection::vec(step(), 1..30),
        last in 0..CLIENTS,
        partitions in 1..5i32,
    ) {
        let mut play = Play::new(standby_replicas);
        for step in &steps {
            play.take(step);
        }
        play.take(&Step::Topics { count: TOPICS.len(), partitions });
        play.take(&Step::Join { client: last, process: 0, endpoint: false });
        for _ in 0..16 {
            play.take(&Step::Advance { millis: 5_000 });
            for client in 0..CLIENTS {
                if client == last || play.clients[client].epoch > 0 {
                    play.take(&Step::Revoke { client });
                }
            }
        }
        let group = play.describe().expect("the last member made it");
        prop_assert_eq!(&group.group_state, "Stable", "{:#?}", group);
        let active: BTreeSet<_> =
            group.members.iter().flat_map(|member| tasks(&member.assignment, true)).collect();
        let all = ["0", "1"].iter().flat_map(|id| (0..partitions).map(|task| (id.to_string(), task)));
        prop_assert_eq!(active, all.collect());
        let processes = group.members.iter().map(|member| &member.process_id).collect::<BTreeSet<_>>().len();
        let standby: usize = group.members.iter().map(|member| tasks(&member.assignment, false).len()).sum();
        let replicas = play.standby_replicas.min(processes - 1);
        prop_assert_eq!(standby, replicas * usize::try_from(partitions).expect("few"));
    }
}
