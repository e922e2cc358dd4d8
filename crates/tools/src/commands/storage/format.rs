//! `kafka-storage format`: writes `meta.properties` and `bootstrap.checkpoint` into each directory, and the voters of a
//! dynamic quorum into the metadata log's. Kafka: `Formatter`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use config::BrokerConfig;
use metadata::{Feature, MetadataVersion, bootstrap_records};
use model::{NodeId, Offset, Timestamp, Uuid};
use protocol::voters_record::{Endpoint, KRaftVersionFeature, Voter as VoterRecord};
use protocol::{
    KRaftVersionRecord, MetadataRecord, SnapshotFooterRecord, SnapshotHeaderRecord, VotersRecord,
};
use records::{BatchBuilder, BatchOptions, ControlRecord};

use storage::MetaProperties;
use world::files::RealFiles;

use super::info::directories;
use super::random_uuid;
use crate::Failure;

/// A voter of a new quorum: `id@host:port:directory id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voter {
    /// The node's id.
    pub id: NodeId,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The id of its metadata log's directory.
    pub directory_id: Uuid,
}

/// What was said about the quorum to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitialControllers {
    /// Nothing: the voters must stand in `controller.quorum.voters`.
    Unsaid,
    /// The node joins a quorum later.
    None,
    /// The node is a quorum of one.
    Standalone,
    /// These are the quorum.
    Listed(Vec<Voter>),
}

/// What a node is formatted with.
#[derive(Clone, Debug)]
pub struct Format {
    /// The cluster's id.
    pub cluster_id: String,
    /// The release whose features the cluster begins with; the newest, if unset.
    pub release: Option<MetadataVersion>,
    /// Levels of single features.
    pub features: Vec<(String, i16)>,
    /// Records of users to begin with.
    pub scram: Vec<MetadataRecord>,
    /// Whether formatted directories are passed over.
    pub ignore_formatted: bool,
    /// The quorum to begin with.
    pub controllers: InitialControllers,
}

impl Format {
    /// Formats the directories of the node and says so on `out`.
    pub fn run(&self, config: &BrokerConfig, out: &mut dyn Write) -> Result<(), Failure> {
        let voters = self.voters(config)?;
        let is_dynamic = config.quorum_voters.is_empty() && self.controllers != InitialControllers::Unsaid;
        let release = self.effective_release()?;
        let levels = self.effective_levels(is_dynamic)?;
        let mut records =
            bootstrap_records(release, &levels).map_err(|error| Failure::message(error.to_string()))?;
        records.extend(self.scram.iter().cloned());
        let mut empty = Vec::new();
        for directory in directories(config) {
            match self.check_directory(&directory, config.node_id)? {
                Some(_) if self.ignore_formatted => {}
                Some(_) => {
                    return Err(Failure::message(format!(
                        "Log directory {directory} is already formatted. Use --ignore-formatted to ignore this \
                         directory and format the others."
                    )));
                }
                None => empty.push(directory),
            }
        }
        if empty.is_empty() {
            return Ok(writeln!(out, "All of the log directories are already formatted.")?);
        }
        writeln!(out, "Bootstrap metadata: {}", describe(&records, release))?;
        for directory in empty {
            self.format_directory(config, &directory, voters.as_deref(), release, &levels, &records, out)?;
        }
        Ok(())
    }

    fn voters(&self, config: &BrokerConfig) -> Result<Option<Vec<Voter>>, Failure> {
        let is_static = !config.quorum_voters.is_empty();
        match &self.controllers {
            InitialControllers::Standalone | InitialControllers::Listed(_) if is_static => {
                Err(Failure::message(
                    "You cannot specify controller.quorum.voters and format the node with --initial-controllers or \
                 --standalone. If you want to use dynamic quorum, please remove controller.quorum.voters and specify \
                 controller.quorum.bootstrap.servers instead.",
                ))
            }
            InitialControllers::Listed(voters) => Ok(Some(voters.clone())),
            InitialControllers::Standalone => Ok(Some(vec![standalone_voter(config)?])),
            InitialControllers::Unsaid if config.is_controller && !is_static => Err(Failure::message(
                "Because controller.quorum.voters is not set on this controller, you must specify one of the \
                 following: --standalone, --initial-controllers, or --no-initial-controllers.",
            )),
            InitialControllers::Unsaid | InitialControllers::None => Ok(None),
        }
    }

