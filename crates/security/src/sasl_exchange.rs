//! What a connection on a SASL listener may say until it is logged in, and when it logs in anew (KIP-368).
//!
//! ApiVersions once, SaslHandshake, then SaslAuthenticate until done; after a handshake of version 0 the tokens come
//! bare, each in a frame of its own. Anything else closes the connection. The connection limits frames and time, and
//! sends the answer to a failure only after a delay.
//!
//! Kafka: `SaslServerAuthenticator`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::Timestamp;
use protocol::{
    ApiKey, ErrorCode, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};

use crate::scram::{Login, ScramReply};
use crate::{CredentialStore, Mechanism, PlainServer, Principal, SaslError, ScramDecoy, ScramServer};

/// A mechanism that a listener offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerMechanism {
    /// Which.
    pub mechanism: Mechanism,
    /// `connections.max.reauth.ms`: how long a login lasts; `None` for ever.
    pub max_reauth: Option<Duration>,
}

/// What the connections of a listener share.
#[derive(Clone, Debug)]
pub struct SaslListener {
    /// `sasl.enabled.mechanisms`.
    pub mechanisms: Vec<ListenerMechanism>,
    /// What stands in for users that do not exist.
    pub decoy: ScramDecoy,
}

impl SaslListener {
    fn names(&self) -> Vec<String> {
        self.mechanisms.iter().map(|enabled| enabled.mechanism.name().to_owned()).collect()
    }
}

/// How the next frame is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaits {
    /// As a request with its header.
    Request,
    /// As the bytes of a token, for [`SaslExchange::token`].
    Token,
}

/// A login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Established {
    /// Who logged in.
    pub principal: Principal,
    /// When the connection is closed at its next request, unless it logs in again; `None` for never.
    pub session_lifetime: Option<Duration>,
}

/// Why a login failed, for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FailedAuthentication(pub String);

/// What to do after a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<R> {
    /// Answer, and read on.
    Continue(R),
    /// Answer, and serve the connection.
    Established(R, Established),
    /// Wait for `connection.failed.authentication.delay.ms`, answer if there is an answer, and close.
    Failed(Option<R>, FailedAuthentication),
}

/// A request that has no place here: answer if there is an error to answer with, and close.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct UnexpectedRequest {
    /// For the log.
    pub reason: String,
    /// The error to answer the request with; `None` to close without a word.
    pub answer: Option<ErrorCode>,
}

/// One connection's way to its login.
#[derive(Debug)]
pub struct SaslExchange {
    listener: Arc<SaslListener>,
    state: State,
    /// The login that is to be renewed.
    previous: Option<(Mechanism, Principal)>,
    /// Whether SaslAuthenticate of version 1 or later was seen, which knows of lifetimes.
    client_can_reauthenticate: bool,
}

#[derive(Debug)]
enum State {
    /// Nothing was said yet.
    Initial,
    /// ApiVersions or a handshake may come.
    HandshakeOrVersions,
    /// A handshake must come.
    Handshake,
    Authenticate {
        enabled: ListenerMechanism,
        server: Server,
        bare: bool,
    },
    /// Another mechanism than that of the previous login was asked for; the next message fails.
    OtherMechanism(String),
    Complete(Mechanism, Principal),
    Failed,
}

#[derive(Debug)]
enum Server {
    Plain(PlainServer),
    Scram(ScramServer),
}

const NOT_KAFKA: &str = "Invalid request, potential reasons: kafka client configured with the wrong security protocol, \
                         it does not support KIP-43 or it is not a kafka client.";

impl SaslExchange {
    /// Begins with a new connection.
    pub fn new(listener: Arc<SaslListener>) -> Self {
        Self { listener, state: State::Initial, previous: None, client_can_reauthenticate: false }
    }

    /// Tells how the next frame is to be read.
    pub fn awaits(&self) -> Awaits {
        match self.state {
            State::Authenticate { bare: true, .. } => Awaits::Token,
            _ => Awaits::Request,
        }
    }

    /// Returns who is logged in.
    pub fn principal(&self) -> Option<&Principal> {
        match &self.state {
            State::Complete(_, principal) => Some(principal),
            _ => None,
        }
    }

