//! What a user does when partitions come and go. Kafka: `ConsumerRebalanceListener`.

use std::future::Future;
use std::pin::Pin;

use model::TopicPartition;

use super::Consumer;
use crate::error::Result;

/// What a listener's methods give.
pub type ListenerFuture<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// Is told, within a poll, when the group gives and takes partitions. The consumer can be used: to commit or to seek.
pub trait RebalanceListener: Send {
    /// Partitions will be taken: they can still be committed.
    fn on_partitions_revoked<'a>(
        &'a mut self,
        consumer: &'a mut Consumer,
        partitions: &'a [TopicPartition],
    ) -> ListenerFuture<'a>;

    /// Partitions were given.
    fn on_partitions_assigned<'a>(
        &'a mut self,
        consumer: &'a mut Consumer,
        partitions: &'a [TopicPartition],
    ) -> ListenerFuture<'a>;

    /// Partitions were lost: somebody else may have them already.
    fn on_partitions_lost<'a>(
        &'a mut self,
        consumer: &'a mut Consumer,
        partitions: &'a [TopicPartition],
    ) -> ListenerFuture<'a> {
        self.on_partitions_revoked(consumer, partitions)
    }
}
