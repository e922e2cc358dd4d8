//! The machines of one coordinator: which partitions are loaded, where a request goes, and who wakes the timers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use machine::{Instant, Machine, Now, Outcome};
use model::{LeaderEpoch, Offset, Timestamp};
use protocol::ErrorCode;
use records::Compression;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use world::clock::Clock;

use crate::batches::LogRecord;
use crate::loader::load;
use crate::metrics::{PartitionCounts, RuntimeMetrics};
use crate::partition::{Partition, Shared, Told};
use crate::partition_log::PartitionLog;
use crate::tickets::Held;
use crate::wakeups::Wakeups;

/// A machine that can be put in service after its log was replayed.
pub trait PartitionMachine:
    Machine<Request: Send, Response: Send, Record: LogRecord + Send> + Send + 'static
{
    /// Begins to serve what was replayed: sets timers, and may write.
    fn loaded(&mut self, now: Now) -> Outcome<Self::Record, Self::Response>;

    /// Applies the record at `offset` of the log; for machines to which its place matters.
    fn replay_at(&mut self, _offset: Offset, record: Self::Record) {
        self.replay(record);
    }
}

/// How a runtime writes, reads and waits.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeConfig {
    /// How the batches are compressed.
    pub compression: Compression,
    /// How much of the log is read at once while it is loaded, in bytes.
    pub load_buffer_size: usize,
    /// How long an answer waits for its records to be committed: `offsets.commit.timeout.ms` for groups.
    pub commit_timeout: Duration,
}

/// One coordinator's machines by partition. Kafka: `CoordinatorRuntime`.
pub struct Runtime<M: PartitionMachine> {
    config: RuntimeConfig,
    clock: Arc<dyn Clock>,
    slots: RwLock<BTreeMap<i32, Slot<M>>>,
    wakeups: Arc<Wakeups>,
    /// To whoever does what the machines ask for.
    shell: mpsc::UnboundedSender<Told<M::Response>>,
    metrics: Arc<RuntimeMetrics>,
    /// How many partitions the topic has.
    partition_count: AtomicI32,
    /// Whether requests are answered.
    serving: AtomicBool,
    /// The coordinator's tasks, until somebody watches over them.
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

enum Slot<M: Machine> {
    Loading(LeaderEpoch),
    Active(Arc<Partition<M>>),
}

impl<M: Machine> Slot<M> {
    fn epoch(&self) -> LeaderEpoch {
        match self {
            Self::Loading(epoch) => *epoch,
            Self::Active(partition) => partition.epoch,
        }
    }

    fn close(self)
    where
        M: PartitionMachine,
    {
        if let Self::Active(partition) = self {
            partition.close();
        }
    }
}

impl<M: PartitionMachine> Runtime<M> {
    /// Makes a runtime that leads no partition of a topic that has, or is to have, `partition_count`. What its machines ask
    /// for comes out of the receiver.
    pub fn new(
        config: RuntimeConfig,
        clock: Arc<dyn Clock>,
        partition_count: i32,
    ) -> (Self, mpsc::UnboundedReceiver<Told<M::Response>>) {
        let (shell, work) = mpsc::unbounded_channel();
        let runtime = Self {
            config,
            clock,
            slots: RwLock::default(),
            wakeups: Arc::default(),
            shell,
            metrics: Arc::default(),
            partition_count: AtomicI32::new(partition_count),
            serving: AtomicBool::new(false),
            tasks: Mutex::default(),
        };
        (runtime, work)
    }

    /// Begins to serve, and wakes the timers from now on, until the runtime is dropped. Must be called within a tokio runtime.
    pub fn start(self: &Arc<Self>) {
        self.keep(tokio::spawn(run_timers(Arc::downgrade(self))));
        self.serving.store(true, Ordering::Release);
    }

