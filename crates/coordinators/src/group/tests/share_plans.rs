//! Random plans of share consumers: the log tells all, and once nothing happens any more each partition that somebody reads is
//! read, by members that read its topic.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use protocol::{ErrorCode, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};

use super::scene::{Happened, Scene};
use super::transcript::consumer::change;
use crate::group::{
    GroupCoordinatorConfig, GroupRequest, GroupResponse, RequestContext, ShareGroupRequest,
    ShareGroupResponse, SharePartitions,
};

const TOPICS: [&str; 2] = ["t", "u"];

#[derive(Clone, Debug)]
enum Step {
    Beat { client: u8 },
    Subscribe { client: u8, topics: u8 },
    Leave { client: u8 },
    Begin { works: bool },
    Partitions { counts: [i32; 2] },
    Advance { millis: u64 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..4u8;
    prop_oneof![
        8 => client.clone().prop_map(|client| Step::Beat { client }),
        4 => (client.clone(), 1..4u8).prop_map(|(client, topics)| Step::Subscribe { client, topics }),
        2 => client.prop_map(|client| Step::Leave { client }),
        4 => prop::bool::weighted(0.8).prop_map(|works| Step::Begin { works }),
        1 => (1..5i32, 0..5i32).prop_map(|(t, u)| Step::Partitions { counts: [t, u] }),
        4 => prop_oneof![Just(300u64), Just(1_000), Just(20_000), Just(46_000)].prop_map(|millis| Step::Advance { millis }),
        1 => Just(Step::Restart),
    ]
}

/// What a member knows of itself.
#[derive(Clone, Debug, Default)]
struct Client {
    epoch: i32,
    topics: Vec<String>,
    has: Vec<(model::Uuid, i32)>,
}

struct Play {
    scene: Scene,
    clients: BTreeMap<u8, Client>,
    counts: [i32; 2],
    /// The states that the shell was asked to begin.
    beginning: Vec<SharePartitions>,
}

impl Play {
    fn new() -> Self {
        let scene = Scene::new(GroupCoordinatorConfig::default());
        let mut play = Self { scene, clients: BTreeMap::new(), counts: [0, 0], beginning: Vec::new() };
        play.partitions([3, 2]);
        play
    }

    fn take(&mut self, happened: Happened) -> Option<ShareGroupHeartbeatResponse> {
        let mut beat = None;
        for (_, answer) in happened.answers {
            match answer {
                GroupResponse::Share(ShareGroupResponse::BeginStates { partitions, .. }) => {
                    self.beginning.push(partitions);
                }
                GroupResponse::Share(ShareGroupResponse::Heartbeat(response)) => beat = Some(response),
                _ => {}
            }
        }
        beat
    }

    fn partitions(&mut self, counts: [i32; 2]) {
        // Partitions do not become fewer.
        self.counts = std::array::from_fn(|topic| counts[topic].max(self.counts[topic]));
        let topics: Vec<(&str, i32)> =
            TOPICS.into_iter().zip(self.counts).filter(|(_, count)| *count > 0).collect();
        let (image, request) = change(&self.scene.image, &topics);
        self.scene.image = image;
        self.scene.ask("metadata", request);
    }

    fn beat(&mut self, number: u8, topics: Option<Vec<String>>) {
        let client = self.clients.entry(number).or_default().clone();
        let subscribed = topics.or_else(|| (client.epoch == 0).then(|| vec!["t".to_owned()]));
        let request = ShareGroupHeartbeatRequest {
            group_id: "g".into(),
            member_id: format!("member-{number}"),
            member_epoch: client.epoch,
            subscribed_topic_names: subscribed.clone(),
            ..Default::default()
        };
        let request = ShareGroupRequest::Heartbeat(RequestContext::default(), request);
        let happened = self.scene.ask("client", GroupRequest::Share(request));
        let response = self.take(happened).expect("a heartbeat is answered");
        match response.error_code {
            ErrorCode::NONE => {
                let client = self.clients.get_mut(&number).expect("it was just there");
                client.epoch = response.member_epoch;
                if let Some(topics) = subscribed {
                    client.topics = topics;
                }
                if let Some(assignment) = response.assignment {
                    let of = |topic: protocol::share_group_heartbeat_response::TopicPartitions| {
                        topic.partitions.into_iter().map(move |partition| (topic.topic_id, partition))
                    };
                    client.has = assignment.topic_partitions.into_iter().flat_map(of).collect();
                }
            }
            // Its session was over.
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::GROUP_ID_NOT_FOUND => {
                self.clients.insert(number, Client::default());
            }
            error => panic!("{error:?}: {:?}", response.error_message),
        }
    }

