//! One try to become a member of a group's next generation: join, assign if we lead, sync.
//! Kafka: `AbstractCoordinator.sendJoinGroupRequest` and what follows it, `ConsumerCoordinator.onLeaderElected`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use model::TopicPartition;
use protocol::join_group_request::JoinGroupRequestProtocol;
use protocol::sync_group_request::SyncGroupRequestAssignment;
use protocol::{ErrorCode, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::assignors::{Assignor, Member, Members, Topics};
use crate::cluster::CoordinatorClient;
use crate::consumer_protocol::{self, Assignment, Subscription};
use crate::error::{Error, Result};

/// The protocol type of consumers.
const PROTOCOL_TYPE: &str = "consumer";
/// A join is answered when the rebalance timeout has passed, and a little later.
const JOIN_SLACK: Duration = Duration::from_secs(5);

/// What a member joins with.
#[derive(Clone)]
pub(super) struct JoinParameters {
    pub client: Arc<CoordinatorClient>,
    pub member_id: String,
    pub generation: i32,
    pub instance: Option<String>,
    pub session_timeout: Duration,
    pub rebalance_timeout: Duration,
    pub topics: Vec<String>,
    pub owned: Vec<TopicPartition>,
    /// What was had before it was given up for the rebalance, for eager sticky assignors.
    pub had: Vec<TopicPartition>,
    pub rack: Option<String>,
    pub assignors: Vec<Assignor>,
    pub reason: String,
}

/// A member of a generation.
#[derive(Debug)]
pub(super) struct Joined {
    pub member_id: String,
    pub generation: i32,
    pub assignor: Assignor,
    pub partitions: Vec<TopicPartition>,
    /// The partition counts that we assigned by, where we lead.
    pub led: Option<Topics>,
    /// What keeps it a member.
    pub heartbeat: JoinSet<()>,
}

/// A try that failed.
#[derive(Debug)]
pub(super) struct JoinFailed {
    pub error: Error,
    /// The id to join with next; `None` where the one we had is not known any more.
    pub member_id: Option<String>,
    /// Whether to try again.
    pub again: bool,
}

/// How a try ended.
pub(super) type Outcome = std::result::Result<Joined, JoinFailed>;

/// Joins; tells `known_as` the member id as soon as the coordinator has given one.
pub(super) async fn join(mut parameters: JoinParameters, known_as: watch::Sender<String>) -> Outcome {
    loop {
        let response = match send_join(&parameters).await {
            Ok(response) => response,
            Err(error) => return Err(failed(&parameters, error)),
        };
        match response.error_code {
            ErrorCode::NONE => {
                parameters.member_id = response.member_id.clone();
                known_as.send_replace(response.member_id.clone());
                return sync(&parameters, response).await.map_err(|error| failed(&parameters, error));
            }
            ErrorCode::MEMBER_ID_REQUIRED => {
                parameters.member_id = response.member_id.clone();
                known_as.send_replace(response.member_id);
            }
            code => {
                parameters.client.note(code);
                return Err(failed(&parameters, Error::broker(code)));
            }
        }
    }
}

fn failed(parameters: &JoinParameters, error: Error) -> JoinFailed {
    let code = error.code();
    let unknown = matches!(code, Some(ErrorCode::UNKNOWN_MEMBER_ID));
    let again = unknown
        || error.is_retriable()
        || matches!(code, Some(ErrorCode::ILLEGAL_GENERATION | ErrorCode::REBALANCE_IN_PROGRESS));
    JoinFailed { member_id: Some(parameters.member_id.clone()).filter(|_| !unknown), error, again }
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

async fn send_join(parameters: &JoinParameters) -> Result<JoinGroupResponse> {
    let mut protocols = Vec::new();
    for assignor in &parameters.assignors {
        let subscription = Subscription {
            topics: parameters.topics.clone(),
            user_data: assignor.user_data(&parameters.had, parameters.generation),
            owned: parameters.owned.clone(),
            generation: Some(parameters.generation),
            rack: parameters.rack.clone(),
        };
        let metadata = consumer_protocol::encode_subscription(&subscription)?;
        protocols.push(JoinGroupRequestProtocol {
            name: assignor.name().to_owned(),
            metadata,
            ..Default::default()
        });
    }
    let timeout = parameters.client.request_timeout().max(parameters.rebalance_timeout + JOIN_SLACK);
    parameters
        .client
        .send(i16::MAX, timeout, |version| JoinGroupRequest {
            group_id: parameters.client.key.clone(),
            session_timeout_ms: millis(parameters.session_timeout),
            rebalance_timeout_ms: millis(parameters.rebalance_timeout),
            member_id: parameters.member_id.clone(),
            group_instance_id: parameters.instance.clone().filter(|_| version >= 5),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocols,
            reason: Some(parameters.reason.chars().take(255).collect()).filter(|_| version >= 8),
            ..Default::default()
        })
        .await
}

async fn sync(parameters: &JoinParameters, joined: JoinGroupResponse) -> Result<Joined> {
    let name = joined.protocol_name.clone().unwrap_or_default();
    let assignor = Assignor::from_name(&name)
        .filter(|assignor| parameters.assignors.contains(assignor))
        .ok_or_else(|| Error::broker(ErrorCode::INCONSISTENT_GROUP_PROTOCOL))?;
    let leads = joined.leader == joined.member_id;
    let (led, assignments) = if leads {
        let (topics, assignments) = lead(parameters, &joined, assignor).await?;
        (Some(topics), assignments)
    } else {
        (None, Vec::new())
    };
    let client = &parameters.client;
    let timeout = client.request_timeout().max(parameters.rebalance_timeout + JOIN_SLACK);
    let response = client
        .send(i16::MAX, timeout, |version| SyncGroupRequest {
            group_id: client.key.clone(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            group_instance_id: parameters.instance.clone().filter(|_| version >= 3),
            protocol_type: Some(PROTOCOL_TYPE.to_owned()).filter(|_| version >= 5),
            protocol_name: Some(name).filter(|_| version >= 5),
            assignments,
            ..Default::default()
        })
        .await?;
    client.note(response.error_code);
    Error::check(response.error_code)?;
    let partitions = consumer_protocol::decode_assignment(&response.assignment)?.partitions;
    let (member_id, generation) = (joined.member_id, joined.generation_id);
    Ok(Joined { member_id, generation, assignor, partitions, led, heartbeat: JoinSet::new() })
}

/// We lead: everybody's partitions, as each member's bytes.
async fn lead(
    parameters: &JoinParameters,
    joined: &JoinGroupResponse,
    assignor: Assignor,
) -> Result<(Topics, Vec<SyncGroupRequestAssignment>)> {
    let mut members = Members::new();
    for member in &joined.members {
        let subscription = consumer_protocol::decode_subscription(&member.metadata)?;
        members.insert(
            member.member_id.clone(),
            Member { instance: member.group_instance_id.clone(), subscription },
        );
    }
    let wanted: BTreeSet<&String> = members.values().flat_map(|member| &member.subscription.topics).collect();
    let topics = partition_counts(parameters, &wanted).await?;
    if joined.skip_assignment {
        return Ok((topics, Vec::new()));
    }
    let plan = assignor.assign(&topics, &members);
    tracing::debug!(group = parameters.client.key, ?plan, "assigned");
    let mut assignments = Vec::new();
    for (member_id, partitions) in plan {
        let assignment = consumer_protocol::encode_assignment(&Assignment { partitions, user_data: None })?;
        assignments.push(SyncGroupRequestAssignment { member_id, assignment, ..Default::default() });
    }
    Ok((topics, assignments))
}

async fn partition_counts(parameters: &JoinParameters, wanted: &BTreeSet<&String>) -> Result<Topics> {
    let cluster = &parameters.client.cluster;
    let now = Instant::now();
    let mut wider = false;
    cluster.interest(|interest| {
        for topic in wanted {
            wider |= interest.touch(&topic.as_str().into(), now);
        }
        wider
    });
    let known = cluster.metadata();
    let missing = wanted.iter().any(|topic| known.partition_count(topic).is_none());
    let metadata = if wider || missing {
        cluster.update(now + parameters.client.request_timeout()).await?
    } else {
        known
    };
    let counts = wanted.iter().filter_map(|topic| Some(((*topic).clone(), metadata.partition_count(topic)?)));
    Ok(counts.collect::<BTreeMap<_, _>>())
}
