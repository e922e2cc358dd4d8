//! Asking for a producer id, without which an idempotent producer sends nothing. Kafka: `InitProducerIdHandler`.
//!
//! A producer with a transactional id gets its own in another way, from its coordinator.

use model::{ProducerEpoch, ProducerId};
use protocol::{ErrorCode, InitProducerIdRequest};
use tokio::time::Instant;

use super::super::sequences::Identity;
use super::{Event, Sender};
use crate::chance;
use crate::error::{Error, Result};

/// Where asking for a producer id stands.
#[derive(Default)]
pub(super) struct IdentityRequest {
    under_way: bool,
    failures: u32,
    pub(super) not_before: Option<Instant>,
}

impl Sender {
    /// Asks, unless that is under way or has just failed.
    pub(super) fn ask_for_identity(&mut self) {
        let waits = self.identity.not_before.is_some_and(|at| Instant::now() < at);
        if self.identity.under_way || waits {
            return;
        }
        self.identity =
            IdentityRequest { under_way: true, not_before: None, ..std::mem::take(&mut self.identity) };
        let cluster = self.shared.cluster.clone();
        self.tasks.spawn(async move {
            let request = InitProducerIdRequest {
                transactional_id: None,
                transaction_timeout_ms: i32::MAX,
                ..Default::default()
            };
            let identity = cluster.send_to_any(&request).await.and_then(|response| {
                Error::check(response.error_code)?;
                Ok(Identity {
                    id: ProducerId(response.producer_id),
                    epoch: ProducerEpoch(response.producer_epoch),
                })
            });
            Event::Identity(identity)
        });
    }

    /// Takes the answer.
    pub(super) fn take_identity(&mut self, result: Result<Identity>) {
        self.identity.under_way = false;
        match result {
            Ok(identity) => {
                self.identity = IdentityRequest::default();
                self.shared.with(|accumulator| accumulator.sequences.take_identity(identity));
            }
            Err(error) if error.is_retriable() => {
                let wait =
                    self.shared.config.client.retry_backoff.delay(self.identity.failures, chance::number());
                self.identity.failures += 1;
                self.identity.not_before = Some(Instant::now() + wait);
            }
            Err(error) => {
                // It may be allowed later: then what is sent by then asks again.
                if !error.is(ErrorCode::CLUSTER_AUTHORIZATION_FAILED) {
                    *self.shared.fatal.lock().expect("no holder panics") = Some(error.clone());
                }
                self.shared.with(|accumulator| accumulator.abort(&error));
            }
        }
    }
}
