//! Many bad peers at once, and a good client that goes on: announced frames that never come, and random or mutated frames.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/harness.rs"]
mod harness;

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use harness::{Client, TestNode, batch, fetch_request, produce_request};
use protocol::header::encode_request_header;
use protocol::{ErrorCode, Request, Writer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use world::chance::{Chance, SeededChance};

/// The tests of this file measure the whole process, so they run one at a time.
static ALONE: Mutex<()> = Mutex::new(());

const MIB: usize = 1 << 20;

/// Returns the memory that this process holds, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn a_thousand_announcements_of_100_mib_hold_no_memory_and_no_good_client_up() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    runtime().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let node = TestNode::start(dir.path(), &[]).await;
        let mut good = node.client().await;
        good.create_topic("t", 1, &[]).await;
        let before = resident();
        let mut bad = Vec::new();
        for n in 0..1000 {
            let mut socket = TcpStream::connect(node.address).await.unwrap();
            socket.write_i32(100 * MIB as i32).await.unwrap();
            // Some send nothing more, some a part that must be kept.
            if n % 2 == 0 {
                socket.write_all(&vec![1; 64 * 1024]).await.unwrap();
            }
            bad.push(socket);
            if n % 100 == 0 {
                assert_eq!(good.produce("t", 0, batch(&["on"])).await.error_code, ErrorCode::NONE);
            }
        }
        let large = batch(&[&"x".repeat(900_000)]);
        let started = Instant::now();
        assert_eq!(good.produce("t", 0, large).await.error_code, ErrorCode::NONE);
        assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());
        let grown = resident().saturating_sub(before);
        assert!(grown < 160 * MIB, "{} MiB for what 1,000 sockets sent (32 MiB)", grown / MIB);
        drop(bad);
        node.stop().await;
    });
}

#[test]
fn when_the_budget_is_spent_a_good_client_still_gets_its_share() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    runtime().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let limits = ["socket.request.max.bytes=4194304", "monedula.request.memory.bytes=8388608"];
        let node = TestNode::start(dir.path(), &limits).await;
        let mut good = node.client().await;
        good.create_topic("t", 1, &[]).await;
        let mut bad = Vec::new();
        for _ in 0..32 {
            let mut socket = TcpStream::connect(node.address).await.unwrap();
            socket.write_i32(4 * MIB as i32).await.unwrap();
            // The node stops reading where the budget ends, so the write may not be taken whole.
            let _ = tokio::time::timeout(Duration::from_millis(20), socket.write_all(&vec![1; MIB])).await;
            bad.push(socket);
        }
        for _ in 0..5 {
            let large = batch(&[&"x".repeat(900_000)]);
            assert_eq!(good.produce("t", 0, large).await.error_code, ErrorCode::NONE);
        }
        drop(bad);
        node.stop().await;
    });
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// How many connections send bad frames at a time.
const AT_ONCE: usize = 64;

/// How many frames are sent: `MONEDULA_FRAMES`, or few.
fn frame_count() -> usize {
    std::env::var("MONEDULA_FRAMES").ok().and_then(|text| text.parse().ok()).unwrap_or(3000)
}

