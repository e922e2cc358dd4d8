//! How busy the threads are that serve requests.
//!
//! One pool of threads reads requests, carries them out and writes their answers, so Kafka's request handlers and network
//! processors have the same idle time here. Kafka: `KafkaRequestHandlerPool`, `SocketServer`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use telemetry::{IdleRatio, Metric, Page, Source};
use tokio::runtime::Handle;
use world::clock::Clock;

const HANDLERS: Metric = Metric::new(
    "kafka.server:type=KafkaRequestHandlerPool,name=RequestHandlerAvgIdlePercent",
    "Share of the last minute in which the threads that serve requests had nothing to do, 0 to 1",
);
const PROCESSORS: Metric = Metric::new(
    "kafka.network:type=SocketServer,name=NetworkProcessorAvgIdlePercent",
    "The same, since the same threads read and write",
);

#[derive(Debug)]
pub(super) struct Threads {
    runtime: Handle,
    clock: Arc<dyn Clock>,
    idle: IdleRatio,
}

impl Threads {
    /// Looks at the threads of the present runtime. Must be called within it.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { runtime: Handle::current(), clock, idle: IdleRatio::default() }
    }
}

impl Source for Threads {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let (metrics, now) = (self.runtime.metrics(), self.clock.monotonic());
        let workers = metrics.num_workers().max(1);
        let busy: Duration = (0..workers).map(|worker| metrics.worker_total_busy_duration(worker)).sum();
        let idle = self.idle.measure(now, now.saturating_sub(busy / workers as u32));
        page.gauge(HANDLERS, idle)?;
        page.gauge(PROCESSORS, idle)
    }
}
