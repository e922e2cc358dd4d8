//! Produce (key 0): appends record batches to partitions that this broker leads.
//!
//! Versions: 3–13. 3 transactional ids · 5 log start offset · 7 zstd · 8 errors of single records (KIP-467) ·
//! 9 flexible · 10 the present leader (KIP-951) · 12 transactions without AddPartitionsToTxn (KIP-890) · 13 topic ids (KIP-516).
//! Kafka: `KafkaApis.handleProduceRequest`, `ReplicaManager.appendRecords`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coordinators::transaction::Producer;
use metadata::MetadataImage;
use model::{AclOperation, Offset, TopicPartition, Uuid, topic_name};
use protocol::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::produce_response::{
    BatchIndexAndErrorMessage, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use protocol::{ErrorCode, ProduceRequest, ProduceResponse, Records, ResponseBody};
use records::{RecordError, RecordsError};
use storage::{AppendOptions, LogAppendInfo, StorageError};
use telemetry::BadBatch;
use tokio::time::timeout;

use super::current_leaders::{add_endpoint, current_leader};
use crate::authorize::{Gate, Permitted};
use crate::broker::Broker;
use crate::broker::fetch_session::TopicKey;
use crate::broker::partition::{Partition, PartitionError};
use crate::broker::replica_manager::{wait_durable, wait_replicated};
use crate::broker::transaction_admission::{self, TransactionOperation};
use crate::dispatch::Answer;
use crate::request::{ListenerContext, RequestContext};

/// The client that may write to internal topics. Kafka: `AdminUtils.ADMIN_CLIENT_ID`.
const ADMIN_CLIENT_ID: &str = "__admin_client";

/// Appends each partition's batch. What has to be waited for after that, by `acks=all`, keeps no later request waiting.
///
/// A partition that fails does not fail the others. With `acks=0` there is no answer, and the connection's end is what
/// tells of a failure.
pub async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: ProduceRequest) -> Answer {
    let image = broker.metadata.image();
    let gate = broker.gate(context);
    let refusal = refusal(&gate, &request);
    let permitted = gate.permitted_topics(AclOperation::Write, names(&image, context.version, &request));
    let admission = match refusal {
        None => admit(broker, context, &image, &permitted, &request).await,
        Some(_) => Admission::default(),
    };
    let produce = Produce { broker, context, image: &image, acks: request.acks, admission, permitted };
    let wait = Duration::from_millis(request.timeout_ms.max(0) as u64);
    let topics: Vec<Topic> = request
        .topic_data
        .into_iter()
        .map(|topic| match refusal {
            Some(error) => refuse_topic(topic, error),
            None => produce.append_topic(topic),
        })
        .collect();
    drop(produce);
    let answering = Answering {
        broker: broker.clone(),
        image,
        listener: context.listener.clone(),
        version: context.version,
    };
    match request.acks {
        -1 => Answer::Later(Box::pin(answering.once_committed(topics, wait))),
        0 => unacknowledged(&topics),
        _ => answering.response(topics).into(),
    }
}

/// A topic's part of the request, as far as it has come.
struct Topic {
    name: String,
    id: Uuid,
    rows: Vec<Row>,
}

struct Row {
    response: PartitionProduceResponse,
    /// What was appended, while its commit is awaited.
    appended: Option<(Arc<Partition>, Offset)>,
}

/// What refuses the request as a whole.
fn refusal(gate: &Gate<'_>, request: &ProduceRequest) -> Option<ErrorCode> {
    if !matches!(request.acks, -1..=1) {
        return Some(ErrorCode::INVALID_REQUIRED_ACKS);
    }
    let partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let mut records = partitions.filter_map(|data| data.records.as_ref());
    let transactional = records.any(|records| transactional_producer(records).is_some());
    let may_write = |id: &String| gate.check_transactional_id(AclOperation::Write, id).is_ok();
    (transactional && !request.transactional_id.as_ref().is_some_and(may_write))
        .then_some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
}

/// The names of the topics that the request writes to, as far as they are known.
fn names<'a>(
    image: &'a MetadataImage,
    version: i16,
    request: &'a ProduceRequest,
) -> impl Iterator<Item = &'a str> {
    request.topic_data.iter().filter_map(move |topic| match version {
        ..13 => Some(topic.name.as_str()),
        _ => image.topics().by_id(topic.topic_id).map(|topic| &**topic.name()),
    })
}

/// Which partitions the transaction coordinator let into the request's transaction.
#[derive(Default)]
struct Admission {
    verified: BTreeSet<TopicPartition>,
    refused: BTreeMap<TopicPartition, ErrorCode>,
}

