//! DeleteTopics (key 20): deletes topics.
//!
//! Versions: 1–6. 3 `TOPIC_DELETION_DISABLED` · 4 flexible · 5 error messages · 6 topic ids. Decided by the controller; answered when it is committed. Kafka: `ControllerApis.deleteTopics`.

use std::collections::BTreeMap;

use controller::CLUSTER_NAME;
use metadata::MetadataImage;
use model::{AclOperation, AclResourceType, Uuid};
use protocol::delete_topics_request::DeleteTopicState;
use protocol::delete_topics_response::DeletableTopicResult;
use protocol::{DeleteTopicsRequest, ErrorCode, ResponseBody};

use crate::authorize::{Gate, Permitted};
use crate::broker::Broker;
use crate::request::RequestContext;

/// From this version on a client that owes is refused with THROTTLING_QUOTA_EXCEEDED (KIP-599).
const STRICT_SINCE: i16 = 5;

/// Has the topics deleted that the asker may delete.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    mut request: DeleteTopicsRequest,
) -> ResponseBody {
    let gate = broker.gate(context);
    let may_delete_all = gate.is_open()
        || !broker.config().log.delete_topic_enable
        || gate.may_quietly(AclOperation::Delete, AclResourceType::Cluster, CLUSTER_NAME);
    if may_delete_all {
        return broker.decide_within_quota(context, request.into(), STRICT_SINCE).await;
    }
    let refused = refuse(&gate, &broker.metadata.image(), &mut request);
    let mut response = broker.decide_within_quota(context, request.into(), STRICT_SINCE).await;
    if let ResponseBody::DeleteTopics(response) = &mut response {
        response.responses.extend(refused);
    }
    response
}

/// A topic as a request names it: by its name, or by its id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    Name(String),
    Id(Uuid),
}

fn named(topic: &DeleteTopicState) -> Option<Named> {
    match (&topic.name, topic.topic_id) {
        (Some(name), Uuid::ZERO) => Some(Named::Name(name.clone())),
        (None, id) if id != Uuid::ZERO => Some(Named::Id(id)),
        _ => None,
    }
}

/// Takes out of the request what may not be deleted. What it names twice, or in a way that means nothing, is left in: the controller
/// refuses it.
fn refuse(
    gate: &Gate<'_>,
    image: &MetadataImage,
    request: &mut DeleteTopicsRequest,
) -> Vec<DeletableTopicResult> {
    let by_name = request.topic_names.iter().cloned().map(Named::Name);
    let mut counts: BTreeMap<Named, usize> = BTreeMap::new();
    for topic in by_name.chain(request.topics.iter().filter_map(named)) {
        *counts.entry(topic).or_default() += 1;
    }
    let once = counts.into_iter().filter(|(_, count)| *count == 1).map(|(topic, _)| topic);
    // Ids of topics that are not there are left to the controller, too.
    let asked: Vec<(Named, String)> = once
        .filter_map(|topic| match &topic {
            Named::Name(name) => Some((topic.clone(), name.clone())),
            Named::Id(id) => Some((topic.clone(), image.topics().by_id(*id)?.name().to_string())),
        })
        .collect();
    let names = || asked.iter().map(|(_, name)| name.as_str());
    let describable = gate.permitted_topics(AclOperation::Describe, names());
    let deletable = gate.permitted_topics(AclOperation::Delete, names());
    let mut refused: BTreeMap<Named, DeletableTopicResult> = BTreeMap::new();
    for (topic, name) in asked {
        if let Some(result) = refusal(image, &topic, &name, &describable, &deletable) {
            refused.insert(topic, result);
        }
    }
    request.topic_names.retain(|name| !refused.contains_key(&Named::Name(name.clone())));
    request.topics.retain(|topic| named(topic).is_none_or(|topic| !refused.contains_key(&topic)));
    refused.into_values().collect()
}

/// Who may not know of a topic is not told whether there is one of that name, nor the name of one of that id.
fn refusal(
    image: &MetadataImage,
    topic: &Named,
    name: &str,
    describable: &Permitted,
    deletable: &Permitted,
) -> Option<DeletableTopicResult> {
    let (known, may_delete) = (describable.contains(name), deletable.contains(name));
    let (name, topic_id) = match topic {
        Named::Id(_) if may_delete => return None,
        Named::Name(_) if known && (may_delete || image.topics().by_name(name).is_none()) => return None,
        Named::Id(id) => (known.then(|| name.to_owned()), *id),
        Named::Name(name) => (Some(name.clone()), Uuid::ZERO),
    };
    let error_code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let error_message = Some(error_code.message().to_owned());
    Some(DeletableTopicResult { name, topic_id, error_code, error_message, ..Default::default() })
}
