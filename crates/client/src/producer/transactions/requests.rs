//! Asking the coordinators: of transactions, and of the groups whose offsets are part of one.
//!
//! Invariant: it decides nothing; what an answer means is said in `answers.rs`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::TopicPartition;
use protocol::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use protocol::txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use protocol::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, EndTxnResponse, ErrorCode,
    InitProducerIdRequest, InitProducerIdResponse, TxnOffsetCommitRequest,
};

use super::super::sequences::Identity;
use super::Step;
use crate::cluster::{Cluster, CoordinatorClient, CoordinatorKind};
use crate::consumer::{GroupMetadata, Offsets};
use crate::error::{Error, Result};
use crate::offsets::by_topic;

/// Newer versions are those of KIP-939, which brokers serve only if they are told to.
const INIT_CAP: i16 = 5;
/// From this version on a coordinator can raise the epoch of a producer that asks for it.
const INIT_BUMPS: i16 = 3;
/// Newer versions are for brokers.
const ADD_PARTITIONS_CAP: i16 = 3;
/// The last version with which the epoch stays.
const END_EXPLICIT_CAP: i16 = 4;
/// The last version that needs AddOffsetsToTxn before it, and the last that names topics.
const COMMIT_EXPLICIT_CAP: i16 = 4;
const COMMIT_NAMED_CAP: i16 = 5;
/// From this version on a commit names the member that it is for.
const COMMIT_OF_MEMBER: i16 = 3;

/// An answer, not yet judged.
#[derive(Clone, Debug)]
pub(in crate::producer) enum Answer {
    /// `bumps`: the coordinator can raise epochs.
    Initialized {
        response: InitProducerIdResponse,
        bumps: bool,
    },
    PartitionsAdded(Vec<(TopicPartition, ErrorCode)>),
    OffsetsAdded(ErrorCode),
    OffsetsCommitted(Vec<(TopicPartition, ErrorCode)>),
    Ended(EndTxnResponse),
}

/// Whom a transactional producer asks.
pub(in crate::producer) struct Coordinators {
    transaction: CoordinatorClient,
    groups: Mutex<HashMap<String, Arc<CoordinatorClient>>>,
    timeout: Duration,
}

impl Coordinators {
    /// `timeout` is `transaction.timeout.ms`.
    pub(in crate::producer) fn new(cluster: Cluster, transactional_id: &str, timeout: Duration) -> Self {
        let kind = CoordinatorKind::Transaction;
        let transaction = CoordinatorClient::new(cluster, kind, transactional_id.to_owned());
        Self { transaction, groups: Mutex::default(), timeout }
    }

    fn group(&self, id: &str) -> Arc<CoordinatorClient> {
        let mut groups = self.groups.lock().expect("no holder panics");
        let cluster = &self.transaction.cluster;
        let make = || CoordinatorClient::new(cluster.clone(), CoordinatorKind::Group, id.to_owned());
        Arc::clone(groups.entry(id.to_owned()).or_insert_with(|| Arc::new(make())))
    }
}

/// Asks for `step`.
pub(in crate::producer) async fn perform(coordinators: &Coordinators, step: Step) -> Result<Answer> {
    let transaction = &coordinators.transaction;
    let answer = match step {
        Step::Initialize { bump } => initialize(coordinators, bump).await,
        Step::AddPartitions { identity, partitions } => {
            add_partitions(transaction, identity, &partitions).await
        }
        Step::AddOffsets { identity, group, .. } => add_offsets(transaction, identity, &group).await,
        Step::CommitOffsets { identity, offsets, group, implicit } => {
            let client = coordinators.group(&group.group_id);
            commit_offsets(&client, &transaction.key, identity, &offsets, &group, implicit).await
        }
        Step::End { identity, commit, implicit } => end(transaction, identity, commit, implicit).await,
    };
    if matches!(answer, Err(Error::Timeout(_))) {
        transaction.forget();
    }
    answer
}

async fn initialize(coordinators: &Coordinators, bump: Option<Identity>) -> Result<Answer> {
    let client = &coordinators.transaction;
    let timeout = i32::try_from(coordinators.timeout.as_millis()).unwrap_or(i32::MAX);
    let mut bumps = false;
    let response = client
        .send(INIT_CAP, client.request_timeout(), |version| {
            bumps = version >= INIT_BUMPS;
            let known = bump.filter(|_| bumps);
            InitProducerIdRequest {
                transactional_id: Some(client.key.clone()),
                transaction_timeout_ms: timeout,
                producer_id: known.map_or(-1, |identity| identity.id.0),
                producer_epoch: known.map_or(-1, |identity| identity.epoch.0),
                ..Default::default()
            }
        })
        .await?;
    client.note(response.error_code);
    Ok(Answer::Initialized { response, bumps })
}

