//! ConsumerGroupHeartbeat and ConsumerGroupDescribe: what a request must say, and which partitions answer it.

use coordinators::group::{Assignor, GroupRequest, GroupResponse};
use protocol::consumer_group_describe_response::DescribedGroup;
use protocol::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ErrorCode};

use super::refuse::client_error;
use super::{ClientContext, GroupCoordinator, order_of};

/// The first version in which members make their own ids.
const FIRST_WITH_OWN_IDS: i16 = 1;

impl GroupCoordinator {
    /// ConsumerGroupHeartbeat 0-1.
    pub async fn consumer_group_heartbeat(
        &self,
        context: &ClientContext,
        request: ConsumerGroupHeartbeatRequest,
    ) -> ConsumerGroupHeartbeatResponse {
        if let Err(error) = self.runtime.check_serving() {
            return refuse(error, None);
        }
        if let Err((error, message)) = self.check_heartbeat(context.api_version, &request) {
            return refuse(error, Some(message));
        }
        let asked = context.to_request(&*self.chance);
        let group = request.group_id.clone();
        match self.ask(&group, GroupRequest::ConsumerHeartbeat(asked, request)).await {
            Ok(GroupResponse::ConsumerHeartbeat(response)) => {
                ConsumerGroupHeartbeatResponse { error_code: client_error(response.error_code), ..response }
            }
            Ok(_) => refuse(ErrorCode::UNKNOWN_SERVER_ERROR, None),
            Err(error) => refuse(error, None),
        }
    }

    /// Kafka: `GroupCoordinatorService.throwIfConsumerGroupHeartbeatRequestIsInvalid`.
    fn check_heartbeat(
        &self,
        version: i16,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<(), (ErrorCode, String)> {
        let epoch = request.member_epoch;
        let has_id = version >= FIRST_WITH_OWN_IDS || epoch > 0 || epoch == -1;
        let blank = |value: Option<&str>| value.is_some_and(|value| value.trim().is_empty());
        let names_topics =
            request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some();
        let invalid = if has_id && blank(Some(&request.member_id)) {
            "MemberId can't be empty."
        } else if blank(Some(&request.group_id)) {
            "GroupId can't be empty."
        } else if blank(request.instance_id.as_deref()) {
            "InstanceId can't be empty."
        } else if blank(request.rack_id.as_deref()) {
            "RackId can't be empty."
        } else if epoch == 0 && request.rebalance_timeout_ms == -1 {
            "RebalanceTimeoutMs must be provided in first request."
        } else if epoch == 0 && request.topic_partitions.as_ref().is_none_or(|topics| !topics.is_empty()) {
            "TopicPartitions must be empty when (re-)joining."
        } else if epoch == 0 && !names_topics {
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining."
        } else if epoch == -2 && request.instance_id.is_none() {
            "InstanceId can't be null."
        } else if epoch < -2 {
            "MemberEpoch is invalid."
        } else {
            return self.check_assignor(request.server_assignor.as_deref());
        };
        Err((ErrorCode::INVALID_REQUEST, invalid.to_owned()))
    }

    fn check_assignor(&self, name: Option<&str>) -> Result<(), (ErrorCode, String)> {
        let Some(name) = name else { return Ok(()) };
        let names: Vec<&str> = self.config.consumer_assignors.iter().map(|it| Assignor::name(*it)).collect();
        if names.contains(&name) {
            return Ok(());
        }
        let names = names.join(", ");
        let message = format!("ServerAssignor {name} is not supported. Supported assignors: {names}.");
        Err((ErrorCode::UNSUPPORTED_ASSIGNOR, message))
    }

    /// ConsumerGroupDescribe 0-1, in the order of `groups`; authorized operations are the caller's to fill in.
    pub async fn describe_consumer_groups(&self, groups: Vec<String>) -> Vec<DescribedGroup> {
        let order = order_of(&groups);
        let (named, unnamed): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| !group.is_empty());
        let mut described = errors(unnamed, ErrorCode::INVALID_GROUP_ID);
        for (partition, groups) in self.by_partition(named) {
            let request = GroupRequest::ConsumerDescribe(groups.clone());
            described.extend(match self.ask_partition(partition, request).await {
                Ok(GroupResponse::ConsumerDescribe(answer)) => answer,
                Ok(_) => errors(groups, ErrorCode::UNKNOWN_SERVER_ERROR),
                Err(error) => errors(groups, error),
            });
        }
        described.sort_by_key(|group| order.get(&group.group_id).copied());
        described
    }
}

fn refuse(error_code: ErrorCode, error_message: Option<String>) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse { error_code, error_message, ..Default::default() }
}

fn errors(groups: Vec<String>, error_code: ErrorCode) -> Vec<DescribedGroup> {
    groups.into_iter().map(|group_id| DescribedGroup { group_id, error_code, ..Default::default() }).collect()
}
