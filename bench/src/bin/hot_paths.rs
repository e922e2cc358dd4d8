//! The hot paths of a node in this process, each taken so many times with nothing between: for counting instructions.
//!
//! `cargo xtask bench --instructions` runs it under callgrind, which counts within [`take`] alone and keeps a tally for each
//! path, told by [`end_of_path`]: what other tasks and threads do meanwhile is not counted. A path leads from a request's
//! bytes to its answer's; sockets and the system's work are not on it.

use std::hint::black_box;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use model::Timestamp;
use protocol::create_topics_request::CreatableTopic;
use protocol::fetch_request::{FetchPartition, FetchTopic};
use protocol::metadata_request::MetadataRequestTopic;
use protocol::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::{ErrorCode, Reader, Records, Request, RequestBody, ResponseBody, Writer};
use records::{BatchBuilder, BatchOptions, Codec, Compression};
use server::dispatch::{Answer, Dispatcher};
use server::request::{ConnectionId, ListenerContext, ListenerRole, RequestContext};
use server::{RunOptions, configuration, start};

const TOPIC: &str = "hot";
const GROUP: &str = "hot";
/// As many records of 100 bytes as make a batch of 16 KiB, Java's default.
const FULL_BATCH: usize = 145;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, times] = arguments.as_slice() else { bail!("hot_paths FOLDER TIMES") };
    let times = times.parse().context("TIMES is a number")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(take_all(folder, times))
}

async fn take_all(folder: &str, times: usize) -> Result<()> {
    let overrides = [
        format!("log.dirs={folder}"),
        "listeners=PLAINTEXT://localhost:0,CONTROLLER://localhost:0".to_owned(),
        "controller.quorum.voters=1@localhost:9093".to_owned(),
        "offsets.topic.num.partitions=1".to_owned(),
        // The bench counts what a request costs, not what a sync does.
        "monedula.ack.durability=replicated".to_owned(),
    ];
    let options = RunOptions { overrides: overrides.to_vec(), ..Default::default() };
    let (node, controller) = start(Arc::new(configuration(&options)?), &options).await?;
    let dispatcher = Dispatcher { broker: node.broker().clone(), controller: controller.clone() };
    let paths = prepare(&dispatcher).await?;
    for path in paths {
        // The first times find caches cold and files unopened.
        for _ in 0..times / 10 + 2 {
            ensure!(carry_out(&dispatcher, &path)?.1.is_none(), "{} is refused", path.name);
            tokio::task::yield_now().await;
        }
        for _ in 0..times {
            take(&dispatcher, &path)?;
            // Gives this task a fresh budget, without which it would be told to wait.
            tokio::task::yield_now().await;
        }
        println!("{}", path.name);
        end_of_path();
    }
    drop(dispatcher);
    node.stop().await;
    tokio::task::spawn_blocking(move || controller.stop()).await?;
    Ok(())
}

/// What is counted: one request, from its bytes to its answer's.
#[inline(never)]
fn take(dispatcher: &Dispatcher, path: &Path) -> Result<()> {
    black_box(carry_out(dispatcher, path)?);
    Ok(())
}

/// Where a tally ends.
#[inline(never)]
fn end_of_path() {
    black_box(());
}

/// A request as it comes, without its header.
struct Path {
    name: &'static str,
    context: RequestContext,
    body: Bytes,
}

impl Path {
    fn of<R: Request>(name: &'static str, request: &R, version: i16) -> Result<Self> {
        let listener = ListenerContext {
            name: "PLAINTEXT".to_owned(),
            security_protocol: config::SecurityProtocol::Plaintext,
            role: ListenerRole::Broker { inter_broker: true },
        };
        let context = RequestContext {
            api: R::API,
            version,
            correlation_id: 1,
            client_id: Some("hot-paths".to_owned()),
            peer: SocketAddr::from(([127, 0, 0, 1], 1)),
            listener: Arc::new(listener),
            connection: ConnectionId(0),
            principal: "User:ANONYMOUS".into(),
            token_authenticated: false,
            software: None,
            received_at: Duration::ZERO,
        };
        Ok(Self { name, context, body: protocol::to_bytes(request, version)? })
    }
}

/// Decodes a request, carries it out and encodes the answer, none of which may have to wait; tells how it was refused.
fn carry_out(dispatcher: &Dispatcher, path: &Path) -> Result<(Vec<protocol::Piece>, Option<ErrorCode>)> {
    let (context, mut input) = (&path.context, Reader::new(path.body.clone()));
    let body = RequestBody::decode(context.api, context.version, &mut input)?;
    let response = answer(dispatcher, context, body)?;
    let mut out = Writer::new();
    response.encode(&mut out, context.version)?;
    Ok((out.into_pieces(), refusal(&response)))
}

fn answer(dispatcher: &Dispatcher, context: &RequestContext, body: RequestBody) -> Result<ResponseBody> {
    match ready(pin!(dispatcher.dispatch(context, body))).context("a request has to wait")? {
        Answer::Respond(response) => Ok(response),
        Answer::Later(mut response) => ready(response.as_mut()).context("an answer has to wait"),
        Answer::Nothing | Answer::Close(_) => bail!("{} is not answered", context.api.name()),
    }
}