async fn add_partitions(
    client: &CoordinatorClient,
    identity: Identity,
    partitions: &[TopicPartition],
) -> Result<Answer> {
    let topic = |(name, partitions): (&str, Vec<(i32, ())>)| AddPartitionsToTxnTopic {
        name: name.to_owned(),
        partitions: partitions.into_iter().map(|(index, ())| index).collect(),
        ..Default::default()
    };
    let topics = by_topic(partitions.iter().map(|name| (name, ())));
    let response = client
        .send(ADD_PARTITIONS_CAP, client.request_timeout(), |_| AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: client.key.clone(),
            v3_and_below_producer_id: identity.id.0,
            v3_and_below_producer_epoch: identity.epoch.0,
            v3_and_below_topics: topics.into_iter().map(topic).collect(),
            ..Default::default()
        })
        .await?;
    let mut results = Vec::new();
    for topic in response.results_by_topic_v3_and_below {
        for partition in topic.results_by_partition {
            client.note(partition.partition_error_code);
            let name = TopicPartition::new(topic.name.as_str(), partition.partition_index);
            results.push((name, partition.partition_error_code));
        }
    }
    Ok(Answer::PartitionsAdded(results))
}

async fn add_offsets(
    client: &CoordinatorClient,
    identity: Identity,
    group: &GroupMetadata,
) -> Result<Answer> {
    let response = client
        .send(i16::MAX, client.request_timeout(), |_| AddOffsetsToTxnRequest {
            transactional_id: client.key.clone(),
            producer_id: identity.id.0,
            producer_epoch: identity.epoch.0,
            group_id: group.group_id.clone(),
            ..Default::default()
        })
        .await?;
    client.note(response.error_code);
    Ok(Answer::OffsetsAdded(response.error_code))
}

async fn commit_offsets(
    client: &CoordinatorClient,
    transactional_id: &str,
    identity: Identity,
    offsets: &Offsets,
    group: &GroupMetadata,
    implicit: bool,
) -> Result<Answer> {
    let partition =
        |(index, committed): (i32, &crate::offsets::OffsetAndMetadata)| TxnOffsetCommitRequestPartition {
            partition_index: index,
            committed_offset: committed.offset.0,
            committed_leader_epoch: committed.leader_epoch.map_or(-1, |epoch| epoch.0),
            committed_metadata: Some(committed.metadata.clone()),
            ..Default::default()
        };
    let topic = |(name, partitions): (&str, Vec<_>)| TxnOffsetCommitRequestTopic {
        name: name.to_owned(),
        partitions: partitions.into_iter().map(partition).collect(),
        ..Default::default()
    };
    let cap = if implicit { COMMIT_NAMED_CAP } else { COMMIT_EXPLICIT_CAP };
    let named = !group.member_id.is_empty() || group.generation >= 0 || group.group_instance_id.is_some();
    let sent = client.try_send(cap, client.request_timeout(), |version| {
        let of_member = version >= COMMIT_OF_MEMBER;
        if named && !of_member {
            return Err(too_old(version));
        }
        Ok(TxnOffsetCommitRequest {
            transactional_id: transactional_id.to_owned(),
            group_id: group.group_id.clone(),
            producer_id: identity.id.0,
            producer_epoch: identity.epoch.0,
            generation_id_or_member_epoch: if of_member { group.generation } else { -1 },
            member_id: if of_member { group.member_id.clone() } else { String::new() },
            group_instance_id: group.group_instance_id.clone().filter(|_| of_member),
            topics: by_topic(offsets).into_iter().map(topic).collect(),
            ..Default::default()
        })
    });
    let response = sent.await?;
    let mut results = Vec::new();
    for topic in response.topics {
        for partition in topic.partitions {
            client.note(partition.error_code);
            if partition.error_code == ErrorCode::REQUEST_TIMED_OUT {
                client.forget();
            }
            let name = TopicPartition::new(topic.name.as_str(), partition.partition_index);
            results.push((name, partition.error_code));
        }
    }
    Ok(Answer::OffsetsCommitted(results))
}

/// Kafka: `TxnOffsetCommitRequest.Builder.build`.
fn too_old(version: i16) -> Error {
    Error::UnsupportedVersion(format!(
        "Broker doesn't support group metadata commit API on version {version}, minimum supported request version is {COMMIT_OF_MEMBER} which requires brokers to be on version 2.5 or above."
    ))
}

async fn end(client: &CoordinatorClient, identity: Identity, commit: bool, implicit: bool) -> Result<Answer> {
    let cap = if implicit { i16::MAX } else { END_EXPLICIT_CAP };
    let response = client
        .send(cap, client.request_timeout(), |_| EndTxnRequest {
            transactional_id: client.key.clone(),
            producer_id: identity.id.0,
            producer_epoch: identity.epoch.0,
            committed: commit,
            ..Default::default()
        })
        .await?;
    client.note(response.error_code);
    Ok(Answer::Ended(response))
}
