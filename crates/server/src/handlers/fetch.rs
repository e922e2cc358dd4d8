//! Fetch (key 1): reads record batches from partitions that this broker leads.
//!
//! Versions: 4–18. 4 isolation level · 5 log start offset · 7 sessions (KIP-227) · 9 leader epoch (KIP-320) · 10 zstd ·
//! 11 rack (KIP-392) · 12 flexible, diverging epoch · 13 topic ids (KIP-516) · 14 tiers · 15 replica state (KIP-903) ·
//! 16 the present leader (KIP-951) · 17 directory ids · 18 the follower's high watermark.
//! Not yet: fetching as a replica, which is refused; fetching from followers. Kafka: `KafkaApis.handleFetchRequest`,
//! `ReplicaManager.fetchMessages`.

use std::sync::Arc;
use std::time::Duration;

use metadata::MetadataImage;
use model::{AclOperation, LeaderEpoch, Offset, Uuid};
use protocol::fetch_request::FetchPartition;
use protocol::fetch_response::{AbortedTransaction, EpochEndOffset, FetchableTopicResponse, PartitionData};
use protocol::{ErrorCode, FetchRequest, FetchResponse, Records};
use quota::QuotaKind;
use storage::{FetchDataInfo, FetchIsolation, Interest, Subscription};
use telemetry::worked_so_far;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::current_leaders::{add_endpoint, current_leader};
use crate::authorize::Permitted;
use crate::broker::Broker;
use crate::broker::fetch_session::{FetchContext, FetchTarget, SessionRequest, TopicKey};
use crate::broker::partition::{Partition, PartitionError};
use crate::request::RequestContext;
use crate::throttle;

/// Reads what is asked for, waiting up to `max_wait_ms` until there are `min_bytes`.
pub async fn handle(broker: &Broker, context: &RequestContext, request: FetchRequest) -> FetchResponse {
    let mut limits = Limits::of(broker, &request);
    let replica = request.replica_id >= 0 || request.replica_state.replica_id >= 0;
    if !replica {
        limits.bound(broker.quotas.fetch_bytes_max(context));
    }
    let (session, targets) =
        match broker.fetch_sessions.begin(session_request(context, request), context.received_at) {
            Ok(begun) => begun,
            Err(error_code) => {
                let throttle = if replica { Duration::ZERO } else { charge_work(broker, context) };
                let throttle_time_ms = throttle::millis(throttle);
                return FetchResponse { error_code, throttle_time_ms, ..Default::default() };
            }
        };
    let permitted = if replica { Permitted::All } else { readable(broker, context, &targets) };
    let fetch = Fetch { broker, context, limits, permitted };
    let rows = match replica {
        true => fetch.refuse_replica(&targets),
        false => fetch.read_or_wait(&targets).await,
    };
    let throttle = if replica { Duration::ZERO } else { fetch.throttle(session, &rows) };
    if throttle.is_zero() {
        return fetch.respond(session, targets, rows);
    }
    let mut response = match broker.fetch_sessions.throttled(session) {
        Ok(session_id) => FetchResponse { session_id, ..Default::default() },
        Err(error_code) => FetchResponse { error_code, ..Default::default() },
    };
    response.throttle_time_ms = throttle::millis(throttle);
    response
}

/// Tells which topics a consumer may read.
fn readable(broker: &Broker, context: &RequestContext, targets: &[FetchTarget]) -> Permitted {
    let image = broker.metadata.image();
    let names = targets.iter().filter_map(|target| name_of(&image, target));
    broker.gate(context).permitted_topics(AclOperation::Read, names)
}

/// The name of a target's topic; none if it is asked for by an id that is not known.
fn name_of<'a>(image: &'a MetadataImage, target: &'a FetchTarget) -> Option<&'a str> {
    match &target.topic {
        TopicKey::Name(name) => Some(name),
        TopicKey::Id(id) => image.topics().by_id(*id).map(|topic| &**topic.name()),
    }
}

/// How much may be read, and how long may be waited for it.
#[derive(Clone, Copy)]
struct Limits {
    max_bytes: usize,
    min_bytes: usize,
    deadline: Option<Instant>,
    isolation: FetchIsolation,
}

