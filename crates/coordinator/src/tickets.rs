//! Requests that wait for their answers.
//!
//! An answer goes at once to the task that waits for it, together with the offset before which all must be committed; that
//! task waits for the commit itself. So an answer is not lost when some other caller goes away.

use std::collections::HashMap;

use machine::Ticket;
use model::Offset;
use protocol::ErrorCode;
use tokio::sync::oneshot;

/// An answer, and the offset before which the log must be committed for it to be sent.
pub(crate) type Held<R> = Result<(R, Offset), ErrorCode>;

/// The requests of one partition that have no answer yet.
#[derive(Debug)]
pub(crate) struct Tickets<R> {
    next: u64,
    waiting: HashMap<Ticket, oneshot::Sender<Held<R>>>,
}

impl<R> Tickets<R> {
    pub(crate) fn new() -> Self {
        Self { next: Ticket::SHELL.0 + 1, waiting: HashMap::new() }
    }

    /// Takes a ticket, and the end at which its answer comes out. If the tickets are dropped, that end says so.
    pub(crate) fn issue(&mut self) -> (Ticket, oneshot::Receiver<Held<R>>) {
        let ticket = Ticket(self.next);
        self.next += 1;
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(ticket, sender);
        (ticket, receiver)
    }

    /// Hands over an answer. The one who waited may be gone.
    pub(crate) fn answer(&mut self, ticket: Ticket, held: Held<R>) {
        if let Some(sender) = self.waiting.remove(&ticket) {
            _ = sender.send(held);
        }
    }

    /// Lets everyone who waits know that no answer will come.
    pub(crate) fn drop_all(&mut self) {
        self.waiting.clear();
    }
}
