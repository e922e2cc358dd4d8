//! Listeners with SASL and TLS: who gets in, who does not, and what they are told.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/harness.rs"]
mod harness;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, Bytes};
use harness::{Client, TestNode};
use protocol::alter_user_scram_credentials_request::{ScramCredentialDeletion, ScramCredentialUpsertion};
use protocol::{
    ErrorCode, MetadataRequest, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
};
use security::{ScramClient, ScramHash};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const PROTOCOLS: &str = "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_PLAINTEXT,ENCRYPTED:SSL";
const JAAS: &str = "listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"alices-secret\";";

async fn start(dir: &std::path::Path, more: &[&str]) -> (TestNode, SocketAddr) {
    let overrides = [
        "listeners=PLAINTEXT://localhost:0,SECURE://localhost:0,CONTROLLER://localhost:0",
        PROTOCOLS,
        "inter.broker.listener.name=PLAINTEXT",
        "listener.name.secure.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256",
        JAAS,
    ];
    let node = TestNode::start(dir, &[&overrides, more].concat()).await;
    let address = node.address_of("SECURE");
    (node, address)
}

async fn handshake(client: &mut Client, mechanism: &str, version: i16) -> ErrorCode {
    let request = SaslHandshakeRequest { mechanism: mechanism.to_owned(), ..Default::default() };
    client.ask(request, version).await.error_code
}

async fn token(client: &mut Client, token: &[u8]) -> SaslAuthenticateResponse {
    let auth_bytes = Bytes::copy_from_slice(token);
    client.ask(SaslAuthenticateRequest { auth_bytes, ..Default::default() }, 2).await
}

#[tokio::test]
async fn a_user_who_knows_the_password_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let (node, address) = start(dir.path(), &[]).await;
    let mut client = Client::connect(address).await;
    let versions = client.ask(protocol::ApiVersionsRequest::default(), 2).await;
    assert_eq!(versions.error_code, ErrorCode::NONE);
    assert_eq!(handshake(&mut client, "PLAIN", 1).await, ErrorCode::NONE);
    assert_eq!(token(&mut client, b"\0alice\0alices-secret").await.error_code, ErrorCode::NONE);
    assert_eq!(client.ask(MetadataRequest::default(), 1).await.brokers.len(), 1);
    node.stop().await;
}

#[tokio::test]
async fn an_old_client_sends_its_token_bare() {
    let dir = tempfile::tempdir().unwrap();
    let (node, address) = start(dir.path(), &[]).await;
    let mut client = Client::connect(address).await;
    assert_eq!(handshake(&mut client, "PLAIN", 0).await, ErrorCode::NONE);
    client.send_frame(b"\0alice\0alices-secret").await;
    assert_eq!(client.receive_frame().await.unwrap().remaining(), 0);
    assert_eq!(client.ask(MetadataRequest::default(), 1).await.brokers.len(), 1);
    node.stop().await;
}

#[tokio::test]
async fn whoever_cannot_log_in_is_told_the_same_after_a_while_and_closed() {
    let dir = tempfile::tempdir().unwrap();
    let (node, address) = start(dir.path(), &[]).await;
    let mut answers = Vec::new();
    for plain in [&b"\0alice\0wrong"[..], b"\0nobody\0alices-secret"] {
        let mut client = Client::connect(address).await;
        handshake(&mut client, "PLAIN", 1).await;
        let asked = Instant::now();
        let answer = token(&mut client, plain).await;
        assert!(asked.elapsed() >= Duration::from_millis(100), "answered after {:?}", asked.elapsed());
        assert_eq!(answer.error_code, ErrorCode::SASL_AUTHENTICATION_FAILED);
        assert!(client.is_closed().await);
        answers.push(answer.error_message);
    }
    assert_eq!(answers[0], answers[1], "the answer tells whether the user exists");
    node.stop().await;
}

