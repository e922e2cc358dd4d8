//! Listing groups of all kinds. Kafka: `Admin.listGroups`.

use std::collections::{BTreeMap, BTreeSet};

use protocol::ListGroupsRequest;

use super::Admin;
use crate::error::{Error, Result};

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupListing {
    /// Its id.
    pub group_id: String,
    /// Its kind as the broker names it (`Classic`, `Consumer`, `Share`, `Streams`); `None` from old brokers.
    pub group_type: Option<String>,
    /// The protocol that its members speak: `consumer`, `connect`, … or empty.
    pub protocol: String,
    /// Its state as the broker names it; `None` from old brokers.
    pub state: Option<String>,
}

impl GroupListing {
    /// Whether it only keeps offsets, without members. Kafka: `GroupListing.isSimpleConsumerGroup`.
    pub fn is_simple_consumer_group(&self) -> bool {
        self.group_type.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("classic"))
            && self.protocol.is_empty()
    }
}

/// Which groups to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListGroupsOptions {
    /// States, as [`GroupListing::state`]; all if empty.
    pub states: BTreeSet<String>,
    /// Kinds, as [`GroupListing::group_type`]; all if empty.
    pub types: BTreeSet<String>,
    /// Protocols, as [`GroupListing::protocol`]; all if empty.
    pub protocols: BTreeSet<String>,
}

impl Admin {
    /// Lists the groups of every broker, by id, and the failures of brokers that did not answer.
    pub async fn list_groups(&self, options: &ListGroupsOptions) -> Result<(Vec<GroupListing>, Vec<Error>)> {
        let metadata = self.call("listGroups").metadata().await?;
        let request = ListGroupsRequest {
            states_filter: options.states.iter().cloned().collect(),
            types_filter: options.types.iter().cloned().collect(),
            ..Default::default()
        };
        let mut groups = BTreeMap::new();
        let mut failures = Vec::new();
        for broker in metadata.brokers.keys() {
            let response =
                self.on_node("listGroups", *broker, &request, |response| response.error_code).await;
            match response.and_then(|response| Error::check(response.error_code).map(|()| response)) {
                Ok(response) => groups.extend(response.groups.into_iter().map(|group| {
                    let listing = GroupListing {
                        group_id: group.group_id,
                        group_type: Some(group.group_type).filter(|kind| !kind.is_empty()),
                        protocol: group.protocol_type,
                        state: Some(group.group_state).filter(|state| !state.is_empty()),
                    };
                    (listing.group_id.clone(), listing)
                })),
                Err(error) => failures.push(error),
            }
        }
        let wanted = |group: &GroupListing| {
            options.protocols.is_empty() || options.protocols.contains(&group.protocol)
        };
        Ok((groups.into_values().filter(wanted).collect(), failures))
    }
}
