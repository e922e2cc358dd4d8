//! Share groups as the server calls them: ShareGroupHeartbeat, ShareGroupDescribe, and the calls that begin and forget the
//! states of partitions, for which the share coordinators are asked between two decisions of the group's machine.
//!
//! Kafka: `GroupCoordinatorService`.

use std::collections::BTreeMap;
use std::sync::Arc;

use coordinators::group::{
    GroupRequest, GroupResponse, ShareAlteration, ShareDeletion, ShareGroupRequest, ShareGroupResponse,
    SharePartitions,
};
use coordinators::share::{SharePartitionKey, ShareStateError};
use model::{Offset, Uuid};
use protocol::delete_groups_response::DeletableGroupResult;
use protocol::delete_share_group_offsets_response::DeleteShareGroupOffsetsResponseTopic;
use protocol::share_group_describe_response::DescribedGroup;
use protocol::{
    AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse, DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsResponse, ErrorCode, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse,
};
use tokio::task::JoinSet;

use super::refuse::client_error;
use super::{ClientContext, GroupCoordinator, check_group_id, order_of};
use crate::share::Persister;

/// Partitions by topic, each with what became of it.
type Verdicts = BTreeMap<Uuid, BTreeMap<i32, Result<(), ShareStateError>>>;

/// Takes the variant that a request is answered with; the machine answers each request with its own.
macro_rules! expect_share {
    ($variant:ident, $result:expr) => {
        match $result {
            Ok(GroupResponse::Share(ShareGroupResponse::$variant(response))) => Ok(response),
            Ok(_) => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
            Err(error) => Err(error),
        }
    };
}

impl GroupCoordinator {
    /// ShareGroupHeartbeat 1.
    pub async fn share_group_heartbeat(
        &self,
        context: &ClientContext,
        request: ShareGroupHeartbeatRequest,
    ) -> ShareGroupHeartbeatResponse {
        if let Err(error) = self.runtime.check_serving() {
            return refuse(error, None);
        }
        if let Some(invalid) = invalid_heartbeat(&request) {
            return refuse(ErrorCode::INVALID_REQUEST, Some(invalid.to_owned()));
        }
        let asked = context.to_request(&*self.chance);
        let group = request.group_id.clone();
        let beat = self.ask_share(&group, ShareGroupRequest::Heartbeat(asked, request)).await;
        match expect_share!(Heartbeat, beat) {
            Ok(response) => {
                ShareGroupHeartbeatResponse { error_code: client_error(response.error_code), ..response }
            }
            Err(error) => refuse(error, None),
        }
    }

