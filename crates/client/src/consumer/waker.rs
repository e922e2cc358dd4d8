//! Ending a poll from another task. Kafka: `KafkaConsumer.wakeup`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Wakes a consumer up; cloned and sent to other tasks.
#[derive(Clone, Debug, Default)]
pub struct Waker {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    woken: AtomicBool,
    changed: Notify,
}

impl Waker {
    /// Makes the poll or commit that goes on, or the next one, fail with [`crate::Error::Wakeup`].
    pub fn wakeup(&self) {
        self.inner.woken.store(true, Ordering::SeqCst);
        self.inner.changed.notify_one();
    }

    /// Whether the consumer was woken up since it was last asked.
    pub(crate) fn take(&self) -> bool {
        self.inner.woken.swap(false, Ordering::SeqCst)
    }

    /// Something changed; look with [`Waker::take`].
    pub(crate) async fn notified(&self) {
        self.inner.changed.notified().await;
    }

    /// Waits until the consumer is woken up.
    pub(super) fn woken(&self) -> impl Future<Output = ()> + Send + use<> {
        let waker = self.clone();
        async move {
            while !waker.take() {
                waker.notified().await;
            }
        }
    }
}