    fn effective_release(&self) -> Result<MetadataVersion, Failure> {
        let by_feature = self.features.iter().find(|(name, _)| name == Feature::METADATA_VERSION);
        match (by_feature, self.release) {
            (Some(_), Some(_)) => Err(Failure::message(
                "Use --release-version instead of --feature metadata.version=X to avoid ambiguity.",
            )),
            (Some((_, level)), None) if !MetadataVersion(*level).is_known() => {
                Err(Failure::message(format!(
                    "No MetadataVersion with feature level {level}. Valid feature levels are from {} to {}.",
                    MetadataVersion::MINIMUM.0,
                    MetadataVersion::LATEST.0
                )))
            }
            (Some((_, level)), None) => Ok(MetadataVersion(*level)),
            (None, release) => Ok(release.unwrap_or(MetadataVersion::LATEST)),
        }
    }

    fn effective_levels(&self, is_dynamic: bool) -> Result<BTreeMap<String, i16>, Failure> {
        let mut levels: BTreeMap<String, i16> = BTreeMap::new();
        for (name, level) in &self.features {
            levels.insert(name.clone(), *level);
        }
        let kraft = Feature::KraftVersion.name();
        match levels.get(kraft) {
            Some(0) if is_dynamic => {
                return Err(Failure::message(
                    "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags \
                     --standalone, --initial-controllers, or --no-initial-controllers is used. For dynamic controllers \
                     support, try removing the --feature flag for kraft.version.",
                ));
            }
            Some(level) if *level > 0 && !is_dynamic => {
                return Err(Failure::message(format!(
                    "Cannot set kraft.version to {level} unless controller.quorum.voters is empty and one of the flags \
                     --standalone, --initial-controllers, or --no-initial-controllers is used. For dynamic controllers \
                     support, try using one of --standalone, --initial-controllers, or --no-initial-controllers and \
                     removing controller.quorum.voters."
                )));
            }
            Some(_) => {}
            None => {
                levels.insert(kraft.to_owned(), i16::from(is_dynamic));
            }
        }
        Ok(levels)
    }

    fn check_directory(&self, directory: &str, node_id: NodeId) -> Result<Option<MetaProperties>, Failure> {
        let path = Path::new(directory);
        let found =
            MetaProperties::read(&RealFiles, path).map_err(|error| Failure::message(error.to_string()))?;
        let Some(found) = found else { return Ok(None) };
        let file = MetaProperties::path(path);
        let mismatch = |name: &str, expected: String, read: String| {
            Failure::message(format!(
                "Invalid {name} in: {}. Expected {expected}, but read {read}",
                file.display()
            ))
        };
        if found.cluster_id.as_ref().is_some_and(|id| *id != self.cluster_id) {
            return Err(mismatch(
                "cluster.id",
                self.cluster_id.clone(),
                found.cluster_id.unwrap_or_default(),
            ));
        }
        match found.node_id {
            Some(id) if id != node_id => Err(mismatch("node.id", node_id.to_string(), id.to_string())),
            _ => Ok(Some(found)),
        }
    }

    fn format_directory(
        &self,
        config: &BrokerConfig,
        directory: &str,
        voters: Option<&[Voter]>,
        release: MetadataVersion,
        levels: &BTreeMap<String, i16>,
        records: &[MetadataRecord],
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let own = voters.and_then(|voters| voters.iter().find(|voter| voter.id == config.node_id));
        let is_metadata = directory == config.metadata_log_dir;
        let (what, directory_id) = match (is_metadata, voters, own) {
            (false, ..) => ("data directory", random_uuid()?),
            (true, None, _) => ("metadata directory", random_uuid()?),
            (true, Some(_), None) => ("dynamic metadata directory", random_uuid()?),
            (true, Some(_), Some(voter)) => ("dynamic metadata voter directory", voter.directory_id),
        };
        writeln!(out, "Formatting {what} {directory} with metadata.version {release}.")?;
        let path = Path::new(directory);
        fs::create_dir_all(path)?;
        write_durably(&path.join("bootstrap.checkpoint"), &bootstrap_snapshot(records)?)?;
        if let (true, Some(voters)) = (is_metadata, voters) {
            let level = levels.get(Feature::KraftVersion.name()).copied().unwrap_or(1);
            let listener = config.listeners.controller_names.first().cloned().unwrap_or_default();
            let log = path.join("__cluster_metadata-0");
            fs::create_dir_all(&log)?;
            let file = log.join("00000000000000000000-0000000000.checkpoint");
            write_durably(&file, &quorum_snapshot(voters, level, &listener)?)?;
            sync_directory(&log)?;
        }
        let properties = MetaProperties::new(self.cluster_id.clone(), config.node_id, directory_id);
        properties.write(&RealFiles, path, now().0)?;
        Ok(sync_directory(path)?)
    }
}

