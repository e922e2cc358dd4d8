//! A member of a group of the consumer protocol (KIP-848): what it tells the coordinator, and what it was told.
//! Kafka: `ConsumerMembershipManager`, `ConsumerHeartbeatRequestManager.HeartbeatState`.
//!
//! Invariants: what a member tells that it owns, it has been given and has not given up; of what the coordinator knows
//! already, nothing is told again, and after an answer that failed everything is.

pub(super) mod heartbeat;

use std::collections::{BTreeMap, BTreeSet};

use model::Uuid;
use protocol::consumer_group_heartbeat_request::TopicPartitions;
use protocol::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ErrorCode};

use crate::error::Error;

/// Partitions by topic id.
pub(super) type Assignment = BTreeMap<Uuid, BTreeSet<i32>>;

/// With this epoch a member joins, leaves for good, and leaves as a static member that may come back.
const JOINS: i32 = 0;
const LEAVES: i32 = -1;
const LEAVES_FOR_NOW: i32 = -2;

const NOT_SUPPORTED: &str = "The cluster does not support the new CONSUMER group protocol. Set group.protocol=classic on the consumer configs to revert to the CLASSIC protocol until the cluster is upgraded.";
const NO_REGEX: &str = "The cluster does not support regular expressions resolution on ConsumerGroupHeartbeat API version 0. It must be upgraded to use ConsumerGroupHeartbeat API version >= 1 to allow to subscribe to a SubscriptionPattern.";

/// Where a member stands. Kafka: `MemberState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It asks to be let in.
    Joining,
    /// It was told to own other partitions than it owns.
    Reconciling,
    /// It owns others now and has not told it yet.
    Acknowledging,
    /// It owns what it is to own.
    Stable,
    /// It is no member any more; what it had is lost.
    Fenced,
    /// As `Fenced`, because its user did not poll.
    Stale,
    /// It cannot be a member.
    Fatal,
}

/// What a member is configured with.
#[derive(Clone, Debug, Default)]
pub(super) struct Profile {
    pub group: String,
    pub instance: Option<String>,
    pub rack: Option<String>,
    pub assignor: Option<String>,
    pub rebalance_timeout_ms: i32,
}

/// What its user subscribes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Interests {
    pub topics: BTreeSet<String>,
    /// A regular expression that the coordinator matches.
    pub pattern: Option<String>,
}

/// What was told, and need not be told again.
#[derive(Clone, Debug, Default)]
struct Told {
    profile: bool,
    topics: Option<BTreeSet<String>>,
    pattern: Option<String>,
    owned: Option<(u64, Assignment)>,
}

#[derive(Debug)]
pub(super) struct Member {
    pub id: String,
    pub epoch: i32,
    stage: Stage,
    profile: Profile,
    interests: Interests,
    told: Told,
    target: Assignment,
    owned: Assignment,
    /// Changes with what is owned, so that owning the same again is told again.
    owned_version: u64,
    /// How often it joined: what was begun before is not finished after.
    joins: u64,
    failure: Option<Error>,
}

/// What an answer asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The heartbeat goes on.
    Beat { interval_ms: i32 },
    /// The coordinator is another, or not ready: again after a while.
    Again,
    /// Nothing more is sent before the user acts.
    Stop,
}

impl Member {
    pub(super) fn new(id: String, profile: Profile) -> Self {
        Self {
            id,
            epoch: JOINS,
            stage: Stage::Joining,
            profile,
            interests: Interests::default(),
            told: Told::default(),
            target: Assignment::new(),
            owned: Assignment::new(),
            owned_version: 0,
            joins: 0,
            failure: None,
        }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// Takes what the user subscribes to; true if that is news.
    pub(super) fn want(&mut self, interests: Interests) -> bool {
        let news = self.interests != interests;
        self.interests = interests;
        news
    }

    /// What went wrong since it was last asked.
    pub(super) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Whether a heartbeat is due at once.
    pub(super) fn is_urgent(&self) -> bool {
        let changed = self.told.topics.as_ref().is_some_and(|told| *told != self.interests.topics)
            || self.told.profile && self.told.pattern != self.interests.pattern;
        matches!(self.stage, Stage::Joining | Stage::Acknowledging) || self.is_in() && changed
    }

    /// Whether heartbeats are sent.
    pub(super) fn is_in(&self) -> bool {
        !matches!(self.stage, Stage::Fenced | Stage::Stale | Stage::Fatal)
    }

    /// The next heartbeat, at `version`. Kafka: `HeartbeatState.buildRequestData`.
    pub(super) fn heartbeat(&mut self, version: i16) -> Result<ConsumerGroupHeartbeatRequest, Error> {
        if version < 1 && self.interests.pattern.is_some() {
            return Err(Error::UnsupportedVersion(NO_REGEX.into()));
        }
        let all = self.stage == Stage::Joining;
        let (profile, interests) = (&self.profile, &self.interests);
        let mut request = self.empty_request();
        if all || !self.told.profile {
            request.rebalance_timeout_ms = profile.rebalance_timeout_ms;
            request.server_assignor = profile.assignor.clone();
        }
        if all {
            request.rack_id = profile.rack.clone();
        }
        if all || self.told.topics.as_ref() != Some(&interests.topics) {
            request.subscribed_topic_names = Some(interests.topics.iter().cloned().collect());
        }
        if self.told.pattern != interests.pattern || all && interests.pattern.is_some() {
            request.subscribed_topic_regex = Some(interests.pattern.clone().unwrap_or_default());
        }
        let owned = (self.owned_version, self.owned.clone());
        if all || self.told.owned.as_ref() != Some(&owned) {
            request.topic_partitions = Some(self.owned.iter().map(wire).collect());
        }
        self.told = Told {
            profile: true,
            topics: Some(interests.topics.clone()),
            pattern: interests.pattern.clone(),
            owned: Some(owned),
        };
        if self.stage == Stage::Acknowledging {
            self.stage = if self.owned == self.target { Stage::Stable } else { Stage::Reconciling };
        }
        Ok(request)
    }

    /// The request with which the member leaves: for good, unless its name is to be kept for it.
    pub(super) fn farewell(&mut self) -> ConsumerGroupHeartbeatRequest {
        self.epoch = if self.profile.instance.is_some() { LEAVES_FOR_NOW } else { LEAVES };
        self.empty_request()
    }

    fn empty_request(&self) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest {
            group_id: self.profile.group.clone(),
            member_id: self.id.clone(),
            member_epoch: self.epoch,
            instance_id: self.profile.instance.clone(),
            rebalance_timeout_ms: -1,
            ..Default::default()
        }
    }

