//! CreatePartitions (key 37): adds partitions to topics.
//!
//! Versions: 0–3. 2 flexible · 3 throttling error. Decided by the controller; answered when it is committed. Kafka: `ControllerApis.createPartitions`.

use std::collections::{BTreeMap, BTreeSet};

use model::AclOperation;
use protocol::create_partitions_response::CreatePartitionsTopicResult;
use protocol::{CreatePartitionsRequest, ErrorCode, ResponseBody};

use crate::broker::Broker;
use crate::request::RequestContext;

/// From this version on a client that owes is refused with THROTTLING_QUOTA_EXCEEDED (KIP-599).
const STRICT_SINCE: i16 = 3;

/// Has partitions added.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    mut request: CreatePartitionsRequest,
) -> ResponseBody {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    request.topics.iter().for_each(|topic| *counts.entry(topic.name.clone()).or_default() += 1);
    let once = || counts.iter().filter(|(_, count)| **count == 1).map(|(name, _)| name.as_str());
    let permitted = broker.gate(context).permitted_topics(AclOperation::Alter, once());
    let refused: BTreeSet<&str> = once().filter(|name| !permitted.contains(name)).collect();
    request.topics.retain(|topic| !refused.contains(topic.name.as_str()));
    let mut response = broker.decide_within_quota(context, request.into(), STRICT_SINCE).await;
    if let ResponseBody::CreatePartitions(response) = &mut response {
        response.results.extend(refused.into_iter().map(|name| CreatePartitionsTopicResult {
            name: name.to_owned(),
            error_code: ErrorCode::TOPIC_AUTHORIZATION_FAILED,
            ..Default::default()
        }));
    }
    response
}
