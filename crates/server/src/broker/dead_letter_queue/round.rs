//! The batch that is written to a dead-letter queue next: a record for each offset, whose headers say where it is from.
//!
//! Invariants:
//! - a batch is no larger than the queue takes, unless one record's headers alone are
//! - offsets that have no record any more still get one, for the headers tell which they were
//!
//! Kafka: `ProduceRequestHandler.topicProduceData`.

use bytes::Bytes;
use coordinators::share_partition::DeadLetter;
use model::{Offset, Timestamp, TopicPartition};
use records::{BatchBuilder, BatchOptions, Header, OwnedRecord, RecordsError};

use super::source::SourceRecords;

/// Where a write stands among the records to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    letter: usize,
    offset: Offset,
}

impl Position {
    pub(super) fn start(letters: &[DeadLetter]) -> Self {
        Self { letter: 0, offset: letters.first().map_or(Offset(0), |letter| letter.first_offset) }
    }

    pub(super) fn is_end(self, letters: &[DeadLetter]) -> bool {
        self.letter >= letters.len()
    }

    fn next(self, letters: &[DeadLetter]) -> Self {
        if letters.get(self.letter).is_some_and(|letter| self.offset < letter.last_offset) {
            return Self { offset: self.offset.plus(1), ..self };
        }
        let letter = self.letter + 1;
        Self { letter, offset: letters.get(letter).map_or(self.offset, |letter| letter.first_offset) }
    }
}

/// A batch to be written.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) batch: Bytes,
    /// How many records it has.
    pub(super) count: u64,
    /// What comes after it.
    pub(super) next: Position,
}

/// Where records are from.
#[derive(Debug)]
pub(super) struct Origin<'a> {
    pub(super) group: &'a str,
    pub(super) partition: &'a TopicPartition,
    /// Their keys and values, if these are to be had in the queue too.
    pub(super) source: Option<SourceRecords>,
}

impl Origin<'_> {
    /// Makes the batch of the records from `at` on, as many as `max_bytes` hold and at least one.
    pub(super) fn next_round(
        mut self,
        letters: &[DeadLetter],
        at: Position,
        max_bytes: usize,
        now: Timestamp,
    ) -> Result<Round, RecordsError> {
        let mut builder = BatchBuilder::new(BatchOptions { write_limit: max_bytes, ..Default::default() });
        let mut next = at;
        while let Some(letter) = letters.get(next.letter) {
            let source = self.source.as_mut();
            let copy = source.and_then(|source| source.take(next.offset, letter.last_offset));
            let texts = self.texts(letter, next.offset);
            let headers = texts.each_ref().map(|(key, text)| Header::new(key, Some(text.as_bytes())));
            let (key, value) = content(copy.as_ref(), &headers, max_bytes);
            if !builder.has_room_for(now, key, value, &headers) {
                break;
            }
            builder.append(now, key, value, &headers)?;
            next = next.next(letters);
        }
        let count = builder.record_count().max(0) as u64;
        Ok(Round { batch: builder.build()?, count, next })
    }

    /// Kafka: `ProduceRequestHandler.headers`.
    fn texts(&self, letter: &DeadLetter, offset: Offset) -> [(&'static str, String); 6] {
        [
            ("__dlq.errors.topic", self.partition.topic.to_string()),
            ("__dlq.errors.partition", self.partition.partition.to_string()),
            ("__dlq.errors.offset", offset.0.to_string()),
            ("__dlq.errors.group", self.group.to_owned()),
            ("__dlq.errors.delivery.count", letter.delivery_count.to_string()),
            ("__dlq.errors.message", letter.cause.message().to_owned()),
        ]
    }
}

/// Returns the key and value that a record has in the queue: none where it would be larger than the queue takes.
fn content<'a>(
    copy: Option<&'a OwnedRecord>,
    headers: &[Header<'_>],
    max_bytes: usize,
) -> (Option<&'a [u8]>, Option<&'a [u8]>) {
    let (key, value) = copy.map_or((None, None), |copy| (copy.key.as_deref(), copy.value.as_deref()));
    let fits = BatchBuilder::size_upper_bound(key, value, headers) <= max_bytes;
    if fits { (key, value) } else { (None, None) }
}

#[cfg(test)]
mod tests {
    use coordinators::share_partition::DeadLetterCause;
    use records::RecordBatch;

    use super::*;

    fn letter(first: i64, last: i64, delivery_count: i16, cause: DeadLetterCause) -> DeadLetter {
        DeadLetter { first_offset: Offset(first), last_offset: Offset(last), delivery_count, cause }
    }

    /// Writes all records; tells the headers of each, batch by batch.
    fn batches(letters: &[DeadLetter], max_bytes: usize) -> Vec<Vec<Vec<String>>> {
        let partition = TopicPartition::new("t", 3);
        let (mut at, mut batches) = (Position::start(letters), Vec::new());
        while !at.is_end(letters) {
            let origin = Origin { group: "g", partition: &partition, source: None };
            let round = origin.next_round(letters, at, max_bytes, Timestamp(5)).expect("a batch");
            let decoded = RecordBatch::parse(&round.batch).expect("whole").decode(1 << 20).expect("plain");
            let records = decoded.owned().map(|record| record.expect("a record"));
            let text = |record: OwnedRecord| {
                assert_eq!((record.key, record.value, record.timestamp), (None, None, Timestamp(5)));
                let value = |header: &records::OwnedHeader| {
                    String::from_utf8_lossy(header.value.as_deref().unwrap_or_default()).into_owned()
                };
                record.headers.iter().map(|header| format!("{}={}", header.key, value(header))).collect()
            };
            batches.push(records.map(text).collect());
            at = round.next;
        }
        batches
    }

    #[test]
    fn the_headers_say_where_a_record_is_from_and_why_it_is_there() {
        let letters = [letter(7, 7, 2, DeadLetterCause::Rejected)];
        let expected = [
            "__dlq.errors.topic=t",
            "__dlq.errors.partition=3",
            "__dlq.errors.offset=7",
            "__dlq.errors.group=g",
            "__dlq.errors.delivery.count=2",
            "__dlq.errors.message=Offset rejected by client.",
        ];
        assert_eq!(batches(&letters, 1 << 20), [[expected.map(str::to_owned).to_vec()]]);
    }

    #[test]
    fn each_offset_gets_its_record_and_no_batch_is_larger_than_the_queue_takes() {
        let letters =
            [letter(0, 9, 1, DeadLetterCause::Rejected), letter(20, 22, 5, DeadLetterCause::DeliveryLimit)];
        for max_bytes in [1, 500, 1000, 1 << 20] {
            let batches = batches(&letters, max_bytes);
            let offsets: Vec<_> = batches.iter().flatten().map(|headers| headers[2].clone()).collect();
            let expected: Vec<_> =
                (0..10).chain(20..23).map(|offset| format!("__dlq.errors.offset={offset}")).collect();
            assert_eq!(offsets, expected);
            assert_eq!(batches.len() == 1, max_bytes == 1 << 20, "{max_bytes}");
        }
    }

    #[test]
    fn a_copy_that_is_larger_than_the_queue_takes_is_left_out() {
        let value = Bytes::from(vec![0; 400]);
        let copy = OwnedRecord {
            offset: Offset(0),
            timestamp: Timestamp(0),
            sequence: -1,
            key: None,
            value: Some(value.clone()),
            headers: Vec::new(),
        };
        assert_eq!(content(Some(&copy), &[], 1000), (None, Some(&value[..])));
        assert_eq!(content(Some(&copy), &[], 400), (None, None));
    }
}