fn ready<F: Future + ?Sized>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// The first error in an answer.
fn refusal(response: &ResponseBody) -> Option<ErrorCode> {
    let mut errors: Box<dyn Iterator<Item = ErrorCode>> = match response {
        ResponseBody::Produce(response) => {
            let rows = response.responses.iter().flat_map(|topic| &topic.partition_responses);
            Box::new(rows.map(|row| row.error_code))
        }
        ResponseBody::Fetch(response) => {
            let rows = response.responses.iter().flat_map(|topic| &topic.partitions);
            Box::new(rows.map(|row| row.error_code))
        }
        ResponseBody::Metadata(response) => Box::new(response.topics.iter().map(|topic| topic.error_code)),
        ResponseBody::OffsetCommit(response) => {
            let rows = response.topics.iter().flat_map(|topic| &topic.partitions);
            Box::new(rows.map(|row| row.error_code))
        }
        _ => Box::new(std::iter::empty()),
    };
    errors.find(|error| error.is_error())
}

/// Creates the topic, waits until each path can be taken, and returns them.
async fn prepare(dispatcher: &Dispatcher) -> Result<Vec<Path>> {
    let topic = CreatableTopic {
        name: TOPIC.to_owned(),
        num_partitions: 6,
        replication_factor: 1,
        ..Default::default()
    };
    let topics =
        protocol::CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
    let created = Path::of("create the topic", &topics, 7)?;
    dispatcher.dispatch(&created.context, RequestBody::from(topics)).await;
    let find = protocol::FindCoordinatorRequest { key: GROUP.to_owned(), ..Default::default() };
    // Asking for the coordinator makes the topic of offsets.
    carry_out(dispatcher, &Path::of("find the coordinator", &find, 3)?)?;
    let paths = paths()?;
    for path in &paths {
        wait_until_well(dispatcher, path).await?;
    }
    Ok(paths)
}

async fn wait_until_well(dispatcher: &Dispatcher, path: &Path) -> Result<()> {
    for _ in 0..3000 {
        if carry_out(dispatcher, path)?.1.is_none() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("{} is still refused", path.name)
}

fn paths() -> Result<Vec<Path>> {
    Ok(vec![
        Path::of("produce one record of 100 B", &produce(0, 1, Codec::None)?, 12)?,
        Path::of("produce 145 records of 100 B", &produce(1, FULL_BATCH, Codec::None)?, 12)?,
        Path::of("produce 145 records of 100 B, lz4", &produce(2, FULL_BATCH, Codec::Lz4)?, 12)?,
        Path::of("produce 145 records of 100 B, zstd", &produce(3, FULL_BATCH, Codec::Zstd)?, 12)?,
        Path::of("fetch a batch", &fetch(), 12)?,
        Path::of("metadata of a topic of 6 partitions", &metadata(), 12)?,
        Path::of("commit an offset", &commit(), 9)?,
    ])
}

fn produce(partition: i32, records: usize, codec: Codec) -> Result<protocol::ProduceRequest> {
    let options = BatchOptions { compression: Compression::new(codec), ..Default::default() };
    let mut builder = BatchBuilder::new(options);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?;
    for n in 0..records {
        let value = format!("record {n} of a source of words {} and of numbers {}", n % 7, n * 7919);
        builder.append(
            Timestamp(now.as_millis() as i64),
            None,
            Some(format!("{value:100}").as_bytes()),
            &[],
        )?;
    }
    let data = PartitionProduceData {
        index: partition,
        records: Some(Records::Bytes(builder.build()?)),
        ..Default::default()
    };
    let topic = TopicProduceData { name: TOPIC.to_owned(), partition_data: vec![data], ..Default::default() };
    Ok(protocol::ProduceRequest {
        acks: 1,
        timeout_ms: 30_000,
        topic_data: vec![topic],
        ..Default::default()
    })
}

fn fetch() -> protocol::FetchRequest {
    let asked = FetchPartition {
        partition: 1,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: 1 << 14,
        ..Default::default()
    };
    let topic = FetchTopic { topic: TOPIC.to_owned(), partitions: vec![asked], ..Default::default() };
    protocol::FetchRequest {
        replica_id: -1,
        min_bytes: 1,
        max_bytes: 50 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    }
}

fn metadata() -> protocol::MetadataRequest {
    let topic = MetadataRequestTopic { name: Some(TOPIC.to_owned()), ..Default::default() };
    protocol::MetadataRequest { topics: Some(vec![topic]), ..Default::default() }
}

fn commit() -> protocol::OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        committed_offset: 42,
        committed_leader_epoch: -1,
        ..Default::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: TOPIC.to_owned(),
        partitions: vec![partition],
        ..Default::default()
    };
    protocol::OffsetCommitRequest {
        group_id: GROUP.to_owned(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    }
}