/// Asks the coordinator about partitions that do not hold records of the transaction yet.
async fn admit(
    broker: &Broker,
    context: &RequestContext,
    image: &MetadataImage,
    permitted: &Permitted,
    request: &ProduceRequest,
) -> Admission {
    let Some(transactional_id) = request.transactional_id.as_deref() else { return Admission::default() };
    let mut producer = None;
    let mut asked = BTreeSet::new();
    for topic in &request.topic_data {
        let name = if context.version >= 13 {
            image.topics().by_id(topic.topic_id).map(|topic| topic.name().clone())
        } else {
            Some(topic.name.as_str().into())
        };
        let Some(name) = name.filter(|name| permitted.contains(name)) else { continue };
        for data in &topic.partition_data {
            let Some(of_batch) = data.records.as_ref().and_then(transactional_producer) else { continue };
            let begun = broker.replicas.by_name(&name, data.index).is_some_and(|partition| {
                partition.log().has_ongoing_transaction(of_batch.id, of_batch.epoch)
            });
            producer = Some(of_batch);
            if !begun {
                asked.insert(TopicPartition::new(name.clone(), data.index));
            }
        }
    }
    let Some(producer) = producer.filter(|_| !asked.is_empty()) else { return Admission::default() };
    let operation = TransactionOperation::of_produce(context.version);
    let verifies = broker.config().transactions.transaction_partition_verification_enable;
    let refused = match verifies || operation == TransactionOperation::Add {
        true => {
            transaction_admission::admit(broker, transactional_id, producer, asked.clone(), operation).await
        }
        false => BTreeMap::new(),
    };
    asked.retain(|partition| !refused.contains_key(partition));
    Admission { verified: asked, refused }
}

struct Produce<'a> {
    broker: &'a Broker,
    context: &'a RequestContext,
    image: &'a MetadataImage,
    acks: i16,
    admission: Admission,
    permitted: Permitted,
}

impl Produce<'_> {
    fn append_topic(&self, topic: TopicProduceData) -> Topic {
        let by_id = self.context.version >= 13;
        let named = match by_id {
            true => self.image.topics().by_id(topic.topic_id).map(|topic| &**topic.name()),
            false => Some(topic.name.as_str()),
        };
        if named.is_some_and(|name| !self.permitted.contains(name)) {
            return refuse_topic(topic, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        }
        let TopicProduceData { name, topic_id, partition_data, .. } = topic;
        let key = if by_id { TopicKey::Id(topic_id) } else { TopicKey::Name(name.as_str().into()) };
        let known = if by_id { self.image.topics().by_id(topic_id) } else { None };
        let real_name = known.map_or(name.clone(), |topic| topic.name().to_string());
        let rows =
            partition_data.into_iter().map(|data| self.append_partition(&key, &real_name, data)).collect();
        Topic { name, id: topic_id, rows }
    }

    fn append_partition(&self, key: &TopicKey, name: &str, data: PartitionProduceData) -> Row {
        let index = data.index;
        let bytes = data.records.as_ref().map_or(0, Records::len);
        match self.append(key, name, data) {
            Ok((partition, info)) => {
                let records = info.records.max(0) as u64;
                partition.metrics().appended(records, info.bytes);
                if let Some(took) = info.recompressed {
                    partition.metrics().converted(records);
                    self.broker.metrics.requests.observe_conversion(took);
                }
                let response = appended(index, &info);
                Row { response, appended: Some((partition, info.last_offset.plus(1))) }
            }
            Err(error) => {
                self.count_failure(key, index, bytes, &error);
                let response = self.refused(key, index, &error);
                Row { response, appended: None }
            }
        }
    }

    fn append(
        &self,
        key: &TopicKey,
        name: &str,
        data: PartitionProduceData,
    ) -> Result<(Arc<Partition>, LogAppendInfo), PartitionError> {
        let partition =
            self.broker.replicas.find(self.image, key, data.index).map_err(PartitionError::Refused)?;
        if topic_name::is_internal(name) && self.context.client_id() != ADMIN_CLIENT_ID {
            return Err(PartitionError::Refused(ErrorCode::INVALID_TOPIC_EXCEPTION));
        }
        let records = match data.records {
            Some(Records::Bytes(bytes)) => bytes,
            Some(Records::Region(_)) | None => Bytes::new(),
        };
        let named = TopicPartition::new(name, data.index);
        if let Some(error) = self.admission.refused.get(&named) {
            return Err(PartitionError::Unverified(*error));
        }
        let transaction_verified = self.admission.verified.contains(&named);
        let options = AppendOptions {
            transaction_verified,
            produce_version: Some(self.context.version),
            ..Default::default()
        };
        let info = partition.append(records, self.acks == -1, options)?;
        Ok((partition, info))
    }

    fn count_failure(&self, key: &TopicKey, index: i32, bytes: usize, error: &PartitionError) {
        match self.broker.replicas.find(self.image, key, index) {
            Ok(known) => known.metrics().append_failed(bytes, bad_batch(error)),
            Err(_) => self.broker.metrics.topics.append_to_unknown_failed(bytes),
        }
    }

    fn refused(&self, key: &TopicKey, index: i32, error: &PartitionError) -> PartitionProduceResponse {
        let mut row = refused_row(index, error.code());
        if reached_log(error)
            && let Ok(partition) = self.broker.replicas.find(self.image, key, index)
        {
            row.log_start_offset = partition.log().log_start_offset().0;
        }
        row.error_message = explained(error);
        if let PartitionError::Log(StorageError::Records(refused)) = error {
            let error_of = |error: &RecordError| BatchIndexAndErrorMessage {
                batch_index: error.batch_index,
                batch_index_error_message: Some(error.message.clone()),
                ..Default::default()
            };
            row.record_errors = refused.record_errors().iter().map(error_of).collect();
        }
        if self.context.version >= 10 && error.code() == ErrorCode::NOT_LEADER_OR_FOLLOWER {
            row.current_leader = current_leader(key.find(self.image), index);
        }
        row
    }
}