    /// ShareGroupDescribe 1, in the order of `groups`; authorized operations are the caller's to fill in.
    pub async fn describe_share_groups(&self, groups: Vec<String>) -> Vec<DescribedGroup> {
        let order = order_of(&groups);
        let (named, unnamed): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| !group.is_empty());
        let mut described = errors(unnamed, ErrorCode::INVALID_GROUP_ID);
        for (partition, groups) in self.by_partition(named) {
            let request = GroupRequest::Share(ShareGroupRequest::Describe(groups.clone()));
            let answer = expect_share!(Describe, self.ask_partition(partition, request).await);
            described.extend(answer.unwrap_or_else(|error| errors(groups, error)));
        }
        described.sort_by_key(|group| order.get(&group.group_id).copied());
        described
    }

    /// Returns the partitions of a group whose state has begun; none if there is no such share group.
    pub async fn share_partitions(&self, group: &str) -> Result<SharePartitions, ErrorCode> {
        self.runtime.check_serving()?;
        expect_share!(
            Partitions,
            self.ask_share(group, ShareGroupRequest::Partitions(group.to_owned())).await
        )
    }

    /// AlterShareGroupOffsets 0, of topics that exist: an empty group begins to read partitions elsewhere.
    pub async fn alter_share_group_offsets(
        &self,
        request: AlterShareGroupOffsetsRequest,
    ) -> AlterShareGroupOffsetsResponse {
        let group = request.group_id.clone();
        let altered = match self.runtime.check_serving().and_then(|()| check_group_id(&group)) {
            Ok(()) => expect_share!(Alter, self.ask_share(&group, ShareGroupRequest::Alter(request)).await),
            Err(error) => Err(error),
        };
        match altered.map_err(plain).and_then(|altered| altered) {
            Ok(alteration) => self.begin_altered(&group, alteration).await,
            Err((error_code, message)) => AlterShareGroupOffsetsResponse {
                error_code,
                error_message: Some(message),
                ..Default::default()
            },
        }
    }

    async fn begin_altered(
        &self,
        group: &str,
        alteration: ShareAlteration,
    ) -> AlterShareGroupOffsetsResponse {
        let ShareAlteration { mut topics, state_epoch, offsets } = alteration;
        let verdicts = begin_states(&self.persister, group, state_epoch, &offsets).await;
        if verdicts.values().flat_map(BTreeMap::values).all(Result::is_ok) {
            let begun = partitions_of(&verdicts);
            if !begun.is_empty() {
                self.tell_share(group, ShareGroupRequest::StatesBegun(group.to_owned(), begun)).await;
            }
        }
        for topic in &mut topics {
            for row in &mut topic.partitions {
                let verdict = verdicts.get(&topic.topic_id).and_then(|rows| rows.get(&row.partition_index));
                if let Some(Err(error)) = verdict {
                    row.error_code = error.code;
                    row.error_message = Some(error.message.clone());
                }
            }
        }
        AlterShareGroupOffsetsResponse { responses: topics, ..Default::default() }
    }

    /// DeleteShareGroupOffsets 0: what an empty group was delivered of topics is forgotten.
    pub async fn delete_share_group_offsets(
        &self,
        request: DeleteShareGroupOffsetsRequest,
    ) -> DeleteShareGroupOffsetsResponse {
        let group = request.group_id.clone();
        let prepared = match self.runtime.check_serving().and_then(|()| check_group_id(&group)) {
            Ok(()) => {
                let asked = self.ask_share(&group, ShareGroupRequest::DeleteOffsets(request)).await;
                expect_share!(DeleteOffsets, asked)
            }
            Err(error) => Err(error),
        };
        match prepared.map_err(plain).and_then(|prepared| prepared) {
            Ok(deletion) => self.forget_deleted(&group, deletion).await,
            Err((error_code, message)) => DeleteShareGroupOffsetsResponse {
                error_code,
                error_message: Some(message),
                ..Default::default()
            },
        }
    }

    async fn forget_deleted(&self, group: &str, deletion: ShareDeletion) -> DeleteShareGroupOffsetsResponse {
        let ShareDeletion { refused, partitions, names } = deletion;
        let verdicts = forget_states(&self.persister, group, &partitions).await;
        let mut responses = Vec::with_capacity(names.len() + refused.len());
        let mut forgotten = std::collections::BTreeSet::new();
        for (topic_id, topic_name) in names {
            let failure = verdicts.get(&topic_id).and_then(first_error);
            if failure.is_none() {
                forgotten.insert(topic_id);
            }
            responses.push(DeleteShareGroupOffsetsResponseTopic {
                topic_name,
                topic_id,
                error_code: failure.map_or(ErrorCode::NONE, |error| error.code),
                error_message: failure.map(|error| error.code.message().to_owned()),
                ..Default::default()
            });
        }
        if !forgotten.is_empty() {
            self.tell_share(group, ShareGroupRequest::OffsetsDeleted(group.to_owned(), forgotten)).await;
        }
        responses.extend(refused);
        DeleteShareGroupOffsetsResponse { responses, ..Default::default() }
    }

    /// Forgets the states of those of `groups`, all of one partition, that are share groups, before they are deleted.
    /// Returns the refusals of those that cannot be.
    pub(super) async fn forget_share_groups(
        &self,
        partition: i32,
        groups: &[String],
    ) -> Result<Vec<DeletableGroupResult>, ErrorCode> {
        let request = GroupRequest::Share(ShareGroupRequest::PrepareDelete(groups.to_vec()));
        let prepared = expect_share!(PrepareDelete, self.ask_partition(partition, request).await)?;
        let mut refused = Vec::new();
        for (group_id, partitions) in prepared {
            let error_code = match partitions {
                Ok(partitions) => {
                    let verdicts = forget_states(&self.persister, &group_id, &partitions).await;
                    verdicts.values().find_map(first_error).map(|error| error.code)
                }
                Err(error) => Some(error),
            };
            refused.extend(error_code.map(|error_code| DeletableGroupResult {
                group_id,
                error_code,
                ..Default::default()
            }));
        }
        Ok(refused)
    }

    /// Tells the machine how it went with the share coordinators. If that fails, the states are begun or forgotten again.
    async fn tell_share(&self, group: &str, request: ShareGroupRequest) {
        if let Err(error) = self.ask_share(group, request).await {
            tracing::warn!(
                group,
                error = error.name(),
                "what became of a share group's states is not written"
            );
        }
    }

    async fn ask_share(&self, group: &str, request: ShareGroupRequest) -> Result<GroupResponse, ErrorCode> {
        self.ask(group, GroupRequest::Share(request)).await
    }
}

