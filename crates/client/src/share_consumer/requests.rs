//! The requests of a share consumer, and what their answers hold. Kafka: `ShareConsumeRequestManager`,
//! `ShareCompletedFetch`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::{LeaderEpoch, NodeId, Offset};
use protocol::share_acknowledge_request::{
    AcknowledgePartition, AcknowledgeTopic, AcknowledgementBatch as AcknowledgeBatch,
};
use protocol::share_fetch_request::{AcknowledgementBatch, FetchPartition, FetchTopic, ForgottenTopic};
use protocol::share_fetch_response::PartitionData;
use protocol::{
    ErrorCode, ShareAcknowledgeRequest, ShareAcknowledgeResponse, ShareFetchRequest, ShareFetchResponse,
};

use super::ShareRecord;
use super::deliveries::{Said, ShareKey, runs};
use crate::config::ShareConsumerConfig;
use crate::consumer::ConsumerRecord;
use crate::error::{Error, Result};

/// An answer, with what was sent.
pub(super) struct Answered {
    pub node: NodeId,
    pub said: BTreeMap<ShareKey, Said>,
    pub is_renewal: bool,
    pub answer: Result<Answer>,
    /// How long the answer took.
    pub took: Duration,
}

pub(super) enum Answer {
    Fetched(ShareFetchResponse),
    Acknowledged(ShareAcknowledgeResponse),
}

impl Answer {
    /// The error of the whole.
    pub(super) fn error_code(&self) -> ErrorCode {
        match self {
            Self::Fetched(response) => response.error_code,
            Self::Acknowledged(response) => response.error_code,
        }
    }

    pub(super) fn lock_timeout_ms(&self) -> i32 {
        match self {
            Self::Fetched(response) => response.acquisition_lock_timeout_ms,
            Self::Acknowledged(response) => response.acquisition_lock_timeout_ms,
        }
    }

    /// What became of the acknowledgements of each partition.
    pub(super) fn acknowledged(&self) -> BTreeMap<ShareKey, (ErrorCode, Option<String>)> {
        let mut rows = BTreeMap::new();
        match self {
            Self::Fetched(response) => {
                for topic in &response.responses {
                    for row in &topic.partitions {
                        let key = ShareKey { topic_id: topic.topic_id, partition: row.partition_index };
                        rows.insert(key, (row.acknowledge_error_code, row.acknowledge_error_message.clone()));
                    }
                }
            }
            Self::Acknowledged(response) => {
                for topic in &response.responses {
                    for row in &topic.partitions {
                        let key = ShareKey { topic_id: topic.topic_id, partition: row.partition_index };
                        rows.insert(key, (row.error_code, row.error_message.clone()));
                    }
                }
            }
        }
        rows
    }
}

/// What a request is made of.
pub(super) struct Plan<'a> {
    pub group_id: &'a str,
    pub member_id: &'a str,
    pub epoch: i32,
    pub said: &'a BTreeMap<ShareKey, Said>,
    pub is_renewal: bool,
}

/// A fetch that adds and forgets partitions, and acknowledges along with it.
pub(super) fn share_fetch(
    plan: &Plan<'_>,
    added: &BTreeSet<ShareKey>,
    forgotten: &BTreeSet<ShareKey>,
    config: &ShareConsumerConfig,
) -> ShareFetchRequest {
    let mut topics: Vec<FetchTopic> = Vec::new();
    let named: BTreeSet<ShareKey> = added.iter().chain(plan.said.keys()).copied().collect();
    for key in named {
        let said = plan.said.get(&key).map(runs).unwrap_or_default();
        let batch = |(first_offset, last_offset, acknowledge_types)| AcknowledgementBatch {
            first_offset,
            last_offset,
            acknowledge_types,
            ..Default::default()
        };
        let acknowledgement_batches = said.into_iter().map(batch).collect();
        let partition =
            FetchPartition { partition_index: key.partition, acknowledgement_batches, ..Default::default() };
        match topics.last_mut().filter(|topic| topic.topic_id == key.topic_id) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(FetchTopic {
                topic_id: key.topic_id,
                partitions: vec![partition],
                ..Default::default()
            }),
        }
    }
    let forget = |key: &ShareKey| ForgottenTopic {
        topic_id: key.topic_id,
        partitions: vec![key.partition],
        ..Default::default()
    };
    ShareFetchRequest {
        group_id: Some(plan.group_id.to_owned()),
        member_id: Some(plan.member_id.to_owned()),
        share_session_epoch: plan.epoch,
        max_wait_ms: i32::try_from(config.fetch_max_wait.as_millis()).unwrap_or(i32::MAX),
        min_bytes: config.fetch_min_bytes,
        max_bytes: config.fetch_max_bytes,
        max_records: i32::try_from(config.max_poll_records).unwrap_or(i32::MAX),
        batch_size: i32::try_from(config.max_poll_records).unwrap_or(i32::MAX),
        share_acquire_mode: i8::from(config.record_limit),
        topics,
        forgotten_topics_data: forgotten.iter().map(forget).collect(),
        ..Default::default()
    }
}