impl Limits {
    fn of(broker: &Broker, request: &FetchRequest) -> Self {
        let max_bytes = request.max_bytes.min(broker.config().network.fetch_max_bytes).max(0) as usize;
        let wait = u64::try_from(request.max_wait_ms).ok().filter(|wait| *wait > 0);
        Self {
            max_bytes,
            min_bytes: (request.min_bytes.max(0) as usize).min(max_bytes),
            deadline: wait.map(|wait| Instant::now() + Duration::from_millis(wait)),
            isolation: match request.isolation_level {
                1 => FetchIsolation::TxnCommitted,
                _ => FetchIsolation::HighWatermark,
            },
        }
    }
}

impl Limits {
    /// Reads no more than `max_bytes`.
    fn bound(&mut self, max_bytes: usize) {
        self.max_bytes = self.max_bytes.min(max_bytes);
        self.min_bytes = self.min_bytes.min(self.max_bytes);
    }
}

fn session_request(context: &RequestContext, request: FetchRequest) -> SessionRequest {
    let by_id = context.version >= 13;
    let key = |name: &str, id: Uuid| if by_id { TopicKey::Id(id) } else { TopicKey::Name(name.into()) };
    let mut session = SessionRequest { id: 0, epoch: -1, by_id, ..Default::default() };
    if context.version >= 7 {
        (session.id, session.epoch) = (request.session_id, request.session_epoch);
    }
    for topic in &request.topics {
        let topic_key = key(&topic.topic, topic.topic_id);
        session.targets.extend(topic.partitions.iter().map(|partition| target(topic_key.clone(), partition)));
    }
    for topic in &request.forgotten_topics_data {
        let topic_key = key(&topic.topic, topic.topic_id);
        session.forgotten.extend(topic.partitions.iter().map(|index| (topic_key.clone(), *index)));
    }
    session
}

fn target(topic: TopicKey, partition: &FetchPartition) -> FetchTarget {
    FetchTarget {
        topic,
        partition: partition.partition,
        fetch_offset: partition.fetch_offset,
        max_bytes: partition.partition_max_bytes,
        current_leader_epoch: partition.current_leader_epoch,
        last_fetched_epoch: partition.last_fetched_epoch,
    }
}

struct Fetch<'a> {
    broker: &'a Broker,
    context: &'a RequestContext,
    limits: Limits,
    permitted: Permitted,
}

/// Counts what was worked on a fetch so far against its client's quota; returns how long the client is held back.
fn charge_work(broker: &Broker, context: &RequestContext) -> Duration {
    let now = broker.clock.monotonic();
    throttle::charge_work(broker, context, worked_so_far(now), now)
}

/// What was read of a partition, and where that is counted; none if it is not known here.
struct Row {
    data: PartitionData,
    partition: Option<Arc<Partition>>,
    /// Whether there is more in a later segment, where this read does not come to, however long it waits.
    is_behind: bool,
}

impl Row {
    fn bytes(&self) -> usize {
        self.data.records.as_ref().map_or(0, Records::len)
    }

    fn is_error(&self) -> bool {
        self.data.error_code.is_error()
    }
}

/// What was read of all partitions.
struct Outcome {
    rows: Vec<Row>,
    bytes: usize,
    /// Whether there is nothing to wait for: an error, a log that has diverged, or a segment that gets no more records.
    urgent: bool,
}