    fn leave(&mut self, number: u8) {
        if self.clients.remove(&number).is_some_and(|client| client.epoch > 0) {
            let request = ShareGroupHeartbeatRequest {
                group_id: "g".into(),
                member_id: format!("member-{number}"),
                member_epoch: -1,
                ..Default::default()
            };
            let request = ShareGroupRequest::Heartbeat(RequestContext::default(), request);
            let happened = self.scene.ask("client", GroupRequest::Share(request));
            self.take(happened);
        }
    }

    fn begin(&mut self, works: bool) {
        for partitions in std::mem::take(&mut self.beginning) {
            let group = "g".to_owned();
            let told = match works {
                true => ShareGroupRequest::StatesBegun(group, partitions),
                false => ShareGroupRequest::StatesFailed(group, partitions),
            };
            let happened = self.scene.ask("shell", GroupRequest::Share(told));
            self.take(happened);
        }
    }

    fn act(&mut self, step: Step) {
        match step {
            Step::Beat { client } => self.beat(client, None),
            Step::Subscribe { client, topics } => {
                let topics = TOPICS.into_iter().enumerate().filter(|(index, _)| topics & (1 << index) != 0);
                self.beat(client, Some(topics.map(|(_, topic)| topic.to_owned()).collect()));
            }
            Step::Leave { client } => self.leave(client),
            Step::Begin { works } => self.begin(works),
            Step::Partitions { counts } => self.partitions(counts),
            Step::Advance { millis } => {
                let happened = self.scene.advance(Duration::from_millis(millis));
                self.take(happened);
            }
            Step::Restart => {
                let happened = self.scene.restart();
                self.take(happened);
                // The shell died, too.
                self.beginning.clear();
            }
        }
    }

    /// Lets all members that are there have what is theirs.
    fn settle(&mut self) {
        for _ in 0..12 {
            for client in self.clients.keys().copied().collect::<Vec<_>>() {
                self.beat(client, None);
            }
            self.begin(true);
            let happened = self.scene.advance(Duration::from_secs(5));
            self.take(happened);
        }
    }
}

proptest! {
    #[test]
    fn share_consumers_get_what_they_read(steps in proptest::collection::vec(step(), 1..60)) {
        let mut play = Play::new();
        for step in steps {
            play.act(step);
            super::assert_log_tells_all(&play.scene.log, &play.scene.machine);
        }
        play.settle();
        let mut read = BTreeSet::new();
        for client in play.clients.values() {
            let ids = client.topics.iter().filter_map(|topic| play.scene.image.topics().id_of(topic));
            let ids: BTreeSet<_> = ids.collect();
            prop_assert!(client.has.iter().all(|(topic, _)| ids.contains(topic)), "{client:?}");
            read.extend(ids);
        }
        let has: BTreeSet<_> = play.clients.values().flat_map(|client| client.has.iter().copied()).collect();
        let counts = |topic: &model::Uuid| play.scene.image.topics().by_id(*topic).map_or(0, |it| it.partition_count());
        let all = read.iter().flat_map(|topic| (0..counts(topic)).map(|index| (*topic, index)));
        prop_assert_eq!(has, all.collect::<BTreeSet<_>>());
    }
}
