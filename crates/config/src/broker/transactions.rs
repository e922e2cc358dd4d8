//! Broker keys: transactions and idempotent producers.

use super::typed::typed_config;
use crate::Importance::{High, Low};
use crate::Key;

typed_config! {
    /// Transactions and idempotent producers. Field names are the keys'; sizes are in bytes, times in the unit of the name's end.
    TransactionConfig {
        add_partitions_to_txn_retry_backoff_max_ms: int "add.partitions.to.txn.retry.backoff.max.ms",
        add_partitions_to_txn_retry_backoff_ms: int "add.partitions.to.txn.retry.backoff.ms",
        producer_id_expiration_check_interval_ms: int "producer.id.expiration.check.interval.ms",
        producer_id_expiration_ms: int "producer.id.expiration.ms",
        transaction_abort_timed_out_transaction_cleanup_interval_ms: int "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        transaction_max_timeout_ms: int "transaction.max.timeout.ms",
        transaction_partition_verification_enable: boolean "transaction.partition.verification.enable",
        transaction_remove_expired_transaction_cleanup_interval_ms: int "transaction.remove.expired.transaction.cleanup.interval.ms",
        transaction_state_log_load_buffer_size: int "transaction.state.log.load.buffer.size",
        transaction_state_log_min_isr: int "transaction.state.log.min.isr",
        transaction_state_log_num_partitions: int "transaction.state.log.num.partitions",
        transaction_state_log_replication_factor: short "transaction.state.log.replication.factor",
        transaction_state_log_segment_bytes: int "transaction.state.log.segment.bytes",
        transaction_two_phase_commit_enable: boolean "transaction.two.phase.commit.enable",
        transactional_id_expiration_ms: int "transactional.id.expiration.ms",
    }
}

/// The keys of this part.
pub(super) const KEYS: &[Key] = &[
    Key::int(
        "add.partitions.to.txn.retry.backoff.max.ms",
        "100",
        High,
        "How long the broker goes on adding a partition to a transaction that is not ready \
         for it.",
    )
    .at_least(0),
    Key::int(
        "add.partitions.to.txn.retry.backoff.ms",
        "20",
        High,
        "How long the broker rests between two tries to add a partition to a transaction.",
    )
    .at_least(1),
    Key::int(
        "producer.id.expiration.check.interval.ms",
        "600000",
        Low,
        "How often a partition looks for producers that expired.",
    )
    .at_least(1)
    .hidden(),
    Key::int(
        "producer.id.expiration.ms",
        "86400000",
        Low,
        "How long a partition remembers a producer that writes nothing.",
    )
    .at_least(1)
    .cluster_wide(),
    Key::int(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        "10000",
        Low,
        "How often the coordinator aborts transactions that ran out of time.",
    )
    .at_least(1),
    Key::int(
        "transaction.max.timeout.ms",
        "900000",
        High,
        "The longest timeout that a transaction may ask for.",
    )
    .at_least(1),
    Key::boolean(
        "transaction.partition.verification.enable",
        "true",
        Low,
        "Whether a partition asks the coordinator if it belongs to a transaction before it \
         takes its records.",
    )
    .cluster_wide(),
    Key::int(
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        "3600000",
        Low,
        "How often the coordinator forgets transactional ids that expired.",
    )
    .at_least(1),
    Key::int(
        "transaction.state.log.load.buffer.size",
        "5242880",
        High,
        "How many bytes at a time are read when transactions are loaded.",
    )
    .at_least(1),
    Key::int(
        "transaction.state.log.min.isr",
        "2",
        High,
        "How many replicas of the transaction topic must be in sync for a write.",
    )
    .at_least(1),
    Key::int(
        "transaction.state.log.num.partitions",
        "50",
        High,
        "How many partitions the transaction topic has; not to be changed later.",
    )
    .at_least(1),
    Key::short(
        "transaction.state.log.replication.factor",
        "3",
        High,
        "How many replicas the transaction topic has; it is not made before there are as many \
         brokers.",
    )
    .at_least(1),
    Key::int(
        "transaction.state.log.segment.bytes",
        "104857600",
        High,
        "The segment size of the transaction topic; small segments load fast.",
    )
    .at_least(1),
    Key::boolean(
        "transaction.two.phase.commit.enable",
        "false",
        Low,
        "Whether transactions may take part in a two-phase commit that another system \
         decides.",
    ),
    Key::int(
        "transactional.id.expiration.ms",
        "604800000",
        High,
        "How long the coordinator remembers a transactional id without a transaction.",
    )
    .at_least(1),
];
