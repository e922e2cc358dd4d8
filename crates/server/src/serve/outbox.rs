//! The answers of a connection on their way out: held to be written together, and counted once they are written.
//!
//! Invariants:
//! - whoever waits for anything flushes before

use std::sync::Arc;
use std::time::Duration;

use network::{Connection, ConnectionError};
use protocol::{ApiKey, Piece};
use quota::QuotaKind;
use telemetry::{Stages, timed};
use tokio::time::{Instant, timeout};

use super::{Answered, Ending};
use crate::broker::Broker;
use crate::throttle;

/// How long a peer may take for the last answers of a connection that ends.
const LAST: Duration = Duration::from_secs(1);

/// A connection, and what is to be counted of its answers.
pub(super) struct Outbox {
    pub(super) connection: Connection,
    broker: Arc<Broker>,
    uncounted: Vec<Uncounted>,
}

/// An answer that may not be written yet.
struct Uncounted {
    api: ApiKey,
    version: i16,
    size: usize,
    stages: Stages,
}

impl Outbox {
    pub(super) fn new(connection: Connection, broker: Arc<Broker>) -> Self {
        Self { connection, broker, uncounted: Vec::new() }
    }

    /// Takes an answer; then nothing is read for as long as the client is held back.
    pub(super) async fn put(&mut self, answered: Box<Answered>) -> Result<(), Ending> {
        let Answered { context, stages, size, pieces, silence } = *answered;
        let until = Instant::now() + silence;
        self.uncounted.push(Uncounted { api: context.api, version: context.version, size, stages });
        if self.broker.quotas.is_enabled(QuotaKind::Request) {
            let broker = self.broker.clone();
            let write = async {
                self.put_frame(pieces).await?;
                self.flush().await
            };
            let (written, worked) = timed(write, || broker.clock.monotonic()).await;
            throttle::charge_write(&broker, &context, worked);
            written?;
        } else {
            self.put_frame(pieces).await?;
        }
        if !silence.is_zero() {
            self.flush().await?;
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                given_up = self.connection.given_up() => return Err(given_up.into()),
            }
        }
        Ok(())
    }

    /// Where a producer wants no answer there is nothing to write, not even a length.
    async fn put_frame(&mut self, pieces: Vec<Piece>) -> Result<(), ConnectionError> {
        if !pieces.is_empty() {
            self.connection.put_frame(pieces).await?;
        }
        if self.connection.holds_nothing() {
            self.count();
        }
        Ok(())
    }

    /// Writes what is held, and counts it.
    pub(super) async fn flush(&mut self) -> Result<(), ConnectionError> {
        self.connection.flush().await?;
        self.count();
        Ok(())
    }

    fn count(&mut self) {
        if self.uncounted.is_empty() {
            return;
        }
        let sent = self.broker.clock.monotonic();
        for Uncounted { api, version, size, stages } in std::mem::take(&mut self.uncounted) {
            self.broker.metrics.requests.observe(api, version, size, &Stages { sent, ..stages });
        }
    }

    /// Ends the connection after its answers.
    pub(super) async fn close(mut self) {
        // The peer may be gone already, and there is nothing left to lose.
        let _ = timeout(LAST, self.flush()).await;
        self.connection.close().await;
    }
}