/// The records as the tool shows them; what is secret is left out.
fn describe(records: &[MetadataRecord], release: MetadataVersion) -> String {
    let show = |record: &MetadataRecord| {
        let text = match record {
            MetadataRecord::FeatureLevelRecord(level) => {
                format!("FeatureLevelRecord(name='{}', featureLevel={})", level.name, level.feature_level)
            }
            MetadataRecord::UserScramCredentialRecord(user) => {
                format!("UserScramCredentialRecord(name='{}', mechanism={})", user.name, user.mechanism)
            }
            other => format!("{other:?}"),
        };
        format!("ApiMessageAndVersion({text} at version 0)")
    };
    let shown: Vec<_> = records.iter().map(show).collect();
    format!(
        "BootstrapMetadata(records=[{}], metadataVersionLevel={}, source=format command)",
        shown.join(", "),
        release.0
    )
}

fn standalone_voter(config: &BrokerConfig) -> Result<Voter, Failure> {
    if !config.is_controller {
        return Err(Failure::message("You can only use --standalone on a controller."));
    }
    let listeners = config.listeners.advertised_controller();
    let listener = listeners.first().ok_or_else(|| Failure::message("No controller listeners found."))?;
    let host = if listener.host.is_empty() { "localhost".to_owned() } else { listener.host.clone() };
    let port = u16::try_from(listener.port)
        .map_err(|_| Failure::message("Port must be an integer between 0 and 65535."))?;
    Ok(Voter { id: config.node_id, host, port, directory_id: random_uuid()? })
}

/// Parses `id@host:port:directory id`, several between commas. Kafka: `DynamicVoters.parse`.
pub(super) fn parse_voters(text: &str) -> Result<Vec<Voter>, Failure> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let voters: Vec<_> = parts.map(parse_voter).collect::<Result<_, _>>()?;
    if voters.is_empty() {
        return Err(Failure::message("No voters given."));
    }
    let repeated = voters
        .iter()
        .enumerate()
        .find(|(index, voter)| voters[..*index].iter().any(|other| other.id == voter.id));
    match repeated {
        Some((_, voter)) => {
            Err(Failure::message(format!("Node id {} was specified more than once.", voter.id)))
        }
        None => Ok(voters),
    }
}

fn parse_voter(text: &str) -> Result<Voter, Failure> {
    let refuse = |reason: String| Failure::message(reason);
    let (id, rest) =
        text.trim().split_once('@').ok_or_else(|| refuse("No @ found in dynamic voter string.".into()))?;
    let number =
        || refuse(format!("Failed to parse node id in dynamic voter string. For input string: \"{id}\""));
    let id: i32 = id.parse().map_err(|_| number())?;
    if id < 0 {
        return Err(refuse(format!("Invalid negative node id {id} in dynamic voter string.")));
    }
    let (host, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or_else(|| {
            refuse("Hostname began with left bracket, but no right bracket was found.".into())
        })?,
        None => rest.split_at(
            rest.find(':').ok_or_else(|| refuse("No colon following hostname could be found.".into()))?,
        ),
    };
    let rest =
        rest.strip_prefix(':').ok_or_else(|| refuse("Port section must start with a colon.".into()))?;
    let (port, directory) =
        rest.split_once(':').ok_or_else(|| refuse("No colon following port could be found.".into()))?;
    let port_refused =
        |_| refuse(format!("Failed to parse port in dynamic voter string. For input string: \"{port}\""));
    let port = port.parse().map_err(port_refused)?;
    let directory_id = directory.parse().map_err(|error: model::ParseUuidError| refuse(error.to_string()))?;
    Ok(Voter { id: NodeId(id), host: host.to_owned(), port, directory_id })
}

fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

/// Kafka: `BootstrapDirectory.writeBinaryFile`.
fn bootstrap_snapshot(records: &[MetadataRecord]) -> Result<Bytes, Failure> {
    let header = SnapshotHeaderRecord { version: 0, last_contained_log_timestamp: 0, ..Default::default() };
    let mut snapshot = Snapshot::new();
    snapshot.control(&[ControlRecord::SnapshotHeader(header)])?;
    snapshot.records(records)?;
    snapshot.control(&[ControlRecord::SnapshotFooter(SnapshotFooterRecord::default())])?;
    Ok(snapshot.bytes.into())
}

/// Kafka: `Formatter.writeDynamicQuorumSnapshot`.
fn quorum_snapshot(voters: &[Voter], kraft_version: i16, listener: &str) -> Result<Bytes, Failure> {
    let header =
        SnapshotHeaderRecord { version: 0, last_contained_log_timestamp: now().0, ..Default::default() };
    let version = KRaftVersionRecord { version: 0, kraft_version, ..Default::default() };
    let voters = VotersRecord {
        version: 0,
        voters: voters.iter().map(|voter| voter_record(voter, listener)).collect(),
        ..Default::default()
    };
    let mut snapshot = Snapshot::new();
    snapshot.control(&[
        ControlRecord::SnapshotHeader(header),
        ControlRecord::KraftVersion(version),
        ControlRecord::KraftVoters(voters),
    ])?;
    snapshot.control(&[ControlRecord::SnapshotFooter(SnapshotFooterRecord::default())])?;
    Ok(snapshot.bytes.into())
}

fn voter_record(voter: &Voter, listener: &str) -> VoterRecord {
    let endpoint = Endpoint {
        name: listener.to_owned(),
        host: voter.host.clone(),
        port: voter.port,
        ..Default::default()
    };
    VoterRecord {
        voter_id: voter.id.0,
        voter_directory_id: voter.directory_id,
        endpoints: vec![endpoint],
        kraft_version_feature: KRaftVersionFeature {
            min_supported_version: 0,
            max_supported_version: Feature::KraftVersion.latest_level(),
            ..Default::default()
        },
        ..Default::default()
    }
}

/// The batches of a snapshot, one behind the other.
struct Snapshot {
    bytes: Vec<u8>,
    next: Offset,
}

impl Snapshot {
    fn new() -> Self {
        Self { bytes: Vec::new(), next: Offset(0) }
    }

    fn builder(&self, control: bool) -> BatchBuilder {
        let partition_leader_epoch = model::LeaderEpoch(0);
        BatchBuilder::new(BatchOptions {
            base_offset: self.next,
            partition_leader_epoch,
            control,
            ..Default::default()
        })
    }

    fn control(&mut self, records: &[ControlRecord]) -> Result<(), Failure> {
        let mut batch = self.builder(true);
        for record in records {
            batch.append_control(now(), record).map_err(|error| Failure::message(error.to_string()))?;
        }
        self.push(batch)
    }

    fn records(&mut self, records: &[MetadataRecord]) -> Result<(), Failure> {
        let mut batch = self.builder(false);
        for record in records {
            let value = record.to_bytes(0).map_err(|error| Failure::message(error.to_string()))?;
            batch
                .append(now(), None, Some(&value), &[])
                .map_err(|error| Failure::message(error.to_string()))?;
        }
        self.push(batch)
    }

    fn push(&mut self, batch: BatchBuilder) -> Result<(), Failure> {
        self.next = batch.next_offset();
        self.bytes.extend_from_slice(&batch.build().map_err(|error| Failure::message(error.to_string()))?);
        Ok(())
    }
}

/// Writes a file under another name, syncs it, and puts it in its place.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = PathBuf::from(format!("{}.tmp", path.display()));
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
