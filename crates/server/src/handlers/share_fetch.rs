//! ShareFetch (key 78): acquires records for a member of a share group, and takes its word for what it acquired before.
//!
//! Versions: 1–2. 1 the first · 2 renewals of locks (KIP-1222), acquire modes (KIP-1206).
//! Kafka: `KafkaApis.handleShareFetchRequest`.

use std::collections::HashMap;
use std::time::Duration;

use coordinators::share_partition::AcquireMode;
use metadata::MetadataImage;
use protocol::share_fetch_response::{PartitionData, ShareFetchableTopicResponse};
use protocol::{ErrorCode, Records, ShareFetchRequest, ShareFetchResponse};
use quota::QuotaKind;
use tokio::time::Instant;

use super::current_leaders::{add_endpoint, current_leader};
use super::share_acknowledgements::{
    AcknowledgedPartition, Acknowledgements, by_topic, check_known, is_moved, lock_timeout_ms, readable,
    session_key,
};
use crate::authorize::Permitted;
use crate::broker::Broker;
use crate::broker::share_partition_manager::{ShareFetchParams, ShareFetchRow, error_row};
use crate::broker::share_sessions::{FINAL_EPOCH, ShareSessionKey, ShareSessionRequest, ShareTarget};
use crate::request::RequestContext;
use crate::throttle;

/// Acknowledges and acquires.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: ShareFetchRequest,
) -> ShareFetchResponse {
    let answer = answer(broker, context, request).await;
    answer.unwrap_or_else(|error_code| ShareFetchResponse { error_code, ..Default::default() })
}

async fn answer(
    broker: &Broker,
    context: &RequestContext,
    request: ShareFetchRequest,
) -> Result<ShareFetchResponse, ErrorCode> {
    let image = broker.metadata.image();
    let gate = broker.gate(context);
    let key = session_key(&image, &gate, request.group_id.as_deref(), request.member_id.as_deref())?;
    let renews = context.version >= 2 && request.is_renew_ack;
    if renews
        && (request.max_bytes, request.min_bytes, request.max_records, request.max_wait_ms) != (0, 0, 0, 0)
    {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    let mode = acquire_mode(request.share_acquire_mode)?;
    let targets = begin(broker, context, &key, &request).await?;
    let acknowledged = partitions(&request).map(|(target, _)| target);
    let readable = readable(&gate, &image, targets.iter().copied().chain(acknowledged));
    let acknowledgements = match acknowledges(&request) {
        true => {
            let partitions = partitions(&request);
            Some(Acknowledgements::check(&image, &readable, partitions, context.version >= 2, renews))
        }
        false => None,
    };
    let acknowledged = async {
        match acknowledgements {
            Some(acknowledgements) => acknowledgements.apply(broker, &key).await,
            None => Vec::new(),
        }
    };
    let fetched = async {
        match renews {
            true => Vec::new(),
            false => {
                let (known, refused) = sort(&image, &readable, targets);
                fetch(broker, context, &key, &request, mode, known, refused).await
            }
        }
    };
    // What is acknowledged is decided first, so that what it gives back can be acquired.
    let (acknowledged, mut rows) = tokio::join!(acknowledged, fetched);
    broker.share_sessions.finish_fetch(&key, request.share_session_epoch, &mut rows)?;
    tell(&mut rows, acknowledged);
    if request.share_session_epoch == FINAL_EPOCH {
        close(broker, &key);
    }
    Ok(respond(broker, context, &key, rows))
}

fn acquire_mode(id: i8) -> Result<AcquireMode, ErrorCode> {
    match id {
        0 => Ok(AcquireMode::BatchOptimized),
        1 => Ok(AcquireMode::RecordLimit),
        _ => Err(ErrorCode::INVALID_REQUEST),
    }
}

/// Moves the session on; returns its partitions. Who is one too many waits before it is told, so that it does not come again at
/// once.
async fn begin(
    broker: &Broker,
    context: &RequestContext,
    key: &ShareSessionKey,
    request: &ShareFetchRequest,
) -> Result<Vec<ShareTarget>, ErrorCode> {
    let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
        topic
            .partitions
            .iter()
            .map(|partition| ShareTarget { topic_id: topic.topic_id, partition: *partition })
    });
    let session = ShareSessionRequest {
        key: key.clone(),
        epoch: request.share_session_epoch,
        added: partitions(request).map(|(target, _)| target).collect(),
        forgotten: forgotten.collect(),
        acknowledges: acknowledges(request),
        connection: context.connection,
    };
    let max = broker.config().share_groups.group_share_max_share_sessions.max(1) as usize;
    let begun = broker.share_sessions.begin_fetch(session, max);
    if begun == Err(ErrorCode::SHARE_SESSION_LIMIT_REACHED) {
        tokio::time::sleep(Duration::from_millis(request.max_wait_ms.max(0) as u64)).await;
    }
    begun
}

