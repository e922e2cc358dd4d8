//! Handshakes in memory between a server and a client made of settings, and settings that are refused.

use std::collections::BTreeMap;
use std::io;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection};

use super::*;
use crate::subject_name;

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// PEM of a certificate and its key.
struct Issued {
    chain: String,
    key: String,
}

fn authority() -> Authority {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).expect("a certificate").pem();
    Authority { pem, issuer: Issuer::new(params, key) }
}

impl Authority {
    fn issue(&self, name: &str) -> Issued {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a good name");
        params.distinguished_name.push(DnType::CommonName, name);
        let chain = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Issued { chain, key: key.serialize_pem() }
    }
}

type Pairs<'a> = Vec<(&'a str, &'a str)>;

fn settings(pairs: &[(&str, &str)]) -> Result<TlsSettings, TlsError> {
    let values: BTreeMap<_, _> = pairs.iter().copied().collect();
    let missing = |_: &str| Err(io::Error::from(io::ErrorKind::NotFound));
    TlsSettings::read(&|key| values.get(key).map(|value| (*value).to_owned()), &missing)
}

fn pem<'a>(issued: Option<&'a Issued>, trusted: Option<&'a str>) -> Pairs<'a> {
    let mut pairs = vec![("ssl.keystore.type", "PEM"), ("ssl.truststore.type", "PEM")];
    if let Some(issued) = issued {
        pairs.push(("ssl.keystore.certificate.chain", &issued.chain));
        pairs.push(("ssl.keystore.key", &issued.key));
    }
    pairs.extend(trusted.map(|trusted| ("ssl.truststore.certificates", trusted)));
    pairs
}

/// Shakes hands and returns the subject of the client's certificate, if it showed one.
fn shake_hands(server: &Pairs<'_>, client: &Pairs<'_>, name: &'static str) -> Result<Option<String>, String> {
    let server = settings(server).and_then(|settings| settings.server_config()).expect("good settings");
    let client = settings(client).and_then(|settings| settings.client_config()).expect("good settings");
    let mut server = ServerConnection::new(Arc::new(server)).expect("a connection");
    let name = ServerName::try_from(name).expect("a good name");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("a connection");
    while server.is_handshaking() || client.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).expect("writes to memory");
        server.read_tls(&mut wire.as_slice()).expect("reads from memory");
        let heard = server.process_new_packets().map_err(|error| error.to_string());
        let mut wire = Vec::new();
        server.write_tls(&mut wire).expect("writes to memory");
        client.read_tls(&mut wire.as_slice()).expect("reads from memory");
        client.process_new_packets().map_err(|error| error.to_string())?;
        heard?;
    }
    let certificate = server.peer_certificates().and_then(|chain| chain.first());
    Ok(certificate.map(|der| subject_name(der).expect("a verified certificate")))
}

#[test]
fn a_client_that_trusts_the_authority_shakes_hands() {
    let authority = authority();
    let issued = authority.issue("localhost");
    let server = pem(Some(&issued), None);
    let client = pem(None, Some(&authority.pem));
    assert_eq!(shake_hands(&server, &client, "localhost"), Ok(None));
    for protocol in ["TLSv1.2", "TLSv1.3"] {
        let mut client = client.clone();
        client.push(("ssl.enabled.protocols", protocol));
        assert_eq!(shake_hands(&server, &client, "localhost"), Ok(None), "{protocol}");
    }
}

#[test]
fn another_authority_is_not_trusted() {
    let (ours, other) = (authority(), authority());
    let issued = ours.issue("localhost");
    let client = pem(None, Some(&other.pem));
    assert!(shake_hands(&pem(Some(&issued), None), &client, "localhost").is_err());
}

#[test]
fn the_servers_name_is_checked_unless_the_algorithm_is_empty() {
    let (authority, other) = (authority(), authority());
    let issued = authority.issue("elsewhere");
    let server = pem(Some(&issued), None);
    let mut client = pem(None, Some(&authority.pem));
    assert!(shake_hands(&server, &client, "localhost").is_err());
    client.push(("ssl.endpoint.identification.algorithm", ""));
    assert_eq!(shake_hands(&server, &client, "localhost"), Ok(None));
    let mut stranger = pem(None, Some(&other.pem));
    stranger.push(("ssl.endpoint.identification.algorithm", ""));
    assert!(shake_hands(&server, &stranger, "localhost").is_err(), "the chain is checked all the same");
}

#[test]
fn a_required_client_certificate_tells_who_connects() {
    let authority = authority();
    let (host, alice) = (authority.issue("localhost"), authority.issue("alice"));
    let with = |auth| {
        let mut server = pem(Some(&host), Some(&authority.pem));
        server.push(("ssl.client.auth", auth));
        server
    };
    let anonymous = pem(None, Some(&authority.pem));
    let named = pem(Some(&alice), Some(&authority.pem));
    let name = "localhost";
    let subject = shake_hands(&with("required"), &named, name).expect("a good certificate").expect("shown");
    assert!(subject.contains("CN=alice"), "{subject}");
    assert!(shake_hands(&with("required"), &anonymous, name).is_err());
    assert_eq!(shake_hands(&with("requested"), &anonymous, name), Ok(None));
    assert!(shake_hands(&with("requested"), &named, name).expect("a good certificate").is_some());
}

#[test]
fn settings_that_do_not_go_together_are_refused_in_kafkas_words() {
    let issued = authority().issue("localhost");
    let refusal = |pairs: &[(&str, &str)]| settings(pairs).expect_err("refused").to_string();
    let key = ("ssl.keystore.key", issued.key.as_str());
    let chain = ("ssl.keystore.certificate.chain", issued.chain.as_str());
    let is_pem = ("ssl.keystore.type", "PEM");
    assert_eq!(
        refusal(&[key, chain]),
        "SSL private key can be specified only for PEM, but key store type is JKS."
    );
    assert_eq!(
        refusal(&[is_pem, key]),
        "SSL private key is specified, but certificate chain is not specified."
    );
    assert_eq!(
        refusal(&[is_pem, chain]),
        "SSL certificate chain is specified, but private key is not specified"
    );
    assert_eq!(
        refusal(&[("ssl.keystore.location", "/k.jks")]),
        "SSL key store is specified, but key store password is not specified."
    );
    assert_eq!(
        refusal(&[("ssl.truststore.type", "PEM"), ("ssl.truststore.certificates", "none")]),
        "At least one certificate expected, but none found"
    );
    assert!(
        refusal(&[is_pem, ("ssl.keystore.location", "/k.pem")])
            .starts_with("Failed to load PEM SSL keystore")
    );
}

#[test]
fn a_listener_without_a_key_and_an_authentication_without_trust_are_refused() {
    let issued = authority().issue("localhost");
    assert!(settings(&[]).expect("nothing wrong yet").server_config().is_err());
    let mut server = pem(Some(&issued), None);
    server.push(("ssl.client.auth", "required"));
    assert!(settings(&server).expect("nothing wrong yet").server_config().is_err());
    let mut server = pem(Some(&issued), None);
    server.push(("ssl.cipher.suites", "TLS_NULL_WITH_NULL_NULL"));
    assert!(settings(&server).expect("nothing wrong yet").server_config().is_err());
    assert!(!format!("{:?}", settings(&server)).contains("PRIVATE"));
}
