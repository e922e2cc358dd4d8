//! Compares what replicas of a partition have. Kafka: `ReplicaVerificationTool.ReplicaBuffer.verifyCheckSum`.

use bytes::Bytes;
use model::{NodeId, Offset, TopicPartition};
use records::batches;

/// What a replica gave.
pub(super) struct Fetched {
    /// Up to where its records are committed.
    pub(super) high_watermark: Offset,
    /// The records.
    pub(super) records: Bytes,
}

/// What is to be told of a partition.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Lines {
    pub(super) texts: Vec<String>,
    /// Replicas have batches at different offsets: there is no going on.
    pub(super) is_fatal: bool,
}

/// The partition that lags most.
#[derive(Default)]
pub(super) struct Comparison {
    most: Option<(i64, TopicPartition, Offset)>,
}

/// A committed batch: the offset of its last record, the offset after it, and its checksum.
type Batch = (Offset, Offset, u32);

fn committed(fetched: &Fetched) -> impl Iterator<Item = Batch> + use<> {
    let high_watermark = fetched.high_watermark;
    batches(fetched.records.clone())
        .map_while(Result::ok)
        .map(|batch| (batch.header().last_offset(), batch.header().next_offset(), batch.header().crc))
        .take_while(move |(last, ..)| *last < high_watermark)
}

impl Comparison {
    /// Compares the batches that all replicas of `name` have, and moves `offset` behind them.
    pub(super) fn partition(
        &mut self,
        name: &TopicPartition,
        offset: &mut Offset,
        replicas: &[(NodeId, &Fetched)],
    ) -> Lines {
        let mut lines = Lines::default();
        let mut all: Vec<_> = replicas.iter().map(|(id, fetched)| (*id, committed(fetched))).collect();
        loop {
            let next: Option<Vec<(NodeId, Batch)>> =
                all.iter_mut().map(|(id, batches)| Some((*id, batches.next()?))).collect();
            let Some(row) = next.filter(|row| !row.is_empty()) else { break };
            let (first, (last, after, checksum)) = row[0];
            for (other, (other_last, _, other_checksum)) in &row[1..] {
                if *other_last != last {
                    lines.texts.push(format!(
                        "partition {name}: replica {first}'s offset {last} doesn't match replica {other}'s offset \
                         {other_last}"
                    ));
                    lines.is_fatal = true;
                    return lines;
                }
                if *other_checksum != checksum {
                    lines.texts.push(format!(
                        "partition {name} has unmatched checksum at offset {last}; replica {first}'s checksum {checksum}; \
                         replica {other}'s checksum {other_checksum}"
                    ));
                }
            }
            *offset = after;
        }
        self.note_lag(name, *offset, replicas);
        lines
    }

    fn note_lag(&mut self, name: &TopicPartition, offset: Offset, replicas: &[(NodeId, &Fetched)]) {
        let end = replicas.iter().map(|(_, fetched)| fetched.high_watermark.0).max().unwrap_or(-1);
        let lag = end - offset.0;
        if self.most.as_ref().is_none_or(|(most, ..)| lag > *most) {
            self.most = Some((lag, name.clone(), offset));
        }
    }

    /// What the tool tells from time to time.
    pub(super) fn report(&self, partitions: usize) -> String {
        let (lag, name, offset) = match &self.most {
            Some((lag, name, offset)) if *lag >= 0 => (*lag, name.to_string(), offset.0),
            _ => (-1, "null".to_owned(), -1),
        };
        format!("max lag is {lag} for partition {name} at offset {offset} among {partitions} partitions")
    }
}

#[cfg(test)]
mod tests {
    use records::{BatchBuilder, BatchOptions};

    use super::*;

    /// A replica with batches of one record each, the last of which is not committed.
    fn replica(values: &[&str]) -> Fetched {
        let mut bytes = Vec::new();
        for (offset, value) in (0..).zip(values) {
            let mut builder = BatchBuilder::new(BatchOptions::default());
            builder.append(model::Timestamp(5), None, Some(value.as_bytes()), &[]).expect("room");
            let mut batch = builder.build_batch().expect("a batch");
            batch.set_base_offset(Offset(offset));
            bytes.extend_from_slice(&batch.into_bytes());
        }
        Fetched { high_watermark: Offset(values.len() as i64 - 1), records: bytes.into() }
    }

    fn compare(a: &[&str], b: &[&str]) -> (Lines, i64, String) {
        let (name, mut offset) = (TopicPartition::new("t", 0), Offset(0));
        let (a, b) = (replica(a), replica(b));
        let mut comparison = Comparison::default();
        let lines = comparison.partition(&name, &mut offset, &[(NodeId(1), &a), (NodeId(2), &b)]);
        (lines, offset.0, comparison.report(1))
    }

    #[test]
    fn batches_that_all_replicas_have_are_compared() {
        let (lines, offset, report) = compare(&["a", "b", "c", "d"], &["a", "b", "x"]);
        assert_eq!((lines, offset), (Lines::default(), 2));
        assert_eq!(report, "max lag is 1 for partition t-0 at offset 2 among 1 partitions");
        let (lines, offset, _) = compare(&["a", "b", "c"], &["a", "x", "c"]);
        assert!(
            lines.texts[0]
                .starts_with("partition t-0 has unmatched checksum at offset 1; replica 1's checksum ")
        );
        assert_eq!((lines.texts.len(), lines.is_fatal, offset), (1, false, 2));
    }
}
