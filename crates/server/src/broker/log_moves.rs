//! Moves of replicas to other log dirs, step by step on the mover thread.
//!
//! Kafka: `ReplicaAlterLogDirsThread`.

use std::sync::Arc;

use model::TopicIdPartition;
use storage::{MoveProgress, UnifiedLog};

use super::{Broker, directory_assignments};

/// How much of one move is copied before the others have their turn, in bytes.
const STEP_BYTES: usize = 8 << 20;

/// Takes each move one step on; true if any has more to copy. Must be called within a tokio runtime.
pub fn step(broker: &Arc<Broker>) -> bool {
    let logs = broker.replicas.logs();
    let mut more = false;
    for future in logs.all_future_logs() {
        match logs.step_move(future.topic_partition(), STEP_BYTES) {
            Ok(MoveProgress::Done) => on_moved(broker, future),
            Ok(MoveProgress::Behind(_)) => more = true,
            Ok(MoveProgress::None) => {}
            Err(error) => {
                tracing::error!(partition = %future.topic_partition(), "a move to another log dir failed: {error}");
            }
        }
    }
    more
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
