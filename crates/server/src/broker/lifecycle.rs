//! A broker's life as the controller sees it: it registers, catches up, is unfenced, sends heartbeats, and asks to stop.
//!
//! Not yet: giving up where the controller cannot be told of a log dir that failed (`log.dir.failure.timeout.ms`).
//!
//! Kafka: `BrokerLifecycleManager`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use controller::supported_features;
use model::Uuid;
use protocol::broker_registration_request::{Feature, Listener};
use protocol::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest, ErrorCode, ResponseBody,
};
use tokio::sync::watch;

use super::Broker;

/// How long to wait before the controller is asked again after it failed.
const RETRY: Duration = Duration::from_millis(50);
/// How long the controller may take to agree to a stop.
pub const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Registers with the controller under `listeners`, until it agrees; returns why if it never will.
///
/// # Errors
/// The controller's refusal, where asking again would not help.
pub async fn register(broker: &Broker, incarnation: Uuid, listeners: Vec<Listener>) -> Result<(), ErrorCode> {
    let logs = broker.replicas.logs();
    let feature = |(name, range): (String, metadata::VersionRange)| Feature {
        name,
        min_supported_version: range.min,
        max_supported_version: range.max,
        ..Default::default()
    };
    let request = BrokerRegistrationRequest {
        broker_id: broker.node_id.0,
        cluster_id: broker.cluster_id.clone(),
        incarnation_id: incarnation,
        listeners,
        features: supported_features().into_iter().map(feature).collect(),
        rack: broker.config().rack.clone(),
        log_dirs: logs.online_dirs().map(|dir| dir.id()).collect(),
        previous_broker_epoch: logs.previous_broker_epoch(),
        ..Default::default()
    };
    loop {
        let response = broker.controller.submit(request.clone().into()).await;
        let ResponseBody::BrokerRegistration(response) = response else {
            return Err(ErrorCode::UNKNOWN_SERVER_ERROR);
        };
        match response.error_code {
            ErrorCode::NONE => {
                broker.set_epoch(response.broker_epoch);
                return Ok(());
            }
            ErrorCode::DUPLICATE_BROKER_REGISTRATION | ErrorCode::NOT_CONTROLLER => {
                tracing::info!(error = response.error_code.name(), "cannot register yet");
                tokio::time::sleep(RETRY).await;
            }
            error => return Err(error),
        }
    }
}

/// Waits until this broker has acted on its own registration and the controller lets clients come.
pub async fn become_unfenced(broker: &Broker) {
    broker.metadata.wait_for(broker.epoch()).await;
    loop {
        match heartbeat(broker, false).await {
            Some(response) if response.error_code.is_none() && !response.is_fenced => break,
            _ => tokio::time::sleep(RETRY).await,
        }
    }
    // The image in which this broker is unfenced is what clients must be told first.
    while broker.metadata.image().cluster().broker(broker.node_id).is_none_or(|own| own.fenced) {
        let seen = broker.metadata.image().provenance().last_contained_offset.0;
        broker.metadata.wait_for(seen + 1).await;
    }
}

/// Sends heartbeats every `broker.heartbeat.interval.ms`, and at once when a log dir fails, until `stop` says so.
pub async fn keep_alive(broker: Arc<Broker>, mut stop: watch::Receiver<bool>) {
    let dir_failed = broker.replicas.logs().dir_failed().clone();
    loop {
        let interval =
            Duration::from_millis(broker.config().quorum.broker_heartbeat_interval_ms.max(1) as u64);
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = dir_failed.notified() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if let Some(error) = heartbeat(&broker, false).await.map(|response| response.error_code)
            && error.is_error()
        {
            tracing::warn!(
                error = error.name(),
                "the controller refuses this broker's heartbeat; without any it is fenced after broker.session.timeout.ms"
            );
        }
    }
}

/// Asks the controller to move leaderships away, and waits until it agrees to the stop, at most `patience`.
pub async fn controlled_shutdown(broker: &Broker, patience: Duration) {
    let ask = async {
        loop {
            match heartbeat(broker, true).await {
                Some(response) if response.error_code.is_none() && !response.should_shut_down => {
                    tokio::time::sleep(RETRY).await;
                }
                _ => return,
            }
        }
    };
    if tokio::time::timeout(patience, ask).await.is_err() {
        tracing::warn!("the controller did not agree to the stop in time; stopping all the same");
    }
}

async fn heartbeat(broker: &Broker, want_shut_down: bool) -> Option<BrokerHeartbeatResponse> {
    let logs = broker.replicas.logs();
    let config = broker.config();
    let is_cordoned =
        |dir: &storage::LogDir| config.cordoned_log_dirs.iter().any(|path| Path::new(path) == dir.path());
    let request = BrokerHeartbeatRequest {
        broker_id: broker.node_id.0,
        broker_epoch: broker.epoch(),
        current_metadata_offset: broker.metadata.image().provenance().last_contained_offset.0,
        want_shut_down,
        offline_log_dirs: offline_log_dirs(broker),
        cordoned_log_dirs: Some(
            logs.dirs().iter().filter(|dir| is_cordoned(dir)).map(|dir| dir.id()).collect(),
        ),
        ..Default::default()
    };
    match broker.controller.submit(request.into()).await {
        ResponseBody::BrokerHeartbeat(response) => Some(*response),
        _ => None,
    }
}

/// The log dirs whose partitions others should lead. A broker that is alone keeps them: nobody else has the records, and
/// what cannot be written any more may still be read.
fn offline_log_dirs(broker: &Broker) -> Vec<Uuid> {
    if broker.metadata.image().cluster().brokers().count() <= 1 {
        return Vec::new();
    }
    broker.replicas.logs().dirs().iter().filter(|dir| dir.is_offline()).map(|dir| dir.id()).collect()
}