#[tokio::test]
async fn logins_and_connections_that_were_idle_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let more = [
        "monedula.metrics.listener=localhost:0",
        "connections.max.reauth.ms=60000",
        "connections.max.idle.ms=1500",
    ];
    let (node, address) = start(dir.path(), &more).await;
    let mut alice = Client::connect(address).await;
    for _ in 0..2 {
        assert_eq!(handshake(&mut alice, "PLAIN", 1).await, ErrorCode::NONE);
        assert_eq!(token(&mut alice, b"\0alice\0alices-secret").await.error_code, ErrorCode::NONE);
    }
    let mut stranger = Client::connect(address).await;
    handshake(&mut stranger, "PLAIN", 1).await;
    token(&mut stranger, b"\0alice\0wrong").await;
    assert!(alice.is_closed().await, "it is silent for longer than connections.max.idle.ms");
    let mut socket = TcpStream::connect(node.address_of("metrics")).await.unwrap();
    socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut page = String::new();
    socket.read_to_string(&mut page).await.unwrap();
    for name in [
        "successful_authentication_total",
        "successful_reauthentication_total",
        "failed_authentication_total",
        "expired_connections_killed_count_total",
        "reauthentication_latency_count",
    ] {
        let row = format!("kafka_server_socket_server_metrics_{name}{{listener=\"SECURE\"}} 1\n");
        assert!(page.contains(&row), "{row} is missing in\n{page}");
    }
    node.stop().await;
}

#[tokio::test]
async fn an_unknown_scram_user_is_challenged_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let (node, address) = start(dir.path(), &[]).await;
    let mut salts = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(address).await;
        assert_eq!(handshake(&mut client, "SCRAM-SHA-256", 1).await, ErrorCode::NONE);
        let challenge = token(&mut client, b"n,,n=nobody,r=abcdefgh").await;
        assert_eq!(challenge.error_code, ErrorCode::NONE);
        let text = String::from_utf8(challenge.auth_bytes.to_vec()).unwrap();
        let nonce = text.split(',').next().unwrap().to_owned();
        salts.push(text.split(',').nth(1).unwrap().to_owned());
        let proof = format!("c=biws,{nonce},p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        let answer = token(&mut client, proof.as_bytes()).await;
        assert_eq!(answer.error_code, ErrorCode::SASL_AUTHENTICATION_FAILED);
        assert!(client.is_closed().await);
    }
    assert_eq!(salts[0], salts[1], "an unknown user's salt changes, which tells that it is unknown");
    node.stop().await;
}

async fn alter_scram(
    client: &mut Client,
    deletions: Vec<ScramCredentialDeletion>,
    upsertions: Vec<ScramCredentialUpsertion>,
) -> Vec<(String, ErrorCode, Option<String>)> {
    let request = protocol::AlterUserScramCredentialsRequest { deletions, upsertions, ..Default::default() };
    let results = client.ask(request, 0).await.results;
    results.into_iter().map(|result| (result.user, result.error_code, result.error_message)).collect()
}

fn upsert(user: &str, password: &str, iterations: i32) -> ScramCredentialUpsertion {
    let salt = b"a grain of salt";
    ScramCredentialUpsertion {
        name: user.to_owned(),
        mechanism: 1,
        iterations,
        salt: Bytes::from_static(salt),
        salted_password: ScramHash::Sha256.salted_password(password.as_bytes(), salt, iterations).into(),
        ..Default::default()
    }
}

fn delete(user: &str, mechanism: i8) -> ScramCredentialDeletion {
    ScramCredentialDeletion { name: user.to_owned(), mechanism, ..Default::default() }
}

/// Logs in by SCRAM-SHA-256; returns the last answer's code.
async fn scram_login(address: SocketAddr, user: &str, password: &str) -> ErrorCode {
    let mut client = Client::connect(address).await;
    handshake(&mut client, "SCRAM-SHA-256", 1).await;
    let password = config::Password(password.to_owned());
    let mut scram = ScramClient::new(ScramHash::Sha256, user, password, false, "abcdefgh".to_owned());
    let challenge = token(&mut client, &scram.initial()).await;
    let proof = scram.evaluate(&challenge.auth_bytes).unwrap().unwrap();
    let end = token(&mut client, &proof).await;
    if end.error_code.is_none() {
        assert_eq!(scram.evaluate(&end.auth_bytes).unwrap(), None, "the server proves itself too");
        client.ask(MetadataRequest::default(), 1).await;
    }
    end.error_code
}