    /// Keeps a task of the coordinator's, for whoever watches over it.
    pub(crate) fn keep(&self, task: JoinHandle<()>) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// Hands out the tasks that were begun, none of which may fail.
    pub fn take_tasks(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ceases to serve; requests that wait are told to find another coordinator.
    pub fn shutdown(&self) {
        self.serving.store(false, Ordering::Release);
        self.resign_all();
    }

    /// Fails with `COORDINATOR_NOT_AVAILABLE` before the start and after the shutdown.
    pub fn check_serving(&self) -> Result<(), ErrorCode> {
        let serving = self.serving.load(Ordering::Acquire);
        if serving { Ok(()) } else { Err(ErrorCode::COORDINATOR_NOT_AVAILABLE) }
    }

    /// Takes in how many partitions the topic has, once it exists.
    pub fn set_partition_count(&self, partition_count: i32) {
        self.partition_count.store(partition_count, Ordering::Release);
    }

    /// Returns the partition that serves `key`.
    pub fn partition_for(&self, key: &str) -> i32 {
        partition_for_key(key, self.partition_count.load(Ordering::Acquire))
    }

    /// Puts `request` to the machine of `partition`, and returns its answer when that may be shown.
    ///
    /// Fails with `NOT_COORDINATOR` where this broker does not lead the partition or ceases to, with
    /// `COORDINATOR_LOAD_IN_PROGRESS` while the log is replayed, and with the log's own errors.
    pub async fn submit(&self, partition: i32, request: M::Request) -> Result<M::Response, ErrorCode> {
        let active = self.active(partition)?;
        let (receiver, deadline) = active.submit(self.now(), request)?;
        self.ask(partition, deadline);
        let handled = self.clock.monotonic();
        let answer = self.answer(&active, receiver).await;
        self.metrics.purgatory_times.observe(self.clock.monotonic().saturating_sub(handled));
        answer
    }

    /// Waits for an answer, and until that may be shown.
    async fn answer(
        &self,
        active: &Partition<M>,
        receiver: oneshot::Receiver<Held<M::Response>>,
    ) -> Result<M::Response, ErrorCode> {
        let held: Held<M::Response> = receiver.await.unwrap_or(Err(ErrorCode::NOT_COORDINATOR));
        let (response, end) = held?;
        match tokio::time::timeout(self.config.commit_timeout, active.log.committed(end)).await {
            Ok(committed) => committed.map(|()| response),
            Err(_) => Err(ErrorCode::REQUEST_TIMED_OUT),
        }
    }

    /// Tells the machine of `partition` something that has no answer. Fails as [`Runtime::submit`] does.
    pub fn tell(&self, partition: i32, request: M::Request) -> Result<(), ErrorCode> {
        let deadline = self.active(partition)?.tell(self.now(), request)?;
        self.ask(partition, deadline);
        Ok(())
    }

    /// Waits until everything before `end` of `partition`, led at `epoch`, is committed.
    pub async fn committed(&self, partition: i32, epoch: LeaderEpoch, end: Offset) -> Result<(), ErrorCode> {
        let active = self.active(partition)?;
        if active.epoch != epoch {
            return Err(ErrorCode::NOT_COORDINATOR);
        }
        active.log.committed(end).await
    }

    /// Deletes what lies before `before` of `partition`, led at `epoch`. All of that must be committed.
    pub fn delete_records(
        &self,
        partition: i32,
        epoch: LeaderEpoch,
        before: Offset,
    ) -> Result<(), ErrorCode> {
        let active = self.active(partition)?;
        if active.epoch != epoch {
            return Err(ErrorCode::NOT_COORDINATOR);
        }
        active.log.delete_records(before)
    }

    /// Returns the partitions that this broker leads, loaded or not, in order.
    pub fn partitions(&self) -> Vec<i32> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Returns what is measured.
    pub fn metrics(&self) -> &Arc<RuntimeMetrics> {
        &self.metrics
    }

    /// Returns how many partitions there are, by how far they are.
    pub fn partition_counts(&self) -> PartitionCounts {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let active = slots.values().filter(|slot| matches!(slot, Slot::Active(_))).count();
        PartitionCounts { active, loading: slots.len() - active, failed: self.metrics.failed().len() }
    }

    /// Looks at the machine of each partition that is loaded.
    pub fn look(&self, mut at: impl FnMut(&M)) {
        for partition in self.partitions() {
            if let Ok(active) = self.active(partition) {
                active.look(&mut at);
            }
        }
    }

    /// Begins to lead `partition` at `epoch`: replays its log into `machine` on a thread for blocking work, then serves it.
    ///
    /// Does nothing if the partition is led at this epoch or a later one. `prepare` is called when the log is replayed: what
    /// is told to all machines after that, this one is told too.
    pub fn elect(
        self: &Arc<Self>,
        partition: i32,
        epoch: LeaderEpoch,
        log: Arc<dyn PartitionLog>,
        machine: M,
        prepare: impl FnOnce(&mut M) + Send + 'static,
    ) {
        if self.reserve(partition, epoch) {
            let runtime = self.clone();
            tokio::task::spawn_blocking(move || runtime.load(partition, epoch, log, machine, prepare));
        }
    }

    /// Ceases to lead `partition`; does nothing if it is led at a later epoch than `epoch`.
    pub fn resign(&self, partition: i32, epoch: Option<LeaderEpoch>) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that a load that fails now does not mark what is no longer led.
        self.metrics.failed().remove(&partition);
        let stale = |slot: &Slot<M>| epoch.is_none_or(|epoch| slot.epoch() <= epoch);
        if slots.get(&partition).is_some_and(stale)
            && let Some(slot) = slots.remove(&partition)
        {
            self.wakeups.forget(partition);
            slot.close();
        }
    }

