//! What the APIs that describe groups share: who may describe which group, what the asker may do with it, and the silence
//! about groups that have to do with topics that the asker may not know of.

use model::{AclOperation, AclResourceType};
use protocol::{
    ErrorCode, consumer_group_describe_response, describe_groups_response, share_group_describe_response,
    streams_group_describe_response,
};

use super::each_once::each_once;
use crate::authorize::Gate;

/// What a response says of a group.
pub(super) trait DescribedGroup: Sized {
    /// Says nothing of a group but why.
    fn refused(group_id: String, error_code: ErrorCode, error_message: Option<String>) -> Self;

    /// The group.
    fn id(&self) -> &str;

    /// Whether the group is described, rather than refused.
    fn is_described(&self) -> bool;

    /// Says what the asker may do with the group, one bit for each operation.
    fn set_authorized_operations(&mut self, operations: i32);
}

macro_rules! described_group {
    ($response:ident) => {
        impl DescribedGroup for $response::DescribedGroup {
            fn refused(group_id: String, error_code: ErrorCode, error_message: Option<String>) -> Self {
                Self { group_id, error_code, error_message, ..Default::default() }
            }

            fn id(&self) -> &str {
                &self.group_id
            }

            fn is_described(&self) -> bool {
                self.error_code.is_none()
            }

            fn set_authorized_operations(&mut self, operations: i32) {
                self.authorized_operations = operations;
            }
        }
    };
}

described_group!(consumer_group_describe_response);
described_group!(describe_groups_response);
described_group!(share_group_describe_response);
described_group!(streams_group_describe_response);

/// Has `ask` describe the groups that the asker may describe, and refuses the others; with what the asker may do with each
/// if `with_operations`.
pub(super) async fn describe<G: DescribedGroup, Asked: Future<Output = Vec<G>>>(
    gate: &Gate<'_>,
    mut group_ids: Vec<String>,
    with_operations: bool,
    ask: impl FnOnce(Vec<String>) -> Asked,
) -> Vec<G> {
    each_once(&mut group_ids, |group| Some(group.clone()));
    let may_describe = |group: &String| gate.check_group(AclOperation::Describe, group).is_ok();
    let (permitted, refused): (Vec<_>, Vec<_>) = group_ids.into_iter().partition(may_describe);
    let mut groups = refuse_all(refused, ErrorCode::GROUP_AUTHORIZATION_FAILED);
    groups.extend(ask(permitted).await);
    if with_operations {
        for group in groups.iter_mut().filter(|group| group.is_described()) {
            group.set_authorized_operations(gate.operations(AclResourceType::Group, group.id()));
        }
    }
    groups
}

/// Says nothing of these groups but why.
pub(super) fn refuse_all<G: DescribedGroup>(group_ids: Vec<String>, error_code: ErrorCode) -> Vec<G> {
    group_ids.into_iter().map(|group_id| G::refused(group_id, error_code, None)).collect()
}

/// Says only `instead` of groups that have to do with topics that the asker may not know of.
pub(super) fn hide_topics<G: DescribedGroup>(
    gate: &Gate<'_>,
    groups: &mut [G],
    topics: impl Fn(&G) -> Vec<&str>,
    instead: &str,
) {
    if gate.is_open() {
        return;
    }
    let permitted = gate.permitted_topics(AclOperation::Describe, groups.iter().flat_map(&topics));
    for group in groups {
        if !topics(group).into_iter().all(|topic| permitted.contains(topic)) {
            let (id, error) = (group.id().to_owned(), ErrorCode::TOPIC_AUTHORIZATION_FAILED);
            *group = G::refused(id, error, Some(instead.to_owned()));
        }
    }
}
