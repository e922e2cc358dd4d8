//! `kafka-consumer-groups --delete` and `--delete-offsets`.

use std::collections::BTreeMap;
use std::io::Write;

use client::Admin;
use protocol::ErrorCode;

use super::{groups as meant, partitions, print_error};
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
    let partitions = partitions(admin, &options.values("topic")).await?;
    let results = match admin.delete_group_offsets(group, &partitions).await {
        Ok(results) => results,
        Err(error) => partitions.into_iter().map(|partition| (partition, Err(error.clone()))).collect(),
    };
    match results.values().find_map(|result| result.as_ref().err()) {
        None => writeln!(out, "Request succeeded for deleting offsets from group {group}.")?,
        Some(error) => {
            let is_partial = [
                ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
                ErrorCode::TOPIC_AUTHORIZATION_FAILED,
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ]
            .iter()
            .any(|code| error.is(*code));
            let partial = "Encountered some partition-level error, see the follow-up details.";
            print_error(&if is_partial { partial.to_owned() } else { error.to_string() }, out)?;
        }
    }
    let width = results.keys().map(|partition| partition.topic.len()).max().unwrap_or(0).max(15);
    write!(out, "\n{:<width$} {:<10} {:<15}", "TOPIC", "PARTITION", "STATUS")?;
    for (partition, result) in results {
        let status = result
            .map_or_else(|error| format!("Error: {}: {error}", exception(&error)), |()| "Successful".into());
        write!(out, "\n{:<width$} {:<10} {status:<15}", partition.topic, partition.partition)?;
    }
    Ok(writeln!(out)?)
}
