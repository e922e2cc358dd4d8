//! InitProducerId (key 22): gives an idempotent or transactional producer its id and epoch.
//!
//! Versions: 0–5. 2 flexible · 3 a producer may bring its id and epoch (KIP-360) · 4 `PRODUCER_FENCED` · 5 transactions v2.
//! Not yet: 6, two-phase commit (KIP-939), which is not stable in Kafka either.
//! Kafka: `KafkaApis.handleInitProducerIdRequest`.

use controller::CLUSTER_NAME;
use model::{AclOperation, AclResourceType};
use protocol::{ErrorCode, InitProducerIdRequest, InitProducerIdResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Gives out an id that no producer ever had, or the next epoch of a transactional id.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    if let Err(error_code) = check(broker, context, &request) {
        return refused(error_code);
    }
    // An id without an epoch, or an epoch without an id, is nobody's.
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return refused(ErrorCode::INVALID_REQUEST);
    }
    match broker.transactions.init_producer_id(request).await {
        // Older clients do not know the newer error.
        response if context.version < 4 && response.error_code == ErrorCode::PRODUCER_FENCED => {
            refused(ErrorCode::INVALID_PRODUCER_EPOCH)
        }
        response => response,
    }
}

/// Who may write some topic may write it idempotently.
fn check(
    broker: &Broker,
    context: &RequestContext,
    request: &InitProducerIdRequest,
) -> Result<(), ErrorCode> {
    let gate = broker.gate(context);
    let Some(id) = &request.transactional_id else {
        let may_write =
            gate.may_quietly(AclOperation::IdempotentWrite, AclResourceType::Cluster, CLUSTER_NAME)
                || gate.may_with_some(AclOperation::Write, AclResourceType::Topic);
        return if may_write { Ok(()) } else { Err(ErrorCode::CLUSTER_AUTHORIZATION_FAILED) };
    };
    gate.check_transactional_id(AclOperation::Write, id)?;
    if request.enable2_pc {
        gate.check_transactional_id(AclOperation::TwoPhaseCommit, id)?;
    }
    Ok(())
}

fn refused(error_code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse { error_code, producer_id: -1, producer_epoch: -1, ..Default::default() }
}
