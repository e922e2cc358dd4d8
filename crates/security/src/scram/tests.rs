//! The exchange of RFC 7677, one between our own sides, and what a server refuses.

use std::collections::BTreeMap;

use bytes::Bytes;
use config::Password;
use metadata::ScramCredential;
use proptest::prelude::*;

use super::messages::ClientFirst;
use super::server::Reply;
use super::*;
use crate::{CredentialStore, SaslError};

#[derive(Default)]
struct Users(BTreeMap<(ScramHash, String), ScramCredential>);

impl CredentialStore for Users {
    fn verify_plain(&self, _: &str, _: &str) -> bool {
        false
    }

    fn scram_credential(&self, hash: ScramHash, username: &str) -> Option<ScramCredential> {
        self.0.get(&(hash, username.to_owned())).cloned()
    }
}

fn users(hash: ScramHash, name: &str, password: &str, salt: &[u8]) -> Users {
    let credential = hash.credential(password, Bytes::copy_from_slice(salt), 4096);
    Users(BTreeMap::from([((hash, name.to_owned()), credential)]))
}

fn decoy() -> ScramDecoy {
    ScramDecoy::new([7; 32])
}

const SALT: [u8; 16] =
    [0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81];

#[test]
fn the_exchange_of_rfc_7677_goes_word_by_word() {
    let client_nonce = "rOprNGfwEbeRWgbNEkqO";
    let server_nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let hash = ScramHash::Sha256;
    let users = users(hash, "user", "pencil", &SALT);
    let password = Password("pencil".to_owned());
    let mut client = ScramClient::new(hash, "user", password, false, client_nonce.to_owned());
    let mut server = ScramServer::new(hash, server_nonce.to_owned());

    let first = client.initial();
    assert_eq!(first, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let reply = server.evaluate(&first, &users, &decoy()).expect("a known user");
    let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    assert_eq!(reply, Reply { token: challenge.as_bytes().to_vec(), login: None });
    let last = client.evaluate(&reply.token).expect("a good challenge").expect("a proof");
    assert_eq!(
        String::from_utf8_lossy(&last),
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
         p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    );
    let reply = server.evaluate(&last, &users, &decoy()).expect("the right proof");
    assert_eq!(reply.token, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    assert_eq!(reply.login, Some(Login::by_password("user")));
    assert_eq!(client.evaluate(&reply.token), Ok(None));
    assert!(client.evaluate(&reply.token).is_err(), "there is nothing left to say");
}

/// Runs an exchange and returns what the server said: its first message, and how it ended.
fn log_in(users: &Users, hash: ScramHash, name: &str, password: &str) -> (Vec<u8>, Result<Reply, SaslError>) {
    let mut client = ScramClient::new(hash, name, Password(password.to_owned()), false, "abc".to_owned());
    let mut server = ScramServer::new(hash, "def".to_owned());
    let first = server.evaluate(&client.initial(), users, &decoy()).expect("a challenge for everyone");
    let last = client.evaluate(&first.token).expect("a good challenge").expect("a proof");
    (first.token, server.evaluate(&last, users, &decoy()))
}

#[test]
fn names_with_commas_and_equal_signs_log_in_by_both_hashes() {
    for hash in ScramHash::ALL {
        let users = users(hash, "a=b,c", "pässword", b"salt");
        let reply = log_in(&users, hash, "a=b,c", "pässword").1.expect("the right password");
        assert_eq!(reply.login, Some(Login::by_password("a=b,c")));
    }
}

#[test]
fn a_user_that_does_not_exist_looks_like_one_with_another_password() {
    let hash = ScramHash::Sha512;
    let users = users(hash, "alice", "right", b"abcdefghijklmnopqrstuvwxy");
    let (known, refusal) = log_in(&users, hash, "alice", "wrong");
    let (unknown, other_refusal) = log_in(&users, hash, "nobody", "wrong");
    assert_eq!(refusal, other_refusal);
    assert_eq!(refusal, Err(SaslError::Exchange("Invalid client credentials")));
    assert_eq!(known.len(), unknown.len());
    assert_eq!(log_in(&users, hash, "nobody", "other").0, unknown, "the salt of a user stays the same");
    assert_ne!(log_in(&users, hash, "nobody2", "other").0[..40], unknown[..40]);
}

#[test]
fn a_nonce_that_is_not_the_servers_is_refused() {
    let hash = ScramHash::Sha256;
    let users = users(hash, "alice", "pw", b"salt");
    let mut client = ScramClient::new(hash, "alice", Password("pw".to_owned()), false, "abc".to_owned());
    let mut server = ScramServer::new(hash, "def".to_owned());
    let first = server.evaluate(&client.initial(), &users, &decoy()).expect("a challenge");
    let last = client.evaluate(&first.token).expect("a good challenge").expect("a proof");
    let replayed = String::from_utf8_lossy(&last).replace("abcdef", "abcxyz");
    let error = server.evaluate(replayed.as_bytes(), &users, &decoy()).expect_err("refused");
    assert_eq!(error, SaslError::Exchange("Invalid client nonce in the final client message."));
    assert!(server.evaluate(&last, &users, &decoy()).is_err(), "one try is all there is");
}

#[test]
fn a_client_refuses_a_server_without_its_nonce_or_key_and_few_iterations() {
    let client =
        || ScramClient::new(ScramHash::Sha256, "u", Password("p".to_owned()), false, "abc".to_owned());
    assert!(client().evaluate(b"r=xyz,s=AAAA,i=4096").is_err());
    assert!(client().evaluate(b"r=abcd,s=AAAA,i=4095").is_err());
    assert!(client().evaluate(b"r=abcd,s=AAAA,i=0").is_err());
    let mut client = client();
    client.evaluate(b"r=abcd,s=AAAA,i=4096").expect("a good challenge");
    assert!(client.evaluate(b"v=AAAA").is_err());
}

#[test]
fn an_authorization_id_must_be_the_user() {
    let users = users(ScramHash::Sha256, "alice", "pw", b"salt");
    let evaluate = |message: &[u8]| {
        ScramServer::new(ScramHash::Sha256, "n".to_owned()).evaluate(message, &users, &decoy())
    };
    assert!(evaluate(b"n,a=alice,n=alice,r=abc").is_ok());
    let text = "Authentication failed: Client requested an authorization id that is different from username";
    let refusal = Err(SaslError::Authentication(text.to_owned()));
    assert_eq!(evaluate(b"n,a=bob,n=alice,r=abc"), refusal);
    assert_eq!(evaluate(b"n,a=bob,n=nobody,r=abc"), refusal, "whether or not the user exists");
}

#[test]
fn first_messages_are_taken_as_the_grammar_has_them() {
    let good = ClientFirst::parse(b"n,,n=a=2Cb=3D,r=abc,tokenauth=true").expect("well-formed");
    assert_eq!((good.username.as_str(), good.nonce, good.token_authenticated), ("a,b=", "abc", true));
    for bad in [
        &b""[..],
        b"y,,n=a,r=b",
        b"p=tls-unique,,n=a,r=b",
        b"n,,n=a",
        b"n,,n=,r=b",
        b"n,,n=a,r=",
        b"n,,n=a=2c,r=b",
        b"n,,n=a,r=b c",
        b"n,,n=a,r=b,1=c",
        b"n,,n=\xc3\xa4,r=b",
        b"n,,n=a\0,r=b",
    ] {
        assert!(ClientFirst::parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
    }
}

#[test]
fn add_scram_makes_the_record_that_logs_in() {
    let argument = r#"SCRAM-SHA-256=[name=alice,password="alice secret",iterations=8192]"#;
    let record = parse_add_scram(argument, Bytes::from_static(b"salt")).expect("well-formed");
    assert_eq!((record.name.as_str(), record.mechanism, record.iterations), ("alice", 1, 8192));
    let credential = ScramCredential::from_record(&record);
    let expected = ScramHash::Sha256.credential("alice secret", Bytes::from_static(b"salt"), 8192);
    assert!(credential == expected);
    let salted = "SCRAM-SHA-512=[name=b,saltedpassword=AAAA,salt=AAAA]";
    assert_eq!(parse_add_scram(salted, Bytes::new()).expect("well-formed").salt, [0; 3][..]);
}

#[test]
fn add_scram_refuses_in_kafkas_words() {
    let refusal = |argument| parse_add_scram(argument, Bytes::new()).expect_err("refused").to_string();
    assert_eq!(refusal("x"), "Failed to find equals sign in SCRAM argument 'x'");
    assert_eq!(refusal("MD5=[name=a]"), "The add-scram mechanism MD5 is not supported.");
    assert_eq!(refusal("SCRAM-SHA-256=name=a"), "Expected configuration string to start with [");
    assert_eq!(refusal("SCRAM-SHA-256=[name=a"), "Expected configuration string to end with ]");
    assert_eq!(refusal("SCRAM-SHA-256=[password=a]"), "You must supply 'name' to add-scram");
    assert_eq!(
        refusal("SCRAM-SHA-256=[name=a]"),
        "You must supply one of 'password' or 'saltedpassword' to add-scram"
    );
    assert_eq!(
        refusal("SCRAM-SHA-256=[name=a,password=p,iterations=4095]"),
        "The 'iterations' value must be >= 4096 for add-scram using SCRAM_SHA_256"
    );
    assert_eq!(refusal("SCRAM-SHA-256=[name=a,password=p,x=1,y=2]"), "Unknown SCRAM configurations: x, y");
}

#[test]
fn debug_shows_no_key() {
    let credential = ScramHash::Sha256.credential("pw", Bytes::from_static(b"salt"), 4096);
    assert_eq!(format!("{credential:?}"), "ScramCredential { iterations: 4096, .. }");
}

proptest! {
    #[test]
    fn any_message_is_answered_or_refused(first: Vec<u8>, last: Vec<u8>, well_formed: bool) {
        let users = users(ScramHash::Sha256, "alice", "pw", b"salt");
        let mut server = ScramServer::new(ScramHash::Sha256, "def".to_owned());
        let first = if well_formed { b"n,,n=alice,r=abc".to_vec() } else { first };
        let _ = server.evaluate(&first, &users, &decoy());
        prop_assert!(server.evaluate(&last, &users, &decoy()).is_err());
    }
}
