//! One partition in service: a machine, its log, and who waits, behind one lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use machine::{Instant, Machine, Now, Outcome, Ticket};
use model::{LeaderEpoch, Offset};
use protocol::ErrorCode;
use records::Compression;
use tokio::sync::oneshot;

use crate::batches::{LogRecord, pack};
use crate::partition_log::PartitionLog;
use crate::runtime::PartitionMachine;
use crate::tickets::{Held, Tickets};

/// A machine over the log of a partition that this broker leads.
pub(crate) struct Partition<M: Machine> {
    pub(crate) epoch: LeaderEpoch,
    pub(crate) log: Arc<dyn PartitionLog>,
    compression: Compression,
    state: Mutex<State<M>>,
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
        epoch: LeaderEpoch,
        log: Arc<dyn PartitionLog>,
        compression: Compression,
        machine: M,
        end: Offset,
    ) -> Self {
        let state = State { machine, tickets: Tickets::new(), end, closed: false };
        Self { epoch, log, compression, state: Mutex::new(state) }
    }

    /// Lets the machine begin, and returns when it wants to be woken.
    pub(crate) fn begin(&self, now: Now) -> Option<Instant> {
        let mut state = self.lock();
        let outcome = state.machine.loaded(now);
        self.settle(&mut state, now, outcome, None);
        state.machine.poll_timeout()
    }

    /// Puts a request to the machine; the answer comes out of the receiver.
    pub(crate) fn submit(
        &self,
        now: Now,
        request: M::Request,
    ) -> Result<(oneshot::Receiver<Held<M::Response>>, Option<Instant>), ErrorCode> {
        let mut state = self.lock();
        if state.closed {
            return Err(ErrorCode::NOT_COORDINATOR);
        }
        let (ticket, receiver) = state.tickets.issue();
        let outcome = state.machine.handle(now, ticket, request);
        self.settle(&mut state, now, outcome, Some(ticket));
        Ok((receiver, state.machine.poll_timeout()))
    }

    /// Lets the machine act on the timers that are due, and returns when it next wants to be woken.
    pub(crate) fn wake(&self, now: Now) -> Option<Instant> {
        let mut state = self.lock();
        while !state.closed && state.machine.poll_timeout().is_some_and(|deadline| deadline <= now.monotonic)
        {
            let outcome = state.machine.handle_timeout(now);
            self.settle(&mut state, now, outcome, None);
        }
        state.machine.poll_timeout().filter(|_| !state.closed)
    }

    /// Ends the service: those who wait, and those who come later, are told to look for another coordinator.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.tickets.drop_all();
    }

    /// Appends and replays an outcome's records, and hands out its answers to be held until all that is committed.
    fn settle(
        &self,
        state: &mut State<M>,
        now: Now,
        outcome: Outcome<M::Record, M::Response>,
        asked_by: Option<Ticket>,
    ) {
        match self.append(state, now, outcome.records) {
            Ok(()) => {
                let end = state.end;
                for (ticket, response) in outcome.answers {
                    state.tickets.answer(ticket, Ok((response, end)));
                }
            }
            Err(error) => {
                let refused = outcome.answers.iter().map(|(ticket, _)| *ticket).chain(asked_by);
                refused.for_each(|ticket| state.tickets.answer(ticket, Err(error)));
            }
        }
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
            state.end = self.log.append(batch.bytes)?;
            records.by_ref().take(batch.records).for_each(|record| state.machine.replay(record));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