fn partitions(request: &ShareFetchRequest) -> impl Iterator<Item = AcknowledgedPartition> {
    request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| {
            let target = ShareTarget { topic_id: topic.topic_id, partition: partition.partition_index };
            let batches = partition.acknowledgement_batches.iter();
            let batches =
                batches.map(|batch| (batch.first_offset, batch.last_offset, batch.acknowledge_types.clone()));
            (target, batches.collect())
        })
    })
}

fn acknowledges(request: &ShareFetchRequest) -> bool {
    let mut partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.any(|partition| !partition.acknowledgement_batches.is_empty())
}

/// Parts what can be fetched from what is refused.
fn sort(
    image: &MetadataImage,
    readable: &Permitted,
    targets: Vec<ShareTarget>,
) -> (Vec<ShareTarget>, Vec<ShareFetchRow>) {
    let (mut known, mut refused) = (Vec::new(), Vec::new());
    for target in targets {
        match check_known(image, readable, target) {
            Ok(()) => known.push(target),
            Err(error) => refused.push(error_row(target, error)),
        }
    }
    (known, refused)
}

/// Kafka: `KafkaApis.handleFetchFromShareFetchRequest`.
async fn fetch(
    broker: &Broker,
    context: &RequestContext,
    key: &ShareSessionKey,
    request: &ShareFetchRequest,
    mode: AcquireMode,
    mut known: Vec<ShareTarget>,
    mut rows: Vec<ShareFetchRow>,
) -> Vec<ShareFetchRow> {
    if known.is_empty() {
        return rows;
    }
    let turn = usize::try_from(request.share_session_epoch).unwrap_or(0) % known.len();
    known.rotate_left(turn);
    let max_bytes = request.max_bytes.min(broker.config().network.fetch_max_bytes).max(0) as usize;
    let max_bytes = max_bytes.min(broker.quotas.fetch_bytes_max(context));
    let params = ShareFetchParams {
        key: key.clone(),
        mode,
        batch_size: request.batch_size.into(),
        max_records: request.max_records.into(),
        min_bytes: (request.min_bytes.max(0) as usize).min(max_bytes),
        max_bytes,
        deadline: Instant::now() + Duration::from_millis(request.max_wait_ms.max(0) as u64),
    };
    rows.extend(broker.share_partitions.fetch(&params, &known).await);
    rows
}

/// Adds what became of acknowledgements to what was acquired.
fn tell(rows: &mut Vec<ShareFetchRow>, acknowledged: Vec<(ShareTarget, ErrorCode, Option<String>)>) {
    let mut places: HashMap<ShareTarget, usize> =
        rows.iter().enumerate().map(|(place, (target, _))| (*target, place)).collect();
    for (target, error_code, message) in acknowledged {
        let index = *places.entry(target).or_insert(rows.len());
        if index == rows.len() {
            let (partition_index, records) = (target.partition, Some(Records::default()));
            rows.push((target, PartitionData { partition_index, records, ..Default::default() }));
        }
        let row = &mut rows[index].1;
        (row.acknowledge_error_code, row.acknowledge_error_message) = (error_code, message);
    }
}

/// Ends a session that its member closed.
pub(super) fn close(broker: &Broker, key: &ShareSessionKey) {
    if let Some(ended) = broker.share_sessions.remove(key) {
        broker.share_partitions.on_session_ended(ended);
    }
}

fn respond(
    broker: &Broker,
    context: &RequestContext,
    key: &ShareSessionKey,
    rows: Vec<ShareFetchRow>,
) -> ShareFetchResponse {
    let image = broker.metadata.image();
    let acquisition_lock_timeout_ms = lock_timeout_ms(broker, key);
    let throttle_time_ms = throttle::millis(charge(broker, context, &rows));
    let mut response =
        ShareFetchResponse { throttle_time_ms, acquisition_lock_timeout_ms, ..Default::default() };
    let mut partitions = Vec::with_capacity(rows.len());
    for (target, mut row) in rows {
        if is_moved(row.error_code) {
            let topic = image.topics().by_id(target.topic_id);
            row.current_leader = current_leader(topic, target.partition);
            let leader = row.current_leader.leader_id;
            add_endpoint(&mut response.node_endpoints, &image, leader, &context.listener.name);
        }
        partitions.push((target, row));
    }
    let topic =
        |(topic_id, partitions)| ShareFetchableTopicResponse { topic_id, partitions, ..Default::default() };
    response.responses = by_topic(partitions).into_iter().map(topic).collect();
    response
}

/// Counts what was read against the client's quota. Unlike Kafka's, who is over one gets it nevertheless: it has been acquired,
/// and would be nobody's until its time is up.
fn charge(broker: &Broker, context: &RequestContext, rows: &[ShareFetchRow]) -> Duration {
    if !broker.quotas.is_enabled(QuotaKind::Fetch) {
        return Duration::ZERO;
    }
    let bytes: usize = rows.iter().map(|(_, row)| row.records.as_ref().map_or(0, Records::len)).sum();
    broker.quotas.record(QuotaKind::Fetch, context, bytes as f64, broker.clock.monotonic())
}
