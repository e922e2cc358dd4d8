//! The task that keeps us a member of the share group, and tells which partitions we are to read. Kafka:
//! `ShareHeartbeatRequestManager`, `ShareMembershipManager`.
//!
//! Invariants:
//! - a member that the coordinator does not know, or has fenced, joins anew without partitions

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use model::Uuid;
use protocol::share_group_heartbeat_response::Assignment as AssignmentMessage;
use protocol::{ErrorCode, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::deliveries::ShareKey;
use super::measures::Heartbeats;
use crate::chance;
use crate::cluster::CoordinatorClient;
use crate::error::{Error, Result};

/// The partitions that we are to read.
pub(super) type Assignment = BTreeSet<ShareKey>;

/// The epoch with which a member joins.
const JOIN: i32 = 0;
/// The epoch with which a member leaves.
const LEAVE: i32 = -1;

/// Us, as a member.
pub(super) struct Membership {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    client: Arc<CoordinatorClient>,
    member_id: String,
    rack: Option<String>,
    epoch: AtomicI32,
    topics: Mutex<BTreeSet<Arc<str>>>,
    changed: Notify,
    failure: Mutex<Option<Error>>,
    assignment: watch::Sender<Assignment>,
    measures: Arc<Mutex<Heartbeats>>,
}

impl Membership {
    /// Begins to join; tells of assignments from then on, and measures its heartbeats.
    pub(super) fn join(
        client: Arc<CoordinatorClient>,
        rack: &str,
        topics: BTreeSet<Arc<str>>,
        measures: Arc<Mutex<Heartbeats>>,
    ) -> (Self, watch::Receiver<Assignment>) {
        let nonce = chance::nonce();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&nonce[..16]);
        let (sender, assignment) = watch::channel(Assignment::new());
        let shared = Arc::new(Shared {
            client,
            member_id: Uuid::from_random_bytes(bytes).to_string(),
            rack: Some(rack.to_owned()).filter(|rack| !rack.is_empty()),
            epoch: AtomicI32::new(JOIN),
            topics: Mutex::new(topics),
            changed: Notify::new(),
            failure: Mutex::default(),
            assignment: sender,
            measures,
        });
        let task = tokio::spawn(run(shared.clone()));
        (Self { shared, task }, assignment)
    }

    /// Changes the topics.
    pub(super) fn subscribe(&self, topics: BTreeSet<Arc<str>>) {
        *self.shared.topics.lock().expect("no holder panics") = topics;
        self.shared.changed.notify_one();
    }

    pub(super) fn subscription(&self) -> BTreeSet<Arc<str>> {
        self.shared.topics.lock().expect("no holder panics").clone()
    }

    pub(super) fn member_id(&self) -> &str {
        &self.shared.member_id
    }

    /// Returns why the membership ended, if it did.
    pub(super) fn failure(&self) -> Option<Error> {
        self.shared.failure.lock().expect("no holder panics").clone()
    }

    /// Leaves the group. Also before the answer to the first heartbeat, by which the coordinator may have let us in.
    pub(super) async fn leave(self) {
        self.task.abort();
        if self.failure().is_none()
            && let Err(error) = self.shared.beat(LEAVE, None).await
        {
            tracing::debug!(group = self.shared.client.key, %error, "leaving the group failed");
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(shared: Arc<Shared>) {
    let mut told = None;
    let mut failures = 0;
    loop {
        let topics = shared.topics.lock().expect("no holder panics").clone();
        let epoch = shared.epoch.load(Ordering::Acquire);
        let news = (epoch == JOIN || told.as_ref() != Some(&topics)).then(|| topics.clone());
        let wait = match shared.beat(epoch, news).await {
            Ok(response) => match shared.take(response) {
                Ok(Some(interval)) => {
                    (failures, told) = (0, Some(topics));
                    interval
                }
                Ok(None) => shared.client.cluster.retry_delay(0),
                Err(error) => {
                    *shared.failure.lock().expect("no holder panics") = Some(error);
                    shared.assignment.send_replace(Assignment::new());
                    return;
                }
            },
            Err(error) => {
                tracing::debug!(group = shared.client.key, %error, "a heartbeat failed");
                failures += 1;
                shared.client.cluster.retry_delay(failures)
            }
        };
        // A change of topics is told at once.
        _ = tokio::time::timeout(wait, shared.changed.notified()).await;
    }
}

impl Shared {
    async fn beat(
        &self,
        epoch: i32,
        topics: Option<BTreeSet<Arc<str>>>,
    ) -> Result<ShareGroupHeartbeatResponse> {
        let names = topics.map(|topics| topics.iter().map(ToString::to_string).collect());
        let sent = Instant::now();
        self.measure(|measures| measures.sent(sent));
        let response = self
            .client
            .send(i16::MAX, self.client.request_timeout(), |_| ShareGroupHeartbeatRequest {
                group_id: self.client.key.clone(),
                member_id: self.member_id.clone(),
                member_epoch: epoch,
                rack_id: self.rack.clone().filter(|_| epoch == JOIN),
                subscribed_topic_names: names,
                ..Default::default()
            })
            .await?;
        self.measure(|measures| measures.answered(sent.elapsed()));
        Ok(response)
    }

    fn measure(&self, count: impl FnOnce(&mut Heartbeats)) {
        count(&mut self.measures.lock().expect("no holder panics"));
    }

    /// Takes in an answer; returns how long to wait for the next heartbeat, or none if it is to be tried again soon.
    fn take(&self, response: ShareGroupHeartbeatResponse) -> Result<Option<Duration>> {
        self.client.note(response.error_code);
        match response.error_code {
            ErrorCode::NONE => {
                self.epoch.store(response.member_epoch, Ordering::Release);
                if let Some(assignment) = response.assignment {
                    let assigned = keys(&assignment);
                    if *self.assignment.borrow() != assigned {
                        self.measure(Heartbeats::rebalanced);
                    }
                    self.assignment.send_replace(assigned);
                }
                Ok(Some(Duration::from_millis(response.heartbeat_interval_ms.max(1) as u64)))
            }
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::FENCED_MEMBER_EPOCH => {
                self.epoch.store(JOIN, Ordering::Release);
                self.assignment.send_replace(Assignment::new());
                Ok(None)
            }
            code if code.is_retriable() => Ok(None),
            code => Err(Error::Broker { code, message: response.error_message }),
        }
    }
}

fn keys(assignment: &AssignmentMessage) -> Assignment {
    let of_topic = |topic: &protocol::share_group_heartbeat_response::TopicPartitions| {
        let topic_id = topic.topic_id;
        topic
            .partitions
            .iter()
            .map(move |partition| ShareKey { topic_id, partition: *partition })
            .collect::<Vec<_>>()
    };
    assignment.topic_partitions.iter().flat_map(of_topic).collect()
}
