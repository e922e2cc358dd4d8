//! The controller listener's APIs: what nodes and tools ask of the quorum, and what brokers have decided.
//!
//! Kafka: `ControllerApis.handle`.

use std::sync::Arc;

use controller::ControllerRequest;
use model::AclOperation;
use protocol::{ApiKey, ErrorCode, RequestBody, ResponseBody};

use super::{Answer, not_served, on_either};
use crate::broker::Broker;
use crate::controller::ControllerService;
use crate::handlers::*;
use crate::request::RequestContext;

/// The controller's APIs that are served, at all versions of the release that is advertised.
pub(super) const CONTROLLER_APIS: &[ApiKey] = &[
    ApiKey::Fetch,
    ApiKey::SaslHandshake,
    ApiKey::ApiVersions,
    ApiKey::SaslAuthenticate,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::DescribeAcls,
    ApiKey::CreateAcls,
    ApiKey::DeleteAcls,
    ApiKey::DescribeConfigs,
    ApiKey::AlterConfigs,
    ApiKey::CreatePartitions,
    ApiKey::CreateDelegationToken,
    ApiKey::RenewDelegationToken,
    ApiKey::ExpireDelegationToken,
    ApiKey::ElectLeaders,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::AlterPartitionReassignments,
    ApiKey::ListPartitionReassignments,
    ApiKey::AlterClientQuotas,
    ApiKey::DescribeUserScramCredentials,
    ApiKey::AlterUserScramCredentials,
    ApiKey::Vote,
    ApiKey::BeginQuorumEpoch,
    ApiKey::EndQuorumEpoch,
    ApiKey::DescribeQuorum,
    ApiKey::AlterPartition,
    ApiKey::UpdateFeatures,
    ApiKey::FetchSnapshot,
    ApiKey::DescribeCluster,
    ApiKey::BrokerRegistration,
    ApiKey::BrokerHeartbeat,
    ApiKey::UnregisterBroker,
    ApiKey::AllocateProducerIds,
    ApiKey::ControllerRegistration,
    ApiKey::AssignReplicasToDirs,
];

/// Has a request of the controller listener handled.
pub(super) async fn on_controller(
    controller: &Arc<ControllerService>,
    broker: &Arc<Broker>,
    context: &RequestContext,
    body: RequestBody,
) -> Answer {
    match body {
        RequestBody::DescribeQuorum(request) => {
            describe_quorum::handle(controller, broker, context, &request).into()
        }
        RequestBody::DescribeCluster(request) => {
            describe_cluster::on_controller(broker, controller.leader(), context, &request).into()
        }
        body => match on_either(broker, context, body).await {
            Ok(answer) => answer,
            Err(body) => of_a_node(controller, broker, context, body).await,
        },
    }
}

/// What only nodes ask. Without an authorizer whoever reaches the controller's listener is taken for one.
async fn of_a_node(
    controller: &Arc<ControllerService>,
    broker: &Arc<Broker>,
    context: &RequestContext,
    body: RequestBody,
) -> Answer {
    let gate = broker.gate(context);
    if let Err(error) = gate.check_cluster(AclOperation::ClusterAction) {
        return refuse_node(&body, error).map_or_else(|| not_served(&body), Answer::Respond);
    }
    drop(gate);
    match body {
        RequestBody::Fetch(request) => controller.fetch(&request).await.into(),
        RequestBody::FetchSnapshot(request) => controller.fetch_snapshot(&request).into(),
        RequestBody::Vote(request) => controller.vote(&request).into(),
        RequestBody::BeginQuorumEpoch(request) => controller.begin_quorum_epoch(&request).into(),
        RequestBody::EndQuorumEpoch(request) => controller.end_quorum_epoch(&request).into(),
        body => match ControllerRequest::try_from(body) {
            Ok(request) => Answer::Respond(broker.controller.submit(request).await),
            Err(body) => not_served(&body),
        },
    }
}

/// The answer to one who is no node; none if only clients ask for such a thing.
fn refuse_node(body: &RequestBody, error_code: ErrorCode) -> Option<ResponseBody> {
    macro_rules! refused {
        ($response:ident) => {
            Some(protocol::$response { error_code, ..Default::default() }.into())
        };
    }
    match body {
        RequestBody::Fetch(_) => refused!(FetchResponse),
        RequestBody::FetchSnapshot(_) => refused!(FetchSnapshotResponse),
        RequestBody::Vote(_) => refused!(VoteResponse),
        RequestBody::BeginQuorumEpoch(_) => refused!(BeginQuorumEpochResponse),
        RequestBody::EndQuorumEpoch(_) => refused!(EndQuorumEpochResponse),
        RequestBody::AlterPartition(_) => refused!(AlterPartitionResponse),
        RequestBody::BrokerRegistration(_) => refused!(BrokerRegistrationResponse),
        RequestBody::BrokerHeartbeat(_) => refused!(BrokerHeartbeatResponse),
        RequestBody::AllocateProducerIds(_) => refused!(AllocateProducerIdsResponse),
        RequestBody::ControllerRegistration(_) => refused!(ControllerRegistrationResponse),
        RequestBody::AssignReplicasToDirs(_) => refused!(AssignReplicasToDirsResponse),
        _ => None,
    }
}
