//! One connection to a broker: frames, correlation ids, versions, pipelining and request timeouts.
//!
//! Invariants: frames leave in the order in which [`Connection::begin`] was called, and answers are matched in
//! that order; a request that times out closes the connection, since nothing behind it could be trusted;
//! a frame's claimed length never allocates more than a step beyond the bytes that came.
//!
//! Kafka: `NetworkClient`, `Selector`.

mod frame;
pub(crate) mod sasl;
mod stream;
mod traffic;
mod versions;

use std::collections::VecDeque;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use protocol::{ApiVersionsRequest, Message, Reader, Request, RequestHeader, ResponseHeader, Writer};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::settings::{Address, ClientSettings};

pub(crate) use traffic::Traffic;
pub use versions::ApiVersions;

/// The name that brokers see in `ApiVersions`; Kafka's metrics show it.
const SOFTWARE_NAME: &str = "monedula";

/// A live connection, shared by cloning. Dropping the last clone closes it once its answers have come.
#[derive(Clone, Debug)]
pub struct Connection {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    address: Address,
    client_id: String,
    request_timeout: Duration,
    next_correlation: AtomicI32,
    in_flight: AtomicUsize,
    calls: mpsc::UnboundedSender<Call>,
    closed: watch::Sender<Option<Error>>,
    versions: std::sync::OnceLock<ApiVersions>,
    /// When the SASL session must be renewed, by a new connection.
    renew_at: std::sync::OnceLock<Instant>,
}

/// A frame on its way out.
#[derive(Debug)]
struct Call {
    correlation: i32,
    frame: Vec<Bytes>,
    reply: Reply,
}

/// What is told to the one who sends a frame.
#[derive(Debug)]
enum Reply {
    /// The answer to it.
    Answer(oneshot::Sender<Result<Bytes>>),
    /// That it was written; there is no answer.
    Written(oneshot::Sender<()>),
}

/// A request whose answer has not come.
#[derive(Debug)]
struct Waiting {
    correlation: i32,
    answer: oneshot::Sender<Result<Bytes>>,
}

type Queue = Arc<Mutex<VecDeque<Waiting>>>;

impl Connection {
    /// Connects to `address`, agrees on versions and authenticates, all within the setup timeout and the request timeout.
    /// What it carries is counted in `traffic`.
    pub(crate) async fn open(
        address: &Address,
        settings: &ClientSettings,
        setup_timeout: Duration,
        traffic: Arc<Traffic>,
    ) -> Result<Self> {
        let stream = tokio::time::timeout(setup_timeout, stream::connect(address, settings)).await.map_err(
            |_| {
                Error::Disconnected(format!(
                    "Connection to {address} could not be set up in {setup_timeout:?}"
                ))
            },
        )??;
        let connection = Self::start(stream, address, settings, traffic);
        connection.agree_on_versions().await?;
        if let Some(sasl) = &settings.security.sasl {
            sasl::authenticate(&connection, sasl, address).await?;
        }
        Ok(connection)
    }

    fn start(
        stream: stream::Stream,
        address: &Address,
        settings: &ClientSettings,
        traffic: Arc<Traffic>,
    ) -> Self {
        traffic.connection_created();
        let (calls, receiver) = mpsc::unbounded_channel();
        let (closed, _) = watch::channel(None);
        let inner = Arc::new(Inner {
            address: address.clone(),
            client_id: settings.client_id.clone(),
            request_timeout: settings.request_timeout,
            next_correlation: AtomicI32::new(0),
            in_flight: AtomicUsize::new(0),
            calls,
            closed: closed.clone(),
            versions: std::sync::OnceLock::new(),
            renew_at: std::sync::OnceLock::new(),
        });
        let queue = Queue::default();
        let idle = settings.connections_max_idle;
        let counts = Arc::clone(&traffic);
        tokio::spawn(frame::write_all(
            stream.writer,
            receiver,
            Arc::clone(&queue),
            closed.clone(),
            idle,
            counts,
        ));
        tokio::spawn(frame::read_all(stream.reader, queue, closed, traffic));
        Self { inner }
    }

    /// The versions that the broker serves.
    pub fn versions(&self) -> &ApiVersions {
        self.inner.versions.get().expect("versions are agreed on before a connection is handed out")
    }

    /// Where the connection goes to.
    pub fn address(&self) -> &Address {
        &self.inner.address
    }

    /// Tells whether requests can still be sent.
    pub fn is_open(&self) -> bool {
        self.inner.closed.borrow().is_none()
    }

    /// Tells whether the connection must be replaced, because its SASL session ends soon.
    pub fn needs_renewal(&self, now: Instant) -> bool {
        self.inner.renew_at.get().is_some_and(|at| now >= *at)
    }

    /// How many requests wait for their answers.
    pub fn in_flight(&self) -> usize {
        self.inner.in_flight.load(Ordering::Relaxed)
    }

    /// Closes the connection; every request that waits fails.
    pub fn close(&self, why: Error) {
        self.inner.close(why);
    }

    /// Waits until the connection is closed.
    pub async fn closed(&self) {
        let mut closed = self.inner.closed.subscribe();
        // The sender lives in `inner`, so the wait ends by a close alone.
        let _ = closed.wait_for(Option::is_some).await;
    }

