//! Connections that log in, fail, jump ahead, and log in again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use config::Password;
use metadata::ScramCredential;

use super::*;
use crate::{ScramClient, ScramHash, TokenCredential, TokenSecret};

const NOW: Timestamp = Timestamp(1_000_000);

struct Alice;

impl CredentialStore for Alice {
    fn verify_plain(&self, username: &str, password: &str) -> bool {
        (username, password) == ("alice", "pw") || (username, password) == ("bob", "pw")
    }

    fn scram_credential(&self, hash: ScramHash, username: &str) -> Option<ScramCredential> {
        let salt = Bytes::from_static(b"salt");
        (username == "alice").then(|| hash.credential("pw", salt, 4096))
    }

    /// Alice's token ends in five seconds, her old one has.
    fn token_credential(&self, hash: ScramHash, id: &str) -> Option<TokenCredential> {
        let end = [("token", 5000), ("old", -5000)].into_iter().find(|(known, _)| *known == id)?.1;
        let credential = TokenSecret::new("secret").expect("a secret").credential(hash, id);
        Some(TokenCredential { owner: "alice".into(), credential, expires: Timestamp(NOW.0 + end) })
    }
}

const SCRAM: Mechanism = Mechanism::Scram(ScramHash::Sha256);

fn exchange() -> SaslExchange {
    let enabled = |mechanism, max_reauth| ListenerMechanism { mechanism, max_reauth };
    SaslExchange::new(Arc::new(SaslListener {
        mechanisms: vec![enabled(Mechanism::Plain, Some(Duration::from_secs(60))), enabled(SCRAM, None)],
        decoy: ScramDecoy::new([1; 32]),
    }))
}

fn handshake(exchange: &mut SaslExchange, version: i16, mechanism: &str) -> Step<SaslHandshakeResponse> {
    let request = SaslHandshakeRequest { mechanism: mechanism.to_owned(), ..Default::default() };
    exchange.handshake(version, &request, "server".to_owned()).expect("a handshake is expected")
}

fn authenticate(exchange: &mut SaslExchange, token: impl Into<Bytes>) -> Step<SaslAuthenticateResponse> {
    let request = SaslAuthenticateRequest { auth_bytes: token.into(), ..Default::default() };
    exchange.authenticate(2, &request, &Alice, NOW).expect("a token is expected")
}

fn error_message(step: Step<SaslAuthenticateResponse>) -> String {
    let Step::Failed(Some(response), _) = step else { panic!("must fail with an answer") };
    assert_eq!(response.error_code, ErrorCode::SASL_AUTHENTICATION_FAILED);
    response.error_message.expect("a message")
}

#[test]
fn a_client_logs_in_by_plain_after_asking_for_versions() {
    let mut exchange = exchange();
    exchange.api_versions(false).expect("a version from the future may come first");
    exchange.api_versions(true).expect("then one that is served");
    let Step::Continue(response) = handshake(&mut exchange, 1, "PLAIN") else { panic!("enabled") };
    assert_eq!(response.mechanisms, ["PLAIN", "SCRAM-SHA-256"]);
    let Step::Established(response, login) = authenticate(&mut exchange, "\0alice\0pw") else {
        panic!("the right password")
    };
    assert_eq!(
        (response.session_lifetime_ms, login.session_lifetime),
        (60_000, Some(Duration::from_secs(60)))
    );
    assert_eq!(exchange.principal(), Some(&Principal::user("alice")));
}

#[test]
fn a_client_logs_in_by_scram_with_bare_tokens() {
    let mut exchange = exchange();
    handshake(&mut exchange, 0, "SCRAM-SHA-256");
    assert_eq!(exchange.awaits(), Awaits::Token);
    let password = Password("pw".to_owned());
    let mut client = ScramClient::new(ScramHash::Sha256, "alice", password, false, "client".to_owned());
    let Step::Continue(challenge) = exchange.token(&client.initial(), &Alice, NOW) else {
        panic!("a challenge")
    };
    let proof = client.evaluate(&challenge).expect("a good challenge").expect("a proof");
    let Step::Established(last, login) = exchange.token(&proof, &Alice, NOW) else {
        panic!("the right proof")
    };
    assert_eq!(client.evaluate(&last), Ok(None));
    assert_eq!((login.principal, login.session_lifetime), (Principal::user("alice"), None));
    assert_eq!(exchange.awaits(), Awaits::Request);
}

#[test]
fn an_unknown_mechanism_is_answered_with_those_that_are_known() {
    let Step::Failed(Some(response), reason) = handshake(&mut exchange(), 1, "GSSAPI") else {
        panic!("refused")
    };
    assert_eq!(response.error_code, ErrorCode::UNSUPPORTED_SASL_MECHANISM);
    assert_eq!(response.mechanisms, ["PLAIN", "SCRAM-SHA-256"]);
    assert_eq!(reason.0, "Unsupported SASL mechanism GSSAPI");
}

