//! The bytes of one partition that a fetch brought, read record by record. Kafka: `CompletedFetch`.
//!
//! Invariants: no record below the position is given; with `read_committed`, none of a transaction that was aborted,
//! and never a control record.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use model::{LeaderEpoch, Offset, TopicPartition};
use protocol::fetch_response::AbortedTransaction;
use records::{Batches, ControlType, OwnedRecord, RecordBatch, TimestampType, batches};

use super::record::ConsumerRecord;
use crate::config::IsolationLevel;
use crate::error::{Error, Result};

/// What a batch may unpack to, at most, in bytes; a larger one is not one that Kafka writes.
const MAX_BATCH_BYTES: usize = i32::MAX as usize;

#[derive(Debug)]
pub(super) struct CompletedFetch {
    pub partition: TopicPartition,
    /// The offset of the next record to give.
    pub next: Offset,
    pub epoch: Option<LeaderEpoch>,
    batches: Batches,
    current: VecDeque<OwnedRecord>,
    /// Of the batch that `current` is from.
    current_end: Offset,
    current_epoch: Option<LeaderEpoch>,
    current_type: TimestampType,
    /// Aborted transactions that begin further on, the first one first.
    aborted: VecDeque<AbortedTransaction>,
    /// Producers within an aborted transaction at this point.
    aborting: BTreeSet<i64>,
    isolation: IsolationLevel,
    check_crcs: bool,
    done: bool,
}

impl CompletedFetch {
    pub(super) fn new(
        partition: TopicPartition,
        position: Offset,
        bytes: Bytes,
        mut aborted: Vec<AbortedTransaction>,
        isolation: IsolationLevel,
        check_crcs: bool,
    ) -> Self {
        aborted.sort_by_key(|transaction| transaction.first_offset);
        Self {
            partition,
            next: position,
            epoch: None,
            batches: batches(bytes),
            current: VecDeque::new(),
            current_end: position,
            current_epoch: None,
            current_type: TimestampType::CreateTime,
            aborted: aborted.into(),
            aborting: BTreeSet::new(),
            isolation,
            check_crcs,
            done: false,
        }
    }

    /// Whether everything was given.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// Appends up to `count` records to `out`.
    pub(super) fn take(&mut self, count: usize, out: &mut Vec<ConsumerRecord>) -> Result<()> {
        let wanted = out.len() + count;
        while out.len() < wanted && !self.done {
            match self.current.pop_front() {
                Some(record) if record.offset < self.next => {}
                Some(record) => {
                    self.next = record.offset.plus(1);
                    self.epoch = self.current_epoch;
                    out.push(self.record(record));
                }
                None => {
                    // The end of a compacted batch may lie past its last record.
                    if self.current_end > self.next {
                        self.next = self.current_end;
                        self.epoch = self.current_epoch;
                    }
                    self.next_batch()?;
                }
            }
        }
        if self.current.is_empty() && self.current_end > self.next {
            self.next = self.current_end;
        }
        Ok(())
    }

    fn record(&self, record: OwnedRecord) -> ConsumerRecord {
        ConsumerRecord {
            topic: Arc::clone(&self.partition.topic),
            partition: self.partition.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            timestamp_type: self.current_type,
            key: record.key,
            value: record.value,
            headers: record.headers,
            leader_epoch: self.current_epoch,
        }
    }

    fn next_batch(&mut self) -> Result<()> {
        let Some(batch) = self.batches.next() else {
            self.done = true;
            return Ok(());
        };
        let batch = batch.map_err(|error| self.corrupt(&error))?;
        let header = *batch.header();
        if self.check_crcs {
            batch.ensure_valid().map_err(|error| self.corrupt(&error))?;
        }
        self.current_end = header.next_offset();
        self.current_epoch = Some(header.partition_leader_epoch).filter(|epoch| epoch.0 >= 0);
        self.current_type = header.timestamp_type();
        if self.is_wanted(&batch)? {
            let decoded = batch.decode(MAX_BATCH_BYTES).map_err(|error| self.corrupt(&error))?;
            for record in decoded.owned() {
                let record = record.map_err(|error| self.corrupt(&error))?;
                self.current.push_back(record);
            }
        }
        Ok(())
    }

    fn is_wanted(&mut self, batch: &RecordBatch) -> Result<bool> {
        let header = batch.header();
        let producer = header.producer_id.0;
        if self.isolation == IsolationLevel::ReadCommitted && producer >= 0 {
            while let Some(first) = self.aborted.front()
                && first.first_offset <= header.last_offset().0
            {
                self.aborting.insert(first.producer_id);
                self.aborted.pop_front();
            }
            if header.is_control() {
                if self.is_abort(batch)? {
                    self.aborting.remove(&producer);
                }
                return Ok(false);
            }
            if header.is_transactional() && self.aborting.contains(&producer) {
                return Ok(false);
            }
        }
        Ok(!header.is_control())
    }

