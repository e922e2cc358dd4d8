//! The way from a batch's fate back to those who wait for its records.
//!
//! Invariant: a batch has one fate, and all of its records learn it; a batch that was split passes them on.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use model::{Offset, Timestamp, TopicPartition};
use protocol::ErrorCode;

use super::record::RecordMetadata;
use crate::error::{Error, Result};

/// What became of a batch.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// Written. No offset where the broker does not tell; a time where the broker set it.
    Written { base: Option<Offset>, append_time: Option<Timestamp> },
    /// Not written.
    Failed(Error),
    /// Not written because of some of its records, each with its own text.
    Invalid { error: Error, records: BTreeMap<i32, String> },
    /// Sent as several: the first record of each, in order.
    Split(Vec<(i32, Arc<Completion>)>),
}

/// The place where a batch's fate is told.
#[derive(Debug)]
pub(super) struct Completion {
    partition: TopicPartition,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    fate: Option<Fate>,
    wakers: Vec<Waker>,
}

impl Completion {
    pub(super) fn new(partition: TopicPartition) -> Arc<Self> {
        Arc::new(Self { partition, state: Mutex::default() })
    }

    /// Tells the fate; the first one counts.
    pub(super) fn complete(&self, fate: Fate) {
        let wakers = {
            let mut state = self.state.lock().expect("no holder panics");
            state.fate.get_or_insert(fate);
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits until the batch, and all that it was split into, has its fate.
    pub(super) async fn done(self: &Arc<Self>) {
        let mut waiting = vec![Arc::clone(self)];
        while let Some(next) = waiting.pop() {
            if let Fate::Split(parts) = (FateOf { completion: next, waker: None }).await {
                waiting.extend(parts.into_iter().map(|(_, part)| part));
            }
        }
    }
}

/// Waits for one fate.
struct FateOf {
    completion: Arc<Completion>,
    waker: Option<Waker>,
}

impl Future for FateOf {
    type Output = Fate;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fate> {
        let known = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        let completion = Arc::clone(&self.completion);
        let mut state = completion.state.lock().expect("no holder panics");
        if let Some(fate) = &state.fate {
            return Poll::Ready(fate.clone());
        }
        if !known {
            state.wakers.push(cx.waker().clone());
            self.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// A record that was taken in; as a future it gives where the record was written. Dropping it does not recall the record.
#[must_use = "a record's failure is told here alone"]
pub struct Delivery {
    fate: FateOf,
    /// The record's place in its batch.
    index: i32,
    timestamp: Timestamp,
}

impl Delivery {
    pub(super) fn new(completion: Arc<Completion>, index: i32, timestamp: Timestamp) -> Self {
        Self { fate: FateOf { completion, waker: None }, index, timestamp }
    }
}

impl Future for Delivery {
    type Output = Result<RecordMetadata>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let Poll::Ready(fate) = Pin::new(&mut self.fate).poll(cx) else { return Poll::Pending };
            match fate {
                Fate::Split(parts) => {
                    let at = parts.partition_point(|(first, _)| *first <= self.index).saturating_sub(1);
                    let (first, part) = parts[at].clone();
                    self.index -= first;
                    self.fate = FateOf { completion: part, waker: None };
                }
                Fate::Written { base, append_time } => {
                    return Poll::Ready(Ok(RecordMetadata {
                        topic_partition: self.fate.completion.partition.clone(),
                        offset: base.map(|base| base.plus(i64::from(self.index))),
                        timestamp: append_time.unwrap_or(self.timestamp),
                    }));
                }
                Fate::Failed(error) => return Poll::Ready(Err(error)),
                Fate::Invalid { error, records } => {
                    return Poll::Ready(Err(invalid(&error, &records, self.index)));
                }
            }
        }
    }
}

/// Kafka: `Sender.failBatch`. Of several records that are refused it is not known which code each would have.
fn invalid(error: &Error, records: &BTreeMap<i32, String>, index: i32) -> Error {
    let Some(text) = records.get(&index) else {
        let text =
            "Failed to append record because it was part of a batch which had one more more invalid records";
        return Error::Other(text.into());
    };
    let code = error.code().filter(|_| records.len() == 1).unwrap_or(ErrorCode::INVALID_RECORD);
    Error::Broker { code, message: Some(text.clone()) }
}
