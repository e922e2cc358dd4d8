//! DeleteTopics (key 20): deletes topics.
//!
//! Versions: 1–6. 3 `TOPIC_DELETION_DISABLED` · 4 flexible · 5 error messages · 6 topic ids. Decided by the controller; answered when it is committed. Kafka: `ControllerApis.deleteTopics`.

use protocol::{DeleteTopicsRequest, ResponseBody};

use crate::broker::Broker;

/// Has topics deleted.
pub async fn handle(broker: &Broker, request: DeleteTopicsRequest) -> ResponseBody {
    broker.decide(request.into()).await
}