#[tokio::test]
async fn a_password_that_is_set_counts_for_the_next_login() {
    let dir = tempfile::tempdir().unwrap();
    let (node, address) = start(dir.path(), &[]).await;
    let mut admin = node.client().await;
    assert_eq!(scram_login(address, "carol", "one").await, ErrorCode::SASL_AUTHENTICATION_FAILED);
    let ok = |user: &str| vec![(user.to_owned(), ErrorCode::NONE, None)];
    assert_eq!(alter_scram(&mut admin, vec![], vec![upsert("carol", "one", 4096)]).await, ok("carol"));
    assert_eq!(scram_login(address, "carol", "one").await, ErrorCode::NONE);
    assert_eq!(alter_scram(&mut admin, vec![], vec![upsert("carol", "two", 8192)]).await, ok("carol"));
    assert_eq!(scram_login(address, "carol", "one").await, ErrorCode::SASL_AUTHENTICATION_FAILED);
    assert_eq!(scram_login(address, "carol", "two").await, ErrorCode::NONE);
    let described = admin.ask(protocol::DescribeUserScramCredentialsRequest::default(), 0).await.results;
    assert_eq!(described[0].credential_infos[0].iterations, 8192);
    assert_eq!(alter_scram(&mut admin, vec![delete("carol", 1)], vec![]).await, ok("carol"));
    assert_eq!(scram_login(address, "carol", "two").await, ErrorCode::SASL_AUTHENTICATION_FAILED);
    node.stop().await;
}

#[tokio::test]
async fn credentials_that_make_no_sense_are_refused_in_kafkas_words() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _) = start(dir.path(), &[]).await;
    let mut admin = node.client().await;
    let unknown = ScramCredentialUpsertion { mechanism: 9, ..upsert("u", "p", 4096) };
    let twice = "A user credential cannot be altered twice in the same request";
    let missing = "Attempt to delete a user credential that does not exist";
    for (deletions, upsertions, error, text) in [
        (vec![delete("u", 1)], vec![], ErrorCode::RESOURCE_NOT_FOUND, missing),
        (vec![delete("", 1)], vec![], ErrorCode::UNACCEPTABLE_CREDENTIAL, "Username must not be empty"),
        (vec![delete("u", 0)], vec![], ErrorCode::UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism"),
        (vec![], vec![unknown], ErrorCode::UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism"),
        (vec![], vec![upsert("u", "p", 4095)], ErrorCode::UNACCEPTABLE_CREDENTIAL, "Too few iterations"),
        (vec![], vec![upsert("u", "p", 16385)], ErrorCode::UNACCEPTABLE_CREDENTIAL, "Too many iterations"),
        (vec![], vec![upsert("u", "p", 4096), upsert("u", "q", 4096)], ErrorCode::DUPLICATE_RESOURCE, twice),
    ] {
        let results = alter_scram(&mut admin, deletions, upsertions).await;
        assert_eq!(results.len(), 1);
        assert_eq!((results[0].1, results[0].2.as_deref()), (error, Some(text)));
    }
    let described = admin.ask(protocol::DescribeUserScramCredentialsRequest::default(), 0).await.results;
    assert!(described.is_empty(), "what was refused left something behind");
    node.stop().await;
}

#[tokio::test]
async fn before_the_login_nothing_else_is_served_and_frames_stay_small() {
    let dir = tempfile::tempdir().unwrap();
    let (node, address) = start(dir.path(), &["monedula.handshake.timeout.ms=500"]).await;
    let mut early = Client::connect(address).await;
    early.send(MetadataRequest::default(), 1).await;
    assert!(early.is_closed().await, "a request before the handshake");

    let mut large = Client::connect(address).await;
    large.socket.write_i32(524_289).await.unwrap();
    assert!(large.is_closed().await, "a frame over 512 KiB");

    let mut unknown = Client::connect(address).await;
    assert_eq!(handshake(&mut unknown, "GSSAPI", 1).await, ErrorCode::UNSUPPORTED_SASL_MECHANISM);
    assert!(unknown.is_closed().await);

    let mut silent = Client::connect(address).await;
    assert!(silent.is_closed().await, "a client that says nothing is closed in time");
    node.stop().await;
}

/// Makes a key and its certificate for `localhost`.
fn certificate() -> rcgen::CertifiedKey<rcgen::KeyPair> {
    rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
}

#[tokio::test]
async fn a_listener_with_tls_serves_those_who_trust_it() {
    let dir = tempfile::tempdir().unwrap();
    let own = certificate();
    let pem = dir.path().join("server.pem");
    std::fs::write(&pem, own.signing_key.serialize_pem() + &own.cert.pem()).unwrap();
    let location = format!("ssl.keystore.location={}", pem.display());
    let overrides = [
        "listeners=PLAINTEXT://localhost:0,ENCRYPTED://localhost:0,CONTROLLER://localhost:0",
        PROTOCOLS,
        "inter.broker.listener.name=PLAINTEXT",
        "ssl.keystore.type=PEM",
        &location,
    ];
    let node = TestNode::start(dir.path(), &overrides).await;
    let address = node.address_of("ENCRYPTED");

    let mut roots = rustls::RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let socket = TcpStream::connect(address).await.unwrap();
    let mut stream = connector.connect("localhost".try_into().unwrap(), socket).await.unwrap();
    // ApiVersions 0 with correlation id 7 and no client id.
    stream.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]).await.unwrap();
    let size = stream.read_i32().await.unwrap();
    let mut answer = vec![0; size as usize];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[..6], [0, 0, 0, 7, 0, 0]);

    // Whoever speaks no TLS is closed.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]).await.unwrap();
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest).await;
    assert!(!rest.starts_with(&[0, 0]), "answered in the clear");
    drop(stream);
    node.stop().await;
}