/// What an answer needs when the request is gone.
struct Answering {
    broker: Arc<Broker>,
    image: Arc<MetadataImage>,
    listener: Arc<ListenerContext>,
    version: i16,
}

impl Answering {
    /// Waits until everything appended is committed. `wait` is how long replicas may take; this node's own disk is part of the
    /// append, for which Kafka's requests wait too.
    async fn once_committed(self, mut topics: Vec<Topic>, wait: Duration) -> ResponseBody {
        let purgatory = &self.broker.metrics.purgatory;
        let _waiting = purgatory.produce_waits();
        let rows: Vec<&mut Row> = topics.iter_mut().flat_map(|topic| &mut topic.rows).collect();
        let waits = rows.into_iter().filter_map(|row| {
            let (partition, end) = row.appended.take()?;
            Some(async move {
                let error = match timeout(wait, wait_replicated(&partition, end)).await {
                    Ok(Ok(())) => match wait_durable(&partition, end).await {
                        Ok(()) => return,
                        Err(error) => error.code(),
                    },
                    Ok(Err(error)) => error.code(),
                    Err(_) => {
                        purgatory.produce_expired();
                        ErrorCode::REQUEST_TIMED_OUT
                    }
                };
                row.response = refused_row(row.response.index, error);
            })
        });
        futures_util::future::join_all(waits).await;
        self.response(topics).into()
    }

    fn response(&self, topics: Vec<Topic>) -> ProduceResponse {
        let mut response = ProduceResponse::default();
        for Topic { name, id, rows } in topics {
            let partition_responses: Vec<_> = rows.into_iter().map(|row| row.response).collect();
            self.add_endpoints(&mut response.node_endpoints, &partition_responses);
            let topic_id = if self.version >= 13 { id } else { Uuid::ZERO };
            let topic = TopicProduceResponse { name, topic_id, partition_responses, ..Default::default() };
            response.responses.push(topic);
        }
        response
    }

    /// Tells where the leaders are that the rows name. Kafka: KIP-951.
    fn add_endpoints(&self, endpoints: &mut Vec<NodeEndpoint>, rows: &[PartitionProduceResponse]) {
        for row in rows {
            add_endpoint(endpoints, &self.image, row.current_leader.leader_id, &self.listener.name);
        }
    }
}

/// What is wrong with a batch, as far as that is counted. Kafka: `ReplicaManager`'s `ValidatorMetricsRecorder`.
fn bad_batch(error: &PartitionError) -> Option<BadBatch> {
    let PartitionError::Log(StorageError::Records(error)) = error else { return None };
    match error {
        RecordsError::InvalidMagic(_) | RecordsError::ProduceMagic { .. } => Some(BadBatch::Magic),
        RecordsError::Corrupt { .. } | RecordsError::CrcMismatch { .. } => Some(BadBatch::Crc),
        RecordsError::OffsetRange { .. }
        | RecordsError::ReportedCount { .. }
        | RecordsError::InconsistentCount { .. }
        | RecordsError::Sequence { .. } => Some(BadBatch::Sequence),
        RecordsError::RejectedRecords { errors, .. } if errors.iter().any(RecordError::is_missing_key) => {
            Some(BadBatch::MissingKey)
        }
        _ => None,
    }
}

