//! CreateTopics (key 19): creates topics, or says whether it could.
//!
//! Versions: 2–7. 4 defaults of the broker · 5 configs in the answer, flexible · 6 throttling error · 7 topic ids. Decided by the controller; answered when it is committed. Kafka: `ControllerApis.createTopics`.

use protocol::{CreateTopicsRequest, ResponseBody};

use crate::broker::Broker;
use crate::request::RequestContext;

/// From this version on a client that owes is refused with THROTTLING_QUOTA_EXCEEDED (KIP-599).
const STRICT_SINCE: i16 = 6;

/// Has topics created.
pub async fn handle(broker: &Broker, context: &RequestContext, request: CreateTopicsRequest) -> ResponseBody {
    broker.decide_within_quota(context, request.into(), STRICT_SINCE).await
}