    /// The user did not poll for too long.
    pub(super) fn become_stale(&mut self) {
        self.stage = Stage::Stale;
    }

    /// There was no answer.
    pub(super) fn unanswered(&mut self, error: Error) -> Next {
        self.told = Told::default();
        if error.is_retriable() {
            return Next::Again;
        }
        let unknown = matches!(&error, Error::UnsupportedVersion(text) if text != NO_REGEX);
        self.fail(if unknown { Error::UnsupportedVersion(NOT_SUPPORTED.into()) } else { error })
    }

    /// Takes an answer. Kafka: `AbstractHeartbeatRequestManager.onResponse`, `ConsumerMembershipManager.onHeartbeatSuccess`.
    pub(super) fn answered(&mut self, response: ConsumerGroupHeartbeatResponse) -> Next {
        if !self.is_in() {
            return Next::Stop;
        }
        if response.error_code.is_error() {
            return self.refused(response.error_code, response.error_message);
        }
        self.epoch = response.member_epoch;
        if let Some(id) = response.member_id {
            self.id = id;
        }
        let assignment = response.assignment.map(|assignment| {
            let of = |topic: protocol::consumer_group_heartbeat_response::TopicPartitions| {
                (topic.topic_id, topic.partitions.into_iter().collect())
            };
            assignment.topic_partitions.into_iter().map(of).collect::<Assignment>()
        });
        if assignment.is_some() || self.stage == Stage::Joining {
            self.target = assignment.unwrap_or_default();
            if self.target != self.owned {
                self.stage = Stage::Reconciling;
            } else if matches!(self.stage, Stage::Joining | Stage::Reconciling) {
                self.stage = Stage::Stable;
            }
        }
        Next::Beat { interval_ms: response.heartbeat_interval_ms }
    }

    fn refused(&mut self, code: ErrorCode, message: Option<String>) -> Next {
        self.told = Told::default();
        match code {
            ErrorCode::NOT_COORDINATOR
            | ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => Next::Again,
            ErrorCode::FENCED_MEMBER_EPOCH | ErrorCode::UNKNOWN_MEMBER_ID => {
                tracing::info!(group = self.profile.group, error = code.name(), "the membership was lost");
                self.stage = Stage::Fenced;
                Next::Stop
            }
            ErrorCode::TOPIC_AUTHORIZATION_FAILED => {
                self.failure = Some(Error::Broker { code, message });
                Next::Again
            }
            ErrorCode::UNSUPPORTED_VERSION => self.fail(Error::UnsupportedVersion(NOT_SUPPORTED.into())),
            ErrorCode::INVALID_REGULAR_EXPRESSION => {
                let text = "Invalid RE2J SubscriptionPattern provided in the call to subscribe. ";
                let message = Some(format!("{text}{}", message.unwrap_or_default()));
                self.fail(Error::Broker { code, message })
            }
            code => self.fail(Error::Broker { code, message }),
        }
    }

    fn fail(&mut self, error: Error) -> Next {
        self.stage = Stage::Fatal;
        self.failure = Some(error);
        Next::Stop
    }

    /// What it is to own, and which joining that is of; nothing where it owns that.
    pub(super) fn to_reconcile(&self) -> Option<(u64, Assignment)> {
        (self.stage == Stage::Reconciling).then(|| (self.joins, self.target.clone()))
    }

    pub(super) fn owned(&self) -> &Assignment {
        &self.owned
    }

    /// Whether what was begun in the joining `joins` still counts.
    pub(super) fn may_go_on(&self, joins: u64) -> bool {
        self.stage == Stage::Reconciling && self.joins == joins
    }

    /// It owns exactly `owned` now, which may be a part of what it is to own.
    pub(super) fn reconciled(&mut self, joins: u64, owned: Assignment) {
        if self.may_go_on(joins) {
            self.owned = owned;
            self.owned_version += 1;
            self.stage = Stage::Acknowledging;
        }
    }

    /// What it had was given up as lost: it joins again, under the same id.
    pub(super) fn rejoin(&mut self) {
        if matches!(self.stage, Stage::Fenced | Stage::Stale) {
            self.epoch = JOINS;
            self.stage = Stage::Joining;
        }
        self.joins += 1;
        self.target.clear();
        self.owned.clear();
        self.told = Told::default();
    }
}

fn wire((topic, partitions): (&Uuid, &BTreeSet<i32>)) -> TopicPartitions {
    TopicPartitions {
        topic_id: *topic,
        partitions: partitions.iter().copied().collect(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
