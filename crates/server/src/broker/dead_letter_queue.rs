//! Writing to a share group's dead-letter queue (KIP-1191): the topic to which the records go that the group gives up.
//!
//! Invariants:
//! - what holds for the group and its topic is asked again before each try, for it may change meanwhile
//! - a try that may do better later is repeated a few times; then the records are not in the queue, which their leader logs
//! - a record may be there twice, if its leader was lost before it could write that it is there
//!
//! Not yet: a queue whose partition is led by another broker: the records count as not written after the last try.
//!
//! Kafka: `ShareGroupDLQStateManager`.

mod round;
mod source;
mod topic;

use std::sync::{Arc, Weak};
use std::time::Duration;

use coordinators::share_partition::DeadLetter;
use model::Offset;
use protocol::ErrorCode;
use storage::AppendOptions;
use telemetry::GroupMetrics;
use tokio::time::{sleep, timeout};

use super::Broker;
use super::fetch_session::TopicKey;
use super::partition::{Partition, PartitionError};
use super::replica_manager::wait_committed;

use round::{Origin, Position, Round};
use source::SourceRecords;
use topic::DeadLetterTopic;

/// How often a write is tried. Kafka: `MAX_REQUEST_ATTEMPTS`.
const ATTEMPTS_MAX: u32 = 5;
/// How long to wait before the second try, and twice as long before each one after it. Kafka: `REQUEST_BACKOFF_MS`.
const BACKOFF: Duration = Duration::from_secs(1);

/// Why records are not in the queue.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeadLetterError {
    /// The group, its topic or the broker is configured so that there is no queue.
    #[error("{0}")]
    Config(String),
    /// The topic could not be made.
    #[error("the topic {topic} cannot be created: {} {message}", code.name())]
    Creation { topic: String, code: ErrorCode, message: String },
    /// The records were not taken.
    #[error("the records cannot be appended to {topic}: {}", code.name())]
    Append { topic: String, code: ErrorCode },
    /// The node stops.
    #[error("the node stops")]
    Stopped,
}

impl DeadLetterError {
    /// Whether a later try may do better.
    fn is_retriable(&self) -> bool {
        match self {
            Self::Creation { code, .. } => {
                matches!(*code, ErrorCode::TOPIC_ALREADY_EXISTS | ErrorCode::THROTTLING_QUOTA_EXCEEDED)
            }
            Self::Append { code, .. } => code.is_retriable(),
            Self::Config(_) | Self::Stopped => false,
        }
    }
}

/// Writes records of `source`, which `group` gives up, to the group's dead-letter queue.
///
/// # Errors
/// Some of them are not there. The others are.
pub(super) async fn write(
    broker: &Weak<Broker>,
    group: &str,
    counts: &GroupMetrics,
    source: &Arc<Partition>,
    letters: &[DeadLetter],
) -> Result<(), DeadLetterError> {
    let mut at = Position::start(letters);
    let mut tries = 0;
    while !at.is_end(letters) {
        let broker = broker.upgrade().ok_or(DeadLetterError::Stopped)?;
        let tried = Try { broker: &broker, group, counts, source }.write_next(letters, at).await;
        drop(broker);
        tries += 1;
        match tried {
            Ok(next) => (at, tries) = (next, 0),
            Err(error) if error.is_retriable() && tries < ATTEMPTS_MAX => {
                tracing::debug!(group, "a write to the dead-letter queue is tried again: {error}");
                sleep(BACKOFF * 2_u32.pow(tries - 1)).await;
            }
            Err(error) => {
                if matches!(error, DeadLetterError::Append { .. }) {
                    counts.dead_letter_write_failed();
                }
                return Err(error);
            }
        }
    }
    Ok(())
}

/// One try of a write.
struct Try<'a> {
    broker: &'a Arc<Broker>,
    group: &'a str,
    counts: &'a GroupMetrics,
    source: &'a Arc<Partition>,
}

impl Try<'_> {
    /// Writes as many records as fit one batch; tells where to go on.
    async fn write_next(&self, letters: &[DeadLetter], at: Position) -> Result<Position, DeadLetterError> {
        let settings = self.broker.share_group_settings(self.group);
        let topic = DeadLetterTopic::check(self.broker, self.group, settings.dead_letter_topic)?;
        topic.create_if_missing(self.broker).await?;
        let failed = |code| DeadLetterError::Append { topic: topic.name.clone(), code };
        let queue = self.queue(&topic.name).map_err(failed)?;
        let max_bytes = queue.log().config().max_message_bytes.max(0) as usize;
        let source = settings.dead_letter_copy.then(|| SourceRecords::new(self.source.clone(), max_bytes));
        let now = model::Timestamp(self.broker.clock.wall_ms());
        let origin = Origin { group: self.group, partition: self.source.topic_partition(), source };
        let round =
            origin.next_round(letters, at, max_bytes, now).map_err(|error| failed(error.error_code()))?;
        self.counts.dead_letter_write_begun();
        self.append(&queue, &round).await.map_err(|error| failed(error.code()))?;
        self.counts.dead_letters_written(round.count);
        Ok(round.next)
    }

    /// Finds the partition of the queue: all records of a partition go to one of it. Kafka:
    /// `ProduceRequestHandler.populateDLQTopicData`.
    fn queue(&self, topic: &str) -> Result<Arc<Partition>, ErrorCode> {
        let image = self.broker.metadata.image();
        let count = image.topics().by_name(topic).map_or(0, |topic| topic.partition_count());
        let own = self.source.topic_partition().partition;
        let index = own.checked_rem(count).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        self.broker.replicas.find(&image, &TopicKey::Name(topic.into()), index)
    }

    async fn append(&self, queue: &Partition, round: &Round) -> Result<(), PartitionError> {
        let info = queue.append(round.batch.clone(), true, AppendOptions::default())?;
        queue.metrics().appended(info.records.max(0) as u64, info.bytes);
        let wait = Duration::from_millis(self.broker.config().network.request_timeout_ms.max(0) as u64);
        let end: Offset = info.last_offset.plus(1);
        let committed = timeout(wait, wait_committed(queue, end)).await;
        committed.unwrap_or(Err(PartitionError::Refused(ErrorCode::REQUEST_TIMED_OUT)))
    }
}
