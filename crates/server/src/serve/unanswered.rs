//! The answers of a connection that are still to come, in the order of their requests.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;

use protocol::ApiKey;

use super::{Answered, Ending};

/// An answer on its way.
pub(super) type Waiting = Pin<Box<dyn Future<Output = Result<Box<Answered>, Ending>> + Send>>;

/// How many requests may be taken up before the first of them is answered.
const MAX: usize = 16;

/// The requests that may be taken up before those of the same kind ahead of them are answered: each is carried out whatever
/// becomes of the one before, and clients send them without waiting.
const MAY_FOLLOW: [ApiKey; 2] = [ApiKey::Produce, ApiKey::OffsetCommit];

/// Answers on their way, all to requests of one kind.
#[derive(Default)]
pub(super) struct Unanswered {
    kind: Option<ApiKey>,
    waiting: VecDeque<Waiting>,
}

impl Unanswered {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Tells whether the request in `frame` may be taken up now.
    pub(super) fn may_be_followed_by(&self, frame: &[u8]) -> bool {
        let kind = frame.first_chunk().and_then(|id| ApiKey::from_id(i16::from_be_bytes(*id)));
        self.is_empty() || (kind == self.kind && kind.is_some_and(|kind| MAY_FOLLOW.contains(&kind)))
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < MAX
    }

    pub(super) fn push(&mut self, kind: ApiKey, waiting: Waiting) {
        self.kind = Some(kind);
        self.waiting.push_back(waiting);
    }

    /// Waits for the first answer; for ever, if there is none. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Box<Answered>, Ending> {
        let Some(first) = self.waiting.front_mut() else { return pending().await };
        let answered = first.await;
        self.waiting.pop_front();
        answered
    }
}
