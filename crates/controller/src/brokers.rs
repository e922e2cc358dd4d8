//! Brokers and controllers register, brokers send heartbeats and are unregistered.
//!
//! Kafka: `ClusterControlManager`, `BrokerHeartbeatManager.calculateNextBrokerState`.

use machine::Now;
use metadata::{BrokerRegistration, Feature};
use model::{NodeId, Uuid};
use protocol::register_broker_record::{BrokerEndpoint, BrokerFeature};
use protocol::register_controller_record::{ControllerEndpoint, ControllerFeature};
use protocol::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest, BrokerRegistrationResponse,
    ControllerRegistrationRequest, ControllerRegistrationResponse, ErrorCode, MetadataRecord,
    RegisterBrokerRecord, RegisterControllerRecord, UnregisterBrokerRequest, UnregisterBrokerResponse,
};

use crate::fencing::registration_change;
use crate::requests::Decision;
use crate::{ApiError, Controller};

/// What a broker is, or becomes by a heartbeat. Kafka: `BrokerControlState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BrokerState {
    Fenced,
    Unfenced,
    ControlledShutdown,
    ShutdownNow,
}

impl Controller {
    /// Checks that a request comes from the present registration of a broker.
    pub(crate) fn check_broker_epoch(&self, id: NodeId, epoch: i64) -> Result<&BrokerRegistration, ApiError> {
        let stale = |message: String| ApiError::new(ErrorCode::STALE_BROKER_EPOCH, message);
        let broker = self.broker(id);
        let broker =
            broker.ok_or_else(|| stale(format!("No broker registration found for broker id {id}")))?;
        if broker.epoch != epoch {
            let expected = broker.epoch;
            return Err(stale(format!("Expected broker epoch {expected}, but got broker epoch {epoch}")));
        }
        Ok(broker)
    }

    pub(crate) fn register_broker(&mut self, now: Now, request: &BrokerRegistrationRequest) -> Decision {
        match self.registration_records(now, request) {
            Ok((records, broker_epoch)) => {
                Decision::new(records, BrokerRegistrationResponse { broker_epoch, ..Default::default() })
            }
            Err(error) => Decision::answer(BrokerRegistrationResponse {
                error_code: error.code,
                broker_epoch: -1,
                ..Default::default()
            }),
        }
    }

    fn registration_records(
        &mut self,
        now: Now,
        request: &BrokerRegistrationRequest,
    ) -> Result<(Vec<MetadataRecord>, i64), ApiError> {
        let id = NodeId(request.broker_id);
        self.check_registration(now, request)?;
        let existing = self.image.cluster().broker(id).cloned();
        let same = existing.as_ref().filter(|broker| broker.incarnation_id == request.incarnation_id);
        let mut records = Vec::new();
        if same.is_none() {
            let was_clean =
                existing.as_ref().is_some_and(|broker| broker.epoch == request.previous_broker_epoch);
            records.extend(self.restarted(id, was_clean));
            self.heartbeats.remove(id);
        }
        let epoch = same.map_or(self.next_offset.0, |broker| broker.epoch);
        let with_dirs = self.image.features().metadata_version().is_directory_assignment_supported();
        records.push(MetadataRecord::RegisterBrokerRecord(RegisterBrokerRecord {
            broker_epoch: epoch,
            fenced: same.is_none_or(|broker| broker.fenced),
            in_controlled_shutdown: same.is_some_and(|broker| broker.in_controlled_shutdown),
            log_dirs: if with_dirs { request.log_dirs.clone() } else { Vec::new() },
            ..registration_record(request)
        }));
        self.heartbeats.touch(id, now.monotonic, -1);
        Ok((records, epoch))
    }

    fn check_registration(&self, now: Now, request: &BrokerRegistrationRequest) -> Result<(), ApiError> {
        let id = NodeId(request.broker_id);
        if self.config.cluster_id != request.cluster_id {
            let (expected, given) = (&self.config.cluster_id, &request.cluster_id);
            let message = format!("Expected cluster ID {expected}, but got cluster ID {given}");
            return Err(ApiError::new(ErrorCode::INCONSISTENT_CLUSTER_ID, message));
        }
        let alive = self
            .broker(id)
            .filter(|broker| !broker.fenced && self.heartbeats.has_valid_session(id, now.monotonic));
        if alive.is_some_and(|broker| broker.incarnation_id != request.incarnation_id) {
            let message = "Another broker is registered with that broker id. If the broker was recently restarted this \
                           should self-resolve once the heartbeat manager expires the broker's session.";
            return Err(ApiError::new(ErrorCode::DUPLICATE_BROKER_REGISTRATION, message));
        }
        if request.is_migrating_zk_broker {
            let message = "Controller does not support registering ZK brokers.";
            return Err(ApiError::new(ErrorCode::BROKER_ID_NOT_REGISTERED, message));
        }
        if self.image.features().metadata_version().is_directory_assignment_supported() {
            self.check_directories(id, &request.log_dirs)?;
        }
        self.check_features(request)
    }