    /// Takes note of an ApiVersions request; `served` unless its version or its client's name was refused.
    pub fn api_versions(&mut self, served: bool) -> Result<(), UnexpectedRequest> {
        if !matches!(self.state, State::Initial | State::HandshakeOrVersions) {
            return Err(self.unexpected(ApiKey::ApiVersions));
        }
        self.state = if served { State::Handshake } else { State::HandshakeOrVersions };
        Ok(())
    }

    /// Answers a SaslHandshake request; `server_nonce` must never have been used before.
    pub fn handshake(
        &mut self,
        version: i16,
        request: &SaslHandshakeRequest,
        server_nonce: String,
    ) -> Result<Step<SaslHandshakeResponse>, UnexpectedRequest> {
        if !matches!(self.state, State::Initial | State::HandshakeOrVersions | State::Handshake) {
            return Err(self.unexpected(ApiKey::SaslHandshake));
        }
        let name = request.mechanism.as_str();
        let enabled =
            self.listener.mechanisms.iter().find(|enabled| enabled.mechanism.name() == name).copied();
        let mut response = SaslHandshakeResponse { mechanisms: self.listener.names(), ..Default::default() };
        let Some(enabled) = enabled else {
            self.state = State::Failed;
            response.error_code = ErrorCode::UNSUPPORTED_SASL_MECHANISM;
            let reason = format!("Unsupported SASL mechanism {}", name.escape_debug());
            return Ok(Step::Failed(Some(response), FailedAuthentication(reason)));
        };
        self.state = self.begin(enabled, version == 0, server_nonce);
        Ok(Step::Continue(response))
    }

    fn begin(&self, enabled: ListenerMechanism, bare: bool, server_nonce: String) -> State {
        if let Some((previous, _)) = &self.previous
            && *previous != enabled.mechanism
        {
            return State::OtherMechanism(format!(
                "SASL mechanism '{}' requested by client is not supported for re-authentication of mechanism '{previous}'",
                enabled.mechanism
            ));
        }
        let server = match enabled.mechanism {
            Mechanism::Plain => Server::Plain(PlainServer),
            Mechanism::Scram(hash) => Server::Scram(ScramServer::new(hash, server_nonce)),
        };
        State::Authenticate { enabled, server, bare }
    }

    /// Answers a SaslAuthenticate request at the time `now`.
    pub fn authenticate(
        &mut self,
        version: i16,
        request: &SaslAuthenticateRequest,
        store: &dyn CredentialStore,
        now: Timestamp,
    ) -> Result<Step<SaslAuthenticateResponse>, UnexpectedRequest> {
        match &self.state {
            State::Authenticate { .. } => {}
            State::OtherMechanism(reason) => {
                let failure = FailedAuthentication(reason.clone());
                self.state = State::Failed;
                return Ok(Step::Failed(None, failure));
            }
            _ => return Err(self.unexpected(ApiKey::SaslAuthenticate)),
        }
        self.client_can_reauthenticate |= version > 0;
        Ok(match self.evaluate(&request.auth_bytes, store, now) {
            Ok(Evaluated::Challenge(auth_bytes)) => Step::Continue(answer(auth_bytes, None)),
            Ok(Evaluated::Established(auth_bytes, login)) => {
                Step::Established(answer(auth_bytes, login.session_lifetime), login)
            }
            Err((message, reason)) => {
                let response = SaslAuthenticateResponse {
                    error_code: ErrorCode::SASL_AUTHENTICATION_FAILED,
                    error_message: Some(message),
                    ..Default::default()
                };
                Step::Failed(Some(response), reason)
            }
        })
    }

    /// Answers a bare token at the time `now`.
    pub fn token(&mut self, token: &[u8], store: &dyn CredentialStore, now: Timestamp) -> Step<Bytes> {
        if self.awaits() != Awaits::Token {
            return Step::Failed(None, FailedAuthentication("Unexpected SASL token".to_owned()));
        }
        match self.evaluate(token, store, now) {
            Ok(Evaluated::Challenge(token)) => Step::Continue(token),
            Ok(Evaluated::Established(token, login)) => Step::Established(token, login),
            Err((_, reason)) => Step::Failed(None, reason),
        }
    }