impl Fetch<'_> {
    async fn read_or_wait(&self, targets: &[FetchTarget]) -> Vec<Row> {
        let outcome = self.read_all(targets);
        let Some(deadline) = self.limits.deadline.filter(|_| !self.is_enough(&outcome, targets)) else {
            return outcome.rows;
        };
        let _waiting = self.broker.metrics.purgatory.fetch_waits();
        let notify = Arc::new(Notify::new());
        let _subscriptions = self.subscribe(targets, &notify);
        loop {
            // Whatever came between the last look and the subscription is seen by this one.
            let outcome = self.read_all(targets);
            if self.is_enough(&outcome, targets) {
                return outcome.rows;
            }
            if timeout_at(deadline, notify.notified()).await.is_err() {
                self.broker.metrics.purgatory.fetch_expired();
                return self.read_all(targets).rows;
            }
        }
    }

    fn is_enough(&self, outcome: &Outcome, targets: &[FetchTarget]) -> bool {
        outcome.urgent || outcome.bytes >= self.limits.min_bytes || targets.is_empty()
    }

    fn subscribe(&self, targets: &[FetchTarget], notify: &Arc<Notify>) -> Vec<Subscription> {
        let image = self.image();
        let partitions = targets.iter().filter_map(|target| self.find(&image, target).ok());
        partitions.map(|partition| partition.log().subscribe(Interest::HIGH_WATERMARK, notify)).collect()
    }

    /// Metadata may change while a fetch waits, so each look takes the newest.
    fn image(&self) -> Arc<MetadataImage> {
        self.broker.metadata.image()
    }

    fn find(&self, image: &MetadataImage, target: &FetchTarget) -> Result<Arc<Partition>, ErrorCode> {
        let named = name_of(image, target);
        if named.is_some_and(|name| !self.permitted.contains(name)) {
            return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        }
        self.broker.replicas.find(image, &target.topic, target.partition)
    }

    /// Reads all partitions in turn while there is room; the first records come whole, however large.
    /// Kafka: `ReplicaManager.readFromLog`.
    fn read_all(&self, targets: &[FetchTarget]) -> Outcome {
        let image = self.image();
        let mut outcome = Outcome { rows: Vec::with_capacity(targets.len()), bytes: 0, urgent: false };
        for target in targets {
            let room = self.limits.max_bytes.saturating_sub(outcome.bytes);
            let row = self.read_one(&image, target, room, outcome.bytes == 0);
            outcome.bytes += row.bytes();
            outcome.urgent |= row.is_error() || row.data.diverging_epoch.epoch >= 0 || row.is_behind;
            outcome.rows.push(row);
        }
        outcome
    }

    fn read_one(
        &self,
        image: &MetadataImage,
        target: &FetchTarget,
        room: usize,
        min_one_message: bool,
    ) -> Row {
        let partition = match self.find(image, target) {
            Ok(partition) => partition,
            Err(error) => {
                return Row { data: self.refused(image, target, error), partition: None, is_behind: false };
            }
        };
        let read = self.read(&partition, target, room, min_one_message);
        let (data, is_behind) = read.unwrap_or_else(|error| {
            if error.code() == ErrorCode::UNKNOWN_SERVER_ERROR {
                tracing::error!(partition = %partition.topic_partition(), "a fetch failed: {error}");
            }
            (self.refused(image, target, error.code()), false)
        });
        Row { data, partition: Some(partition), is_behind }
    }

    /// Reads of one partition; tells also whether the client may go on in a later segment.
    fn read(
        &self,
        partition: &Partition,
        target: &FetchTarget,
        room: usize,
        min_one_message: bool,
    ) -> Result<(PartitionData, bool), PartitionError> {
        let known = Some(LeaderEpoch(target.current_leader_epoch)).filter(|epoch| epoch.0 >= 0);
        let log = partition.leader_log(known)?;
        let offsets = log.offsets();
        let mut row = PartitionData {
            partition_index: target.partition,
            high_watermark: offsets.high_watermark.0,
            last_stable_offset: offsets.last_stable.0,
            log_start_offset: offsets.log_start.0,
            records: Some(Records::default()),
            ..Default::default()
        };
        if let Some(diverging) = diverging_epoch(partition, target)? {
            row.diverging_epoch = diverging;
            return Ok((row, false));
        }
        let max_bytes = room.min(target.max_bytes.max(0) as usize);
        let read =
            log.read(Offset(target.fetch_offset), max_bytes, self.limits.isolation, min_one_message)?;
        row.aborted_transactions = aborted(&read);
        if !read.first_entry_incomplete {
            row.records = Some(read.records);
        }
        Ok((row, read.is_behind))
    }

    fn refused(&self, image: &MetadataImage, target: &FetchTarget, error_code: ErrorCode) -> PartitionData {
        let mut row = PartitionData {
            partition_index: target.partition,
            error_code,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            records: Some(Records::default()),
            ..Default::default()
        };
        let moved = matches!(error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH);
        if moved && self.context.version >= 16 {
            row.current_leader = current_leader(target.topic.find(image), target.partition);
        }
        row
    }

    /// Refuses whoever claims to be a replica: only brokers may, and none follows this one.
    fn refuse_replica(&self, targets: &[FetchTarget]) -> Vec<Row> {
        let error = match self.broker.gate(self.context).may_act_for_the_cluster() {
            true => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            false => ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        };
        let image = self.image();
        let refuse = |target| Row {
            data: self.refused(&image, target, error),
            partition: self.find(&image, target).ok(),
            is_behind: false,
        };
        targets.iter().map(refuse).collect()
    }

    /// Counts what was read, and the time that it took, against the client's quotas. Who is over one gets nothing now, so
    /// what was read is taken back; returns how long the client then waits.
    fn throttle(&self, session: FetchContext, rows: &[Row]) -> Duration {
        let quotas = &self.broker.quotas;
        let for_time = charge_work(self.broker, self.context);
        if !quotas.is_enabled(QuotaKind::Fetch) {
            return for_time;
        }
        let (bytes, now) = (self.response_bytes(session, rows) as f64, self.broker.clock.monotonic());
        let throttle = quotas.record(QuotaKind::Fetch, self.context, bytes, now).max(for_time);
        if !throttle.is_zero() {
            quotas.record_only(QuotaKind::Fetch, self.context, -bytes, now);
        }
        throttle
    }

    /// Returns how large the response would be, but for topics' names and without rows that tell nothing new.
    fn response_bytes(&self, session: FetchContext, rows: &[Row]) -> usize {
        const ROW_BYTES: usize = 62;
        let all = !matches!(session, FetchContext::Incremental { .. });
        let sent = rows.iter().filter(|row| all || row.bytes() > 0 || row.is_error());
        sent.map(|row| ROW_BYTES + row.bytes()).sum()
    }

    fn respond(&self, session: FetchContext, targets: Vec<FetchTarget>, rows: Vec<Row>) -> FetchResponse {
        rows.iter().for_each(|row| self.count(row));
        let rows = targets.into_iter().zip(rows.into_iter().map(|row| row.data)).collect();
        let slots = self.broker.config().network.max_incremental_fetch_session_cache_slots.max(0) as usize;
        let fresh_id = || self.broker.chance.next_u64() as i32;
        let now = self.broker.clock.monotonic();
        match self.broker.fetch_sessions.finish(session, rows, now, slots, fresh_id) {
            Ok((session_id, rows)) => {
                let mut response = FetchResponse { session_id, ..Default::default() };
                for (topic, row) in rows {
                    let leader = row.current_leader.leader_id;
                    if leader >= 0 {
                        let listener = &self.context.listener.name;
                        add_endpoint(&mut response.node_endpoints, &self.image(), leader, listener);
                    }
                    add_row(&mut response.responses, topic, row);
                }
                response
            }
            Err(error_code) => FetchResponse { error_code, ..Default::default() },
        }
    }

    fn count(&self, row: &Row) {
        match &row.partition {
            Some(partition) if row.is_error() => partition.metrics().fetch_failed(),
            Some(partition) => partition.metrics().fetched(row.bytes()),
            None => self.broker.metrics.topics.fetch_from_unknown_failed(),
        }
    }
}

