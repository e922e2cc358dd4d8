//! One connection: read a request, dispatch it, write its answer, and again.
//!
//! Invariants:
//! - requests are taken up one after the other, and answers keep their order
//! - only a request to produce or to commit offsets is taken up before the one ahead of it was answered, if that is of the
//!   same kind: its records are appended while those ahead are being synced or replicated
//! - answers are held while further requests are there that can be carried out at once, and written together before anything
//!   is waited for
//! - what was carried out is answered, also where the connection ends with a request behind it
//! - whatever ends a connection is logged once, here
//!
//! Kafka: `SocketServer.Processor`, `RequestHeader.parse`.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use model::Timestamp;
use network::{Connection, ConnectionError, Frame};
use protocol::header::{decode_request_header, encode_response_header};
use protocol::{
    ApiKey, ApiVersionsRequest, DecodeError, EncodeError, Piece, Reader, RequestBody, RequestHeader,
    ResponseBody, Writer,
};
use telemetry::{Stages, timed};
use tokio::time::timeout_at;

use crate::broker::Broker;
use crate::dispatch::{Answer, Dispatcher, served_versions};
use crate::handlers::api_versions;
use crate::listener_security::ListenerSecurity;
use crate::login::{Login, LoginStep};
use crate::metrics::Counted;
use crate::request::{ClientSoftware, ConnectionId, ListenerContext, RequestContext};
use crate::throttle;
use outbox::Outbox;
use unanswered::{Unanswered, Waiting};

mod outbox;
mod unanswered;