/// Kafka: `GroupCoordinatorService.throwIfShareGroupHeartbeatRequestIsInvalid`.
fn invalid_heartbeat(request: &ShareGroupHeartbeatRequest) -> Option<&'static str> {
    let blank = |value: Option<&str>| value.is_some_and(|value| value.trim().is_empty());
    let names_topics = request.subscribed_topic_names.as_ref().is_some_and(|names| !names.is_empty());
    if blank(Some(&request.member_id)) {
        Some("MemberId can't be empty.")
    } else if blank(Some(&request.group_id)) {
        Some("GroupId can't be empty.")
    } else if blank(request.rack_id.as_deref()) {
        Some("RackId can't be empty.")
    } else if request.member_epoch == 0 && !names_topics {
        Some("SubscribedTopicNames must be set in first request.")
    } else if request.member_epoch < -1 {
        Some("MemberEpoch is invalid.")
    } else {
        None
    }
}

/// Has the states of partitions begin, all at once.
pub(super) async fn begin_states(
    persister: &Arc<dyn Persister>,
    group: &str,
    state_epoch: i32,
    offsets: &BTreeMap<Uuid, BTreeMap<i32, Offset>>,
) -> Verdicts {
    let mut tasks = JoinSet::new();
    for (topic, rows) in offsets {
        for (index, start) in rows {
            let (topic, index, start) = (*topic, *index, *start);
            let (persister, key) = (persister.clone(), SharePartitionKey::new(group, topic, index));
            tasks.spawn(
                async move { (topic, index, persister.initialize_state(key, state_epoch, start).await) },
            );
        }
    }
    gather(tasks).await
}

async fn forget_states(
    persister: &Arc<dyn Persister>,
    group: &str,
    partitions: &SharePartitions,
) -> Verdicts {
    let mut tasks = JoinSet::new();
    for (topic, indexes) in partitions {
        for index in indexes {
            let (topic, index) = (*topic, *index);
            let (persister, key) = (persister.clone(), SharePartitionKey::new(group, topic, index));
            tasks.spawn(async move { (topic, index, persister.delete_state(key).await) });
        }
    }
    gather(tasks).await
}

async fn gather(mut tasks: JoinSet<(Uuid, i32, Result<(), ShareStateError>)>) -> Verdicts {
    let mut verdicts = Verdicts::new();
    while let Some(done) = tasks.join_next().await {
        let (topic, index, verdict) = done.expect("a persister does not panic, and nobody aborts its tasks");
        verdicts.entry(topic).or_default().insert(index, verdict);
    }
    verdicts
}

/// Leaves the verdicts away.
pub(super) fn partitions_of(verdicts: &Verdicts) -> SharePartitions {
    verdicts.iter().map(|(topic, rows)| (*topic, rows.keys().copied().collect())).collect()
}

pub(super) fn first_error(rows: &BTreeMap<i32, Result<(), ShareStateError>>) -> Option<&ShareStateError> {
    rows.values().find_map(|verdict| verdict.as_ref().err())
}

fn plain(error: ErrorCode) -> (ErrorCode, String) {
    (error, error.message().to_owned())
}

fn refuse(error_code: ErrorCode, error_message: Option<String>) -> ShareGroupHeartbeatResponse {
    ShareGroupHeartbeatResponse { error_code, error_message, ..Default::default() }
}

fn errors(groups: Vec<String>, error_code: ErrorCode) -> Vec<DescribedGroup> {
    groups.into_iter().map(|group_id| DescribedGroup { group_id, error_code, ..Default::default() }).collect()
}