/// Frames that are good, to be mutated.
fn corpus() -> Vec<Bytes> {
    fn frame<R: Request>(request: &R, version: i16) -> Bytes {
        let mut out = Writer::new();
        encode_request_header(&mut out, R::API, version, 1, Some("fuzz")).unwrap();
        request.encode(&mut out, version).unwrap();
        out.into_bytes().unwrap()
    }
    let join = protocol::JoinGroupRequest {
        group_id: "g".to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: "consumer".to_owned(),
        ..Default::default()
    };
    vec![
        frame(&protocol::ApiVersionsRequest::default(), 0),
        frame(&protocol::MetadataRequest::default(), 1),
        frame(&protocol::MetadataRequest::default(), 12),
        frame(&produce_request("t", 0, batch(&["a", "b", "c"]), -1), 9),
        frame(&produce_request("t", 0, batch(&["a"]), 1), 3),
        frame(&fetch_request("t", 0, 0, 0), 4),
        frame(&fetch_request("t", 0, 0, 0), 12),
        frame(&protocol::ListOffsetsRequest { replica_id: -1, ..Default::default() }, 6),
        frame(&protocol::FindCoordinatorRequest { key: "g".to_owned(), ..Default::default() }, 3),
        frame(&protocol::DescribeClusterRequest::default(), 0),
        frame(&protocol::DescribeTopicPartitionsRequest::default(), 0),
        frame(&protocol::DeleteRecordsRequest::default(), 2),
        frame(&protocol::ListGroupsRequest::default(), 4),
        frame(&protocol::DescribeGroupsRequest { groups: vec!["g".to_owned()], ..Default::default() }, 5),
        frame(&protocol::HeartbeatRequest { group_id: "g".to_owned(), ..Default::default() }, 4),
        frame(&protocol::InitProducerIdRequest { transactional_id: None, ..Default::default() }, 2),
        frame(&join, 5),
    ]
}

/// Returns a good frame with a few bytes changed, cut, or doubled; or none of a good frame at all.
fn bad_frame(chance: &SeededChance, corpus: &[Bytes]) -> Vec<u8> {
    let pick = |below: usize| (chance.next_u64() % below.max(1) as u64) as usize;
    let mut bytes = corpus[pick(corpus.len())].to_vec();
    match pick(8) {
        0 => {
            bytes = vec![0; pick(300)];
            chance.fill(&mut bytes);
        }
        1 => bytes.truncate(pick(bytes.len())),
        2 => {
            let (from, to) = (pick(bytes.len()), pick(bytes.len()));
            let part = bytes[from.min(to)..from.max(to)].to_vec();
            bytes.extend(part);
        }
        _ => {
            for _ in 0..=pick(4) {
                let at = pick(bytes.len());
                bytes[at] = [0, 1, 0x7f, 0x80, 0xff, pick(256) as u8][pick(6)];
            }
        }
    }
    let mut framed = (bytes.len() as i32).to_be_bytes().to_vec();
    framed.extend(bytes);
    framed
}

#[test]
fn random_and_mutated_frames_panic_nothing_and_a_good_client_goes_on() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        report(info);
    }));
    runtime().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let node = TestNode::start(dir.path(), &["auto.create.topics.enable=false"]).await;
        let mut good = node.client().await;
        good.create_topic("t", 1, &[]).await;
        good.create_topic("mine", 1, &[]).await;
        let (chance, corpus) = (SeededChance::new(20_261_121), corpus());
        let (mut sent, mut thrown) = (0, JoinSet::new());
        while sent < frame_count() {
            let frames: Vec<u8> = (0..10).flat_map(|_| bad_frame(&chance, &corpus)).collect();
            sent += 10;
            if thrown.len() == AT_ONCE {
                thrown.join_next().await.unwrap().unwrap();
            }
            thrown.spawn(throw(node.address, frames));
            if sent % 1000 == 0 {
                assert_eq!(good.produce("mine", 0, batch(&["on"])).await.error_code, ErrorCode::NONE);
            }
        }
        while let Some(ended) = thrown.join_next().await {
            ended.unwrap();
        }
        let fetched = good.fetch("mine", 0, 0, 0).await;
        assert_eq!(
            (fetched.error_code, fetched.high_watermark),
            (ErrorCode::NONE, (frame_count() / 1000) as i64)
        );
        node.stop().await;
    });
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "something panicked");
}

/// Sends `frames` on a connection of their own and reads what comes, until the node closes or has nothing to say.
async fn throw(address: SocketAddr, frames: Vec<u8>) {
    let mut bad = Client::connect(address).await.socket;
    // The node may close in the midst of it.
    let _ = bad.write_all(&frames).await;
    let _ = bad.shutdown().await;
    let mut answers = Vec::new();
    // A mutated fetch may ask to wait for weeks: then it is left alone.
    let _ = tokio::time::timeout(Duration::from_millis(100), bad.read_to_end(&mut answers)).await;
}
