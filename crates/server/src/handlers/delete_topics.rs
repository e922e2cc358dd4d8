//! DeleteTopics (key 20): deletes topics.
//!
//! Versions: 1–6. 3 `TOPIC_DELETION_DISABLED` · 4 flexible · 5 error messages · 6 topic ids. Decided by the controller; answered when it is committed. Kafka: `ControllerApis.deleteTopics`.

use protocol::{DeleteTopicsRequest, ResponseBody};

use crate::broker::Broker;
use crate::request::RequestContext;

/// From this version on a client that owes is refused with THROTTLING_QUOTA_EXCEEDED (KIP-599).
const STRICT_SINCE: i16 = 5;

/// Has topics deleted.
pub async fn handle(broker: &Broker, context: &RequestContext, request: DeleteTopicsRequest) -> ResponseBody {
    broker.decide_within_quota(context, request.into(), STRICT_SINCE).await
}
