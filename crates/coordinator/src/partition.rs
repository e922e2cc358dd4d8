//! One partition in service: a machine, its log, and who waits, behind one lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use machine::{Instant, Machine, Now, Outcome, Ticket};
use model::{LeaderEpoch, Offset};
use protocol::ErrorCode;
use records::Compression;
use tokio::sync::{mpsc, oneshot};
use world::clock::Clock;

use crate::batches::{LogRecord, pack};
use crate::metrics::RuntimeMetrics;
use crate::partition_log::PartitionLog;
use crate::runtime::PartitionMachine;
use crate::tickets::{Held, Tickets};

/// What a machine says to its shell: work to do once everything before `end` is committed.
#[derive(Debug)]
pub struct Told<R> {
    /// The partition whose machine says it.
    pub partition: i32,
    /// The leader epoch at which it says it.
    pub epoch: LeaderEpoch,
    /// The offset before which the log must be committed first.
    pub end: Offset,
    /// What to do.
    pub response: R,
}

/// Where an answer comes out, and when the machine wants to be woken.
pub(crate) type Submitted<R> = (oneshot::Receiver<Held<R>>, Option<Instant>);

/// A machine over the log of a partition that this broker leads.
pub(crate) struct Partition<M: Machine> {
    pub(crate) index: i32,
    pub(crate) epoch: LeaderEpoch,
    pub(crate) log: Arc<dyn PartitionLog>,
    compression: Compression,
    shell: mpsc::UnboundedSender<Told<M::Response>>,
    clock: Arc<dyn Clock>,
    metrics: Arc<RuntimeMetrics>,
    state: Mutex<State<M>>,
}

/// What all partitions of a coordinator share.
pub(crate) struct Shared<R> {
    pub(crate) compression: Compression,
    pub(crate) shell: mpsc::UnboundedSender<Told<R>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<RuntimeMetrics>,
}

struct State<M: Machine> {
    machine: M,
    tickets: Tickets<M::Response>,
    /// The offset after the last record that was appended or loaded.
    end: Offset,
    closed: bool,
}

