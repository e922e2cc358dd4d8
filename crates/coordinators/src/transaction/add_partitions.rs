//! AddPartitionsToTxn: partitions join a transaction, or are asked after.
//!
//! Kafka: `TransactionCoordinator.handleAddPartitionsToTransaction`, `handleVerifyPartitionsInTransaction`.

use std::collections::BTreeSet;

use machine::{Now, Outcome, Ticket};
use model::TopicPartition;
use protocol::ErrorCode;

use super::machine::{Decision, TransactionMachine};
use super::{Producer, TransactionMetadata, TransactionResponse, TransactionState, TransactionVersion};

impl TransactionMachine {
    pub(super) fn add_partitions(
        &mut self,
        now: Now,
        ticket: Ticket,
        transactional_id: &str,
        producer: Producer,
        partitions: BTreeSet<TopicPartition>,
        client_version: TransactionVersion,
    ) -> Decision {
        let answer = |result| (ticket, TransactionResponse::AddPartitions(result));
        match self.current(transactional_id, producer) {
            Err(error) => Outcome { answers: vec![answer(Err(error))], records: Vec::new() },
            Ok(metadata)
                if metadata.state == TransactionState::Ongoing
                    && partitions.is_subset(&metadata.partitions) =>
            {
                Outcome { answers: vec![answer(Ok(()))], records: Vec::new() }
            }
            Ok(metadata) => {
                let to = metadata.with_partitions(partitions, client_version, now.wall);
                Outcome { records: vec![self.change(transactional_id, to)], answers: vec![answer(Ok(()))] }
            }
        }
    }

    pub(super) fn verify_partitions(
        &self,
        transactional_id: &str,
        producer: Producer,
        partitions: BTreeSet<TopicPartition>,
    ) -> Vec<(TopicPartition, ErrorCode)> {
        let metadata = self.current(transactional_id, producer);
        let verdict = |partition: &TopicPartition| match metadata {
            Err(error) => error,
            Ok(metadata) if metadata.partitions.contains(partition) => ErrorCode::NONE,
            Ok(_) => ErrorCode::TRANSACTION_ABORTABLE,
        };
        partitions.into_iter().map(|partition| (partition.clone(), verdict(&partition))).collect()
    }

    /// Finds the id for its current producer, while no end of a transaction is under way.
    fn current(&self, transactional_id: &str, producer: Producer) -> Result<&TransactionMetadata, ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        let metadata = self.get(transactional_id).ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        if metadata.producer.id != producer.id {
            Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING)
        } else if metadata.producer.epoch != producer.epoch {
            Err(ErrorCode::PRODUCER_FENCED)
        } else if metadata.state.is_prepared() {
            Err(ErrorCode::CONCURRENT_TRANSACTIONS)
        } else {
            Ok(metadata)
        }
    }
}
