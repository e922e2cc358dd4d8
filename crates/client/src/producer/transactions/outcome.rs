//! What came of a call, for the one who waits for it. Kafka: `TransactionalRequestResult`.

use tokio::sync::watch;

use crate::error::Result;

/// The outcome of a call; it comes once.
#[derive(Debug)]
pub(in crate::producer) struct Outcome {
    state: watch::Sender<Option<Result<()>>>,
}

impl Default for Outcome {
    fn default() -> Self {
        Self { state: watch::Sender::new(None) }
    }
}

impl Outcome {
    /// Tells the outcome; the first one counts.
    pub(in crate::producer) fn complete(&self, result: Result<()>) {
        self.state.send_if_modified(|state| {
            let first = state.is_none();
            state.get_or_insert(result);
            first
        });
    }

    /// Waits for the outcome.
    pub(in crate::producer) async fn wait(&self) -> Result<()> {
        let mut changes = self.state.subscribe();
        let seen = changes.wait_for(Option::is_some).await;
        // The sender lives in `self`, so there is an end to wait for.
        seen.ok().and_then(|result| result.clone()).unwrap_or(Ok(()))
    }
}
