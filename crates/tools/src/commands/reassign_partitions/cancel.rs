//! `kafka-reassign-partitions --cancel`: stops moves.

use std::collections::BTreeMap;
use std::io::Write;

use client::Admin;
use model::TopicPartition;

use super::{execute, failed, joined, json, log_dirs, plural, read_file, throttles};
use crate::Failure;
use crate::options::Options;

pub(super) async fn run(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let moves = json::moves(&read_file(options, "reassignment-json-file")?)?;
    let names: Vec<TopicPartition> = moves.assignment().into_keys().collect();
    let under_way = admin.list_partition_reassignments(Some(&names)).await.map_err(failed)?;
    let active: Vec<_> = under_way
        .into_iter()
        .filter(|(_, moving)| !moving.adding.is_empty() || !moving.removing.is_empty())
        .map(|(name, _)| name)
        .collect();
    if active.is_empty() {
        writeln!(out, "None of the specified partition reassignments are active.")?;
    } else {
        stop(admin, &active).await?;
        let (s, names) = (plural(active.len()), joined(&active));
        writeln!(out, "Successfully cancelled partition reassignment{s} for: {names}")?;
    }
    let places = log_dirs::places(admin, moves.log_dirs.keys()).await?;
    let moving: BTreeMap<_, _> = places
        .into_iter()
        .filter(|(_, place)| place.future.is_some())
        .filter_map(|(replica, place)| Some((replica, place.current?)))
        .collect();
    if moving.is_empty() {
        write!(out, "None of the specified partition moves are active.")?;
    } else {
        log_dirs::execute(admin, moving, execute::patience(options)?, out).await?;
    }
    if options.has("preserve-throttles") {
        return Ok(());
    }
    throttles::clear(admin, &moves, out).await
}

async fn stop(admin: &Admin, names: &[TopicPartition]) -> Result<(), Failure> {
    let moves = names.iter().map(|name| (name.clone(), None)).collect();
    let done = admin.alter_partition_reassignments(&moves, true).await.map_err(failed)?;
    let errors: Vec<_> = done
        .iter()
        .filter_map(|(name, result)| Some(format!("{name}: {}", result.as_ref().err()?)))
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    let s = plural(errors.len());
    Err(Failure::message(format!("Error cancelling partition reassignment{s} for:\n{}", errors.join("\n"))))
}
