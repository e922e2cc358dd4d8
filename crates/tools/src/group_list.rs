//! Lists of groups, as each of the tools for one kind of group shows its own.

use std::collections::BTreeSet;
use std::io::Write;

use client::admin::{GroupListing, ListGroupsOptions};
use client::{Admin, Error};

use crate::Failure;
use crate::options::Options;

/// The groups that are meant; fails if one of the brokers does.
pub async fn list(admin: &Admin, meant: &ListGroupsOptions) -> Result<Vec<GroupListing>, Error> {
    let (groups, errors) = admin.list_groups(meant).await?;
    errors.into_iter().next().map_or(Ok(groups), Err)
}

/// The groups of a kind, in these states if any are named.
pub async fn of_kind(
    admin: &Admin,
    kind: &str,
    states: BTreeSet<String>,
) -> Result<Vec<GroupListing>, Error> {
    let types = BTreeSet::from([kind.to_owned()]);
    list(admin, &ListGroupsOptions { states, types, ..Default::default() }).await
}

/// Reads `--state stable,empty` or the like, in any case; nothing if nothing is named.
pub fn named(options: &Options, option: &str, known: &[&str]) -> Result<BTreeSet<String>, Failure> {
    let text = options.value(option)?.unwrap_or_default();
    if text.is_empty() {
        return Ok(BTreeSet::new());
    }
    let find = |word: &str| {
        known.iter().find(|known| known.eq_ignore_ascii_case(word.trim())).map(|found| found.to_string())
    };
    let found: Option<BTreeSet<String>> = text.split(',').map(find).collect();
    found.ok_or_else(|| {
        let (list, valid) = if option == "state" { ("state", "states") } else { ("types", "types") };
        options.usage(format!("Invalid {list} list '{text}'. Valid {valid} are: {}", known.join(", ")))
    })
}

/// Writes the groups' ids, with their states if `with_states`.
pub fn show(groups: &[GroupListing], with_states: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if !with_states {
        return groups.iter().try_for_each(|group| writeln!(out, "{}", group.group_id));
    }
    let width = groups.iter().map(|group| group.group_id.len()).max().unwrap_or(0).max(15);
    writeln!(out, "{:<width$} STATE", "GROUP")?;
    groups.iter().try_for_each(|group| {
        writeln!(out, "{:<width$} {}", group.group_id, group.state.as_deref().unwrap_or("Unknown"))
    })
}
