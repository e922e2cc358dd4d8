//! A share fetch: reads where records may be acquired, acquires them, or waits until there are some.
//!
//! Kafka: `DelayedShareFetch`, `ShareFetchUtils.processFetchResponse`.

use std::sync::Arc;

use bytes::Bytes;
use coordinators::share_partition::{
    AcquireMode, AcquireRequest, AcquiredRange, FetchedRecords, ShareLimits,
};
use model::Offset;
use protocol::share_fetch_response::{AcquiredRecords, PartitionData};
use protocol::{ErrorCode, Records};
use storage::FetchIsolation;
use telemetry::TopicMetrics;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::SharePartitionManager;
use super::cached::CachedSharePartition;
use super::read::ReadRecords;
use crate::broker::share_sessions::{ShareSessionKey, ShareTarget};

/// What a member asks for.
#[derive(Clone, Debug)]
pub struct ShareFetchParams {
    /// Who asks.
    pub key: ShareSessionKey,
    /// How strictly `max_records` is meant.
    pub mode: AcquireMode,
    /// How many records at least are told of together.
    pub batch_size: i64,
    /// How many records, of all partitions.
    pub max_records: i64,
    /// How many bytes are worth an answer.
    pub min_bytes: usize,
    /// How many bytes, of all partitions.
    pub max_bytes: usize,
    /// How long to wait for them.
    pub deadline: Instant,
}

/// A partition and what a member gets of it.
pub type ShareFetchRow = (ShareTarget, PartitionData);

/// A partition that was asked for.
struct Asked {
    target: ShareTarget,
    cached: Arc<CachedSharePartition>,
}

/// A partition of which something may be acquired.
struct Candidate<'a> {
    asked: &'a Asked,
    from: Offset,
    read: Result<ReadRecords, ErrorCode>,
}

/// One fetch on its way.
struct Fetch<'a> {
    manager: &'a Arc<SharePartitionManager>,
    params: &'a ShareFetchParams,
    limits: ShareLimits,
    isolation: FetchIsolation,
}

impl SharePartitionManager {
    /// Acquires records for a member, waiting until there are some or its time is up. Partitions that have nothing for it may
    /// be missing from the answer.
    pub async fn fetch(
        self: &Arc<Self>,
        params: &ShareFetchParams,
        targets: &[ShareTarget],
    ) -> Vec<ShareFetchRow> {
        if params.max_records <= 0 || params.max_bytes == 0 {
            return Vec::new();
        }
        self.count_topics(targets.iter().copied(), TopicMetrics::share_fetched);
        let (mut refused, mut asked) = (Vec::new(), Vec::new());
        for target in targets {
            match self.get_or_load(&params.key.group, *target) {
                Ok(cached) => asked.push(Asked { target: *target, cached }),
                Err(error) => refused.push(error_row(*target, error)),
            }
        }
        let committed = self.settings(&params.key.group).is_some_and(|settings| settings.read_committed);
        let isolation = if committed { FetchIsolation::TxnCommitted } else { FetchIsolation::HighWatermark };
        let fetch = Fetch { manager: self, params, limits: self.limits(&params.key.group), isolation };
        let (begun, of_group) = (self.now(), asked.first().map(|asked| asked.cached.of_group().clone()));
        let mut rows = fetch.acquire_or_wait(asked, &mut refused).await;
        self.count_topics(refused.iter().map(|(target, _)| *target), TopicMetrics::share_fetch_failed);
        let acquired = rows.iter().filter(|(_, row)| !row.acquired_records.is_empty()).count();
        let took = self.now().saturating_sub(begun);
        if let Some(of_group) = of_group {
            of_group.fetched(acquired, targets.len(), took);
        }
        rows.extend(refused);
        rows
    }
}

