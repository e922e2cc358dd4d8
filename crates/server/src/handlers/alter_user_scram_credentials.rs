//! AlterUserScramCredentials (key 51): sets and deletes what is kept of users' passwords.
//!
//! Versions: 0. Decided by the controller; a login that begins after the answer goes by it.
//! Kafka: `ScramControlManager.alterCredentials`.

use std::collections::BTreeSet;

use model::AclOperation;
use protocol::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use protocol::{AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, ResponseBody};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Has credentials set and deleted.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: AlterUserScramCredentialsRequest,
) -> ResponseBody {
    if let Err((error_code, error_message)) = broker.gate(context).require_cluster(AclOperation::Alter) {
        let deleted = request.deletions.into_iter().map(|deletion| deletion.name);
        let users: BTreeSet<String> =
            deleted.chain(request.upsertions.into_iter().map(|upsertion| upsertion.name)).collect();
        let refuse = |user| {
            let error_message = error_message.clone();
            AlterUserScramCredentialsResult { user, error_code, error_message, ..Default::default() }
        };
        let results = users.into_iter().map(refuse).collect();
        return AlterUserScramCredentialsResponse { results, ..Default::default() }.into();
    }
    broker.decide(request.into()).await
}