#[tokio::test]
async fn a_listener_that_others_can_reach_needs_tls_and_a_login_or_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let log_dirs = format!("log.dirs={}", dir.path().join("data").display());
    let options = |insecure| server::RunOptions {
        overrides: vec![
            log_dirs.clone(),
            "listeners=PLAINTEXT://0.0.0.0:0,CONTROLLER://localhost:0".to_owned(),
            "advertised.listeners=PLAINTEXT://localhost:9092".to_owned(),
            "controller.quorum.voters=1@localhost:9093".to_owned(),
        ],
        insecure,
        ..Default::default()
    };
    let refused = options(false);
    let config = Arc::new(server::configuration(&refused).unwrap());
    let error = server::start(config.clone(), &refused).await.unwrap_err().to_string();
    assert!(error.contains("--insecure"), "{error}");
    let (node, controller) = server::start(config, &options(true)).await.unwrap();
    node.stop().await;
    controller.stop();
}

#[tokio::test]
async fn whoever_has_a_token_logs_in_as_its_owner_until_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (node, address) = start(dir.path(), &["delegation.token.secret.key=secret"]).await;
    let mut alice = Client::connect(address).await;
    assert_eq!(handshake(&mut alice, "PLAIN", 1).await, ErrorCode::NONE);
    assert_eq!(token(&mut alice, b"\0alice\0alices-secret").await.error_code, ErrorCode::NONE);
    let request = || protocol::CreateDelegationTokenRequest { max_lifetime_ms: 60_000, ..Default::default() };
    let made = alice.ask(request(), 3).await;
    assert_eq!((made.error_code, &*made.principal_name), (ErrorCode::NONE, "alice"));
    let old = alice.ask(request(), 1).await;
    assert_eq!((old.error_code, &*old.token_requester_principal_name), (ErrorCode::NONE, ""));
    let all = || protocol::DescribeDelegationTokenRequest { owners: None, ..Default::default() };
    let described = alice.ask(all(), 3).await.tokens;
    assert_eq!(described.len(), 2);
    assert!(described.iter().any(|token| token.token_id == made.token_id && token.hmac == made.hmac));

    let mut client = Client::connect(address).await;
    let ended = log_in_with(&mut client, &made).await;
    assert_eq!(ended.error_code, ErrorCode::NONE);
    assert!((1..=60_000).contains(&ended.session_lifetime_ms), "{}", ended.session_lifetime_ms);
    assert_eq!(client.ask(MetadataRequest::default(), 1).await.brokers.len(), 1);
    let refused = ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
    assert_eq!(client.ask(request(), 3).await.error_code, refused, "no token by a token");
    assert_eq!(client.ask(all(), 3).await.error_code, refused);

    let expire = protocol::ExpireDelegationTokenRequest {
        hmac: made.hmac.clone(),
        expiry_time_period_ms: -1,
        ..Default::default()
    };
    assert_eq!(alice.ask(expire, 2).await.error_code, ErrorCode::NONE);
    let mut late = Client::connect(address).await;
    assert_eq!(log_in_with(&mut late, &made).await.error_code, ErrorCode::SASL_AUTHENTICATION_FAILED);
    node.stop().await;
}

async fn log_in_with(
    client: &mut Client,
    made: &protocol::CreateDelegationTokenResponse,
) -> SaslAuthenticateResponse {
    assert_eq!(handshake(client, "SCRAM-SHA-256", 1).await, ErrorCode::NONE);
    let password = config::Password(STANDARD.encode(&made.hmac));
    let mut scram = ScramClient::new(ScramHash::Sha256, &made.token_id, password, true, "abc".to_owned());
    let challenge = token(client, &scram.initial()).await;
    let proof = scram.evaluate(&challenge.auth_bytes).unwrap().unwrap();
    token(client, &proof).await
}
