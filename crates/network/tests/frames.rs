//! Frames over a real socket: what comes in, what goes out, and what ends a connection.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use network::{
    Connection, ConnectionError, ConnectionLimits, ConnectionOptions, ConnectionQuotas, Listener,
    MemoryBudget,
};
use protocol::{Piece, Region};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MIB: usize = 1 << 20;
const WINDOW: quota::Window = quota::Window { samples: 11, sample_ms: 1000 };

fn options(budget: &Arc<MemoryBudget>) -> ConnectionOptions {
    ConnectionOptions {
        frame_size_max: 100 * MIB,
        idle_max: Duration::from_secs(60),
        stall_max: Duration::from_secs(60),
        handshake_max: Duration::from_secs(60),
        write_stall_max: Duration::from_secs(60),
        budget: budget.clone(),
    }
}

fn listener() -> (Listener, SocketAddr) {
    let quotas = ConnectionQuotas::new(ConnectionLimits::default(), WINDOW);
    let listener =
        Listener::bind("PLAINTEXT", "127.0.0.1:0".parse().unwrap(), 50, Default::default(), quotas).unwrap();
    let address = listener.local_address().unwrap();
    (listener, address)
}

async fn pair(options: ConnectionOptions) -> (Connection, TcpStream) {
    let (listener, address) = listener();
    let client = TcpStream::connect(address).await.unwrap();
    let incoming = listener.accept().await.unwrap();
    (Connection::accept(incoming, options, None).await.unwrap(), client)
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as i32).to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

