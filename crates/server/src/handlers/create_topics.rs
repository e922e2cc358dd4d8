//! CreateTopics (key 19): creates topics, or says whether it could.
//!
//! Versions: 2–7. 4 defaults of the broker · 5 configs in the answer, flexible · 6 throttling error · 7 topic ids. Decided by the controller; answered when it is committed. Kafka: `ControllerApis.createTopics`.

use std::collections::{BTreeMap, BTreeSet};

use controller::CLUSTER_NAME;
use model::{AclOperation, AclResourceType, topic_name};
use protocol::create_topics_request::CreatableTopic;
use protocol::create_topics_response::CreatableTopicResult;
use protocol::{CreateTopicsRequest, ErrorCode, ResponseBody};

use crate::authorize::{Gate, Permitted};
use crate::broker::Broker;
use crate::request::RequestContext;

/// From this version on a client that owes is refused with THROTTLING_QUOTA_EXCEEDED (KIP-599).
const STRICT_SINCE: i16 = 6;

/// Has the topics created that the asker may create, and hides the configurations of those it may not know.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    mut request: CreateTopicsRequest,
) -> ResponseBody {
    let gate = broker.gate(context);
    if gate.is_open() {
        return broker.decide_within_quota(context, request.into(), STRICT_SINCE).await;
    }
    let once = names_once(&request.topics);
    let (creatable, describable) = permitted(&gate, &once);
    let is_refused =
        |topic: &CreatableTopic| creatable.as_ref().is_some_and(|names| !names.contains(&topic.name));
    let (refused, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut request.topics)
        .into_iter()
        .partition(|topic| once.contains(&topic.name) && is_refused(topic));
    request.topics = kept;
    let mut response = broker.decide_within_quota(context, request.into(), STRICT_SINCE).await;
    if let ResponseBody::CreateTopics(response) = &mut response {
        response.topics.iter_mut().filter(|topic| !describable.contains(&topic.name)).for_each(hide_configs);
        response.topics.extend(refused.into_iter().map(refuse));
    }
    response
}

/// The names that appear but once, other than that of the metadata topic, about which nobody need ask.
fn names_once(topics: &[CreatableTopic]) -> BTreeSet<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    topics.iter().for_each(|topic| *counts.entry(&topic.name).or_default() += 1);
    let once =
        counts.into_iter().filter(|(name, count)| *count == 1 && *name != topic_name::CLUSTER_METADATA);
    once.map(|(name, _)| name.to_owned()).collect()
}

/// Which topics the asker may create, unless it may create all, and whose configurations it may see.
fn permitted(gate: &Gate<'_>, once: &BTreeSet<String>) -> (Option<Permitted>, Permitted) {
    let names = || once.iter().map(String::as_str);
    let all = gate.may_quietly(AclOperation::Create, AclResourceType::Cluster, CLUSTER_NAME);
    let creatable = (!all).then(|| gate.permitted_topics(AclOperation::Create, names()));
    let describable = gate.permitted_quietly(AclOperation::DescribeConfigs, AclResourceType::Topic, names());
    (creatable, describable)
}

fn hide_configs(topic: &mut CreatableTopicResult) {
    if topic.error_code.is_none() {
        topic.topic_config_error_code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
        (topic.num_partitions, topic.replication_factor) = (-1, -1);
        topic.configs = Some(Vec::new());
    }
}

fn refuse(topic: CreatableTopic) -> CreatableTopicResult {
    CreatableTopicResult {
        name: topic.name,
        error_code: ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        error_message: Some("Authorization failed.".to_owned()),
        ..Default::default()
    }
}
