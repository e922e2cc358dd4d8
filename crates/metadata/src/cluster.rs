//! Registered brokers and controllers.
//!
//! Kafka: `ClusterImage`, `ClusterDelta`, `BrokerRegistration`, `ControllerRegistration`.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;
use model::{NodeId, Uuid};
use protocol::register_broker_record::{BrokerEndpoint, BrokerFeature};
use protocol::register_controller_record::{ControllerEndpoint, ControllerFeature};
use protocol::{
    BrokerRegistrationChangeRecord, MetadataRecord, RegisterBrokerRecord, RegisterControllerRecord,
};

use crate::ReplayError;

/// Where a listener of a node can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The host that clients are told.
    pub host: String,
    /// The port that clients are told.
    pub port: u16,
    /// The security protocol's number: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// The levels of a feature that a node supports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    /// The lowest level.
    pub min: i16,
    /// The highest level.
    pub max: i16,
}

impl VersionRange {
    /// Tells whether `level` lies in the range.
    pub fn contains(self, level: i16) -> bool {
        (self.min..=self.max).contains(&level)
    }
}

/// What a broker said of itself when it registered, and whether it is fenced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerRegistration {
    /// The broker's `node.id`.
    pub id: NodeId,
    /// The offset of its registration, which tells this registration from an earlier one.
    pub epoch: i64,
    /// The id of the broker's process.
    pub incarnation_id: Uuid,
    /// Endpoints by listener name.
    pub listeners: BTreeMap<String, Endpoint>,
    /// Supported feature levels by feature name.
    pub supported_features: BTreeMap<String, VersionRange>,
    /// The broker's rack, where it has one.
    pub rack: Option<String>,
    /// A fenced broker leads nothing and clients are not told of it.
    pub fenced: bool,
    /// The broker asked to stop and its leaderships are being moved away.
    pub in_controlled_shutdown: bool,
    /// Whether a broker of the ZooKeeper days registered in migration mode.
    pub is_migrating_zk_broker: bool,
    /// Ids of the log dirs that are online.
    pub directories: Vec<Uuid>,
    /// Ids of the log dirs that take no new replicas; `None` until the broker says which.
    pub cordoned_directories: Option<Vec<Uuid>>,
}

impl BrokerRegistration {
    /// Tells whether the broker has `directory` online, or its assignment is not known.
    /// Kafka: `DirectoryId.isOnline`.
    pub fn has_online_dir(&self, directory: Uuid) -> bool {
        match directory {
            Uuid::DIRECTORY_UNASSIGNED | Uuid::DIRECTORY_MIGRATING => true,
            Uuid::DIRECTORY_LOST => false,
            directory => self.directories.is_empty() || self.directories.contains(&directory),
        }
    }

    fn from_record(record: &RegisterBrokerRecord) -> Self {
        let endpoint = |e: &BrokerEndpoint| {
            (
                e.name.clone(),
                Endpoint { host: e.host.clone(), port: e.port, security_protocol: e.security_protocol },
            )
        };
        let feature = |f: &BrokerFeature| {
            (f.name.clone(), VersionRange { min: f.min_supported_version, max: f.max_supported_version })
        };
        let mut directories = record.log_dirs.clone();
        directories.sort_unstable();
        Self {
            id: NodeId(record.broker_id),
            epoch: record.broker_epoch,
            incarnation_id: record.incarnation_id,
            listeners: record.end_points.iter().map(endpoint).collect(),
            supported_features: record.features.iter().map(feature).collect(),
            rack: record.rack.clone(),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            is_migrating_zk_broker: record.is_migrating_zk_broker,
            directories,
            cordoned_directories: record.cordoned_log_dirs.clone(),
        }
    }

    fn to_record(&self) -> RegisterBrokerRecord {
        let endpoint = |(name, e): (&String, &Endpoint)| BrokerEndpoint {
            name: name.clone(),
            host: e.host.clone(),
            port: e.port,
            security_protocol: e.security_protocol,
            ..Default::default()
        };
        let feature = |(name, range): (&String, &VersionRange)| BrokerFeature {
            name: name.clone(),
            min_supported_version: range.min,
            max_supported_version: range.max,
            ..Default::default()
        };
        RegisterBrokerRecord {
            broker_id: self.id.0,
            is_migrating_zk_broker: self.is_migrating_zk_broker,
            incarnation_id: self.incarnation_id,
            broker_epoch: self.epoch,
            end_points: self.listeners.iter().map(endpoint).collect(),
            features: self.supported_features.iter().map(feature).collect(),
            rack: self.rack.clone(),
            fenced: self.fenced,
            in_controlled_shutdown: self.in_controlled_shutdown,
            log_dirs: self.directories.clone(),
            cordoned_log_dirs: self.cordoned_directories.clone(),
            ..Default::default()
        }
    }
}

/// What a controller said of itself when it registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerRegistration {
    /// The controller's `node.id`.
    pub id: NodeId,
    /// The id of the controller's process.
    pub incarnation_id: Uuid,
    /// Whether its configuration allowed a migration from ZooKeeper.
    pub zk_migration_ready: bool,
    /// Endpoints by listener name.
    pub listeners: BTreeMap<String, Endpoint>,
    /// Supported feature levels by feature name.
    pub supported_features: BTreeMap<String, VersionRange>,
}