impl<M> Partition<M>
where
    M: PartitionMachine,
    M::Record: LogRecord,
{
    /// Puts a machine that has replayed the log up to `end` in service.
    pub(crate) fn new(
        index: i32,
        epoch: LeaderEpoch,
        log: Arc<dyn PartitionLog>,
        shared: Shared<M::Response>,
        machine: M,
        end: Offset,
    ) -> Self {
        let Shared { compression, shell, clock, metrics } = shared;
        let state = Mutex::new(State { machine, tickets: Tickets::new(), end, closed: false });
        Self { index, epoch, log, compression, shell, clock, metrics, state }
    }

    /// Lets the machine begin, and returns when it wants to be woken.
    pub(crate) fn begin(&self, now: Now) -> Option<Instant> {
        let mut state = self.lock();
        let outcome = state.machine.loaded(now);
        self.settle_alone(&mut state, now, outcome);
        state.machine.poll_timeout()
    }

    /// Puts a request to the machine; the answer comes out of the receiver.
    pub(crate) fn submit(&self, now: Now, request: M::Request) -> Result<Submitted<M::Response>, ErrorCode> {
        let mut state = self.take_turn(now);
        if state.closed {
            return Err(ErrorCode::NOT_COORDINATOR);
        }
        let begun = self.clock.monotonic();
        let (ticket, receiver) = state.tickets.issue();
        let outcome = state.machine.handle(now, ticket, request);
        // A failure is the answer.
        _ = self.settle(&mut state, now, outcome, Some(ticket));
        self.metrics.processing_times.observe(self.clock.monotonic().saturating_sub(begun));
        Ok((receiver, state.machine.poll_timeout()))
    }

    /// Tells the machine something that has no answer. Fails if what follows from it cannot be appended.
    pub(crate) fn tell(&self, now: Now, request: M::Request) -> Result<Option<Instant>, ErrorCode> {
        let mut state = self.take_turn(now);
        if state.closed {
            return Err(ErrorCode::NOT_COORDINATOR);
        }
        let begun = self.clock.monotonic();
        let outcome = state.machine.handle(now, Ticket::SHELL, request);
        let settled = self.settle(&mut state, now, outcome, None);
        self.metrics.processing_times.observe(self.clock.monotonic().saturating_sub(begun));
        settled?;
        Ok(state.machine.poll_timeout())
    }

    /// Lets the machine act on the timers that are due, and returns when it next wants to be woken.
    pub(crate) fn wake(&self, now: Now) -> Option<Instant> {
        let mut state = self.lock();
        while !state.closed && state.machine.poll_timeout().is_some_and(|deadline| deadline <= now.monotonic)
        {
            let outcome = state.machine.handle_timeout(now);
            self.settle_alone(&mut state, now, outcome);
        }
        state.machine.poll_timeout().filter(|_| !state.closed)
    }

    /// Looks at the machine.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&M) -> T) -> T {
        at(&self.lock().machine)
    }

    /// Ends the service: those who wait, and those who come later, are told to look for another coordinator.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.tickets.drop_all();
    }

    /// Settles what the machine decided by itself. What cannot be appended is decided again at a later timer.
    fn settle_alone(&self, state: &mut State<M>, now: Now, outcome: Outcome<M::Record, M::Response>) {
        if let Err(error) = self.settle(state, now, outcome, None) {
            tracing::warn!(
                partition = self.index,
                error = error.name(),
                "a coordinator's timer could not be acted on"
            );
        }
    }

    /// Appends and replays an outcome's records, and hands out its answers to be held until all that is committed.
    fn settle(
        &self,
        state: &mut State<M>,
        now: Now,
        outcome: Outcome<M::Record, M::Response>,
        asked_by: Option<Ticket>,
    ) -> Result<(), ErrorCode> {
        let appended = self.append(state, now, outcome.records);
        match appended {
            Ok(()) => {
                let end = state.end;
                for (ticket, response) in outcome.answers {
                    self.hand_out(state, ticket, response, end);
                }
            }
            Err(error) => {
                let refused = outcome.answers.iter().map(|(ticket, _)| *ticket).chain(asked_by);
                refused.for_each(|ticket| state.tickets.answer(ticket, Err(error)));
            }
        }
        appended
    }

    fn hand_out(&self, state: &mut State<M>, ticket: Ticket, response: M::Response, end: Offset) {
        if ticket != Ticket::SHELL {
            return state.tickets.answer(ticket, Ok((response, end)));
        }
        let told = Told { partition: self.index, epoch: self.epoch, end, response };
        // The shell may be gone when the node stops.
        _ = self.shell.send(told);
    }

    fn append(&self, state: &mut State<M>, now: Now, records: Vec<M::Record>) -> Result<(), ErrorCode> {
        if records.is_empty() {
            return Ok(());
        }
        let batches =
            pack(&records, now.wall, self.compression, self.log.max_batch_size()).map_err(|error| {
                tracing::error!(%error, "a coordinator's records cannot be written");
                ErrorCode::UNKNOWN_SERVER_ERROR
            })?;
        let mut records = records.into_iter();
        for batch in batches {
            let begun = self.clock.monotonic();
            state.end = self.log.append(batch.bytes)?;
            self.metrics.flush_times.observe(self.clock.monotonic().saturating_sub(begun));
            let mut offset = state.end.plus(-(batch.records as i64));
            for record in records.by_ref().take(batch.records) {
                state.machine.replay_at(offset, record);
                offset = offset.plus(1);
            }
        }
        Ok(())
    }

    /// Waits for the turn of a request that came at `now`.
    fn take_turn(&self, now: Now) -> MutexGuard<'_, State<M>> {
        let queued = self.metrics.queued();
        let state = self.lock();
        drop(queued);
        self.metrics.queue_times.observe(self.clock.monotonic().saturating_sub(now.monotonic));
        state
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
