//! CreatePartitions (key 37): adds partitions to topics.
//!
//! Versions: 0–3. 2 flexible · 3 throttling error. Decided by the controller; answered when it is committed. Kafka: `ControllerApis.createPartitions`.

use protocol::{CreatePartitionsRequest, ResponseBody};

use crate::broker::Broker;
use crate::request::RequestContext;

/// From this version on a client that owes is refused with THROTTLING_QUOTA_EXCEEDED (KIP-599).
const STRICT_SINCE: i16 = 3;

/// Has partitions added.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: CreatePartitionsRequest,
) -> ResponseBody {
    broker.decide_within_quota(context, request.into(), STRICT_SINCE).await
}
