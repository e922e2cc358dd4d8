//! `kafka-consumer-groups --list`.

use std::io::Write;

use client::Admin;
use client::admin::{GroupListing, ListGroupsOptions};

use crate::Failure;
use crate::group_list;
use crate::options::Options;
use crate::session::failed;

const STATES: [&str; 7] =
    ["PreparingRebalance", "Assigning", "Dead", "Empty", "Stable", "Reconciling", "CompletingRebalance"];
const TYPES: [&str; 2] = ["Consumer", "Classic"];

pub(super) async fn run(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let (by_state, by_type) = (options.has("state"), options.has("type"));
    let states = group_list::named(options, "state", &STATES)?;
    let types = group_list::named(options, "type", &TYPES)?;
    let groups = listings(admin, &ListGroupsOptions { states, types, ..Default::default() }).await?;
    if !by_state && !by_type {
        return Ok(group_list::show(&groups, false, out)?);
    }
    let width = groups.iter().map(|group| group.group_id.len()).max().unwrap_or(0).max(25);
    let line = |group: &str, kind: &str, state: &str| {
        let kind = if by_type { format!(" {kind:<20}") } else { String::new() };
        let state = if by_state { format!(" {state:<20}") } else { String::new() };
        format!("{group:<width$}{kind}{state}")
    };
    writeln!(out, "{}", line("GROUP", "TYPE", "STATE"))?;
    for group in groups {
        let kind = group.group_type.as_deref().unwrap_or("");
        let kind = TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(kind)).unwrap_or(kind);
        writeln!(out, "{}", line(&group.group_id, kind, group.state.as_deref().unwrap_or("")))?;
    }
    Ok(())
}

/// The ids of all consumer groups.
pub(super) async fn consumer_groups(admin: &Admin) -> Result<Vec<String>, Failure> {
    let groups = listings(admin, &ListGroupsOptions::default()).await?;
    Ok(groups.into_iter().map(|group| group.group_id).collect())
}

/// Groups of consumers: of the consumer protocol, and classic ones that speak it or only keep offsets.
async fn listings(admin: &Admin, options: &ListGroupsOptions) -> Result<Vec<GroupListing>, Failure> {
    let mut groups = group_list::list(admin, options).await.map_err(failed)?;
    groups.retain(|group| {
        let kind = group.group_type.as_deref().unwrap_or("Classic");
        kind.eq_ignore_ascii_case("consumer")
            || kind.eq_ignore_ascii_case("classic") && matches!(group.protocol.as_str(), "" | "consumer")
    });
    Ok(groups)
}
