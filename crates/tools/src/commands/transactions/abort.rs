//! `kafka-transactions abort` and `forceTerminateTransaction`.

use client::Admin;
use client::admin::AbortTransactionSpec;
use model::{Offset, ProducerId, TopicPartition};

use super::{failed, partition, producers};
use crate::Failure;
use crate::arguments::Arguments;

pub(super) async fn run(admin: &Admin, args: &Arguments) -> Result<(), Failure> {
    let partition = partition(args);
    let spec = match (args.number("--start-offset"), args.number("--producer-id")) {
        (None, None) => {
            return Err(Failure::message(
                "The transaction to abort must be identified either with --start-offset (for brokers on 3.0 or above) \
                 or with --producer-id, --producer-epoch, and --coordinator-epoch (for older brokers)",
            ));
        }
        (Some(start), _) => found(admin, partition, Offset(start)).await?,
        (None, Some(producer)) => given(args, partition, ProducerId(producer))?,
    };
    let shown = format!(
        "AbortTransactionSpec(topicPartition={}, producerId={}, producerEpoch={}, coordinatorEpoch={})",
        spec.partition, spec.producer_id, spec.producer_epoch, spec.coordinator_epoch
    );
    let done = admin.abort_transaction(&spec).await;
    done.map_err(failed(format!("Failed to abort transaction {shown}")))
}

/// The transaction that begins at `start`.
async fn found(
    admin: &Admin,
    partition: TopicPartition,
    start: Offset,
) -> Result<AbortTransactionSpec, Failure> {
    let states = producers(admin, None, &partition).await;
    let states =
        states.map_err(failed(format!("Failed to validate producer state for partition {partition}")))?;
    let state = states.into_iter().find(|state| state.transaction_start == Some(start)).ok_or_else(|| {
        Failure::message(format!(
            "Could not find any open transactions starting at offset {start} on partition {partition}"
        ))
    })?;
    Ok(AbortTransactionSpec {
        partition,
        producer_id: state.producer_id,
        producer_epoch: i16::try_from(state.producer_epoch).unwrap_or(i16::MAX),
        coordinator_epoch: state.coordinator_epoch.unwrap_or(0),
    })
}

/// The transaction as the command line tells it. A producer that never ended one has seen no coordinator, which
/// `describe-producers` shows as -1; 0 is then no later than any.
fn given(
    args: &Arguments,
    partition: TopicPartition,
    producer_id: ProducerId,
) -> Result<AbortTransactionSpec, Failure> {
    let missing = |name: &str| Failure::message(format!("Missing required argument {name}"));
    let producer_epoch = args.number("--producer-epoch").ok_or_else(|| missing("--producer-epoch"))?;
    let epoch: i32 = args.number("--coordinator-epoch").ok_or_else(|| missing("--coordinator-epoch"))?;
    Ok(AbortTransactionSpec { partition, producer_id, producer_epoch, coordinator_epoch: epoch.max(0) })
}

pub(super) async fn force_terminate(admin: &Admin, args: &Arguments) -> Result<(), Failure> {
    let id = args.value("--transactionalId").unwrap_or_default();
    let done = admin.fence_producer(id).await;
    done.map_err(failed(format!("Failed to force terminate transactionalId `{id}`")))
}