#[test]
fn failures_are_worded_as_kafka_words_them() {
    let mut plain = exchange();
    handshake(&mut plain, 1, "PLAIN");
    let text = error_message(authenticate(&mut plain, "\0alice\0no"));
    assert_eq!(text, "Authentication failed: Invalid username or password");

    let mut scram = exchange();
    handshake(&mut scram, 1, "SCRAM-SHA-256");
    let text = error_message(authenticate(&mut scram, "nonsense"));
    assert_eq!(
        text,
        "Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256"
    );
}

#[test]
fn a_connection_that_failed_gets_no_second_try() {
    let mut exchange = exchange();
    handshake(&mut exchange, 1, "PLAIN");
    authenticate(&mut exchange, "\0alice\0no");
    let request = SaslAuthenticateRequest { auth_bytes: "\0alice\0pw".into(), ..Default::default() };
    assert!(exchange.authenticate(2, &request, &Alice, NOW).is_err());
    assert_eq!(exchange.principal(), None);
}

#[test]
fn anything_before_the_handshake_closes_the_connection() {
    let error = exchange().unexpected(ApiKey::Metadata);
    assert_eq!((error.reason.as_str(), error.answer), (NOT_KAFKA, None));

    let mut asked = exchange();
    asked.api_versions(true).expect("the first");
    assert!(asked.api_versions(true).is_err(), "not twice");
    assert!(asked.principal().is_none());

    let request = SaslAuthenticateRequest::default();
    assert_eq!(exchange().authenticate(2, &request, &Alice, NOW).expect_err("too early").answer, None);
}

#[test]
fn another_request_during_authentication_is_an_illegal_state() {
    let mut exchange = exchange();
    handshake(&mut exchange, 1, "PLAIN");
    let error = exchange.unexpected(ApiKey::Metadata);
    assert_eq!(error.answer, Some(ErrorCode::ILLEGAL_SASL_STATE));
    assert!(error.reason.ends_with("during SASL authentication."));
}

fn logged_in() -> SaslExchange {
    let mut exchange = exchange();
    handshake(&mut exchange, 1, "PLAIN");
    authenticate(&mut exchange, "\0alice\0pw");
    exchange
}

#[test]
fn a_login_is_renewed_by_the_same_user_alone() {
    let mut same = logged_in();
    assert!(same.reauthenticate());
    handshake(&mut same, 1, "PLAIN");
    assert!(matches!(authenticate(&mut same, "\0alice\0pw"), Step::Established(..)));

    let mut other = logged_in();
    assert!(other.reauthenticate());
    handshake(&mut other, 1, "PLAIN");
    assert_eq!(
        error_message(authenticate(&mut other, "\0bob\0pw")),
        "Cannot change principals during re-authentication from User.alice: User.bob"
    );
}

#[test]
fn a_login_is_renewed_by_the_same_mechanism_alone() {
    let mut exchange = logged_in();
    assert!(exchange.reauthenticate());
    assert!(matches!(handshake(&mut exchange, 1, "SCRAM-SHA-256"), Step::Continue(_)));
    let Step::Failed(None, reason) = authenticate(&mut exchange, "n,,n=alice,r=x") else { panic!("refused") };
    assert_eq!(
        reason.0,
        "SASL mechanism 'SCRAM-SHA-256' requested by client is not supported for re-authentication of mechanism 'PLAIN'"
    );
}

#[test]
fn old_clients_cannot_log_in_again() {
    let mut exchange = exchange();
    handshake(&mut exchange, 0, "PLAIN");
    assert!(matches!(exchange.token(b"\0alice\0pw", &Alice, NOW), Step::Established(..)));
    assert!(!exchange.reauthenticate());
}

#[test]
fn a_login_with_a_token_ends_with_the_token() {
    let log_in = |id: &str, proof_of: &str| {
        let mut exchange = exchange();
        handshake(&mut exchange, 1, "SCRAM-SHA-256");
        let password = STANDARD.encode(TokenSecret::new("secret").expect("a secret").hmac(proof_of));
        let nonce = "client".to_owned();
        let mut client = ScramClient::new(ScramHash::Sha256, id, Password(password), true, nonce);
        let Step::Continue(challenge) = authenticate(&mut exchange, client.initial()) else {
            panic!("a challenge for everybody")
        };
        let proof = client.evaluate(&challenge.auth_bytes).expect("a good challenge").expect("a proof");
        match authenticate(&mut exchange, proof) {
            Step::Established(response, login) => Some((response.session_lifetime_ms, login)),
            _ => None,
        }
    };
    let (lifetime, login) = log_in("token", "token").expect("the right proof");
    assert_eq!((lifetime, login.session_lifetime), (5000, Some(Duration::from_secs(5))));
    assert_eq!(login.principal, Principal::user("alice"));
    assert!(login.principal.token_authenticated);
    assert_eq!(log_in("old", "old").expect("the right proof").1.session_lifetime, Some(Duration::ZERO));
    assert_eq!(log_in("token", "old"), None);
    assert_eq!(log_in("absent", "absent"), None);
}