    fn resign_all(&self) {
        self.partitions().into_iter().for_each(|partition| self.resign(partition, None));
    }

    /// Lets the machines act on all timers that are due.
    pub fn wake_due(&self) {
        let now = self.now();
        for partition in self.wakeups.take_due(now.monotonic) {
            if let Ok(active) = self.active(partition) {
                let deadline = active.wake(now);
                self.ask(partition, deadline);
            }
        }
    }

    fn reserve(&self, partition: i32, epoch: LeaderEpoch) -> bool {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        if slots.get(&partition).is_some_and(|slot| slot.epoch() >= epoch) {
            return false;
        }
        self.metrics.failed().remove(&partition);
        if let Some(old) = slots.insert(partition, Slot::Loading(epoch)) {
            old.close();
        }
        true
    }

    fn load(
        &self,
        partition: i32,
        epoch: LeaderEpoch,
        log: Arc<dyn PartitionLog>,
        mut machine: M,
        prepare: impl FnOnce(&mut M),
    ) {
        let started = self.clock.monotonic();
        let loaded = load(&mut machine, &*log, self.config.load_buffer_size);
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        if !matches!(slots.get(&partition), Some(Slot::Loading(current)) if *current == epoch) {
            return;
        }
        match loaded {
            Ok(end) => {
                // Under the lock, so that what is told from now on finds the machine in service.
                prepare(&mut machine);
                let took = self.clock.monotonic().saturating_sub(started);
                self.metrics.load_times.observe(took);
                tracing::debug!(
                    partition,
                    epoch = epoch.0,
                    end = end.0,
                    ?took,
                    "a coordinator's partition is loaded"
                );
                let active = Arc::new(Partition::new(partition, epoch, log, self.shared(), machine, end));
                let deadline = active.begin(self.now());
                slots.insert(partition, Slot::Active(active));
                self.ask(partition, deadline);
            }
            Err(error) => {
                tracing::error!(
                    partition,
                    epoch = epoch.0,
                    error = error.name(),
                    "a coordinator's partition cannot be loaded"
                );
                slots.remove(&partition);
                self.metrics.failed().insert(partition);
            }
        }
    }

    fn shared(&self) -> Shared<M::Response> {
        Shared {
            compression: self.config.compression,
            shell: self.shell.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
        }
    }

    fn active(&self, partition: i32) -> Result<Arc<Partition<M>>, ErrorCode> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        match slots.get(&partition) {
            Some(Slot::Active(active)) => Ok(active.clone()),
            Some(Slot::Loading(_)) => Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            None => Err(ErrorCode::NOT_COORDINATOR),
        }
    }

    fn ask(&self, partition: i32, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            self.wakeups.ask(partition, deadline);
        }
    }

    fn now(&self) -> Now {
        Now { monotonic: self.clock.monotonic(), wall: Timestamp(self.clock.wall_ms()) }
    }

    /// Returns how long to sleep until the next timer; nothing if there is none.
    fn until_next(&self) -> Option<Duration> {
        self.wakeups.next().map(|deadline| deadline.saturating_sub(self.clock.monotonic()))
    }
}

/// Returns the partition of an internal topic that serves `key`, by Java's `String.hashCode`.
///
/// Kafka: `GroupCoordinatorService.partitionFor`. `partition_count` below 1 counts as 1.
pub fn partition_for_key(key: &str, partition_count: i32) -> i32 {
    let hash =
        key.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // Kafka's `Utils.abs`: the least int has no positive, and counts as 0.
    hash.checked_abs().unwrap_or(0) % partition_count.max(1)
}

/// How long the timers' task sleeps at most, so that it notices that its runtime is gone.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Wakes the timers. While it sleeps it does not keep the runtime alive.
async fn run_timers<M: PartitionMachine>(runtime: Weak<Runtime<M>>) {
    while let Some((sleep, wakeups)) = runtime.upgrade().map(|it| (it.until_next(), it.wakeups.clone())) {
        tokio::select! {
            () = tokio::time::sleep(sleep.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP)) => {}
            () = wakeups.changed() => continue,
        }
        if let Some(runtime) = runtime.upgrade() {
            runtime.wake_due();
        }
    }
}
