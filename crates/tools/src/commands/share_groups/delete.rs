//! `kafka-share-groups --delete` and `--delete-offsets`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use client::admin::GroupListing;
use client::{Admin, Error};
use protocol::ErrorCode;

use super::{Ended, listings, print_error};
use crate::options::Options;
use crate::session::exception;

pub(super) async fn groups(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Ended> {
    let known = listings(admin).await?;
    let meant: BTreeSet<String> = match options.has("all-groups") {
        true => known.iter().map(|group| group.group_id.clone()).collect(),
        false => options.values("group").into_iter().map(str::to_owned).collect(),
    };
    let mut refused: BTreeMap<String, String> = BTreeMap::new();
    for name in &meant {
        if let Some(reason) = refusal(name, &known) {
            refused.insert(name.clone(), reason);
        }
    }
    let possible: Vec<String> = meant.into_iter().filter(|name| !refused.contains_key(name)).collect();
    let mut deleted = Vec::new();
    for (name, result) in admin.delete_groups(&possible).await {
        match result {
            Ok(()) => deleted.push(format!("'{name}'")),
            Err(error) => drop(refused.insert(name, format!("{}: {error}", exception(&error)))),
        }
    }
    let deleted = deleted.join(", ");
    if refused.is_empty() {
        return Ok(writeln!(out, "Deletion of requested share groups ({deleted}) was successful.")?);
    }
    print_error("Deletion of some share groups failed:", out)?;
    for (name, reason) in refused {
        writeln!(out, "* Group '{name}' could not be deleted due to: {reason}")?;
    }
    if !deleted.is_empty() {
        writeln!(out, "\nThese share groups were deleted successfully: {deleted}")?;
    }
    Ok(())
}

/// Why a group cannot be deleted, as far as the list of groups tells.
fn refusal(name: &str, known: &[GroupListing]) -> Option<String> {
    let Some(group) = known.iter().find(|group| group.group_id == name) else {
        return Some(format!("java.lang.IllegalArgumentException: Group '{name}' is not a share group."));
    };
    let state = group.state.as_deref()?;
    if state.eq_ignore_ascii_case("dead") {
        return Some(format!("java.lang.IllegalStateException: Share group '{name}' group state is DEAD."));
    }
    (!state.eq_ignore_ascii_case("empty")).then(|| {
        format!("org.apache.kafka.common.errors.GroupNotEmptyException: Share group '{name}' is not EMPTY.")
    })
}

pub(super) async fn offsets(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Ended> {
    let group = options.value("group")?.unwrap_or_default();
    let topics: BTreeSet<String> = options.values("topic").into_iter().map(str::to_owned).collect();
    let asked: Vec<_> = topics.iter().cloned().collect();
    let results = match admin.delete_share_group_offsets(group, &asked).await {
        Ok(results) => results,
        Err(error) => {
            tell_refusal(&error, out)?;
            topics.into_iter().map(|topic| (topic, Err(error.clone()))).collect()
        }
    };
    let width = results.keys().map(String::len).max().unwrap_or(0).max(15);
    write!(out, "\n{:<width$} STATUS", "TOPIC")?;
    for (topic, result) in results {
        let status = result.map_or_else(|error| format!("Error: {error}"), |()| "Successful".to_owned());
        write!(out, "\n{topic:<width$} {status}")?;
    }
    Ok(writeln!(out)?)
}

fn tell_refusal(error: &Error, out: &mut dyn Write) -> std::io::Result<()> {
    let expected = [
        ErrorCode::INVALID_GROUP_ID,
        ErrorCode::GROUP_ID_NOT_FOUND,
        ErrorCode::GROUP_AUTHORIZATION_FAILED,
        ErrorCode::NON_EMPTY_GROUP,
    ];
    if expected.iter().any(|code| error.is(*code)) {
        return print_error(&error.to_string(), out);
    }
    print_error(&format!("Encounter some unknown error: {}: {error}", exception(error)), out)
}