impl Fetch<'_> {
    /// Adds to `refused` what cannot be had.
    async fn acquire_or_wait(
        &self,
        mut asked: Vec<Asked>,
        refused: &mut Vec<ShareFetchRow>,
    ) -> Vec<ShareFetchRow> {
        let notify = Arc::new(Notify::new());
        let _subscriptions: Vec<_> = asked.iter().map(|asked| asked.cached.subscribe(&notify)).collect();
        loop {
            asked.retain(|asked| match asked.cached.failure() {
                Some(error) => {
                    refused.push(error_row(asked.target, error));
                    false
                }
                None => true,
            });
            let is_last = asked.is_empty() || Instant::now() >= self.params.deadline;
            let (acquired, moved) = self.round(&asked, is_last);
            if is_last || !acquired.is_empty() {
                return acquired;
            }
            if moved {
                tokio::task::yield_now().await;
            } else {
                // Late or not, it looks once more.
                _ = timeout_at(self.params.deadline, notify.notified()).await;
            }
        }
    }

    /// Looks at all partitions once. Without anything for the member there are no rows, unless this `is_last`; then tells
    /// whether the next look may find more.
    fn round(&self, asked: &[Asked], is_last: bool) -> (Vec<ShareFetchRow>, bool) {
        let candidates = self.read(asked);
        let bytes: usize = candidates.iter().filter_map(|one| Some(one.read.as_ref().ok()?.len())).sum();
        let is_urgent = candidates.iter().any(|one| one.read.as_ref().map_or(true, |read| read.is_behind));
        if !is_urgent && !is_last && (candidates.is_empty() || bytes < self.params.min_bytes) {
            return (Vec::new(), false);
        }
        let mut room = self.params.max_records;
        let mut is_worth_it = is_last || self.params.min_bytes == 0;
        let (mut rows, mut moved) = (Vec::new(), false);
        for candidate in candidates {
            let row = self.acquire(&candidate, &mut room);
            is_worth_it |= row.error_code.is_error() || !row.acquired_records.is_empty();
            moved |= candidate.asked.cached.change(|share| share.next_fetch_offset()) != Some(candidate.from);
            rows.push((candidate.asked.target, row));
        }
        if is_worth_it { (rows, moved) } else { (Vec::new(), moved) }
    }

    /// Reads of all partitions that have something to acquire; each gets an equal share of the bytes. Kafka:
    /// `PartitionMaxBytesStrategy`.
    fn read<'a>(&self, asked: &'a [Asked]) -> Vec<Candidate<'a>> {
        let limits = &self.limits;
        let from = |asked: &Asked| {
            asked.cached.change(|share| share.can_acquire(limits).then(|| share.next_fetch_offset()))?
        };
        let found: Vec<_> = asked.iter().filter_map(|asked| Some((asked, from(asked)?))).collect();
        let share = self.params.max_bytes / found.len().max(1);
        let mut is_first = true;
        let mut candidates = Vec::with_capacity(found.len());
        for (asked, from) in found {
            let partition = asked.cached.partition();
            let read = partition.read(None, from, share, self.isolation, is_first);
            let read = read.map_err(|error| error.code()).and_then(ReadRecords::of);
            is_first &= read.as_ref().is_ok_and(|read| read.len() == 0);
            candidates.push(Candidate { asked, from, read });
        }
        candidates
    }

    fn acquire(&self, candidate: &Candidate<'_>, room: &mut i64) -> PartitionData {
        let (cached, partition_index) = (&candidate.asked.cached, candidate.asked.target.partition);
        let read = match &candidate.read {
            Ok(read) => read,
            Err(ErrorCode::OFFSET_OUT_OF_RANGE) => {
                let log_start = cached.partition().log().log_start_offset();
                cached.change(|share| share.on_log_start_moved(log_start));
                return row(partition_index, Bytes::new(), &[]);
            }
            Err(error) => return error_row(candidate.asked.target, *error).1,
        };
        let request = AcquireRequest {
            member: &self.params.key.member,
            mode: self.params.mode,
            batch_size: self.params.batch_size,
            max_records: *room,
            fetch_offset: candidate.from,
        };
        let fetched = FetchedRecords { batches: &read.batches, aborted: &read.aborted };
        let now = self.manager.now();
        let outcome =
            cached.change(|share| (share.acquire(now, &self.limits, request, fetched), share.poll_timeout()));
        let (acquired, timeout) = outcome.unwrap_or_default();
        self.manager.timers.ask(cached, timeout);
        for range in &acquired {
            cached.metrics().acquired(range.count().max(0) as u64);
        }
        *room -= acquired.iter().map(AcquiredRange::count).sum::<i64>();
        let records = read.slice(&acquired);
        cached.partition().metrics().share_sent(records.len());
        row(partition_index, records, &acquired)
    }
}

fn row(partition_index: i32, records: Bytes, acquired: &[AcquiredRange]) -> PartitionData {
    let told = |range: &AcquiredRange| AcquiredRecords {
        first_offset: range.first_offset.0,
        last_offset: range.last_offset.0,
        delivery_count: range.delivery_count,
        ..Default::default()
    };
    PartitionData {
        partition_index,
        records: Some(Records::Bytes(records)),
        acquired_records: acquired.iter().map(told).collect(),
        ..Default::default()
    }
}

/// What a member is told of a partition that it cannot have.
pub fn error_row(target: ShareTarget, error_code: ErrorCode) -> ShareFetchRow {
    let row = PartitionData {
        partition_index: target.partition,
        error_code,
        records: Some(Records::default()),
        ..Default::default()
    };
    (target, row)
}
