//! Replicas between the log directories of their brokers: where they are, and moving them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use client::Admin;
use model::NodeId;
use protocol::ErrorCode;
use tokio::time::Instant;

use super::{Replica, failed, joined, plural, refused, shown};
use crate::Failure;

const PAUSE: Duration = Duration::from_millis(100);

/// Where a replica is on its broker's disks. Kafka: `ReplicaLogDirInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Its directory; `None` if none that is alive has it.
    pub(super) current: Option<String>,
    /// Where it is being moved.
    pub(super) future: Option<String>,
}

/// Finds the replicas. Kafka: `Admin.describeReplicaLogDirs`.
pub(super) async fn places(
    admin: &Admin,
    replicas: impl IntoIterator<Item = &Replica>,
) -> Result<BTreeMap<Replica, Place>, Failure> {
    let mut found: BTreeMap<Replica, Place> =
        replicas.into_iter().map(|replica| (replica.clone(), Place::default())).collect();
    let brokers: BTreeSet<NodeId> = found.keys().map(|(broker, _)| *broker).collect();
    let brokers: Vec<_> = brokers.into_iter().collect();
    for (broker, dirs) in admin.describe_log_dirs(&brokers).await {
        for (path, dir) in dirs.map_err(failed)? {
            for (name, info) in dir.replicas {
                if let Some(place) = found.get_mut(&(broker, name)) {
                    let slot = if info.is_future { &mut place.future } else { &mut place.current };
                    *slot = Some(path.clone());
                }
            }
        }
    }
    Ok(found)
}

/// The directories that have the replicas.
pub(super) async fn current(
    admin: &Admin,
    replicas: impl IntoIterator<Item = &Replica>,
) -> Result<BTreeMap<Replica, String>, Failure> {
    let places = places(admin, replicas).await?;
    Ok(places.into_iter().filter_map(|(replica, place)| Some((replica, place.current?))).collect())
}

/// Begins moves, again and again until each has begun: a replica that was just made is not there at once.
pub(super) async fn execute(
    admin: &Admin,
    moves: BTreeMap<Replica, String>,
    patience: Duration,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let end = Instant::now() + patience;
    let mut pending = moves;
    loop {
        for (replica, result) in admin.alter_replica_log_dirs(&pending).await {
            match result {
                Ok(()) => {
                    let dir = pending.remove(&replica).unwrap_or_default();
                    let (broker, name) = &replica;
                    writeln!(
                        out,
                        "Successfully started moving log directory to {dir} for replica {name} with broker {broker} "
                    )?;
                }
                Err(error) if error.is(ErrorCode::REPLICA_NOT_AVAILABLE) => {}
                Err(_) => return Err(refused(format!("Failed to alter dir for {}", shown(&replica)))),
            }
        }
        if pending.is_empty() {
            return Ok(());
        }
        if Instant::now() >= end {
            let (count, names) = (pending.len(), joined(pending.keys().map(shown)));
            let s = plural(count);
            return Err(Failure::message(format!(
                "Timed out before log directory move{s} could be started for: {names}"
            )));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
