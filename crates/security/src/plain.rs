//! PLAIN (RFC 4616): `authzid NUL user NUL password` in one message.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use config::Password;

use crate::{CredentialStore, JaasEntry, PLAIN_LOGIN_MODULE, SaslError};

/// Prefix of the JAAS options that define users.
const USER_PREFIX: &str = "user_";

/// The users of a listener, from its `user_NAME="password"` options. Kafka: `PlainServerCallbackHandler`.
#[derive(Clone, Debug, Default)]
pub struct PlainUsers(BTreeMap<String, Password>);

impl PlainUsers {
    /// Takes the users out of a JAAS entry; there are none in an entry of another login module.
    pub fn from_jaas(entry: &JaasEntry) -> Self {
        if entry.login_module() != PLAIN_LOGIN_MODULE {
            return Self::default();
        }
        let user = |(key, value): (&str, &str)| {
            Some((key.strip_prefix(USER_PREFIX)?.to_owned(), Password(value.to_owned())))
        };
        Self(entry.options().filter_map(user).collect())
    }

    /// Tells whether `password` is that of `username`.
    pub fn verify(&self, username: &str, password: &str) -> bool {
        let known = self.0.get(username);
        let expected = known.map_or("", |password| password.0.as_str());
        let equal = verify_slices_are_equal(expected.as_bytes(), password.as_bytes()).is_ok();
        equal && known.is_some()
    }
}

/// The server's side. Kafka: `PlainSaslServer`.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainServer;

impl PlainServer {
    /// Checks the client's only message and returns the user's name. Fails with Kafka's texts.
    pub fn evaluate(self, token: &[u8], store: &dyn CredentialStore) -> Result<String, SaslError> {
        let text = String::from_utf8_lossy(token);
        let fields: Vec<&str> = text.splitn(4, '\0').collect();
        let [authorization_id, username, password] = *fields else {
            return fail(format!("Invalid SASL/PLAIN response: expected 3 tokens, got {}", fields.len()));
        };
        if username.is_empty() {
            return fail("Authentication failed: username not specified");
        }
        if password.is_empty() {
            return fail("Authentication failed: password not specified");
        }
        if !store.verify_plain(username, password) {
            return fail("Authentication failed: Invalid username or password");
        }
        if !authorization_id.is_empty() && authorization_id != username {
            return fail(
                "Authentication failed: Client requested an authorization id that is different from username",
            );
        }
        Ok(username.to_owned())
    }
}

fn fail<T>(text: impl Into<String>) -> Result<T, SaslError> {
    Err(SaslError::Authentication(text.into()))
}

/// The client's side.
#[derive(Clone)]
pub struct PlainClient {
    username: String,
    password: Password,
}

impl fmt::Debug for PlainClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainClient").field("username", &self.username).finish_non_exhaustive()
    }
}

impl PlainClient {
    /// Will log in as `username`.
    pub fn new(username: impl Into<String>, password: Password) -> Self {
        Self { username: username.into(), password }
    }

    /// Returns the only message.
    pub fn initial(&self) -> Vec<u8> {
        format!("\0{}\0{}", self.username, self.password.0).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metadata::ScramCredential;

    use crate::ScramHash;

    impl CredentialStore for PlainUsers {
        fn verify_plain(&self, username: &str, password: &str) -> bool {
            self.verify(username, password)
        }

        fn scram_credential(&self, _: ScramHash, _: &str) -> Option<ScramCredential> {
            None
        }
    }

    fn users() -> PlainUsers {
        let text =
            format!(r#"{PLAIN_LOGIN_MODULE} required username="b" user_alice="wonder,land" user_empty="";"#);
        PlainUsers::from_jaas(&JaasEntry::parse(&text).expect("a good entry"))
    }

    fn text(token: &[u8]) -> String {
        PlainServer.evaluate(token, &users()).expect_err("refused").to_string()
    }

    #[test]
    fn the_client_logs_in_at_the_server() {
        let token = PlainClient::new("alice", Password("wonder,land".to_owned())).initial();
        assert_eq!(token, b"\0alice\0wonder,land");
        assert_eq!(PlainServer.evaluate(&token, &users()), Ok("alice".to_owned()));
        assert_eq!(PlainServer.evaluate(b"alice\0alice\0wonder,land", &users()), Ok("alice".to_owned()));
    }

    #[test]
    fn refusals_are_worded_as_kafka_words_them() {
        let wrong = "Authentication failed: Invalid username or password";
        assert_eq!(text(b"\0alice\0x"), wrong);
        assert_eq!(text(b"\0nobody\0x"), wrong);
        assert_eq!(text(b"\0empty\0x"), wrong);
        assert_eq!(text(b"\0\0x"), "Authentication failed: username not specified");
        assert_eq!(text(b"\0alice\0"), "Authentication failed: password not specified");
        assert_eq!(
            text(b"bob\0alice\0wonder,land"),
            "Authentication failed: Client requested an authorization id that is different from username"
        );
        assert_eq!(text(b"alice"), "Invalid SASL/PLAIN response: expected 3 tokens, got 1");
        assert_eq!(text(b"a\0b\0c\0d\0e"), "Invalid SASL/PLAIN response: expected 3 tokens, got 4");
    }

    #[test]
    fn debug_shows_no_password() {
        let client = PlainClient::new("alice", Password("wonder,land".to_owned()));
        assert!(!format!("{client:?} {:?}", users()).contains("wonder"));
    }
}
