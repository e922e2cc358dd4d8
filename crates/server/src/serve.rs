//! One connection: read a request, dispatch it, write its answer, and again.
//!
//! Invariants:
//! - one request is in flight on a connection, so answers keep the order of requests
//! - whatever ends a connection is logged once, here
//!
//! Kafka: `SocketServer.Processor`, `RequestHeader.parse`.

use std::sync::Arc;

use network::{Connection, ConnectionError};
use protocol::header::{decode_request_header, encode_response_header};
use protocol::{
    ApiKey, DecodeError, EncodeError, Piece, Reader, RequestBody, RequestHeader, ResponseBody, Writer,
};

use crate::dispatch::{Answer, Dispatcher, served_versions};
use crate::handlers::api_versions;
use crate::request::{ANONYMOUS, ListenerContext, RequestContext};

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
    #[error("a response that cannot be written: {0}")]
    Unwritable(#[from] EncodeError),
}

/// Serves a connection until it ends.
pub(crate) async fn serve(
    mut connection: Connection,
    dispatcher: Dispatcher,
    listener: Arc<ListenerContext>,
) {
    let peer = connection.peer();
    let serving = Serving { dispatcher, listener };
    let name = &serving.listener.name;
    match serving.run(&mut connection).await {
        Ok(()) => {}
        Err(Ending::Connection(error)) if error.is_ordinary() => {
            tracing::debug!(%peer, listener = name, "connection ended: {error}");
        }
        Err(Ending::Unwritable(error)) => {
            tracing::error!(%peer, listener = name, "connection closed: {error}")
        }
        Err(ending) => tracing::info!(%peer, listener = name, "connection closed: {ending}"),
    }
    connection.close().await;
}

struct Serving {
    dispatcher: Dispatcher,
    listener: Arc<ListenerContext>,
}

impl Serving {
    async fn run(&self, connection: &mut Connection) -> Result<(), Ending> {
        while let Some(frame) = connection.read_frame().await? {
            let pieces = self.reply(connection, Reader::new(frame.bytes)).await?;
            if let Some(pieces) = pieces {
                connection.write_frame(pieces).await?;
            }
            // Only now does the frame's memory go back to the listener's budget.
            drop(frame.charge);
        }
        Ok(())
    }

    /// Answers one request; nothing where a producer wants no answer.
    async fn reply(&self, connection: &Connection, mut input: Reader) -> Result<Option<Vec<Piece>>, Ending> {
        let (api, header) = decode_request_header(&mut input)?;
        let context = self.context(connection, api, header);
        let version = context.version;
        match served_versions(api, self.listener.role) {
            Some(versions) if versions.contains(&version) => {}
            Some(_) if api == ApiKey::ApiVersions => return self.answer_future_version(&context).map(Some),
            _ => return Err(Ending::NotServed { api, version }),
        }
        let body = RequestBody::decode(api, version, &mut input).map_err(|error| Ending::UnreadableBody {
            api,
            version,
            error,
        })?;
        // What was read out of the frame shares its memory; the reader itself need not hold on to it.
        drop(input);
        match self.dispatcher.dispatch(&context, body).await {
            Answer::Respond(response) => Ok(Some(encode(&context, &response)?)),
            Answer::Nothing => Ok(None),
            Answer::Close(reason) => Err(Ending::Refused(reason)),
        }
    }

    /// ApiVersions from the future is answered in version 0, so that the client can come again with a lower one.
    fn answer_future_version(&self, context: &RequestContext) -> Result<Vec<Piece>, Ending> {
        let response = ResponseBody::from(api_versions::unsupported_version(self.listener.role));
        Ok(encode(&RequestContext { version: 0, ..context.clone() }, &response)?)
    }

    fn context(&self, connection: &Connection, api: ApiKey, header: RequestHeader) -> RequestContext {
        RequestContext {
            api,
            version: header.request_api_version,
            correlation_id: header.correlation_id,
            client_id: header.client_id,
            peer: connection.peer(),
            listener: self.listener.clone(),
            principal: ANONYMOUS.into(),
            received_at: self.dispatcher.broker.clock.monotonic(),
        }
    }
}

fn encode(context: &RequestContext, response: &ResponseBody) -> Result<Vec<Piece>, EncodeError> {
    let mut out = Writer::new();
    encode_response_header(&mut out, context.api, context.version, context.correlation_id)?;
    response.encode(&mut out, context.version)?;
    Ok(out.into_pieces())
}
