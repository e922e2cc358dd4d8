//! What the transaction coordinator is told by the broker's configuration.

use std::time::Duration;

/// Kafka: `TransactionStateManagerConfig`, `TransactionLogConfig`.
#[derive(Clone, Debug)]
pub struct TransactionConfig {
    /// `transaction.max.timeout.ms`: the longest timeout that a producer may ask for.
    pub max_timeout_ms: i32,
    /// `transactional.id.expiration.ms`: how long an id without a transaction is kept.
    pub id_expiration_ms: i64,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`: how often overdue transactions are aborted.
    pub abort_interval: Duration,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`: how often expired ids are removed.
    pub expiry_interval: Duration,
}

impl Default for TransactionConfig {
    fn default() -> Self {
        Self {
            max_timeout_ms: 900_000,
            id_expiration_ms: 604_800_000,
            abort_interval: Duration::from_secs(10),
            expiry_interval: Duration::from_secs(3600),
        }
    }
}