/// Whether the log itself refused, whose start an answer then tells.
/// Kafka: `ReplicaManager.appendRecordsToLeader`, whose other failures know no log.
fn reached_log(error: &PartitionError) -> bool {
    use RecordsError::{
        BatchTooLarge, Corrupt, NoBatch, ProduceMagic, ProduceZstd, RecompressedTooLarge, SeveralBatches,
    };
    match error {
        PartitionError::Refused(_) | PartitionError::Unverified(_) => false,
        PartitionError::NotEnoughReplicas { .. } => true,
        PartitionError::Log(StorageError::Records(error)) => {
            !matches!(
                error,
                NoBatch { .. } | SeveralBatches { .. } | ProduceMagic { .. } | ProduceZstd { .. }
            ) && !matches!(error, BatchTooLarge { .. } | RecompressedTooLarge { .. } | Corrupt { .. })
                && error.error_code() != ErrorCode::CORRUPT_MESSAGE
        }
        PartitionError::Log(error) => !matches!(
            error.code(),
            ErrorCode::KAFKA_STORAGE_ERROR
                | ErrorCode::CORRUPT_MESSAGE
                | ErrorCode::RECORD_LIST_TOO_LARGE
                | ErrorCode::NOT_LEADER_OR_FOLLOWER
        ),
    }
}

/// The text that goes with an error code: most codes speak for themselves. Kafka: `LogAppendResult.hasCustomErrorMessage`.
fn explained(error: &PartitionError) -> Option<String> {
    match error {
        PartitionError::Log(StorageError::Records(refused)) if !refused.record_errors().is_empty() => {
            Some(refused.to_string())
        }
        // What is found while the request is read.
        PartitionError::Log(StorageError::Records(
            refused @ (RecordsError::EntryTooSmall { .. }
            | RecordsError::BatchTooSmall(_)
            | RecordsError::InvalidMagic(_)),
        )) => Some(refused.to_string()),
        PartitionError::Unverified(error) => transaction_admission::produce_error_text(*error),
        _ => None,
    }
}

/// With `acks=0` a failure ends the connection, and nothing else is said.
fn unacknowledged(topics: &[Topic]) -> Answer {
    let mut rows = topics.iter().flat_map(|topic| &topic.rows);
    match rows.find(|row| row.response.error_code.is_error()) {
        None => Answer::Nothing,
        Some(row) => {
            Answer::Close(format!("a produce request with acks=0 failed: {}", row.response.error_code.name()))
        }
    }
}

fn appended(index: i32, info: &LogAppendInfo) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        base_offset: info.first_offset.0,
        log_append_time_ms: info.log_append_time.0,
        log_start_offset: info.log_start_offset.0,
        ..Default::default()
    }
}

fn refused_row(index: i32, error_code: ErrorCode) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        ..Default::default()
    }
}

fn refuse_topic(topic: TopicProduceData, error: ErrorCode) -> Topic {
    let row = |data: &PartitionProduceData| Row { response: refused_row(data.index, error), appended: None };
    let rows = topic.partition_data.iter().map(row).collect();
    Topic { name: topic.name, id: topic.topic_id, rows }
}

/// Returns the producer of the first batch if that belongs to a transaction: attribute bit 4 of format 2. What else the
/// batch holds is checked when it is appended.
fn transactional_producer(records: &Records) -> Option<Producer> {
    const MAGIC_AT: usize = 16;
    const ATTRIBUTES_LOW_AT: usize = 22;
    const PRODUCER_ID_AT: usize = 43;
    const PRODUCER_EPOCH_AT: usize = 51;
    let Records::Bytes(bytes) = records else { return None };
    if bytes.get(MAGIC_AT) != Some(&2) || bytes.get(ATTRIBUTES_LOW_AT)? & 0x10 == 0 {
        return None;
    }
    let id = bytes.get(PRODUCER_ID_AT..PRODUCER_EPOCH_AT)?.try_into().ok()?;
    let epoch = bytes.get(PRODUCER_EPOCH_AT..PRODUCER_EPOCH_AT + 2)?.try_into().ok()?;
    Some(Producer { id: i64::from_be_bytes(id).into(), epoch: i16::from_be_bytes(epoch).into() })
}