impl ControllerRegistration {
    fn from_record(record: &RegisterControllerRecord) -> Self {
        let endpoint = |e: &ControllerEndpoint| {
            (
                e.name.clone(),
                Endpoint { host: e.host.clone(), port: e.port, security_protocol: e.security_protocol },
            )
        };
        let feature = |f: &ControllerFeature| {
            (f.name.clone(), VersionRange { min: f.min_supported_version, max: f.max_supported_version })
        };
        Self {
            id: NodeId(record.controller_id),
            incarnation_id: record.incarnation_id,
            zk_migration_ready: record.zk_migration_ready,
            listeners: record.end_points.iter().map(endpoint).collect(),
            supported_features: record.features.iter().map(feature).collect(),
        }
    }

    fn to_record(&self) -> RegisterControllerRecord {
        let endpoint = |(name, e): (&String, &Endpoint)| ControllerEndpoint {
            name: name.clone(),
            host: e.host.clone(),
            port: e.port,
            security_protocol: e.security_protocol,
            ..Default::default()
        };
        let feature = |(name, range): (&String, &VersionRange)| ControllerFeature {
            name: name.clone(),
            min_supported_version: range.min,
            max_supported_version: range.max,
            ..Default::default()
        };
        RegisterControllerRecord {
            controller_id: self.id.0,
            incarnation_id: self.incarnation_id,
            zk_migration_ready: self.zk_migration_ready,
            end_points: self.listeners.iter().map(endpoint).collect(),
            features: self.supported_features.iter().map(feature).collect(),
            ..Default::default()
        }
    }
}

/// Brokers and controllers by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterImage {
    pub(crate) brokers: OrdMap<NodeId, Arc<BrokerRegistration>>,
    pub(crate) controllers: OrdMap<NodeId, Arc<ControllerRegistration>>,
}

impl ClusterImage {
    /// All registered brokers, fenced or not, by id.
    pub fn brokers(&self) -> impl Iterator<Item = &Arc<BrokerRegistration>> {
        self.brokers.values()
    }

    /// The registration of broker `id`.
    pub fn broker(&self, id: NodeId) -> Option<&Arc<BrokerRegistration>> {
        self.brokers.get(&id)
    }

    /// All registered controllers by id.
    pub fn controllers(&self) -> impl Iterator<Item = &Arc<ControllerRegistration>> {
        self.controllers.values()
    }

    /// The registration of controller `id`.
    pub fn controller(&self, id: NodeId) -> Option<&Arc<ControllerRegistration>> {
        self.controllers.get(&id)
    }

    pub(crate) fn register_broker(&mut self, record: &RegisterBrokerRecord) {
        let registration = BrokerRegistration::from_record(record);
        self.brokers.insert(registration.id, Arc::new(registration));
    }

    pub(crate) fn register_controller(&mut self, record: &RegisterControllerRecord) {
        let registration = ControllerRegistration::from_record(record);
        self.controllers.insert(registration.id, Arc::new(registration));
    }

    pub(crate) fn unregister_controller(&mut self, id: NodeId) {
        self.controllers.remove(&id);
    }

    pub(crate) fn unregister_broker(&mut self, id: NodeId, epoch: i64) -> Result<(), ReplayError> {
        self.registered(id, epoch)?;
        self.brokers.remove(&id);
        Ok(())
    }

    pub(crate) fn set_fenced(&mut self, id: NodeId, epoch: i64, fenced: bool) -> Result<(), ReplayError> {
        Arc::make_mut(self.registered(id, epoch)?).fenced = fenced;
        Ok(())
    }

    pub(crate) fn change_broker(
        &mut self,
        record: &BrokerRegistrationChangeRecord,
    ) -> Result<(), ReplayError> {
        let fenced = match record.fenced {
            -1 => Some(false),
            0 => None,
            1 => Some(true),
            other => return Err(ReplayError::UnknownValue("fenced", other.into())),
        };
        if !matches!(record.in_controlled_shutdown, 0 | 1) {
            return Err(ReplayError::UnknownValue(
                "inControlledShutdown",
                record.in_controlled_shutdown.into(),
            ));
        }
        let broker = Arc::make_mut(self.registered(NodeId(record.broker_id), record.broker_epoch)?);
        broker.fenced = fenced.unwrap_or(broker.fenced);
        broker.in_controlled_shutdown |= record.in_controlled_shutdown == 1;
        if !record.log_dirs.is_empty() {
            broker.directories.clone_from(&record.log_dirs);
            broker.directories.sort_unstable();
        }
        if record.cordoned_log_dirs.is_some() {
            broker.cordoned_directories.clone_from(&record.cordoned_log_dirs);
        }
        Ok(())
    }

    fn registered(&mut self, id: NodeId, epoch: i64) -> Result<&mut Arc<BrokerRegistration>, ReplayError> {
        let broker = self.brokers.get_mut(&id).filter(|broker| broker.epoch == epoch);
        broker.ok_or(ReplayError::UnknownBroker(id, epoch))
    }

    pub(crate) fn to_records(&self, records: &mut Vec<MetadataRecord>) {
        records.extend(
            self.brokers.values().map(|broker| MetadataRecord::RegisterBrokerRecord(broker.to_record())),
        );
        let controllers = self.controllers.values();
        records.extend(
            controllers.map(|controller| MetadataRecord::RegisterControllerRecord(controller.to_record())),
        );
    }
}
