//! A partition's log in memory.

use std::sync::{Condvar, Mutex};

use bytes::Bytes;
use model::Offset;
use protocol::ErrorCode;
use tokio::sync::watch;

use crate::partition_log::{Committed, PartitionLog};

pub(super) struct MemoryLog {
    batches: Mutex<Vec<(Offset, Bytes)>>,
    start: Mutex<Offset>,
    end: Mutex<Offset>,
    committed: watch::Sender<Offset>,
    held_back: Mutex<bool>,
    append_error: Mutex<Option<ErrorCode>>,
    reads_blocked: Mutex<bool>,
    reads_opened: Condvar,
    max_batch_size: usize,
}

impl MemoryLog {
    pub(super) fn new() -> Self {
        Self::with_max_batch_size(1 << 20)
    }

    pub(super) fn with_max_batch_size(max_batch_size: usize) -> Self {
        Self {
            batches: Mutex::default(),
            start: Mutex::default(),
            end: Mutex::default(),
            committed: watch::Sender::new(Offset(0)),
            held_back: Mutex::new(false),
            append_error: Mutex::new(None),
            reads_blocked: Mutex::new(false),
            reads_opened: Condvar::new(),
            max_batch_size,
        }
    }

    /// Makes a log that holds what a segment's file does.
    pub(super) fn of_segment(segment: &[u8]) -> Self {
        let log = Self::new();
        for batch in records::batches(Bytes::copy_from_slice(segment)) {
            log.append(batch.expect("batches are whole").into_bytes()).expect("appends do not fail");
        }
        log
    }

    /// Puts in an entry of a format that only brokers before 0.11 wrote.
    pub(super) fn put_old_entry(&self) {
        let mut end = self.end.lock().expect("no holder panics");
        let mut entry = [0; 30];
        entry[..8].copy_from_slice(&end.0.to_be_bytes());
        (entry[11], entry[16]) = (18, 1);
        self.batches.lock().expect("no holder panics").push((*end, Bytes::copy_from_slice(&entry)));
        *end = end.plus(1);
        self.committed.send_replace(*end);
    }

    /// Holds the commit back, or lets everything be committed.
    pub(super) fn hold_back(&self, held_back: bool) {
        *self.held_back.lock().expect("no holder panics") = held_back;
        if !held_back {
            self.committed.send_replace(self.end_offset());
        }
    }

    /// Lets appends fail.
    pub(super) fn fail_appends(&self, error: Option<ErrorCode>) {
        *self.append_error.lock().expect("no holder panics") = error;
    }

    /// Lets reads wait, or go on.
    pub(super) fn block_reads(&self, blocked: bool) {
        *self.reads_blocked.lock().expect("no holder panics") = blocked;
        self.reads_opened.notify_all();
    }

    pub(super) fn batch_sizes(&self) -> Vec<usize> {
        self.batches.lock().expect("no holder panics").iter().map(|(_, batch)| batch.len()).collect()
    }
}

impl PartitionLog for MemoryLog {
    fn append(&self, batch: Bytes) -> Result<Offset, ErrorCode> {
        if let Some(error) = *self.append_error.lock().expect("no holder panics") {
            return Err(error);
        }
        if batch.len() > self.max_batch_size {
            return Err(ErrorCode::MESSAGE_TOO_LARGE);
        }
        let mut end = self.end.lock().expect("no holder panics");
        let mut batch = records::RecordBatch::parse(&batch).expect("batches are whole");
        batch.set_base_offset(*end);
        *end = batch.header().next_offset();
        let stored = (batch.header().base_offset, batch.into_bytes());
        self.batches.lock().expect("no holder panics").push(stored);
        if !*self.held_back.lock().expect("no holder panics") {
            self.committed.send_replace(*end);
        }
        Ok(*end)
    }

    fn committed(&self, end: Offset) -> Committed<'_> {
        let mut committed = self.committed.subscribe();
        Box::pin(async move {
            let reached = committed.wait_for(|committed| *committed >= end).await;
            reached.map(|_| ()).map_err(|_| ErrorCode::NOT_LEADER_OR_FOLLOWER)
        })
    }

    fn read(&self, from: Offset, max_bytes: usize) -> Result<Bytes, ErrorCode> {
        let blocked = self.reads_blocked.lock().expect("no holder panics");
        drop(self.reads_opened.wait_while(blocked, |blocked| *blocked).expect("no holder panics"));
        let mut read = Vec::new();
        for (base, batch) in self.batches.lock().expect("no holder panics").iter() {
            if *base >= from && (read.is_empty() || read.len() + batch.len() <= max_bytes) {
                read.extend_from_slice(batch);
            }
        }
        Ok(read.into())
    }

    fn delete_records(&self, before: Offset) -> Result<(), ErrorCode> {
        // Whole batches go, as whole segments do.
        let mut batches = self.batches.lock().expect("no holder panics");
        let last_before = batches.iter().rposition(|(base, _)| *base <= before).unwrap_or(0);
        batches.drain(..last_before);
        *self.start.lock().expect("no holder panics") = before;
        Ok(())
    }

    fn start_offset(&self) -> Offset {
        *self.start.lock().expect("no holder panics")
    }

    fn end_offset(&self) -> Offset {
        *self.end.lock().expect("no holder panics")
    }

    fn max_batch_size(&self) -> usize {
        self.max_batch_size
    }
}
