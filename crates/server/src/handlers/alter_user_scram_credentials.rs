//! AlterUserScramCredentials (key 51): sets and deletes what is kept of users' passwords.
//!
//! Versions: 0. Decided by the controller; a login that begins after the answer goes by it.
//! Kafka: `ScramControlManager.alterCredentials`.

use protocol::{AlterUserScramCredentialsRequest, ResponseBody};

use crate::broker::Broker;

/// Has credentials set and deleted.
pub async fn handle(broker: &Broker, request: AlterUserScramCredentialsRequest) -> ResponseBody {
    broker.decide(request.into()).await
}