    fn check_directories(&self, id: NodeId, directories: &[Uuid]) -> Result<(), ApiError> {
        let invalid = |message: String| Err(ApiError::new(ErrorCode::INVALID_REGISTRATION, message));
        if directories.is_empty() {
            return invalid("No directories specified in request".to_owned());
        }
        if directories.iter().any(Uuid::is_reserved) {
            return invalid("Reserved directory ID in request".to_owned());
        }
        let mut sorted = directories.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() != directories.len() {
            return invalid("Duplicate directory ID in request".to_owned());
        }
        let others = || self.image.cluster().brokers().filter(|broker| broker.id != id);
        for directory in directories {
            if let Some(other) = others().find(|broker| broker.directories.contains(directory)) {
                return invalid(format!(
                    "Broker {} is already registered with directory {directory}",
                    other.id
                ));
            }
        }
        Ok(())
    }

    /// Checks that the broker supports every finalized level.
    fn check_features(&self, request: &BrokerRegistrationRequest) -> Result<(), ApiError> {
        if !request.features.iter().any(|feature| feature.name == Feature::METADATA_VERSION) {
            let message = "Request features do not contain 'metadata.version'";
            return Err(ApiError::new(ErrorCode::INVALID_REGISTRATION, message));
        }
        let finalized = self.image.features();
        let given = request.features.iter().map(|feature| {
            let level = finalized.level_by_name(&feature.name).unwrap_or(0);
            (feature.name.as_str(), level, feature.min_supported_version, feature.max_supported_version)
        });
        let missing = finalized
            .finalized()
            .filter(|(name, _)| *name != Feature::KraftVersion.name())
            .filter(|(name, _)| !request.features.iter().any(|feature| feature.name == *name))
            .map(|(name, level)| (name, level, 0, 0));
        for (name, level, min, max) in given.chain(missing) {
            if !(min..=max).contains(&level) {
                let message = format!(
                    "Unable to register because the broker does not support finalized version {level} of {name}. The \
                     broker wants a version between {min} and {max}, inclusive."
                );
                return Err(ApiError::new(ErrorCode::UNSUPPORTED_VERSION, message));
            }
        }
        Ok(())
    }

    pub(crate) fn broker_heartbeat(&mut self, now: Now, request: &BrokerHeartbeatRequest) -> Decision {
        let id = NodeId(request.broker_id);
        let broker = match self.check_broker_epoch(id, request.broker_epoch) {
            Ok(broker) => broker.clone(),
            Err(error) => {
                let error_code = error.code;
                return Decision::answer(BrokerHeartbeatResponse { error_code, ..Default::default() });
            }
        };
        let caught_up_at = self.registration_offsets.get(&id).map_or(0, |offset| offset.0);
        let is_caught_up = request.current_metadata_offset >= caught_up_at;
        let (current, next) = self.next_state(&broker, request, is_caught_up);
        let mut records = self.transition(&broker, current, next);
        self.heartbeats.touch(id, now.monotonic, request.current_metadata_offset);
        let is_fenced = matches!(next, BrokerState::Fenced | BrokerState::ShutdownNow);
        if is_fenced {
            self.heartbeats.end_shutdown(id);
        }
        records.extend(self.directory_changes(&broker, request));
        if next == BrokerState::ControlledShutdown {
            let end = self.next_offset.0 + records.len() as i64 - 1;
            self.heartbeats.begin_shutdown(id, end);
        }
        let should_shut_down = next == BrokerState::ShutdownNow;
        let response =
            BrokerHeartbeatResponse { is_caught_up, is_fenced, should_shut_down, ..Default::default() };
        Decision::new(records, response)
    }

    fn next_state(
        &self,
        broker: &BrokerRegistration,
        request: &BrokerHeartbeatRequest,
        is_caught_up: bool,
    ) -> (BrokerState, BrokerState) {
        let current = match broker {
            _ if self.heartbeats.is_shutting_down(broker.id) => BrokerState::ControlledShutdown,
            broker if broker.fenced => BrokerState::Fenced,
            _ => BrokerState::Unfenced,
        };
        let leads = self.index.has_leaderships(broker.id);
        let next = match current {
            BrokerState::Fenced if request.want_shut_down => BrokerState::ShutdownNow,
            BrokerState::Fenced if !request.want_fence && is_caught_up => BrokerState::Unfenced,
            BrokerState::Fenced => BrokerState::Fenced,
            BrokerState::Unfenced if request.want_shut_down && (request.want_fence || !leads) => {
                BrokerState::ShutdownNow
            }
            BrokerState::Unfenced if request.want_fence => BrokerState::Fenced,
            BrokerState::Unfenced if request.want_shut_down => BrokerState::ControlledShutdown,
            BrokerState::Unfenced => BrokerState::Unfenced,
            _ if !leads && self.others_have_seen_shutdown(broker.id) => BrokerState::ShutdownNow,
            _ => BrokerState::ControlledShutdown,
        };
        (current, next)
    }