#[tokio::test]
async fn frames_come_out_as_they_went_in_however_they_are_cut() {
    let budget = MemoryBudget::new(64 * MIB);
    let (mut server, mut client) = pair(options(&budget)).await;
    let large: Vec<u8> = (0..3 * MIB).map(|i| (i % 251) as u8).collect();
    let expected = large.clone();
    let sender = tokio::spawn(async move {
        client.write_all(&[framed(b"one"), framed(b"two")].concat()).await.unwrap();
        for byte in framed(b"three") {
            client.write_all(&[byte]).await.unwrap();
        }
        client.write_all(&framed(&large)).await.unwrap();
    });
    for body in [&b"one"[..], b"two", b"three", &expected] {
        assert_eq!(server.read_frame().await.unwrap().unwrap().bytes, body);
    }
    sender.await.unwrap();
    assert!(server.read_frame().await.unwrap().is_none());
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn an_impossible_length_ends_the_connection_with_its_reason() {
    let budget = MemoryBudget::new(MIB);
    for (bytes, reason) in [
        (&b"\xff\xff\xff\xff"[..], "Invalid receive (size = -1)"),
        (b"\x00\x00\x00\x00", "Invalid receive (size = 0)"),
        (b"\x7f\xff\xff\xff", "Invalid receive (size = 2147483647 larger than 104857600)"),
        (
            b"GET / HTTP/1.1\r\n",
            "Invalid receive (size = 1195725856 larger than 104857600); this looks like HTTP",
        ),
        (
            b"\x16\x03\x01\x02\x00",
            "Invalid receive (size = 369295618 larger than 104857600); this looks like TLS on a plain listener",
        ),
    ] {
        let (mut server, mut client) = pair(options(&budget)).await;
        client.write_all(bytes).await.unwrap();
        assert_eq!(server.read_frame().await.unwrap_err().to_string(), reason);
    }
}

#[tokio::test]
async fn a_frame_that_stops_halfway_is_given_up() {
    let budget = MemoryBudget::new(MIB);
    let short = ConnectionOptions { stall_max: Duration::from_millis(20), ..options(&budget) };
    let (mut server, mut client) = pair(short).await;
    client.write_all(b"\x00\x00\x00\x0aabc").await.unwrap();
    let error = server.read_frame().await.unwrap_err();
    assert!(matches!(error, ConnectionError::Stalled { received: 3, size: 10, .. }), "{error}");
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_closed_as_idle() {
    let budget = MemoryBudget::new(MIB);
    let short = ConnectionOptions { idle_max: Duration::from_millis(20), ..options(&budget) };
    let (mut server, _client) = pair(short).await;
    assert!(matches!(server.read_frame().await.unwrap_err(), ConnectionError::Idle(_)));
}

#[tokio::test]
async fn announced_bytes_are_charged_only_as_they_come() {
    let budget = MemoryBudget::new(64 * MIB);
    let (mut server, mut client) = pair(options(&budget)).await;
    let reading =
        tokio::spawn(
            async move { server.read_frame().await.map(|frame| frame.map(|frame| frame.bytes.len())) },
        );
    client.write_all(&(50 * MIB as i32).to_be_bytes()).await.unwrap();
    client.write_all(&vec![1; MIB]).await.unwrap();
    while budget.used() < MIB {
        tokio::task::yield_now().await;
    }
    assert!(budget.used() <= 4 * MIB, "{} bytes charged for 1 MiB", budget.used());
    client.write_all(&vec![1; 49 * MIB]).await.unwrap();
    assert_eq!(reading.await.unwrap().unwrap(), Some(50 * MIB));
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn hogs_make_way_for_a_good_client() {
    let budget = MemoryBudget::new(4 * MIB);
    let mut hogs = Vec::new();
    for _ in 0..8 {
        let (mut server, mut client) = pair(options(&budget)).await;
        client.write_all(&(50 * MIB as i32).to_be_bytes()).await.unwrap();
        hogs.push((tokio::spawn(async move { server.read_frame().await.map(|_| ()) }), client));
    }
    for (_, client) in &mut hogs {
        // The server stops reading where the budget ends, so the write may not be taken whole.
        let _ = tokio::time::timeout(Duration::from_millis(50), client.write_all(&vec![1; MIB])).await;
    }
    let (mut server, mut client) = pair(options(&budget)).await;
    let good =
        tokio::spawn(
            async move { server.read_frame().await.map(|frame| frame.map(|frame| frame.bytes.len())) },
        );
    client.write_all(&framed(&vec![2; MIB])).await.unwrap();
    assert_eq!(good.await.unwrap().unwrap(), Some(MIB));
}

#[derive(Debug)]
struct Slice {
    file: File,
    position: u64,
    length: usize,
}

impl Region for Slice {
    fn len(&self) -> usize {
        self.length
    }

    fn read(&self) -> std::io::Result<Bytes> {
        unreachable!("the file has a descriptor")
    }

    fn descriptor(&self) -> Option<(BorrowedFd<'_>, u64)> {
        Some((self.file.as_fd(), self.position))
    }
}

fn slice_of(contents: &[u8], position: u64, length: usize) -> Piece {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(contents).unwrap();
    Piece::Region(Arc::new(Slice { file, position, length }))
}

#[tokio::test]
async fn bytes_and_file_regions_arrive_in_order_behind_one_length() {
    let budget = MemoryBudget::new(MIB);
    let (mut server, mut client) = pair(options(&budget)).await;
    let contents: Vec<u8> = (0..5 * MIB).map(|i| (i % 241) as u8).collect();
    let expected = [b"head".as_slice(), &contents[10..10 + 4 * MIB], b"tail"].concat();
    let pieces = vec![
        Piece::Bytes(Bytes::from_static(b"head")),
        slice_of(&contents, 10, 4 * MIB),
        Piece::Bytes(Bytes::from_static(b"tail")),
    ];
    let writing = tokio::spawn(async move {
        server.put_frame(pieces).await?;
        server.flush().await
    });
    let mut received = vec![0; 4 + expected.len()];
    client.read_exact(&mut received).await.unwrap();
    writing.await.unwrap().unwrap();
    assert_eq!(received[..4], (expected.len() as i32).to_be_bytes());
    assert!(received[4..] == expected[..]);
}

/// Pieces around every bound: held together, too many to be held, and too large.
fn pieces_of(sizes: &[usize]) -> (Vec<Piece>, Vec<u8>) {
    let contents: Vec<u8> = (0..MIB).map(|i| (i % 239) as u8).collect();
    let piece = |(n, size): (usize, &usize)| match n % 2 {
        0 => Piece::Bytes(Bytes::copy_from_slice(&contents[n..n + size])),
        _ => slice_of(&contents, n as u64, *size),
    };
    let expected =
        sizes.iter().enumerate().map(|(n, size)| &contents[n..n + size]).collect::<Vec<_>>().concat();
    (sizes.iter().enumerate().map(piece).collect(), framed(&expected))
}

#[tokio::test]
async fn responses_of_any_size_that_are_written_together_arrive_whole_and_in_order() {
    let budget = MemoryBudget::new(MIB);
    let (mut server, mut client) = pair(options(&budget)).await;
    let shapes: [&[usize]; 7] = [
        &[1],
        &[10, 1000, 0, 16 * 1024],
        &[20, 16 * 1024, 20, 16 * 1024, 20, 16 * 1024, 20, 16 * 1024, 20, 16 * 1024],
        &[16 * 1024 + 1, 16 * 1024 + 1, 5],
        &[7, 300_000],
        &[300_000, 0, 0],
        &[0, 16 * 1024],
    ];
    let writing = async {
        for n in 0..100 {
            server.put_frame(pieces_of(shapes[n % 7]).0).await.unwrap();
        }
        server.flush().await.unwrap();
    };
    let reading = async {
        for n in 0..100 {
            let expected = pieces_of(shapes[n % 7]).1;
            let mut received = vec![0; expected.len()];
            client.read_exact(&mut received).await.unwrap();
            assert!(received == expected, "response {n}");
        }
    };
    tokio::join!(writing, reading);
}

#[tokio::test]
async fn a_frame_that_came_with_another_need_not_be_waited_for() {
    let budget = MemoryBudget::new(MIB);
    let (mut server, mut client) = pair(options(&budget)).await;
    let together = [framed(b"one"), framed(b"two"), framed(b"three")[..6].to_vec()].concat();
    client.write_all(&together).await.unwrap();
    assert!(!server.holds_frame());
    assert_eq!(server.read_frame().await.unwrap().unwrap().bytes, b"one".as_slice());
    assert!(server.holds_frame());
    assert_eq!(server.read_frame().await.unwrap().unwrap().bytes, b"two".as_slice());
    assert!(!server.holds_frame(), "the third is not whole");
}

#[tokio::test]
async fn with_a_large_frame_nothing_of_the_next_is_read_whose_memory_nobody_is_charged_for() {
    let budget = MemoryBudget::new(8 * MIB);
    let (mut server, mut client) = pair(options(&budget)).await;
    let large = vec![1; 5 * MIB];
    let mut together = framed(&large);
    (0..1000).for_each(|_| together.extend(framed(b"small")));
    let writing = tokio::spawn(async move {
        client.write_all(&together).await.unwrap();
        client
    });
    let first = server.read_frame().await.unwrap().unwrap();
    assert_eq!((first.bytes.len(), server.holds_frame()), (large.len(), false));
    drop(first);
    for _ in 0..1000 {
        assert_eq!(server.read_frame().await.unwrap().unwrap().bytes, b"small".as_slice());
    }
    writing.await.unwrap();
}

#[tokio::test]
async fn who_stops_waiting_for_a_flush_loses_nothing_of_it() {
    let budget = MemoryBudget::new(MIB);
    let (mut server, mut client) = pair(options(&budget)).await;
    let body: Vec<u8> = (0..16 * 1024).map(|i| (i % 233) as u8).collect();
    let mut taken = 0;
    // Until the peer's window is full, and a little is held besides.
    loop {
        server.put_frame(vec![Piece::Bytes(body.clone().into())]).await.unwrap();
        taken += 1;
        let is_written = tokio::select! {
            biased;
            flushed = server.flush() => { flushed.unwrap(); true }
            () = tokio::task::yield_now() => false,
        };
        if !is_written {
            break;
        }
    }
    let writing = async { server.flush().await.unwrap() };
    let reading = async {
        let expected = framed(&body);
        for n in 0..taken {
            let mut received = vec![0; expected.len()];
            client.read_exact(&mut received).await.unwrap();
            assert!(received == expected, "response {n} of {taken}");
        }
    };
    tokio::join!(writing, reading);
}

#[tokio::test]
async fn a_region_longer_than_its_file_ends_the_connection() {
    let budget = MemoryBudget::new(MIB);
    let (mut server, _client) = pair(options(&budget)).await;
    let error = server.put_frame(vec![slice_of(b"short", 0, 100)]).await.unwrap_err();
    assert!(matches!(error, ConnectionError::Io(_)), "{error}");
}

#[tokio::test]
async fn of_a_response_that_cannot_be_made_whole_nothing_is_sent_but_those_before_it_are() {
    let budget = MemoryBudget::new(MIB);
    let (mut server, mut client) = pair(options(&budget)).await;
    server.put_frame(vec![Piece::Bytes("whole".into())]).await.unwrap();
    let cut = vec![Piece::Bytes("begun".into()), slice_of(b"short", 0, 100)];
    server.put_frame(cut).await.unwrap_err();
    server.flush().await.unwrap();
    server.close().await;
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, framed(b"whole"));
}

#[tokio::test]
async fn an_address_over_its_limit_is_closed_at_once() {
    let limits = ConnectionLimits { per_ip_max: 1, ..ConnectionLimits::default() };
    let quotas = ConnectionQuotas::new(limits, WINDOW);
    let listener =
        Listener::bind("PLAINTEXT", "127.0.0.1:0".parse().unwrap(), 50, Default::default(), quotas).unwrap();
    let address = listener.local_address().unwrap();
    let accepting = tokio::spawn(async move {
        let first = listener.accept().await.unwrap();
        let _never = tokio::time::timeout(Duration::from_secs(60), listener.accept()).await;
        drop(first);
    });
    let _first = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    assert_eq!(second.read(&mut [0; 1]).await.unwrap_or(0), 0);
    accepting.abort();
}

#[tokio::test]
async fn who_stops_waiting_within_a_frame_loses_nothing_of_it() {
    let budget = MemoryBudget::new(MIB);
    let (mut server, mut client) = pair(options(&budget)).await;
    let body: Vec<u8> = (0..100_000).map(|n| (n % 251) as u8).collect();
    let frame = framed(&body);
    let (first, rest) = frame.split_at(50_000);
    client.write_all(first).await.unwrap();
    while budget.used() == 0 {
        tokio::select! {
            biased;
            frame = server.read_frame() => panic!("half of it is {frame:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    client.write_all(rest).await.unwrap();
    assert_eq!(server.read_frame().await.unwrap().unwrap().bytes, body);
}
