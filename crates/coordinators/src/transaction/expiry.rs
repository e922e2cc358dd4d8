//! What time does: overdue transactions are aborted, and ids that nobody used for long are forgotten.
//!
//! Kafka: `TransactionCoordinator.abortTimedOutTransactions`, `TransactionStateManager.removeExpiredTransactionalIds`.

use machine::Now;

use super::machine::{Decision, TransactionMachine};
use super::{TransactionMetadata, TransactionRecord, TransactionState};

impl TransactionMachine {
    /// Sets the checks that are not set yet.
    pub(super) fn start_timers(&mut self, now: Now) {
        self.soft.next_abort_check.get_or_insert(now.monotonic + self.config.abort_interval);
        self.soft.next_expiry_check.get_or_insert(now.monotonic + self.config.expiry_interval);
    }

    /// Does the checks that are due.
    pub(super) fn abort_overdue(&mut self, now: Now) -> Decision {
        let mut decision = Decision::default();
        if self.soft.next_abort_check.is_some_and(|check| check <= now.monotonic) {
            self.soft.next_abort_check = Some(now.monotonic + self.config.abort_interval);
            for (id, metadata) in self.ids().filter(|(_, metadata)| is_overdue(metadata, now)) {
                decision.extend(self.abort_fenced(now, id, metadata));
            }
        }
        if self.soft.next_expiry_check.is_some_and(|check| check <= now.monotonic) {
            self.soft.next_expiry_check = Some(now.monotonic + self.config.expiry_interval);
            let latest = now.wall.0 - self.config.id_expiration_ms;
            let expired = self
                .ids()
                .filter(|(_, metadata)| metadata.state.may_expire() && metadata.last_update.0 <= latest)
                .map(|(id, _)| TransactionRecord {
                    transactional_id: id.clone(),
                    metadata: None,
                    level: self.level,
                });
            decision.records.extend(expired);
        }
        decision
    }
}

fn is_overdue(metadata: &TransactionMetadata, now: Now) -> bool {
    metadata.state == TransactionState::Ongoing
        && metadata.start.0 + i64::from(metadata.timeout_ms) < now.wall.0
}
