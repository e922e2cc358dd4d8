//! `kafka-reassign-partitions --execute`: begins moves.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use client::Admin;
use model::NodeId;

use super::{
    Assignment, Replica, current, failed, joined, json, log_dirs, plural, read_file, refused, throttles,
};
use crate::Failure;
use crate::options::Options;

const BUSY: &str = "Cannot execute because there is an existing partition assignment.  Use --additional to override this \
                    and create a new partition assignment in addition to the existing one. The --additional flag can \
                    also be used to change the throttle by resubmitting the current reassignment.";
const VERIFY: &str = "Warning: You must run --verify periodically, until the reassignment completes, to ensure the \
                      throttle is removed.";

pub(super) async fn run(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let moves = json::moves(&read_file(options, "reassignment-json-file")?)?;
    json::check(&moves)?;
    let proposed = moves.assignment();
    let under_way = admin.list_partition_reassignments(None).await.map_err(failed)?;
    if !options.has("additional") && !under_way.is_empty() {
        return Err(Failure::message(BUSY));
    }
    check_brokers(admin, &proposed).await?;
    let now = now(admin, &proposed).await?;
    show_current(admin, &now, out).await?;
    let between_brokers = options.number("throttle")?.filter(|rate| *rate >= 0);
    let between_dirs = options.number("replica-alter-log-dirs-throttle")?.filter(|rate| *rate >= 0);
    if between_brokers.is_some() || between_dirs.is_some() {
        writeln!(out, "{VERIFY}")?;
    }
    if let Some(rate) = between_brokers {
        throttles::set_between_brokers(admin, &under_way, &proposed, &now, rate, out).await?;
    }
    if let Some(rate) = between_dirs {
        let brokers = moves.log_dirs.keys().map(|(broker, _)| *broker).collect();
        throttles::set_between_log_dirs(admin, brokers, rate, out).await?;
    }
    begin(admin, &proposed, !options.has("disallow-replication-factor-change")).await?;
    let names = joined(proposed.keys());
    writeln!(out, "Successfully started partition reassignment{} for {names}", plural(proposed.len()))?;
    if moves.log_dirs.is_empty() {
        return Ok(());
    }
    log_dirs::execute(admin, moves.log_dirs, patience(options)?, out).await
}

/// How long `--timeout` says to wait until moves between directories have begun.
pub(super) fn patience(options: &Options) -> Result<Duration, Failure> {
    Ok(Duration::from_millis(options.number("timeout")?.unwrap_or(10_000)))
}

async fn check_brokers(admin: &Admin, proposed: &Assignment) -> Result<(), Failure> {
    let cluster = admin.describe_cluster(false).await.map_err(failed)?;
    let known: BTreeSet<NodeId> = cluster.nodes.iter().map(|node| node.id).collect();
    match proposed.values().flatten().find(|broker| !known.contains(broker)) {
        None => Ok(()),
        Some(broker) => Err(refused(format!("Unknown broker id {broker}"))),
    }
}

/// Where the partitions are that shall be moved.
async fn now(admin: &Admin, proposed: &Assignment) -> Result<Assignment, Failure> {
    let topics: BTreeSet<&str> = proposed.keys().map(|name| &*name.topic).collect();
    let mut found = current(admin, topics).await?;
    found.retain(|name, _| proposed.contains_key(name));
    let missing: Vec<_> = proposed.keys().filter(|name| !found.contains_key(*name)).collect();
    if missing.is_empty() {
        return Ok(found);
    }
    let names: Vec<_> = missing.into_iter().map(ToString::to_string).collect();
    Err(refused(format!(
        "org.apache.kafka.common.errors.UnknownTopicOrPartitionException: Unable to find partition: {}",
        names.join(", ")
    )))
}

async fn show_current(admin: &Admin, now: &Assignment, out: &mut dyn Write) -> Result<(), Failure> {
    let dirs = log_dirs::current(admin, &replicas(now)).await?;
    writeln!(
        out,
        "Current partition replica assignment\n\n{}\n\nSave this to use as the --reassignment-json-file option during \
         rollback",
        json::format(now, &dirs)
    )?;
    Ok(())
}

/// The replicas of an assignment.
pub(super) fn replicas(assignment: &Assignment) -> Vec<Replica> {
    let of = |(name, brokers): (&model::TopicPartition, &Vec<NodeId>)| {
        brokers.iter().map(|broker| (*broker, name.clone())).collect::<Vec<_>>()
    };
    assignment.iter().flat_map(of).collect()
}

async fn begin(admin: &Admin, proposed: &Assignment, allow_resize: bool) -> Result<(), Failure> {
    let moves = proposed.iter().map(|(name, replicas)| (name.clone(), Some(replicas.clone()))).collect();
    let done = admin.alter_partition_reassignments(&moves, allow_resize).await.map_err(failed)?;
    let errors: Vec<_> = done
        .iter()
        .filter_map(|(name, result)| Some(format!("{name}: {}", result.as_ref().err()?)))
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    Err(Failure::message(format!("Error reassigning partition(s):\n{}", errors.join("\n"))))
}
