//! The controller listener's APIs: what nodes and tools ask of the quorum, and what brokers have decided.
//!
//! Kafka: `ControllerApis.handle`.

use std::sync::Arc;

use controller::ControllerRequest;
use protocol::{ApiKey, RequestBody};

use super::{Answer, not_served};
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
        RequestBody::ApiVersions(request) => api_versions::handle(broker, context, &request).into(),
        RequestBody::Fetch(request) => controller.fetch(&request).await.into(),
        RequestBody::FetchSnapshot(request) => controller.fetch_snapshot(&request).into(),
        RequestBody::Vote(request) => controller.vote(&request).into(),
        RequestBody::BeginQuorumEpoch(request) => controller.begin_quorum_epoch(&request).into(),
        RequestBody::EndQuorumEpoch(request) => controller.end_quorum_epoch(&request).into(),
        RequestBody::DescribeQuorum(request) => describe_quorum::handle(controller, context, &request).into(),
        RequestBody::DescribeCluster(request) => {
            describe_cluster::on_controller(broker, controller.leader(), context, &request).into()
        }
        RequestBody::DescribeConfigs(request) => describe_configs::handle(broker, &request).into(),
        RequestBody::DescribeUserScramCredentials(request) => {
            describe_user_scram_credentials::handle(broker, &request).into()
        }
        RequestBody::DescribeAcls(_) => describe_acls::handle().into(),
        RequestBody::CreateAcls(request) => create_acls::handle(&request).into(),
        RequestBody::DeleteAcls(request) => delete_acls::handle(&request).into(),
        RequestBody::CreateDelegationToken(request) => {
            create_delegation_token::handle(context, &request).into()
        }
        RequestBody::RenewDelegationToken(_) => renew_delegation_token::handle(context).into(),
        RequestBody::ExpireDelegationToken(_) => expire_delegation_token::handle(context).into(),
        RequestBody::AlterConfigs(request) => alter_configs::handle(broker, *request).await.into(),
        RequestBody::IncrementalAlterConfigs(request) => {
            incremental_alter_configs::handle(broker, *request).await.into()
        }
        RequestBody::AlterClientQuotas(request) => {
            let request = alter_client_quotas::with_hosts(*request).await;
            Answer::Respond(broker.controller.submit(request).await)
        }
        body => match ControllerRequest::try_from(body) {
            Ok(request) => Answer::Respond(broker.controller.submit(request).await),
            Err(body) => not_served(&body),
        },
    }
}