    /// Whether every active broker has read that the leaderships of a stopping one moved away.
    fn others_have_seen_shutdown(&self, id: NodeId) -> bool {
        let is_unfenced = |id| self.broker(id).is_some_and(|broker| !broker.fenced);
        let seen = self.heartbeats.lowest_active_offset(is_unfenced);
        self.heartbeats.shutdown_offset(id).is_none_or(|offset| offset <= seen)
    }

    fn transition(
        &self,
        broker: &BrokerRegistration,
        current: BrokerState,
        next: BrokerState,
    ) -> Vec<MetadataRecord> {
        match next {
            _ if next == current => Vec::new(),
            BrokerState::Fenced | BrokerState::ShutdownNow => self.fence(broker),
            BrokerState::Unfenced => self.unfence(broker),
            BrokerState::ControlledShutdown => self.begin_controlled_shutdown(broker),
        }
    }

    fn directory_changes(
        &self,
        broker: &BrokerRegistration,
        request: &BrokerHeartbeatRequest,
    ) -> Vec<MetadataRecord> {
        let version = self.image.features().metadata_version();
        if !version.is_directory_assignment_supported() {
            return Vec::new();
        }
        let mut records = self.directories_offline(broker, &request.offline_log_dirs);
        let cordoned =
            request.cordoned_log_dirs.as_ref().filter(|_| version.is_cordoned_log_dirs_supported());
        let changed = cordoned.filter(|dirs| broker.cordoned_directories.as_ref() != Some(*dirs));
        records.extend(
            changed.map(|dirs| {
                registration_change(broker, |record| record.cordoned_log_dirs = Some(dirs.clone()))
            }),
        );
        records
    }

    pub(crate) fn unregister_broker(&mut self, request: &UnregisterBrokerRequest) -> Decision {
        let id = request.broker_id;
        match self.broker(NodeId(id)) {
            Some(broker) => Decision::new(self.unregister(broker), UnregisterBrokerResponse::default()),
            None => Decision::answer(UnregisterBrokerResponse {
                error_code: ErrorCode::BROKER_ID_NOT_REGISTERED,
                error_message: Some(format!("Broker ID {id} is not currently registered")),
                ..Default::default()
            }),
        }
    }

    pub(crate) fn register_controller(&mut self, request: &ControllerRegistrationRequest) -> Decision {
        if !self.image.features().metadata_version().is_controller_registration_supported() {
            let message = "The current MetadataVersion is too old to support controller registrations.";
            return Decision::answer(ControllerRegistrationResponse {
                error_code: ErrorCode::UNSUPPORTED_VERSION,
                error_message: Some(message.to_owned()),
                ..Default::default()
            });
        }
        let record = controller_record(request);
        let records = vec![MetadataRecord::RegisterControllerRecord(record)];
        Decision::new(records, ControllerRegistrationResponse::default())
    }
}

fn registration_record(request: &BrokerRegistrationRequest) -> RegisterBrokerRecord {
    let end_points = request.listeners.iter().map(|listener| BrokerEndpoint {
        name: listener.name.clone(),
        host: listener.host.clone(),
        port: listener.port,
        security_protocol: listener.security_protocol,
        ..Default::default()
    });
    let features = request.features.iter().map(|feature| BrokerFeature {
        name: feature.name.clone(),
        min_supported_version: feature.min_supported_version,
        max_supported_version: feature.max_supported_version,
        ..Default::default()
    });
    RegisterBrokerRecord {
        broker_id: request.broker_id,
        incarnation_id: request.incarnation_id,
        end_points: end_points.collect(),
        features: features.collect(),
        rack: request.rack.clone(),
        ..Default::default()
    }
}

fn controller_record(request: &ControllerRegistrationRequest) -> RegisterControllerRecord {
    let end_points = request.listeners.iter().map(|listener| ControllerEndpoint {
        name: listener.name.clone(),
        host: listener.host.clone(),
        port: listener.port,
        security_protocol: listener.security_protocol,
        ..Default::default()
    });
    let features = request.features.iter().map(|feature| ControllerFeature {
        name: feature.name.clone(),
        min_supported_version: feature.min_supported_version,
        max_supported_version: feature.max_supported_version,
        ..Default::default()
    });
    RegisterControllerRecord {
        controller_id: request.controller_id,
        incarnation_id: request.incarnation_id,
        end_points: end_points.collect(),
        features: features.collect(),
        ..Default::default()
    }
}
