//! A connection's login: who it is, and what it may say before it has said that.
//!
//! Invariants:
//! - on a SASL listener nothing but ApiVersions is answered before the login, and frames stay small
//! - a failure is answered only after `connection.failed.authentication.delay.ms`, and then the connection ends
//! - a login that has a lifetime must be renewed before it ends (KIP-368)
//!
//! Kafka: `SaslServerAuthenticator`, `SslTransportLayer`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metadata::MetadataImage;
use model::Timestamp;
use network::{Connection, ListenerMetrics};
use protocol::{ApiKey, RequestBody, ResponseBody};
use security::{Awaits, Established, Principal, SaslExchange, Step};
use tokio::time::Instant;
use world::chance::Chance;

use crate::handlers::{sasl_authenticate, sasl_handshake};
use crate::listener_security::{Credentials, ListenerSecurity};

/// One connection's login.
#[derive(Debug)]
pub(crate) struct Login {
    security: Arc<ListenerSecurity>,
    exchange: Option<SaslExchange>,
    principal: Arc<str>,
    token_authenticated: bool,
    logged_in: bool,
    /// Until when the connection must have logged in.
    deadline: Instant,
    /// Until when the login lasts.
    expires: Option<Instant>,
    metrics: Arc<ListenerMetrics>,
    /// When the present renewal began.
    renewal: Option<Instant>,
}

/// What becomes of a message of the login.
#[derive(Debug)]
pub(crate) enum LoginStep<R> {
    /// Answer.
    Answer(R),
    /// Answer, if there is an answer, after a while; then close for this reason.
    Refuse(Option<R>, Duration, String),
}

impl Login {
    /// Begins with a new connection; without SASL its certificate says who it is.
    pub(crate) fn new(security: Arc<ListenerSecurity>, connection: &Connection) -> Self {
        let exchange = security.sasl.clone().map(SaslExchange::new);
        let principal = security.certificate_principal(&connection.peer_certificates());
        let metrics = connection.metrics();
        // A plain connection has nothing to prove; one by TLS alone has shaken hands.
        if exchange.is_none() && security.tls.is_some() {
            metrics.successful_authentications.add(1);
        }
        Self {
            metrics,
            renewal: None,
            logged_in: exchange.is_none(),
            deadline: Instant::now() + security.login_max,
            expires: None,
            principal: principal.to_string().into(),
            token_authenticated: false,
            exchange,
            security,
        }
    }

    /// Who it is; `User:ANONYMOUS` before the login.
    pub(crate) fn principal(&self) -> Arc<str> {
        self.principal.clone()
    }

    /// Whether it logged in with a delegation token.
    pub(crate) fn is_token_authenticated(&self) -> bool {
        self.token_authenticated
    }

