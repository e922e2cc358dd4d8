//! Stores that keytool and OpenSSL made (`testdata/`, all with the password `changeit`) shake hands.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use proptest::prelude::*;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection};

use super::{TlsError, TlsSettings, jks, pkcs12};

const FILES: [(&str, &[u8]); 7] = [
    ("key.p12", include_bytes!("../../testdata/key.p12")),
    ("key.jks", include_bytes!("../../testdata/key.jks")),
    ("trust.p12", include_bytes!("../../testdata/trust.p12")),
    ("trust.jks", include_bytes!("../../testdata/trust.jks")),
    ("openssl.p12", include_bytes!("../../testdata/openssl.p12")),
    ("legacy.p12", include_bytes!("../../testdata/legacy.p12")),
    ("encrypted.pem", include_bytes!("../../testdata/encrypted.pem")),
];

fn file(name: &str) -> io::Result<Vec<u8>> {
    let found = FILES.iter().find(|(known, _)| *known == name);
    found.map(|(_, bytes)| bytes.to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn settings(pairs: &[(&str, &str)]) -> Result<TlsSettings, TlsError> {
    let values: BTreeMap<_, _> = pairs.iter().copied().collect();
    TlsSettings::read(&|key| values.get(key).map(|value| (*value).to_owned()), &file)
}

fn key_store<'a>(store_type: &'a str, path: &'a str) -> Vec<(&'a str, &'a str)> {
    let password = if store_type == "PEM" { "" } else { "changeit" };
    vec![
        ("ssl.keystore.type", store_type),
        ("ssl.keystore.location", path),
        ("ssl.keystore.password", password),
    ]
}

fn with_key_password<'a>(mut pairs: Vec<(&'a str, &'a str)>, password: &'a str) -> Vec<(&'a str, &'a str)> {
    pairs.push(("ssl.key.password", password));
    pairs
}

fn shake_hands(server: &[(&str, &str)], trust: &str) {
    let trust = [("ssl.truststore.location", trust), ("ssl.truststore.password", "changeit")];
    let server = settings(server).and_then(|settings| settings.server_config()).expect("good settings");
    let client = settings(&trust).and_then(|settings| settings.client_config()).expect("good settings");
    let mut server = ServerConnection::new(Arc::new(server)).expect("a connection");
    let name = ServerName::try_from("localhost").expect("a good name");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("a connection");
    while server.is_handshaking() || client.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).expect("writes to memory");
        server.read_tls(&mut wire.as_slice()).expect("reads from memory");
        server.process_new_packets().expect("a good client");
        wire.clear();
        server.write_tls(&mut wire).expect("writes to memory");
        client.read_tls(&mut wire.as_slice()).expect("reads from memory");
        client.process_new_packets().expect("a trusted server");
    }
}

#[test]
fn keys_and_trust_of_every_kind_of_store_shake_hands() {
    shake_hands(&key_store("PKCS12", "key.p12"), "trust.p12");
    shake_hands(&key_store("JKS", "key.p12"), "trust.jks");
    shake_hands(&key_store("PKCS12", "openssl.p12"), "trust.p12");
    shake_hands(&with_key_password(key_store("JKS", "key.jks"), "different"), "trust.p12");
    shake_hands(&with_key_password(key_store("PEM", "encrypted.pem"), "changeit"), "trust.jks");
}

#[test]
fn wrong_passwords_and_what_is_not_served_are_told() {
    let refusal = |pairs: &[(&str, &str)]| settings(pairs).expect_err("refused").to_string();
    let wrong = |store_type: &str, path: &str| {
        refusal(&[
            ("ssl.keystore.type", store_type),
            ("ssl.keystore.location", path),
            ("ssl.keystore.password", "wrong"),
        ])
    };
    let incorrect = "Failed to load SSL keystore key.p12 of type PKCS12: keystore password was incorrect";
    assert_eq!(wrong("PKCS12", "key.p12"), incorrect);
    assert!(wrong("JKS", "key.jks").ends_with("keystore password was incorrect"));
    assert!(
        refusal(&key_store("JKS", "key.jks")).ends_with("keystore password was incorrect"),
        "the key's own"
    );
    assert!(
        refusal(&key_store("PKCS12", "legacy.p12")).ends_with("(RC2 or triple DES, likely) is not supported")
    );
    assert!(refusal(&key_store("BCFKS", "key.p12")).ends_with("BCFKS not found"));
    let pem = key_store("PEM", "encrypted.pem");
    assert!(refusal(&pem).ends_with("the private key is encrypted"));
    assert!(refusal(&with_key_password(pem, "wrong")).ends_with("keystore password was incorrect"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn mutated_stores_never_panic(
        store in 0..FILES.len(),
        at: proptest::sample::Index,
        byte: u8,
        cut: proptest::sample::Index,
    ) {
        let mut bytes = FILES[store].1.to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = pkcs12::read(&bytes, "changeit", "changeit");
        let _ = jks::read(&bytes, "changeit", "different");
        bytes.truncate(cut.index(bytes.len()));
        let _ = pkcs12::read(&bytes, "changeit", "changeit");
        let _ = jks::read(&bytes, "changeit", "different");
    }
}