    /// The highest version of `R` that both sides know.
    pub fn version_of<R: Request + 'static>(&self) -> Result<i16> {
        self.version_at_most::<R>(i16::MAX)
    }

    /// The highest version of `R`, up to `cap`, that both sides know.
    pub fn version_at_most<R: Request + 'static>(&self, cap: i16) -> Result<i16> {
        let ours = R::VERSIONS;
        self.versions().pick(R::API, *ours.start(), (*ours.end()).min(cap))
    }

    /// Sends `request` at the highest common version and waits for the answer.
    pub async fn send<R: Request + 'static>(&self, request: &R) -> Result<R::Response> {
        self.send_version(request, self.version_of::<R>()?).await
    }

    /// Sends `request` at `version` and waits for the answer, at most `request.timeout.ms`.
    pub async fn send_version<R: Request + 'static>(&self, request: &R, version: i16) -> Result<R::Response> {
        self.begin(request, version, self.inner.request_timeout)?.await
    }

    /// Puts `request` in line at once; the future gives the answer.
    pub fn begin<R: Request + 'static>(
        &self,
        request: &R,
        version: i16,
        timeout: Duration,
    ) -> Result<impl Future<Output = Result<R::Response>> + Send + 'static + use<R>> {
        let (sender, receiver) = oneshot::channel();
        self.put(request, version, Reply::Answer(sender))?;
        let inner = Arc::clone(&self.inner);
        inner.in_flight.fetch_add(1, Ordering::Relaxed);
        let guard = InFlight(Arc::clone(&inner));
        Ok(Answer::<R> { inner, version, guard, receiver, response: PhantomData }.wait(timeout))
    }

    /// Puts `request` in line, to which the broker sends no answer (produce with `acks=0`); the future ends when it was
    /// given to the network.
    pub fn begin_without_answer<R: Request + 'static>(
        &self,
        request: &R,
        version: i16,
    ) -> Result<impl Future<Output = Result<()>> + Send + 'static + use<R>> {
        let (sender, written) = oneshot::channel();
        self.put(request, version, Reply::Written(sender))?;
        let inner = Arc::clone(&self.inner);
        Ok(async move { written.await.map_err(|_| inner.why_closed()) })
    }

    fn put<R: Request + 'static>(&self, request: &R, version: i16, reply: Reply) -> Result<()> {
        let correlation = self.inner.next_correlation.fetch_add(1, Ordering::Relaxed) & i32::MAX;
        let frame = self.frame(request, version, correlation)?;
        self.inner.calls.send(Call { correlation, frame, reply }).map_err(|_| self.inner.why_closed())
    }

    fn frame<R: Request + 'static>(&self, request: &R, version: i16, correlation: i32) -> Result<Vec<Bytes>> {
        let header = RequestHeader {
            request_api_key: R::API.id(),
            request_api_version: version,
            correlation_id: correlation,
            client_id: Some(self.inner.client_id.clone()),
            ..Default::default()
        };
        let mut out = Writer::new();
        header.encode(&mut out, R::API.request_header_version(version))?;
        request.encode(&mut out, version)?;
        frame::pieces(out)
    }

    async fn agree_on_versions(&self) -> Result<()> {
        let mut version = versions::FIRST_VERSION;
        loop {
            let (sender, receiver) = oneshot::channel();
            self.put(&api_versions_request(), version, Reply::Answer(sender))?;
            let body = self.inner.answer(receiver, self.inner.request_timeout).await?;
            match versions::read_answer(body, version)? {
                versions::Answer::Agreed(versions) => {
                    let _ = self.inner.versions.set(versions);
                    return Ok(());
                }
                versions::Answer::TryAgain(lower) => version = lower,
            }
        }
    }
}

pub(crate) fn api_versions_request() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: SOFTWARE_NAME.to_owned(),
        client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Default::default()
    }
}

impl Inner {
    fn close(&self, why: Error) {
        self.closed.send_if_modified(|closed| {
            let first = closed.is_none();
            if first {
                *closed = Some(why);
            }
            first
        });
    }

    fn why_closed(&self) -> Error {
        let gone = || Error::Disconnected(format!("The connection to {} was closed", self.address));
        self.closed.borrow().clone().unwrap_or_else(gone)
    }

    /// The answer's frame, behind its correlation id.
    async fn answer(&self, receiver: oneshot::Receiver<Result<Bytes>>, timeout: Duration) -> Result<Bytes> {
        match tokio::time::timeout(timeout, receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(self.why_closed()),
            Err(_) => {
                let why = Error::Disconnected(format!(
                    "Disconnected from {} because a request was not answered in {} ms",
                    self.address,
                    timeout.as_millis()
                ));
                self.close(why.clone());
                Err(why)
            }
        }
    }
}

struct InFlight(Arc<Inner>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Answer<R> {
    inner: Arc<Inner>,
    version: i16,
    guard: InFlight,
    receiver: oneshot::Receiver<Result<Bytes>>,
    response: PhantomData<fn() -> R>,
}

impl<R: Request + 'static> Answer<R> {
    async fn wait(self, timeout: Duration) -> Result<R::Response> {
        let _guard = self.guard;
        let body = self.inner.answer(self.receiver, timeout).await?;
        decode::<R>(body, self.version).inspect_err(|error| self.inner.close(error.clone()))
    }
}

/// Reads an answer whose first bytes are its header.
fn decode<R: Request + 'static>(frame: Bytes, version: i16) -> Result<R::Response> {
    let mut input = Reader::new(frame);
    ResponseHeader::decode(&mut input, R::API.response_header_version(version))?;
    Ok(R::Response::decode(&mut input, version)?)
}

impl Connection {
    pub(crate) fn renew_after(&self, lifetime: Duration) {
        let _ = self.inner.renew_at.set(Instant::now() + lifetime);
    }
}