    /// Until when the next message must come, while the connection has not logged in.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        (!self.logged_in).then_some(self.deadline)
    }

    /// The largest frame that may come now.
    pub(crate) fn frame_size_max(&self) -> usize {
        if self.logged_in { usize::MAX } else { self.security.frame_size_max_before_login }
    }

    /// Tells whether the next frame is a bare token.
    pub(crate) fn awaits_token(&self) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.awaits() == Awaits::Token)
    }

    /// Tells whether a request is one of the login, rather than of the broker.
    pub(crate) fn takes(&self, api: ApiKey) -> bool {
        matches!(api, ApiKey::SaslHandshake | ApiKey::SaslAuthenticate) || !self.logged_in
    }

    /// Takes note of ApiVersions before the login.
    ///
    /// # Errors
    /// It has no place here; the text says why.
    pub(crate) fn api_versions(&mut self, served: bool) -> Result<(), String> {
        match &mut self.exchange {
            Some(exchange) if !self.logged_in => {
                exchange.api_versions(served).map_err(|unexpected| unexpected.reason)
            }
            _ => Ok(()),
        }
    }

    /// Fails once the login has ended; the text says so.
    pub(crate) fn check_lifetime(&self, api: ApiKey) -> Result<(), String> {
        let expired = self.expires.is_some_and(|end| Instant::now() >= end);
        let may_renew = matches!(api, ApiKey::SaslHandshake | ApiKey::SaslAuthenticate | ApiKey::ApiVersions);
        if expired && !may_renew {
            Err("its session has expired without a new login".to_owned())
        } else {
            Ok(())
        }
    }

    /// Takes a request of the login.
    pub(crate) fn request(
        &mut self,
        version: i16,
        body: &RequestBody,
        image: &MetadataImage,
        chance: &dyn Chance,
        now: Timestamp,
    ) -> LoginStep<ResponseBody> {
        let Some(exchange) = &mut self.exchange else { return LoginStep::Answer(no_login(body)) };
        let credentials = Credentials { listener: &self.security, image };
        let step = match body {
            RequestBody::SaslHandshake(request) => {
                if self.logged_in && exchange.awaits() == Awaits::Request && exchange.principal().is_some() {
                    if !exchange.reauthenticate() {
                        return LoginStep::Answer(no_login(body));
                    }
                    self.renewal = Some(Instant::now());
                }
                let mut random = [0; 24];
                chance.fill(&mut random);
                exchange.handshake(version, request, security::nonce(random)).map(into_body)
            }
            RequestBody::SaslAuthenticate(_) if exchange.principal().is_some() => {
                return LoginStep::Answer(no_login(body));
            }
            RequestBody::SaslAuthenticate(request) => {
                exchange.authenticate(version, request, &credentials, now).map(into_body)
            }
            other => Err(exchange.unexpected(other.api_key())),
        };
        match step {
            Ok(step) => self.take(step),
            Err(unexpected) => {
                self.count_failure();
                LoginStep::Refuse(None, Duration::ZERO, unexpected.reason)
            }
        }
    }

    /// Takes a bare token.
    pub(crate) fn token(&mut self, token: &[u8], image: &MetadataImage, now: Timestamp) -> LoginStep<Bytes> {
        let Some(exchange) = &mut self.exchange else {
            return LoginStep::Refuse(None, Duration::ZERO, "a token without a login".to_owned());
        };
        let credentials = Credentials { listener: &self.security, image };
        let step = exchange.token(token, &credentials, now);
        self.take(step)
    }

    fn take<R>(&mut self, step: Step<R>) -> LoginStep<R> {
        match step {
            Step::Continue(answer) => LoginStep::Answer(answer),
            Step::Established(answer, Established { principal, session_lifetime }) => {
                self.establish(&principal, session_lifetime);
                LoginStep::Answer(answer)
            }
            Step::Failed(answer, failure) => {
                self.count_failure();
                LoginStep::Refuse(answer, self.security.failure_delay, failure.to_string())
            }
        }
    }

    fn count_failure(&self) {
        match self.renewal {
            None => self.metrics.failed_authentications.add(1),
            Some(_) => self.metrics.failed_reauthentications.add(1),
        }
    }

    fn establish(&mut self, principal: &Principal, lifetime: Option<Duration>) {
        match self.renewal.take() {
            None => self.metrics.successful_authentications.add(1),
            Some(began) => {
                self.metrics.successful_reauthentications.add(1);
                self.metrics.reauthentication_times.observe(began.elapsed());
            }
        }
        self.logged_in = true;
        self.principal = principal.to_string().into();
        self.token_authenticated = principal.token_authenticated;
        self.expires = lifetime.map(|lifetime| Instant::now() + lifetime);
    }
}

fn into_body<R: Into<ResponseBody>>(step: Step<R>) -> Step<ResponseBody> {
    match step {
        Step::Continue(answer) => Step::Continue(answer.into()),
        Step::Established(answer, established) => Step::Established(answer.into(), established),
        Step::Failed(answer, failure) => Step::Failed(answer.map(Into::into), failure),
    }
}

/// There is no login to begin or to go on with.
fn no_login(body: &RequestBody) -> ResponseBody {
    match body {
        RequestBody::SaslAuthenticate(_) => sasl_authenticate::handle().into(),
        _ => sasl_handshake::handle().into(),
    }
}
