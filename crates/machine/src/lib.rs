//! The replicated state machine over a topic: decide on a request, append records, replay them.
//!
//! Controller, group coordinators, transaction and share coordinators all have this shape; only their shells differ
//! (the quorum, a partition that this broker leads, a client).
//!
//! Invariants:
//! - a machine has no clock, randomness, file or socket: `now` comes in, records and answers go out
//! - hard state (what the log says) changes in [`Machine::replay`] alone; soft state (timers, waiting tickets) may
//!   change anywhere and is lost on reload

use std::time::Duration;

/// A moment by a monotonic clock: time since the node's start.
pub type Instant = Duration;

/// Names a request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

impl Ticket {
    /// What a machine says to its shell rather than to a caller: work to do once everything so far is committed.
    pub const SHELL: Self = Self(0);
}

/// Both clocks, read once by the shell before it calls the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For timers and sessions.
    pub monotonic: Instant,
    /// For timestamps that go into records: milliseconds since 1970.
    pub wall: model::Timestamp,
}

/// What a machine asks of its shell: append `records` atomically, replay them, then send `answers` once everything
/// appended so far is committed.
#[derive(Debug)]
pub struct Outcome<Record, Response> {
    /// Records to append as one batch; none for a read.
    pub records: Vec<Record>,
    /// Answers to send when the records, and all before them, are committed.
    pub answers: Vec<(Ticket, Response)>,
}

impl<Record, Response> Default for Outcome<Record, Response> {
    fn default() -> Self {
        Self { records: Vec::new(), answers: Vec::new() }
    }
}

impl<Record, Response> Outcome<Record, Response> {
    /// Answers one request and appends nothing.
    pub fn answer(ticket: Ticket, response: Response) -> Self {
        Self { records: Vec::new(), answers: vec![(ticket, response)] }
    }

    /// Adds another outcome's records and answers after this one's.
    pub fn extend(&mut self, other: Self) {
        self.records.extend(other.records);
        self.answers.extend(other.answers);
    }
}

/// A replicated state machine over one partition of one internal topic. It decides; its shell acts.
pub trait Machine {
    /// What may be asked of it.
    type Request;
    /// What it answers.
    type Response;
    /// What it writes to its log.
    type Record;

    /// Decides on a request. May touch soft state (timers, tickets), never hard state.
    fn handle(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: Self::Request,
    ) -> Outcome<Self::Record, Self::Response>;

    /// Applies one record of the log: the only place where hard state changes.
    fn replay(&mut self, record: Self::Record);

    /// Returns when the machine next wants to be woken.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Decides on the timers that are due at `now`.
    fn handle_timeout(&mut self, now: Now) -> Outcome<Self::Record, Self::Response>;
}
