//! Moves of replicas to other log dirs, step by step on the mover thread, within
//! `replica.alter.log.dirs.io.max.bytes.per.second`.
//!
//! Kafka: `ReplicaAlterLogDirsThread`, `ReplicationQuotaManager`.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{TopicIdPartition, TopicPartition};
use quota::{QuotaRate, Window};
use storage::{MoveProgress, StorageError, UnifiedLog};

use super::{Broker, directory_assignments};

/// How much of one move is copied before the others have their turn, in bytes.
const STEP_BYTES: usize = 8 << 20;

/// The smallest step, in bytes: less is not worth a turn.
const STEP_BYTES_MIN: usize = 64 << 10;
/// The key of the most bytes that moves copy in a second.
const RATE_KEY: &str = "replica.alter.log.dirs.io.max.bytes.per.second";

/// All moves, with how fast they go.
#[derive(Debug)]
pub struct LogMoves {
    rate: QuotaRate,
    /// Moves whose last step failed, so that each is told of once and not with every step.
    failing: BTreeSet<TopicPartition>,
}

impl LogMoves {
    /// Makes it with the windows of `alter.log.dirs.replication.quota.window.*`.
    pub fn new(config: &config::QuotaConfig) -> Self {
        let samples = config.alter_log_dirs_replication_quota_window_num;
        let seconds = config.alter_log_dirs_replication_quota_window_size_seconds;
        Self { rate: QuotaRate::new(Window::new(samples, seconds), f64::MAX), failing: BTreeSet::new() }
    }

    /// Takes each move one step on; true if any has more to copy and may go on at once. Must be called within a tokio
    /// runtime.
    pub fn step(&mut self, broker: &Arc<Broker>) -> bool {
        let logs = broker.replicas.logs();
        let moves = logs.all_future_logs();
        // Whoever takes a partition up must not find its log exchanged meanwhile.
        if moves.is_empty() || broker.replicas.awaits_logs() {
            self.failing.clear();
            return false;
        }
        let step_bytes = self.follow(broker);
        let mut more = false;
        for future in moves {
            if !self.rate.throttle_time(broker.clock.monotonic()).is_zero() {
                return false;
            }
            let before = future.size();
            let stepped = logs.step_move(future.topic_partition(), step_bytes);
            self.tell(future.topic_partition(), stepped.as_ref().err());
            match stepped {
                Ok(MoveProgress::Done) => on_moved(broker, future.clone()),
                Ok(MoveProgress::Behind(_)) => more = true,
                Ok(MoveProgress::None) | Err(_) => {}
            }
            let copied = future.size().saturating_sub(before);
            self.rate.record(copied as f64, broker.clock.monotonic());
        }
        more
    }

    /// Says that a move fails, once until it goes on; it is tried again and again.
    fn tell(&mut self, partition: &TopicPartition, error: Option<&StorageError>) {
        match error {
            None => _ = self.failing.remove(partition),
            Some(error) if self.failing.insert(partition.clone()) => {
                tracing::error!(%partition, "a move to another log dir failed and is tried again: {error}");
            }
            Some(error) => tracing::debug!(%partition, "a move to another log dir failed again: {error}"),
        }
    }

    /// Takes over the rate that the configuration now says; returns how much to copy at once.
    fn follow(&mut self, broker: &Broker) -> usize {
        let config = broker.config();
        let rate = config.originals().get(RATE_KEY).and_then(|text| text.trim().parse::<i64>().ok());
        let rate = rate.unwrap_or(i64::MAX);
        self.rate.set_bound(rate as f64);
        usize::try_from(rate).unwrap_or(usize::MAX).clamp(STEP_BYTES_MIN, STEP_BYTES)
    }
}

/// Serves the partition from its new place, and tells the controller of it.
fn on_moved(broker: &Arc<Broker>, log: Arc<UnifiedLog>) {
    let topic_partition = log.topic_partition().clone();
    let found = broker.replicas.by_name(&topic_partition.topic, topic_partition.partition);
    let Some(partition) = found else { return };
    let dir = log.dir().id();
    tracing::info!(partition = %topic_partition, dir = %log.dir().path().display(), "moved to another log dir");
    partition.replace_log(log);
    let name = TopicIdPartition { topic_id: partition.topic_id(), topic_partition };
    directory_assignments::tell(broker, &[(dir, name)]);
}
