//! `kafka-reassign-partitions --verify`: how far moves are.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use client::Admin;
use client::admin::PartitionReassignment;
use model::{NodeId, TopicPartition};
use protocol::ErrorCode;

use super::json::Moves;
use super::log_dirs::{Place, places};
use super::{Replica, failed, joined, json, read_file, shown, throttles, topic};
use crate::Failure;
use crate::options::Options;

pub(super) async fn run(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let moves = json::moves(&read_file(options, "reassignment-json-file")?)?;
    let under_way = admin.list_partition_reassignments(None).await.map_err(failed)?;
    writeln!(out, "Status of partition reassignment:")?;
    for (name, target) in &moves.assignment() {
        writeln!(out, "{}", partition_state(admin, &under_way, name, target).await?)?;
    }
    let dirs_done = show_log_dirs(admin, &moves, out).await?;
    if under_way.is_empty() && dirs_done && !options.has("preserve-throttles") {
        throttles::clear(admin, &moves, out).await?;
    }
    Ok(())
}

async fn partition_state(
    admin: &Admin,
    under_way: &BTreeMap<TopicPartition, PartitionReassignment>,
    name: &TopicPartition,
    target: &[NodeId],
) -> Result<String, Failure> {
    if under_way.contains_key(name) {
        return Ok(format!("Reassignment of partition {name} is still in progress."));
    }
    let replicas = match topic(admin, &name.topic).await {
        Ok(topic) => topic.partitions.into_iter().find(|info| info.partition == name.partition),
        Err(error) if error.is(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) => None,
        Err(error) => return Err(failed(error)),
    };
    let replicas = replicas.map(|info| info.replicas).unwrap_or_default();
    if replicas == target {
        return Ok(format!("Reassignment of partition {name} is completed."));
    }
    Ok(format!(
        "There is no active reassignment of partition {name}, but replica set is {} rather than {}.",
        joined(&replicas),
        joined(target)
    ))
}

/// Tells of moves between directories; whether all are over.
async fn show_log_dirs(admin: &Admin, moves: &Moves, out: &mut dyn Write) -> Result<bool, Failure> {
    let places = places(admin, moves.log_dirs.keys()).await?;
    let mut lines = Vec::new();
    let mut all_done = true;
    for (replica, target) in &moves.log_dirs {
        let (line, done) = log_dir_state(replica, places.get(replica), target);
        lines.push(line);
        all_done &= done;
    }
    writeln!(out, "{}", lines.join("\n"))?;
    Ok(all_done)
}

/// How far the move of a replica to the directory `target` is, and whether it is over.
fn log_dir_state(replica: &Replica, place: Option<&Place>, target: &str) -> (String, bool) {
    let (broker, name) = replica;
    let place = place.cloned().unwrap_or_default();
    match (place.current, place.future) {
        (None, _) => (
            format!(
                "Partition {name} is not found in any live log dir on broker {broker}. There is likely an offline log \
                 directory on the broker."
            ),
            false,
        ),
        (Some(current), None) if current == target => {
            (format!("Reassignment of replica {} completed successfully.", shown(replica)), true)
        }
        (Some(current), None) => (
            format!(
                "Partition {name} on broker {broker} is not being moved from log dir {current} to {target}."
            ),
            true,
        ),
        (Some(_), Some(future)) if future == target => {
            (format!("Reassignment of replica {} is still in progress.", shown(replica)), false)
        }
        (Some(_), Some(future)) => (
            format!(
                "Partition {name} on broker {broker} is being moved to log dir {future} instead of {target}."
            ),
            false,
        ),
    }
}

/// The brokers and topics that moves touch.
pub(super) fn touched(moves: &Moves) -> (BTreeSet<NodeId>, BTreeSet<&str>) {
    let brokers = moves.partitions.iter().flat_map(|(_, replicas)| replicas.iter().copied()).collect();
    (brokers, moves.partitions.iter().map(|(name, _)| &*name.topic).collect())
}