/// Adds a row to its topic's; rows of a topic that stand apart stay apart, since their order tells whose turn it was.
fn add_row(topics: &mut Vec<FetchableTopicResponse>, key: TopicKey, row: PartitionData) {
    let (topic, topic_id) = match key {
        TopicKey::Id(id) => (String::new(), id),
        TopicKey::Name(name) => (name.to_string(), Uuid::ZERO),
    };
    match topics.last_mut() {
        Some(last) if last.topic == topic && last.topic_id == topic_id => last.partitions.push(row),
        _ => topics.push(FetchableTopicResponse {
            topic,
            topic_id,
            partitions: vec![row],
            ..Default::default()
        }),
    }
}

/// Says where the client's log and this one part, if they do. Kafka: `Partition.readRecords`.
///
/// # Errors
/// `OFFSET_OUT_OF_RANGE`: the client read in an epoch of which this log knows nothing.
fn diverging_epoch(
    partition: &Partition,
    target: &FetchTarget,
) -> Result<Option<EpochEndOffset>, PartitionError> {
    let Some(last) = Some(LeaderEpoch(target.last_fetched_epoch)).filter(|epoch| epoch.0 >= 0) else {
        return Ok(None);
    };
    let (epoch, end) = partition
        .log()
        .end_offset_for_epoch(last)
        .ok_or(PartitionError::Refused(ErrorCode::OFFSET_OUT_OF_RANGE))?;
    let diverges = epoch < last || end.0 < target.fetch_offset;
    Ok(diverges.then(|| EpochEndOffset { epoch: epoch.0, end_offset: end.0, ..Default::default() }))
}

fn aborted(read: &FetchDataInfo) -> Option<Vec<AbortedTransaction>> {
    let transactions = read.aborted_transactions.as_ref()?;
    let row = |aborted: &storage::AbortedTxn| AbortedTransaction {
        producer_id: aborted.producer_id.0,
        first_offset: aborted.first_offset.0,
        ..Default::default()
    };
    Some(transactions.iter().map(row).collect())
}
