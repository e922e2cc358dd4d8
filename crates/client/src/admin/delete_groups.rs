//! Deleting groups that have no members. Kafka: `Admin.deleteConsumerGroups`.

use std::collections::BTreeMap;

use protocol::{DeleteGroupsRequest, ErrorCode};

use super::Admin;
use crate::error::{Error, Result};

impl Admin {
    /// Deletes groups with their offsets; the result of each is under its id.
    pub async fn delete_groups(&self, groups: &[String]) -> BTreeMap<String, Result<()>> {
        let mut done = BTreeMap::new();
        for group in groups {
            let make = |_| DeleteGroupsRequest { groups_names: vec![group.clone()], ..Default::default() };
            let response = self
                .on_coordinator("deleteConsumerGroups", group, i16::MAX, make, |response| {
                    response.results.first().map_or(ErrorCode::NONE, |group| group.error_code)
                })
                .await;
            let result = response.and_then(|(_, response)| {
                response.results.first().map_or(Ok(()), |group| Error::check(group.error_code))
            });
            done.insert(group.clone(), result);
        }
        done
    }
}
