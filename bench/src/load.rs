//! What is sent and asked for: batches, produce requests and fetch requests.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use model::{Offset, Timestamp};
use protocol::fetch_request::{FetchPartition, FetchTopic};
use protocol::fetch_response::PartitionData;
use protocol::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::{FetchRequest, FetchResponse, ProduceRequest, ProduceResponse, Records};
use records::{BatchBuilder, BatchOptions, Codec, Compression, RecordBatch};

/// The newest versions in which topics have names.
pub const NAMED_PRODUCE: i16 = 12;
/// The newest version in which topics have names.
pub const NAMED_FETCH: i16 = 12;

/// How long a produce request may take at the broker.
const PRODUCE_TIMEOUT_MS: i32 = 30_000;
/// How long a fetch may wait for a first byte.
const FETCH_WAIT_MS: i32 = 500;

/// A text that compresses about as well as logs do: words at random, the same in every run.
pub fn text(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut text = Vec::with_capacity(size + 16);
    while text.len() < size {
        // Every third word is a number that was not there before.
        match random() % 3 {
            0 => text.extend_from_slice(random().to_string().as_bytes()),
            _ => text.extend_from_slice(format!("word{:03} ", random() % 500).as_bytes()),
        }
    }
    text.truncate(size);
    text
}

/// A batch of `values`.
pub fn batch<V: AsRef<[u8]>>(values: impl IntoIterator<Item = V>, codec: Codec) -> Result<Bytes> {
    let compression = match codec {
        // What Java's producer has by default is a level that costs seventy times as much.
        Codec::Lz4 => Compression::with_level(codec, 1)?,
        codec => Compression::new(codec),
    };
    let mut builder = BatchBuilder::new(BatchOptions { compression, ..Default::default() });
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?;
    for value in values {
        builder.append(Timestamp(now.as_millis() as i64), None, Some(value.as_ref()), &[])?;
    }
    Ok(builder.build()?)
}

/// A produce request with one batch for each partition.
pub fn produce(topic: &str, acks: i16, batches: impl IntoIterator<Item = (i32, Bytes)>) -> ProduceRequest {
    let row = |(index, batch)| PartitionProduceData {
        index,
        records: Some(Records::Bytes(batch)),
        ..Default::default()
    };
    let partition_data = batches.into_iter().map(row).collect();
    let topic = TopicProduceData { name: topic.to_owned(), partition_data, ..Default::default() };
    ProduceRequest { acks, timeout_ms: PRODUCE_TIMEOUT_MS, topic_data: vec![topic], ..Default::default() }
}

/// Fails if any batch was refused.
pub fn check_produced(response: &ProduceResponse) -> Result<()> {
    let mut rows = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    match rows.find(|row| row.error_code.is_error()) {
        Some(row) => bail!("partition {} refused a batch: {}", row.index, row.error_code.name()),
        None => Ok(()),
    }
}

/// Positions in a topic's partitions, and how they are read on.
pub struct Reading {
    /// The topic.
    pub topic: String,
    /// The next offset of each partition.
    pub positions: BTreeMap<i32, Offset>,
    /// The most bytes of one response.
    pub max_bytes: i32,
    /// The most bytes of one partition in a response.
    pub partition_bytes: i32,
}

impl Reading {
    /// A fetch of `partitions`, in that order.
    pub fn request(&self, partitions: impl IntoIterator<Item = i32>) -> FetchRequest {
        let row = |partition| FetchPartition {
            partition,
            fetch_offset: self.positions[&partition].0,
            partition_max_bytes: self.partition_bytes,
            ..Default::default()
        };
        let partitions = partitions.into_iter().map(row).collect();
        let topic = FetchTopic { topic: self.topic.clone(), partitions, ..Default::default() };
        FetchRequest {
            max_wait_ms: FETCH_WAIT_MS,
            min_bytes: 1,
            max_bytes: self.max_bytes,
            session_epoch: -1,
            topics: vec![topic],
            ..Default::default()
        }
    }

    /// Goes on behind what came; `each` is told of every batch. Returns the bytes of records.
    pub fn advance(
        &mut self,
        response: FetchResponse,
        mut each: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<usize> {
        let mut size = 0;
        for row in response.responses.into_iter().flat_map(|topic| topic.partitions) {
            let PartitionData { partition_index, error_code, records, .. } = row;
            if error_code.is_error() {
                bail!("partition {partition_index} cannot be read: {}", error_code.name());
            }
            let Some(Records::Bytes(bytes)) = records else { continue };
            size += bytes.len();
            for batch in records::batches(bytes) {
                let batch = batch?;
                each(&batch)?;
                self.positions.insert(partition_index, batch.header().next_offset());
            }
        }
        Ok(size)
    }
}
