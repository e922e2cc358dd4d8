//! A partition as a coordinator stands on it: at one leader epoch, by the partition's own rules.
//!
//! Kafka: `CoordinatorPartitionWriter`, `CoordinatorLoaderImpl`.

use std::sync::Arc;

use bytes::Bytes;
use coordinator::{Committed, PartitionLog};
use model::{LeaderEpoch, Offset};
use protocol::ErrorCode;
use storage::{AppendOptions, AppendOrigin, FetchIsolation};

use super::partition::{Partition, PartitionError};
use super::replica_manager::wait_committed;

/// A partition that this broker leads at `epoch`.
#[derive(Debug)]
pub struct LeaderLog {
    partition: Arc<Partition>,
    epoch: LeaderEpoch,
}

impl LeaderLog {
    /// Stands on `partition` while it is led at `epoch`.
    pub fn new(partition: Arc<Partition>, epoch: LeaderEpoch) -> Self {
        Self { partition, epoch }
    }
}

fn code(error: &PartitionError) -> ErrorCode {
    match error.code() {
        ErrorCode::FENCED_LEADER_EPOCH | ErrorCode::UNKNOWN_LEADER_EPOCH => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        code => code,
    }
}

impl PartitionLog for LeaderLog {
    fn append(&self, batch: Bytes) -> Result<Offset, ErrorCode> {
        self.partition.leader_log(Some(self.epoch)).map_err(|error| code(&error))?;
        // A coordinator appends to a transaction only what the transaction coordinator was asked about before.
        let options = AppendOptions {
            origin: AppendOrigin::Coordinator,
            transaction_verified: true,
            ..Default::default()
        };
        let info = self.partition.append(batch, true, options).map_err(|error| {
            tracing::warn!(partition = %self.partition.topic_partition(), "a coordinator cannot append: {error}");
            code(&error)
        })?;
        Ok(info.last_offset.plus(1))
    }

    fn committed(&self, end: Offset) -> Committed<'_> {
        Box::pin(async move { wait_committed(&self.partition, end).await.map_err(|error| code(&error)) })
    }

    /// Whoever leads: the epoch may move on while the log is loaded, as it does when a broker that was killed registers
    /// again. The next image then elects or resigns, and what was loaded is thrown away.
    fn read(&self, from: Offset, max_bytes: usize) -> Result<Bytes, ErrorCode> {
        let read = self.partition.log().read(from, max_bytes, FetchIsolation::LogEnd, true);
        read.map_err(|error| error.code())?.records.read().map_err(|_| ErrorCode::KAFKA_STORAGE_ERROR)
    }

    fn delete_records(&self, before: Offset) -> Result<(), ErrorCode> {
        let log = self.partition.leader_log(Some(self.epoch)).map_err(|error| code(&error))?;
        let moved = log.maybe_increment_log_start_offset(before, "what a coordinator does not need any more");
        moved.map(|_| ()).map_err(|error| error.code())
    }

    fn start_offset(&self) -> Offset {
        self.partition.log().log_start_offset()
    }

    fn end_offset(&self) -> Offset {
        self.partition.log().log_end_offset()
    }

    fn max_batch_size(&self) -> usize {
        self.partition.log().config().max_message_bytes.max(0) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use config::{ConfigMap, LogConfig};
    use metadata::PartitionRegistration;
    use model::{NodeId, Timestamp, TopicPartition, Uuid};
    use protocol::PartitionRecord;
    use records::{BatchBuilder, BatchOptions};
    use storage::{LogEnvironment, LogManager, LogManagerOptions};
    use telemetry::BrokerTopicMetrics;
    use world::chance::RealChance;
    use world::clock::RealClock;
    use world::files::RealFiles;

    use super::*;

    fn registration(epoch: i32) -> Arc<PartitionRegistration> {
        let record = PartitionRecord {
            replicas: vec![1],
            isr: vec![1],
            leader: 1,
            leader_epoch: epoch,
            ..Default::default()
        };
        Arc::new(PartitionRegistration::from_record(&record).expect("each field means something"))
    }

    fn partition(dir: &Path) -> Arc<Partition> {
        let (clock, chance) = (Arc::new(RealClock::default()), Arc::new(RealChance));
        let environment = LogEnvironment::new(Arc::new(RealFiles), clock, chance, 10, 86_400_000);
        let options = LogManagerOptions { log_dirs: vec![dir.to_owned()], ..Default::default() };
        let logs = LogManager::open(environment, options).expect("the folder is free");
        let config = LogConfig::new(&ConfigMap::new(), &ConfigMap::new()).expect("valid");
        let name = TopicPartition::new("__consumer_offsets", 0);
        let log = logs.get_or_create_log(&name, None, None, Arc::new(config)).expect("the disk is well");
        let metrics = BrokerTopicMetrics::default().topic("__consumer_offsets");
        Arc::new(Partition::new(NodeId(1), Uuid::ZERO, log, registration(5), metrics))
    }

    fn batch() -> Bytes {
        let mut batch = BatchBuilder::new(BatchOptions::default());
        batch.append(Timestamp(1), Some(b"key"), Some(b"value"), &[]).expect("it is small");
        batch.build().expect("it has a record")
    }

    #[test]
    fn a_log_is_loaded_to_its_end_while_the_epoch_moves_on_but_nothing_is_appended() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let partition = partition(dir.path());
        partition.begin_to_lead();
        let log = LeaderLog::new(partition.clone(), LeaderEpoch(5));
        let end = log.append(batch()).expect("it leads");
        partition.apply(registration(6));
        assert!(!log.read(Offset(0), 1000).expect("the log is there").is_empty());
        assert_eq!(log.append(batch()), Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
        assert_eq!(log.end_offset(), end);
    }
}
