//! OTLP over HTTP, plain or by TLS: one POST for each push.
//!
//! `MetricsData`, which clients push, and `ExportMetricsServiceRequest`, which collectors take, are the same on the wire:
//! field 1, repeated, is a `ResourceMetrics`, whose field 1 is the `Resource`, whose field 1 are its attributes. A message
//! that comes twice is merged with itself, so attributes are added by a second `Resource` behind the first.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsConnector;

use super::{Waiting, tell};

/// How long a collector may take for one push.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where a collector is.
#[derive(Debug)]
pub struct Collector {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: String,
    /// How it is spoken to by TLS; none for plain HTTP.
    pub(super) tls: Option<Arc<ClientConfig>>,
}

#[derive(Debug, thiserror::Error)]
enum PostError {
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    #[error("its name is none for TLS: {0}")]
    Name(#[from] rustls::pki_types::InvalidDnsNameError),
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error("the request cannot be made: {0}")]
    Request(#[from] hyper::http::Error),
    #[error("it answers {0}")]
    Status(hyper::StatusCode),
    #[error("it does not answer")]
    Timeout,
    #[error("the metrics are no OTLP")]
    Malformed,
}

/// Posts what comes to a collector; what it does not take is logged and gone.
pub(super) async fn post_all(collector: Collector, mut waiting: mpsc::Receiver<Waiting>) {
    let sink = format!("{}:{}", collector.host, collector.port);
    let mut failing = false;
    while let Some(Waiting { export, _room }) = waiting.recv().await {
        let posted = match with_attributes(&export.metrics, &export.attributes) {
            Some(body) => timeout(TIMEOUT, post(&collector, body)).await,
            None => Ok(Err(PostError::Malformed)),
        };
        tell(&sink, &mut failing, posted.unwrap_or(Err(PostError::Timeout)));
    }
}

async fn post(collector: &Collector, body: Vec<u8>) -> Result<(), PostError> {
    let Collector { host, port, path, tls } = collector;
    let request = Request::post(path)
        .header(header::HOST, format!("{host}:{port}"))
        .header(header::CONTENT_TYPE, "application/x-protobuf")
        .body(Full::new(Bytes::from(body)))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let socket = TcpStream::connect((bare, *port)).await?;
    match tls {
        None => send(socket, request).await,
        Some(config) => {
            let name = ServerName::try_from(bare.to_owned())?;
            send(TlsConnector::from(config.clone()).connect(name, socket).await?, request).await
        }
    }
}

async fn send<S, B>(stream: S, request: Request<B>) -> Result<(), PostError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let mut answer = pin!(sender.send_request(request));
    let response = tokio::select! {
        response = &mut answer => response?,
        ended = connection => {
            ended?;
            // Who answers and hangs up at once has answered nevertheless.
            answer.await?
        }
    };
    if response.status().is_success() { Ok(()) } else { Err(PostError::Status(response.status())) }
}

/// Adds attributes to each resource; none if the bytes are not of the form.
fn with_attributes(metrics: &[u8], attributes: &BTreeMap<&'static str, String>) -> Option<Vec<u8>> {
    let mut resource = Vec::new();
    for (name, value) in attributes {
        let (mut any_value, mut key_value) = (Vec::new(), Vec::new());
        put_field(&mut any_value, 1, value.as_bytes());
        put_field(&mut key_value, 1, name.as_bytes());
        put_field(&mut key_value, 2, &any_value);
        put_field(&mut resource, 1, &key_value);
    }
    let (mut rest, mut out) = (metrics, Vec::with_capacity(metrics.len() + resource.len() + 16));
    while !rest.is_empty() {
        let resource_metrics = take_field(&mut rest, 1)?;
        let mut with = resource_metrics.to_vec();
        put_field(&mut with, 1, &resource);
        put_field(&mut out, 1, &with);
    }
    Some(out)
}

/// Writes a field whose value is bytes.
fn put_field(out: &mut Vec<u8>, number: u8, value: &[u8]) {
    out.push(number << 3 | 2);
    let mut length = value.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(value);
}

/// Reads a field of this number whose value is bytes.
fn take_field<'a>(input: &mut &'a [u8], number: u8) -> Option<&'a [u8]> {
    let (tag, mut rest) = input.split_first()?;
    if *tag != number << 3 | 2 {
        return None;
    }
    let (mut length, mut shift) = (0u64, 0);
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        length |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
        if shift > 28 {
            return None;
        }
    }
    let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *input = rest;
    Some(value)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn attributes_are_added_to_each_resource() {
        let attributes = BTreeMap::from([("client_id", "c".to_owned())]);
        // Two ResourceMetrics, the first with an unknown field of 200 bytes.
        let mut metrics = Vec::new();
        let mut first = Vec::new();
        put_field(&mut first, 2, &[7; 200]);
        put_field(&mut metrics, 1, &first);
        put_field(&mut metrics, 1, &[]);
        let with = with_attributes(&metrics, &attributes).unwrap();
        let mut rest = with.as_slice();
        for before in [first.as_slice(), &[]] {
            let resource_metrics = take_field(&mut rest, 1).unwrap();
            let mut added = resource_metrics.strip_prefix(before).unwrap();
            let mut resource = take_field(&mut added, 1).unwrap();
            let mut key_value = take_field(&mut resource, 1).unwrap();
            assert_eq!(take_field(&mut key_value, 1), Some(&b"client_id"[..]));
            let mut value = take_field(&mut key_value, 2).unwrap();
            assert_eq!(take_field(&mut value, 1), Some(&b"c"[..]));
        }
        assert!(rest.is_empty());
    }

    #[tokio::test]
    async fn a_collector_that_answers_and_hangs_up_has_taken_it() {
        // Which of the two is seen first is a matter of chance.
        for _ in 0..64 {
            let (ours, mut theirs) = tokio::io::duplex(4096);
            let request = Request::post("/v1/metrics").body(Full::new(Bytes::new())).unwrap();
            let collector = async {
                let mut asked = [0; 256];
                assert!(theirs.read(&mut asked).await.unwrap() > 0);
                let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
                theirs.write_all(answer).await.unwrap();
                drop(theirs);
            };
            let (sent, ()) = tokio::join!(send(ours, request), collector);
            assert!(sent.is_ok(), "{sent:?}");
        }
    }

    #[tokio::test]
    async fn a_collector_that_hangs_up_without_an_answer_has_not() {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let request = Request::post("/v1/metrics").body(Full::new(Bytes::new())).unwrap();
        let collector = async {
            assert!(theirs.read(&mut [0; 256]).await.unwrap() > 0);
            drop(theirs);
        };
        let (sent, ()) = tokio::join!(send(ours, request), collector);
        assert!(sent.is_err());
    }

    #[test]
    fn what_is_no_otlp_is_told_from_it() {
        for bytes in [&b"\x0a\x05abc"[..], b"hello", b"\x0a\xff\xff\xff\xff\xff\xff", b"\x0a"] {
            assert_eq!(with_attributes(bytes, &BTreeMap::new()), None);
        }
    }
}
