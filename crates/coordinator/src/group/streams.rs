//! StreamsGroupHeartbeat and StreamsGroupDescribe: what a request must say, and which partitions answer it.
//!
//! As in 4.3.1 there are no static members, task offsets, warm-up tasks, nor source topics by regular expression.

use coordinators::group::{GroupRequest, GroupResponse, StreamsHeartbeat};
use protocol::streams_group_describe_response::DescribedGroup;
use protocol::streams_group_heartbeat_request::{TaskIds, Topology};
use protocol::{ErrorCode, StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};

use super::refuse::client_error;
use super::{ClientContext, GroupCoordinator, order_of};

type Refused = (ErrorCode, String);

impl GroupCoordinator {
    /// StreamsGroupHeartbeat 0. Internal topics that are missing come with the answer.
    pub async fn streams_group_heartbeat(
        &self,
        context: &ClientContext,
        request: StreamsGroupHeartbeatRequest,
    ) -> StreamsHeartbeat {
        if let Err(error) = self.runtime.check_serving() {
            return refuse(error, None);
        }
        if let Err((error, message)) = check_supported(&request).and_then(|()| check_heartbeat(&request)) {
            return refuse(error, Some(message));
        }
        let asked = context.to_request(&*self.chance);
        let group = request.group_id.clone();
        match self.ask(&group, GroupRequest::StreamsHeartbeat(asked, request)).await {
            Ok(GroupResponse::StreamsHeartbeat(mut answer)) => {
                answer.response.error_code = client_error(answer.response.error_code);
                answer
            }
            Ok(_) => refuse(ErrorCode::UNKNOWN_SERVER_ERROR, None),
            Err(error) => refuse(error, None),
        }
    }

    /// StreamsGroupDescribe 0, in the order of `groups`; authorized operations are the caller's to fill in.
    pub async fn describe_streams_groups(&self, groups: Vec<String>) -> Vec<DescribedGroup> {
        let order = order_of(&groups);
        let (named, unnamed): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| !group.is_empty());
        let mut described = errors(unnamed, ErrorCode::INVALID_GROUP_ID);
        for (partition, groups) in self.by_partition(named) {
            let request = GroupRequest::StreamsDescribe(groups.clone());
            described.extend(match self.ask_partition(partition, request).await {
                Ok(GroupResponse::StreamsDescribe(answer)) => answer,
                Ok(_) => errors(groups, ErrorCode::UNKNOWN_SERVER_ERROR),
                Err(error) => errors(groups, error),
            });
        }
        described.sort_by_key(|group| order.get(&group.group_id).copied());
        described
    }
}

/// Kafka: `GroupCoordinatorService.throwIfStreamsGroupHeartbeatRequestIsUsingUnsupportedFeatures`.
fn check_supported(request: &StreamsGroupHeartbeatRequest) -> Result<(), Refused> {
    let subtopologies = request.topology.iter().flat_map(|topology| &topology.subtopologies);
    let unsupported = if request.instance_id.is_some() {
        "Static membership is not yet supported."
    } else if request.task_offsets.is_some() {
        "TaskOffsets are not supported yet."
    } else if request.task_end_offsets.is_some() {
        "TaskEndOffsets are not supported yet."
    } else if request.warmup_tasks.as_ref().is_some_and(|tasks| !tasks.is_empty()) {
        "WarmupTasks are not supported yet."
    } else if subtopologies.into_iter().any(|subtopology| !subtopology.source_topic_regex.is_empty()) {
        "Regular expressions for source topics are not supported yet."
    } else {
        return Ok(());
    };
    Err((ErrorCode::INVALID_REQUEST, unsupported.to_owned()))
}

/// Kafka: `GroupCoordinatorService.throwIfStreamsGroupHeartbeatRequestIsInvalid`.
fn check_heartbeat(request: &StreamsGroupHeartbeatRequest) -> Result<(), Refused> {
    let epoch = request.member_epoch;
    let blank = |value: &str| value.trim().is_empty();
    let tasks = [&request.active_tasks, &request.standby_tasks, &request.warmup_tasks];
    let told = tasks.iter().filter(|tasks| tasks.is_some()).count();
    let not_empty = |tasks: &Option<Vec<TaskIds>>| tasks.as_ref().is_none_or(|tasks| !tasks.is_empty());
    let invalid = if blank(&request.member_id) {
        "MemberId can't be empty.".to_owned()
    } else if blank(&request.group_id) {
        "GroupId can't be empty.".to_owned()
    } else if request.rack_id.as_deref().is_some_and(blank) {
        "RackId can't be empty.".to_owned()
    } else if epoch == 0 && request.rebalance_timeout_ms == -1 {
        "RebalanceTimeoutMs must be provided in first request.".to_owned()
    } else if epoch == 0 && not_empty(&request.active_tasks) {
        "ActiveTasks must be empty when (re-)joining.".to_owned()
    } else if epoch == 0 && not_empty(&request.standby_tasks) {
        "StandbyTasks must be empty when (re-)joining.".to_owned()
    } else if epoch == 0 && not_empty(&request.warmup_tasks) {
        "WarmupTasks must be empty when (re-)joining.".to_owned()
    } else if epoch == 0 {
        return match &request.topology {
            None => {
                Err((ErrorCode::INVALID_REQUEST, "Topology must be non-null when (re-)joining.".to_owned()))
            }
            Some(topology) => check_topology(topology),
        };
    } else if epoch == -2 {
        "InstanceId can't be null.".to_owned()
    } else if epoch < -2 {
        format!("MemberEpoch is {epoch}, but must be greater than or equal to -2.")
    } else if told != 0 && told != tasks.len() {
        "If one task-type is non-null, all must be non-null.".to_owned()
    } else if request.topology.is_some() {
        "Topology can only be provided when (re-)joining.".to_owned()
    } else {
        return Ok(());
    };
    Err((ErrorCode::INVALID_REQUEST, invalid))
}

fn check_topology(topology: &Topology) -> Result<(), Refused> {
    let mut changelogs = topology.subtopologies.iter().flat_map(|it| &it.state_changelog_topics);
    let Some(topic) = changelogs.find(|topic| topic.partitions != 0) else { return Ok(()) };
    let message = format!(
        "Changelog topic {} must have an undefined partition count, but it is set to {}.",
        topic.name, topic.partitions
    );
    Err((ErrorCode::STREAMS_INVALID_TOPOLOGY, message))
}

fn refuse(error_code: ErrorCode, error_message: Option<String>) -> StreamsHeartbeat {
    let response = StreamsGroupHeartbeatResponse { error_code, error_message, ..Default::default() };
    StreamsHeartbeat { response, ..Default::default() }
}

fn errors(groups: Vec<String>, error_code: ErrorCode) -> Vec<DescribedGroup> {
    groups.into_iter().map(|group_id| DescribedGroup { group_id, error_code, ..Default::default() }).collect()
}
