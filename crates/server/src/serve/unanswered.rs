//! The answers of a connection that are still to come, in the order of their requests.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;

use super::{Answered, Ending};

/// An answer on its way.
pub(super) type Waiting = Pin<Box<dyn Future<Output = Result<Box<Answered>, Ending>> + Send>>;

/// How many requests may be taken up before the first of them is answered.
const MAX: usize = 16;

/// Answers on their way.
#[derive(Default)]
pub(super) struct Unanswered(VecDeque<Waiting>);

impl Unanswered {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.0.len() < MAX
    }

    pub(super) fn push(&mut self, waiting: Waiting) {
        self.0.push_back(waiting);
    }

    /// Waits for the first answer; for ever, if there is none. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Box<Answered>, Ending> {
        let Some(first) = self.0.front_mut() else { return pending().await };
        let answered = first.await;
        self.0.pop_front();
        answered
    }
}