    /// Prepares for a SaslHandshake on a connection that is logged in; `false` if it may not log in again, and is to
    /// be answered with ILLEGAL_SASL_STATE.
    pub fn reauthenticate(&mut self) -> bool {
        if !self.client_can_reauthenticate {
            return false;
        }
        let State::Complete(mechanism, principal) = &self.state else { return false };
        self.previous = Some((*mechanism, principal.clone()));
        self.state = State::Handshake;
        true
    }

    /// Tells how to refuse a request of `api`. The connection is then to be closed.
    pub fn unexpected(&mut self, api: ApiKey) -> UnexpectedRequest {
        let state = std::mem::replace(&mut self.state, State::Failed);
        let (reason, answer) = match state {
            State::Initial => (NOT_KAFKA.to_owned(), None),
            State::Authenticate { .. } => {
                let reason =
                    format!("Unexpected Kafka request of type {} during SASL authentication.", api.name());
                (reason, Some(ErrorCode::ILLEGAL_SASL_STATE))
            }
            _ => (format!("Unexpected Kafka request of type {} during SASL handshake.", api.name()), None),
        };
        UnexpectedRequest { reason, answer }
    }

    /// Hands a token to the mechanism. Fails with what the client is told and what is logged.
    fn evaluate(
        &mut self,
        token: &[u8],
        store: &dyn CredentialStore,
        now: Timestamp,
    ) -> Result<Evaluated, (String, FailedAuthentication)> {
        let State::Authenticate { enabled, mut server, bare } =
            std::mem::replace(&mut self.state, State::Failed)
        else {
            unreachable!("both callers have looked at the state");
        };
        let result = match &mut server {
            Server::Plain(server) => server
                .evaluate(token, store)
                .map(|username| ScramReply { token: Vec::new(), login: Some(Login::by_password(&username)) }),
            Server::Scram(server) => server.evaluate(token, store, &self.listener.decoy),
        };
        let reply = result.map_err(|error| self.failure(enabled.mechanism, error))?;
        let Some(login) = reply.login else {
            self.state = State::Authenticate { enabled, server, bare };
            return Ok(Evaluated::Challenge(reply.token.into()));
        };
        let left = login.token_expires.map(|end| millis_until(end, now));
        let token_authenticated = left.is_some();
        let principal = Principal { token_authenticated, ..Principal::user(login.username) };
        self.check_unchanged(&principal).map_err(|text| (text.clone(), FailedAuthentication(text)))?;
        self.state = State::Complete(enabled.mechanism, principal.clone());
        let session_lifetime = [enabled.max_reauth, left].into_iter().flatten().min();
        let login = Established { principal, session_lifetime };
        Ok(Evaluated::Established(reply.token.into(), login))
    }

    fn failure(&self, mechanism: Mechanism, error: SaslError) -> (String, FailedAuthentication) {
        match error {
            SaslError::Authentication(text) => (text.clone(), FailedAuthentication(text)),
            SaslError::Exchange(reason) => {
                let what = if self.previous.is_some() { "re-authentication" } else { "authentication" };
                let text = format!(
                    "Authentication failed during {what} due to invalid credentials with SASL mechanism {mechanism}"
                );
                let reason = FailedAuthentication(format!("{text} ({reason})"));
                (text, reason)
            }
        }
    }

    fn check_unchanged(&self, principal: &Principal) -> Result<(), String> {
        match &self.previous {
            Some((_, previous)) if previous != principal => Err(format!(
                "Cannot change principals during re-authentication from {}.{}: {}.{}",
                previous.principal_type, previous.name, principal.principal_type, principal.name
            )),
            _ => Ok(()),
        }
    }
}

/// What a mechanism made of a token.
enum Evaluated {
    Challenge(Bytes),
    Established(Bytes, Established),
}

/// How long it is until `end`; nothing if it is past. Kafka: `SaslServerAuthenticator.zeroIfNegative`.
fn millis_until(end: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(end.0.saturating_sub(now.0)).unwrap_or(0))
}

fn answer(auth_bytes: Bytes, session_lifetime: Option<Duration>) -> SaslAuthenticateResponse {
    let millis = session_lifetime.map_or(0, |lifetime| lifetime.as_millis());
    SaslAuthenticateResponse {
        auth_bytes,
        session_lifetime_ms: i64::try_from(millis).unwrap_or(i64::MAX),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
