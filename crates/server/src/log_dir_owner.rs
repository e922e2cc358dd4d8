//! Whose the log dirs are: formats those of a node without a properties file, and checks that all are this node's.
//!
//! Invariants:
//! - a dir of another node, of another cluster, or that was never formatted, keeps the node from starting
//! - a dir whose `meta.properties` cannot be read is left to the log manager, which puts it aside; but not the metadata log's
//! - a metadata log elsewhere than in the configured dir keeps the node from starting: it would know of no partition
//!
//! Kafka: `KafkaRaftServer.initializeLogDirs`, `MetaPropertiesEnsemble.verify`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::BrokerConfig;
use model::topic_name::CLUSTER_METADATA;
use model::{TopicPartition, Uuid};
use storage::MetaProperties;
use world::chance::Chance;
use world::files::Files;

use crate::broker::start::World;
use crate::run::RunError;

/// The log dirs, and the metadata log's if it is another.
fn dirs(config: &BrokerConfig) -> impl Iterator<Item = &Path> {
    let own = Path::new(&config.metadata_log_dir);
    let is_own = !config.log_dirs.iter().any(|dir| Path::new(dir) == own);
    config.log_dirs.iter().map(Path::new).chain(is_own.then_some(own))
}

/// Formats the log dirs that are not formatted yet, as parts of one cluster.
pub(crate) fn format_new(config: &BrokerConfig, world: &World) -> Result<(), RunError> {
    let files = &*world.files;
    let known = dirs(config).find_map(|dir| MetaProperties::read(files, dir).ok().flatten());
    let cluster_id =
        known.and_then(|meta| meta.cluster_id).unwrap_or_else(|| fresh_id(&*world.chance).to_string());
    for path in dirs(config) {
        // What cannot be read is for the check that follows.
        if MetaProperties::read(files, path).is_ok_and(|found| found.is_none()) {
            let meta = MetaProperties::new(cluster_id.as_str(), config.node_id, fresh_id(&*world.chance));
            let write = || {
                files.create_dir_all(path)?;
                meta.write(files, path, world.clock.wall_ms())
            };
            write().map_err(|source| RunError::Format { path: path.to_owned(), source })?;
        }
    }
    Ok(())
}

/// An id that begins with a dash would be taken for a flag. Kafka: `Uuid.randomUuid`.
fn fresh_id(chance: &dyn Chance) -> Uuid {
    loop {
        let id = Uuid::from_random_bytes(chance.next_id());
        if !id.to_string().starts_with('-') {
            return id;
        }
    }
}

/// Checks that all log dirs are this node's, and returns the cluster's id.
pub(crate) fn verify(config: &BrokerConfig, files: &dyn Files) -> Result<String, RunError> {
    let mut seen = Seen::default();
    for path in dirs(config) {
        let is_metadata = path == Path::new(&config.metadata_log_dir);
        match MetaProperties::read(files, path) {
            Ok(Some(meta)) => seen.check(config, path, meta)?,
            Ok(None) => return Err(RunError::NotFormatted(path.to_owned())),
            Err(error) if is_metadata => return Err(error.into()),
            Err(_) => continue,
        }
        let found = path.join(TopicPartition::new(CLUSTER_METADATA, 0).to_string());
        if !is_metadata && files.exists(&found) {
            return Err(RunError::MetadataElsewhere { found, configured: config.metadata_log_dir.clone() });
        }
    }
    seen.cluster_id.ok_or_else(|| RunError::NotFormatted(PathBuf::from(&config.metadata_log_dir)))
}

/// What the dirs before said.
#[derive(Default)]
struct Seen {
    cluster_id: Option<String>,
    ids: BTreeMap<Uuid, PathBuf>,
}

impl Seen {
    fn check(&mut self, config: &BrokerConfig, path: &Path, meta: MetaProperties) -> Result<(), RunError> {
        let owner = |name, found, expected| {
            Err(RunError::OtherOwner { path: path.to_owned(), name, found, expected })
        };
        if let Some(id) = meta.node_id.filter(|id| *id != config.node_id) {
            return owner("node id", id.to_string(), config.node_id.to_string());
        }
        match (&self.cluster_id, meta.cluster_id) {
            (Some(expected), Some(found)) if *expected != found => {
                return owner("cluster id", found, expected.clone());
            }
            (None, found) => self.cluster_id = found,
            _ => {}
        }
        let Some(id) = meta.directory_id else { return Ok(()) };
        match self.ids.insert(id, path.to_owned()) {
            Some(first) => Err(RunError::SameDirectoryId { id, first, second: path.to_owned() }),
            None => Ok(()),
        }
    }
}