    fn is_abort(&self, batch: &RecordBatch) -> Result<bool> {
        let decoded = batch.decode(MAX_BATCH_BYTES).map_err(|error| self.corrupt(&error))?;
        let Some(first) = decoded.iter().next() else { return Ok(false) };
        let first = first.map_err(|error| self.corrupt(&error))?;
        let kind = ControlType::from_key(first.key).map_err(|error| self.corrupt(&error))?;
        Ok(kind == ControlType::Abort)
    }

    fn corrupt(&self, error: &records::RecordsError) -> Error {
        let (partition, next) = (&self.partition, self.next);
        Error::CorruptRecord(format!(
            "Received exception when fetching the next record from {partition}. If needed, please seek past the record to continue consumption. (offset {next}: {error})"
        ))
    }
}

#[cfg(test)]
mod tests {
    use model::{ProducerEpoch, ProducerId, Timestamp};
    use records::{BatchBuilder, BatchOptions, EndTxnMarker};

    use super::*;

    fn batch(base: i64, values: &[&str], producer: Option<i64>) -> Bytes {
        let mut builder = BatchBuilder::new(BatchOptions {
            base_offset: Offset(base),
            partition_leader_epoch: LeaderEpoch(2),
            producer_id: ProducerId(producer.unwrap_or(-1)),
            producer_epoch: ProducerEpoch(0),
            base_sequence: 0,
            transactional: producer.is_some(),
            ..Default::default()
        });
        for value in values {
            builder.append(Timestamp(5), None, Some(value.as_bytes()), &[]).expect("it fits");
        }
        builder.build().expect("it can be built")
    }

    fn marker(base: i64, producer: i64, commit: bool) -> Bytes {
        let marker = EndTxnMarker { commit, coordinator_epoch: 0 };
        let (id, epoch) = (ProducerId(producer), ProducerEpoch(0));
        BatchBuilder::end_transaction(marker, Offset(base), Timestamp(5), LeaderEpoch(2), id, epoch)
    }

    fn read(bytes: &[Bytes], aborted: Vec<AbortedTransaction>, isolation: IsolationLevel) -> Vec<String> {
        let name = TopicPartition::new("t", 0);
        let mut fetch = CompletedFetch::new(name, Offset(0), bytes.concat().into(), aborted, isolation, true);
        let mut out = Vec::new();
        while !fetch.is_done() {
            fetch.take(1, &mut out).expect("it can be read");
        }
        let text = |record: ConsumerRecord| {
            let value = record.value.expect("it has a value");
            format!("{}={}", record.offset, String::from_utf8_lossy(&value))
        };
        out.into_iter().map(text).collect()
    }

    #[test]
    fn records_of_aborted_transactions_are_seen_only_by_those_who_read_uncommitted() {
        let bytes = [
            batch(0, &["a"], Some(1)),
            batch(1, &["b"], Some(2)),
            batch(2, &["plain"], None),
            marker(3, 1, false),
            marker(4, 2, true),
            batch(5, &["c"], Some(1)),
            marker(6, 1, true),
        ];
        let aborted = || vec![AbortedTransaction { producer_id: 1, first_offset: 0, ..Default::default() }];
        assert_eq!(read(&bytes, aborted(), IsolationLevel::ReadCommitted), ["1=b", "2=plain", "5=c"]);
        assert_eq!(
            read(&bytes, aborted(), IsolationLevel::ReadUncommitted),
            ["0=a", "1=b", "2=plain", "5=c"]
        );
    }

    #[test]
    fn records_before_the_position_are_left_out() {
        let name = TopicPartition::new("t", 0);
        let bytes = batch(10, &["a", "b", "c"], None);
        let mut fetch =
            CompletedFetch::new(name, Offset(11), bytes, Vec::new(), IsolationLevel::default(), true);
        let mut out = Vec::new();
        fetch.take(10, &mut out).expect("it can be read");
        assert_eq!(out.iter().map(|record| record.offset.0).collect::<Vec<_>>(), [11, 12]);
        assert_eq!((fetch.next, fetch.epoch), (Offset(13), Some(LeaderEpoch(2))));
    }

    #[test]
    fn a_wrong_checksum_is_told_with_its_offset() {
        let name = TopicPartition::new("t", 0);
        let mut bytes = batch(0, &["abc"], None).to_vec();
        *bytes.last_mut().expect("there are bytes") ^= 1;
        let mut fetch =
            CompletedFetch::new(name, Offset(0), bytes.into(), Vec::new(), IsolationLevel::default(), true);
        let error = fetch.take(10, &mut Vec::new()).expect_err("it is corrupt");
        assert!(error.to_string().contains("t-0"), "{error}");
    }
}
