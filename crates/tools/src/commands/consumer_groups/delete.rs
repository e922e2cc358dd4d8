//! `kafka-consumer-groups --delete` and `--delete-offsets`.

use std::collections::BTreeMap;
use std::io::Write;

use client::{Admin, Error};
use model::TopicPartition;
use protocol::ErrorCode;

use super::{groups as meant, known_partitions, print_error};
use crate::Failure;
use crate::options::Options;
use crate::session::exception;

pub(super) async fn groups(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let groups = meant(admin, options).await?;
    let (deleted, refused): (BTreeMap<_, _>, BTreeMap<_, _>) =
        admin.delete_groups(&groups).await.into_iter().partition(|(_, result)| result.is_ok());
    let names = deleted.keys().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    if refused.is_empty() {
        return Ok(writeln!(out, "Deletion of requested consumer groups ({names}) was successful.")?);
    }
    print_error("Deletion of some consumer groups failed:", out)?;
    for (name, result) in refused {
        if let Err(error) = result {
            writeln!(out, "* Group '{name}' could not be deleted due to: {}: {error}", exception(&error))?;
        }
    }
    if !deleted.is_empty() {
        writeln!(out, "\nThese consumer groups were deleted successfully: {names}")?;
    }
    Ok(())
}

pub(super) async fn offsets(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let group = options.value("group")?.unwrap_or_default();
    let (partitions, unknown) = known_partitions(admin, &options.values("topic")).await?;
    forget(admin, group, &partitions, unknown, out).await
}

/// Deletes a group's offsets, and tells what became of each partition, and of topics that are `unknown`, and why.
pub(crate) async fn forget(
    admin: &Admin,
    group: &str,
    partitions: &[TopicPartition],
    unknown: BTreeMap<String, Error>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let results = match admin.delete_group_offsets(group, partitions).await {
        Ok(results) => results,
        Err(error) => {
            tell_refusal(&error, out)?;
            let all = partitions.iter().map(|partition| (partition.clone(), Err(error.clone())));
            return tell_partitions(all.collect(), unknown, out);
        }
    };
    match results.values().find_map(|result| result.as_ref().err()) {
        None => writeln!(out, "Request succeeded for deleting offsets from group {group}.")?,
        Some(error) => tell_refusal(error, out)?,
    }
    tell_partitions(results, unknown, out)
}

fn tell_refusal(error: &Error, out: &mut dyn Write) -> std::io::Result<()> {
    let of_partitions = [
        ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
        ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ];
    let of_groups = [
        ErrorCode::INVALID_GROUP_ID,
        ErrorCode::GROUP_ID_NOT_FOUND,
        ErrorCode::GROUP_AUTHORIZATION_FAILED,
        ErrorCode::NON_EMPTY_GROUP,
    ];
    match error.code() {
        Some(code) if of_partitions.contains(&code) => {
            print_error("Encountered some partition-level error, see the follow-up details.", out)
        }
        Some(code) if of_groups.contains(&code) => print_error(code.message(), out),
        Some(code) => print_error(&format!("Encountered some unknown error: {}", code.name()), out),
        None => print_error(&format!("Encountered some unknown error: {error}"), out),
    }
}

/// Sorted as Kafka sorts: by topic and partition in one word.
fn tell_partitions(
    results: BTreeMap<TopicPartition, Result<(), Error>>,
    unknown: BTreeMap<String, Error>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let row =
        |topic: &str, partition: String, result: Result<(), Error>| (topic.to_owned(), partition, result);
    let known =
        results.into_iter().map(|(name, result)| row(&name.topic, name.partition.to_string(), result));
    let mut rows: Vec<_> = known
        .chain(unknown.into_iter().map(|(topic, error)| row(&topic, "-".to_owned(), Err(error))))
        .collect();
    rows.sort_by_key(|(topic, partition, _)| format!("{topic}{partition}"));
    let width = rows.iter().map(|(topic, ..)| topic.len()).max().unwrap_or(0).max(15);
    write!(out, "\n{:<width$} {:<10} {:<15}", "TOPIC", "PARTITION", "STATUS")?;
    for (topic, partition, result) in rows {
        let status = match result {
            Ok(()) => "Successful".to_owned(),
            Err(error) => format!("Error: {}: {error}", exception(&error)),
        };
        write!(out, "\n{topic:<width$} {partition:<10} {status:<15}")?;
    }
    Ok(writeln!(out)?)
}