/// Acknowledges alone.
pub(super) fn share_acknowledge(plan: &Plan<'_>) -> ShareAcknowledgeRequest {
    let mut topics: Vec<AcknowledgeTopic> = Vec::new();
    for (key, said) in plan.said {
        let batch = |(first_offset, last_offset, acknowledge_types)| AcknowledgeBatch {
            first_offset,
            last_offset,
            acknowledge_types,
            ..Default::default()
        };
        let acknowledgement_batches = runs(said).into_iter().map(batch).collect();
        let partition = AcknowledgePartition {
            partition_index: key.partition,
            acknowledgement_batches,
            ..Default::default()
        };
        match topics.last_mut().filter(|topic| topic.topic_id == key.topic_id) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(AcknowledgeTopic {
                topic_id: key.topic_id,
                partitions: vec![partition],
                ..Default::default()
            }),
        }
    }
    ShareAcknowledgeRequest {
        group_id: Some(plan.group_id.to_owned()),
        member_id: Some(plan.member_id.to_owned()),
        share_session_epoch: plan.epoch,
        is_renew_ack: plan.is_renewal,
        topics,
        ..Default::default()
    }
}

/// Records that were acquired, and the first and last offsets of all that was.
pub(super) type Acquired = (Vec<ShareRecord>, Vec<(Offset, Offset)>);

/// Reads the records of a partition that were acquired.
pub(super) fn acquired_records(topic: &Arc<str>, row: &PartitionData, check_crcs: bool) -> Result<Acquired> {
    let ranges: Vec<_> = row
        .acquired_records
        .iter()
        .map(|range| (Offset(range.first_offset), Offset(range.last_offset)))
        .collect();
    let bytes = match &row.records {
        Some(records) => records.read().map_err(|error| Error::Protocol(error.to_string()))?,
        None => Bytes::new(),
    };
    let corrupt = |error: records::RecordsError| {
        Error::CorruptRecord(format!("a batch of {topic}-{} cannot be read: {error}", row.partition_index))
    };
    let mut found = Vec::new();
    for batch in records::batches(bytes) {
        let batch = batch.map_err(corrupt)?;
        if batch.header().is_control() {
            continue;
        }
        if check_crcs {
            batch.ensure_valid().map_err(corrupt)?;
        }
        let (timestamp_type, epoch) =
            (batch.header().timestamp_type(), batch.header().partition_leader_epoch);
        for record in batch.decode(usize::MAX).map_err(corrupt)?.owned() {
            let record = record.map_err(corrupt)?;
            let at = record.offset.0;
            let range = row
                .acquired_records
                .iter()
                .find(|range| (range.first_offset..=range.last_offset).contains(&at));
            let Some(range) = range else { continue };
            let record = ConsumerRecord {
                topic: topic.clone(),
                partition: row.partition_index,
                offset: record.offset,
                timestamp: record.timestamp,
                timestamp_type,
                key: record.key,
                value: record.value,
                headers: record.headers,
                leader_epoch: Some(epoch).filter(|epoch| *epoch != LeaderEpoch::NONE),
            };
            found.push(ShareRecord { record, delivery_count: range.delivery_count });
        }
    }
    Ok((found, ranges))
}