/// Why a connection was ended from this side.
#[derive(Debug, thiserror::Error)]
enum Ending {
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error("a request that cannot be read: {0}")]
    Unreadable(#[from] DecodeError),
    #[error("{} in version {version} cannot be read: {error}", api.name())]
    UnreadableBody { api: ApiKey, version: i16, error: DecodeError },
    #[error("a request for {} in version {version}, which is not served on this listener", api.name())]
    NotServed { api: ApiKey, version: i16 },
    #[error("{0}")]
    Refused(String),
    #[error("authentication failed: {0}")]
    Login(String),
    #[error("a response that cannot be written: {0}")]
    Unwritable(#[from] EncodeError),
}

/// Serves a connection until it ends.
pub(crate) async fn serve(
    connection: Connection,
    dispatcher: Dispatcher,
    listener: Arc<ListenerContext>,
    security: Arc<ListenerSecurity>,
) {
    let peer = connection.peer();
    let login = Login::new(security, &connection);
    let connection_id = ConnectionId::fresh();
    let counted = dispatcher.broker.metrics.software.count(&listener.name, None);
    let mut serving = Serving {
        dispatcher,
        listener: listener.clone(),
        connection: connection_id,
        login,
        software: None,
        counted,
    };
    let name = &listener.name;
    let mut outbox = Outbox::new(connection, serving.dispatcher.broker.clone());
    match serving.run(&mut outbox).await {
        Ok(()) => {}
        Err(Ending::Connection(error)) if error.is_ordinary() => {
            tracing::debug!(%peer, listener = name, "connection ended: {error}");
        }
        Err(Ending::Unwritable(error)) => {
            tracing::error!(%peer, listener = name, "connection closed by a defect of this node: {error}")
        }
        Err(ending) => tracing::info!(%peer, listener = name, "connection closed: {ending}"),
    }
    serving.dispatcher.broker.on_disconnect(connection_id);
    outbox.close().await;
}

struct Serving {
    dispatcher: Dispatcher,
    listener: Arc<ListenerContext>,
    connection: ConnectionId,
    login: Login,
    software: Option<Arc<ClientSoftware>>,
    /// Has it counted by its software.
    counted: Option<Counted>,
}

/// What a request gets.
enum Reply {
    Write(Vec<Piece>),
    /// An answer that is counted.
    Answer(Box<Answered>),
    /// Such an answer that has to be waited for, though not by the requests behind it.
    Later(ApiKey, Waiting),
    /// An answer, or none, after a while, and then the end.
    End(Vec<Piece>, Duration, Ending),
}

/// A request that was carried out, with its answer.
struct Answered {
    context: RequestContext,
    stages: Stages,
    /// The bytes of the request's frame.
    size: usize,
    /// None where a producer wants no answer.
    pieces: Vec<Piece>,
    /// How long nothing is read afterwards.
    silence: Duration,
}

impl Serving {
    async fn run(&mut self, outbox: &mut Outbox) -> Result<(), Ending> {
        let mut unanswered = Unanswered::default();
        loop {
            if let Poll::Ready(answered) = poll_once(pin!(unanswered.next())).await {
                outbox.put(answered?).await?;
                continue;
            }
            outbox.connection.set_frame_size_max(self.login.frame_size_max());
            if !(unanswered.has_room() && outbox.connection.holds_frame()) {
                outbox.flush().await?;
            }
            let frame = tokio::select! {
                biased;
                answered = unanswered.next() => {
                    outbox.put(answered?).await?;
                    continue;
                }
                frame = self.next_frame(&mut outbox.connection), if unanswered.has_room() => frame,
            };
            let follows = matches!(&frame, Ok(Some(frame)) if self.may_follow(&unanswered, &frame.bytes));
            if !follows {
                answer_all(&mut unanswered, outbox).await?;
            }
            let Some(Frame { bytes, charge }) = frame? else { return Ok(outbox.flush().await?) };
            let reply = {
                let mut reply = pin!(self.reply(outbox.connection.peer(), bytes));
                match poll_once(reply.as_mut()).await {
                    Poll::Ready(reply) => reply,
                    Poll::Pending => wait_for(reply, &mut unanswered, outbox).await,
                }
            };
            // Nothing of the frame is left: who waits now, for a commit or to be read from again, holds none of the listener's budget.
            drop(charge);
            if reply.is_err() {
                answer_all(&mut unanswered, outbox).await?;
            }
            match reply? {
                Reply::Write(pieces) => outbox.connection.put_frame(pieces).await?,
                Reply::Answer(answered) if unanswered.is_empty() => outbox.put(answered).await?,
                Reply::Answer(answered) => {
                    unanswered.push(answered.context.api, Box::pin(async { Ok(answered) }));
                }
                Reply::Later(kind, waiting) => unanswered.push(kind, waiting),
                Reply::End(pieces, delay, ending) => {
                    outbox.flush().await?;
                    tokio::time::sleep(delay).await;
                    if !pieces.is_empty() {
                        outbox.connection.put_frame(pieces).await?;
                    }
                    return Err(ending);
                }
            }
        }
    }

    /// Tells whether a request may be taken up while those ahead of it wait for their records to be committed.
    fn may_follow(&self, ahead: &Unanswered, frame: &[u8]) -> bool {
        ahead.may_be_followed_by(frame) && !self.login.awaits_token()
    }

    /// Who has not logged in must do so in time; who has, may be silent for `connections.max.idle.ms`.
    async fn next_frame(&self, connection: &mut Connection) -> Result<Option<Frame>, Ending> {
        let Some(deadline) = self.login.deadline() else { return Ok(connection.read_frame().await?) };
        match timeout_at(deadline, connection.read_frame()).await {
            Ok(frame) => Ok(frame?),
            Err(_) => Err(Ending::Login("it did not log in in time".to_owned())),
        }
    }

    /// Answers one request; nothing where a producer wants no answer.
    async fn reply(&mut self, peer: SocketAddr, frame: Bytes) -> Result<Reply, Ending> {
        let image = self.dispatcher.broker.metadata.image();
        if self.login.awaits_token() {
            let step = self.login.token(&frame, &image, self.wall_time());
            return Ok(login_reply(step, |token| Ok(vec![Piece::Bytes(token)]))?);
        }
        let frame_bytes = frame.len();
        let mut input = Reader::new(frame);
        let (api, header) = decode_request_header(&mut input)?;
        let context = self.context(peer, api, header);
        let version = context.version;
        self.login.check_lifetime(api).map_err(Ending::Login)?;
        match served_versions(api, self.listener.role) {
            Some(versions) if versions.contains(&version) => {}
            Some(_) if api == ApiKey::ApiVersions => {
                self.login.api_versions(false).map_err(Ending::Login)?;
                return self.answer_future_version(&context).map(Reply::Write);
            }
            _ => return Err(Ending::NotServed { api, version }),
        }
        let body = RequestBody::decode(api, version, &mut input).map_err(|error| Ending::UnreadableBody {
            api,
            version,
            error,
        })?;
        // What was read out of the frame shares its memory; the reader itself need not hold on to it.
        drop(input);
        if let RequestBody::ApiVersions(request) = &body {
            self.note_software(version, request);
            self.login.api_versions(true).map_err(Ending::Login)?;
        } else if self.login.takes(api) {
            let (now, broker) = (self.wall_time(), &self.dispatcher.broker);
            let step = self.login.request(version, &body, &image, &*broker.chance, now);
            return Ok(login_reply(step, |response| encode(&context, &response))?);
        }
        drop(image);
        self.answer(context, body, frame_bytes).await
    }

    async fn answer(
        &self,
        context: RequestContext,
        body: RequestBody,
        frame_bytes: usize,
    ) -> Result<Reply, Ending> {
        let stages = Stages { received: context.received_at, read: self.now(), ..Stages::default() };
        let (answer, worked) = timed(self.dispatcher.dispatch(&context, body), || self.now()).await;
        let carried_out =
            CarriedOut { broker: self.dispatcher.broker.clone(), context, stages, frame_bytes, worked };
        let api = carried_out.context.api;
        let Answer::Later(response) = answer else { return carried_out.answered(answer).map(Reply::Answer) };
        let mut waiting: Waiting = Box::pin(async { carried_out.answered(Answer::Respond(response.await)) });
        // Looked at once, it has asked for what it waits for, and may be left alone until its turn has come.
        Ok(match poll_once(waiting.as_mut()).await {
            Poll::Ready(answered) => Reply::Answer(answered?),
            Poll::Pending => Reply::Later(api, waiting),
        })
    }

    fn now(&self) -> Duration {
        self.dispatcher.broker.clock.monotonic()
    }

    fn wall_time(&self) -> Timestamp {
        Timestamp(self.dispatcher.broker.clock.wall_ms())
    }

    fn note_software(&mut self, version: i16, request: &ApiVersionsRequest) {
        if !api_versions::is_valid(version, request) {
            return;
        }
        self.software = (version >= 3).then(|| {
            let name = request.client_software_name.clone();
            Arc::new(ClientSoftware { name, version: request.client_software_version.clone() })
        });
        let software = &self.dispatcher.broker.metrics.software;
        self.counted = software.count(&self.listener.name, self.software.as_deref());
    }

    /// ApiVersions from the future is answered in version 0, so that the client can come again with a lower one.
    fn answer_future_version(&self, context: &RequestContext) -> Result<Vec<Piece>, Ending> {
        let response = ResponseBody::from(api_versions::unsupported_version(self.listener.role));
        Ok(encode(&RequestContext { version: 0, ..context.clone() }, &response)?)
    }

    fn context(&self, peer: SocketAddr, api: ApiKey, header: RequestHeader) -> RequestContext {
        RequestContext {
            api,
            version: header.request_api_version,
            correlation_id: header.correlation_id,
            client_id: header.client_id,
            peer,
            listener: self.listener.clone(),
            connection: self.connection,
            principal: self.login.principal(),
            token_authenticated: self.login.is_token_authenticated(),
            software: self.software.clone(),
            received_at: self.now(),
        }
    }
}

/// A request that was carried out, but for its answer.
struct CarriedOut {
    broker: Arc<Broker>,
    context: RequestContext,
    stages: Stages,
    frame_bytes: usize,
    worked: Duration,
}

impl CarriedOut {
    fn answered(self, mut answer: Answer) -> Result<Box<Answered>, Ending> {
        let Self { broker, context, mut stages, frame_bytes: size, worked } = self;
        (stages.worked, stages.answered) = (worked, broker.clock.monotonic());
        let silence = throttle::charge(&broker, &context, size, worked, &mut answer);
        stages.throttled = silence;
        let pieces = match answer {
            Answer::Respond(response) => {
                broker.metrics.requests.observe_errors(&response, context.version);
                encode(&context, &response)?
            }
            Answer::Nothing | Answer::Later(_) => Vec::new(),
            Answer::Close(reason) => return Err(Ending::Refused(reason)),
        };
        stages.written = broker.clock.monotonic();
        Ok(Box::new(Answered { context, stages, size, pieces, silence }))
    }
}

/// Waits for a reply, but not longer than a connection may be idle; meanwhile those ahead of it are answered.
async fn wait_for(
    mut reply: Pin<&mut impl Future<Output = Result<Reply, Ending>>>,
    unanswered: &mut Unanswered,
    outbox: &mut Outbox,
) -> Result<Reply, Ending> {
    loop {
        outbox.flush().await?;
        tokio::select! {
            biased;
            answered = unanswered.next() => outbox.put(answered?).await?,
            reply = reply.as_mut() => return reply,
            given_up = outbox.connection.given_up() => return Err(given_up.into()),
        }
    }
}

/// Answers all that was carried out, each as soon as it can be.
async fn answer_all(unanswered: &mut Unanswered, outbox: &mut Outbox) -> Result<(), Ending> {
    while !unanswered.is_empty() {
        let mut next = pin!(unanswered.next());
        let answered = match poll_once(next.as_mut()).await {
            Poll::Ready(answered) => answered,
            Poll::Pending => {
                outbox.flush().await?;
                next.await
            }
        };
        outbox.put(answered?).await?;
    }
    Ok(())
}

/// Looks at a future once, without waiting for it.
async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

fn login_reply<R>(
    step: LoginStep<R>,
    encode: impl FnOnce(R) -> Result<Vec<Piece>, EncodeError>,
) -> Result<Reply, EncodeError> {
    match step {
        LoginStep::Answer(answer) => Ok(Reply::Write(encode(answer)?)),
        LoginStep::Refuse(answer, delay, reason) => {
            let pieces = answer.map_or(Ok(Vec::new()), encode)?;
            Ok(Reply::End(pieces, delay, Ending::Login(reason)))
        }
    }
}

fn encode(context: &RequestContext, response: &ResponseBody) -> Result<Vec<Piece>, EncodeError> {
    let mut out = Writer::new();
    encode_response_header(&mut out, context.api, context.version, context.correlation_id)?;
    response.encode(&mut out, context.version)?;
    Ok(out.into_pieces())
}
