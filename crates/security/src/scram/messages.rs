//! The four messages of an exchange, as RFC 5802 writes them and Kafka's `ScramMessages` takes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::SaslError;

const CLIENT_FIRST: SaslError = SaslError::Exchange("Invalid SCRAM client first message format");
const SERVER_FIRST: SaslError = SaslError::Exchange("Invalid SCRAM server first message format");
const CLIENT_FINAL: SaslError = SaslError::Exchange("Invalid SCRAM client final message format");
const SERVER_FINAL: SaslError = SaslError::Exchange("Invalid SCRAM server final message format");

/// `n,[a=AUTHZID],n=USER,r=NONCE[,EXTENSION=VALUE…]`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFirst<'a> {
    /// The part that is proved.
    pub bare: &'a str,
    /// Empty if none is given; still escaped.
    pub authorization_id: &'a str,
    pub username: String,
    pub nonce: &'a str,
    /// Whether the user is a delegation token.
    pub token_authenticated: bool,
}

impl<'a> ClientFirst<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, SaslError> {
        Self::fields(text(message).ok_or(CLIENT_FIRST)?).ok_or(CLIENT_FIRST)
    }

    fn fields(message: &'a str) -> Option<Self> {
        let (authorization, bare) = message.strip_prefix("n,")?.split_once(',')?;
        let authorization_id = match authorization {
            "" => "",
            _ => authorization.strip_prefix("a=").filter(|name| is_sasl_name(name))?,
        };
        let mut fields = bare.split(',').peekable();
        fields.next_if(|field| field.strip_prefix("m=").is_some_and(|value| !value.is_empty()));
        let name = fields.next()?.strip_prefix("n=").filter(|name| is_sasl_name(name))?;
        let nonce = fields.next()?.strip_prefix("r=").filter(|nonce| is_printable(nonce))?;
        let mut token_authenticated = false;
        for extension in fields {
            let (key, value) = parse_extension(extension)?;
            token_authenticated |= key == "tokenauth" && value.eq_ignore_ascii_case("true");
        }
        let username = name.replace("=2C", ",").replace("=3D", "=");
        Some(Self { bare, authorization_id, username, nonce, token_authenticated })
    }
}

/// Returns the client's first message without its head, the part that is proved.
pub(super) fn client_first_bare(username: &str, nonce: &str, token_authenticated: bool) -> String {
    let name = username.replace('=', "=3D").replace(',', "=2C");
    let extension = if token_authenticated { ",tokenauth=true" } else { "" };
    format!("n={name},r={nonce}{extension}")
}

/// `r=NONCE,s=SALT,i=ITERATIONS[,EXTENSION=VALUE…]`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerFirst<'a> {
    pub nonce: &'a str,
    pub salt: Vec<u8>,
    pub iterations: i32,
}

impl<'a> ServerFirst<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, SaslError> {
        Self::fields(text(message).ok_or(SERVER_FIRST)?).ok_or(SERVER_FIRST)
    }

    fn fields(message: &'a str) -> Option<Self> {
        let mut fields = message.split(',').peekable();
        fields.next_if(|field| field.starts_with("m="));
        let nonce = fields.next()?.strip_prefix("r=").filter(|nonce| is_printable(nonce))?;
        let salt = STANDARD.decode(fields.next()?.strip_prefix("s=")?).ok()?;
        let iterations = fields.next()?.strip_prefix("i=")?.parse().ok().filter(|count| *count > 0)?;
        fields.all(|extension| parse_extension(extension).is_some()).then_some(())?;
        Some(Self { nonce, salt, iterations })
    }
}

/// Returns the server's first message.
pub(super) fn server_first(nonce: &str, salt: &[u8], iterations: i32) -> String {
    format!("r={nonce},s={},i={iterations}", STANDARD.encode(salt))
}

/// `c=BINDING,r=NONCE[,EXTENSION=VALUE…],p=PROOF`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFinal<'a> {
    /// The part that is proved.
    pub without_proof: &'a str,
    pub nonce: &'a str,
    pub proof: Vec<u8>,
}

impl<'a> ClientFinal<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, SaslError> {
        Self::fields(text(message).ok_or(CLIENT_FINAL)?).ok_or(CLIENT_FINAL)
    }

    fn fields(message: &'a str) -> Option<Self> {
        let (without_proof, proof) = message.rsplit_once(",p=")?;
        let mut fields = without_proof.split(',');
        STANDARD.decode(fields.next()?.strip_prefix("c=")?).ok()?;
        let nonce = fields.next()?.strip_prefix("r=").filter(|nonce| is_printable(nonce))?;
        fields.all(|extension| parse_extension(extension).is_some()).then_some(())?;
        Some(Self { without_proof, nonce, proof: STANDARD.decode(proof).ok()? })
    }
}

/// Returns the client's final message without its proof; the binding is that of a client that offers none.
pub(super) fn client_final_without_proof(nonce: &str) -> String {
    format!("c=biws,r={nonce}")
}

/// Returns the client's final message.
pub(super) fn client_final(without_proof: &str, proof: &[u8]) -> String {
    format!("{without_proof},p={}", STANDARD.encode(proof))
}

/// `v=SIGNATURE` or `e=ERROR`
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ServerFinal {
    Signature(Vec<u8>),
    Error(String),
}

impl ServerFinal {
    pub(super) fn parse(message: &[u8]) -> Result<Self, SaslError> {
        let message = text(message).ok_or(SERVER_FINAL)?;
        if let Some(error) = message.strip_prefix("e=") {
            return Ok(Self::Error(error.to_owned()));
        }
        let mut fields = message.split(',');
        let signature = fields.next().and_then(|field| field.strip_prefix("v=")).ok_or(SERVER_FINAL)?;
        STANDARD.decode(signature).map(Self::Signature).map_err(|_| SERVER_FINAL)
    }
}

/// Returns the server's final message.
pub(super) fn server_final(signature: &[u8]) -> String {
    format!("v={}", STANDARD.encode(signature))
}

/// Returns what both sides sign.
pub(super) fn auth_message(client_first_bare: &str, server_first: &str, without_proof: &str) -> Vec<u8> {
    format!("{client_first_bare},{server_first},{without_proof}").into_bytes()
}

/// Messages are ASCII without NUL.
fn text(message: &[u8]) -> Option<&str> {
    let valid = message.iter().all(|byte| (1..0x80).contains(byte));
    std::str::from_utf8(message).ok().filter(|_| valid)
}

fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A name in which `=` stands only in the escapes of itself and of the comma.
fn is_sasl_name(name: &str) -> bool {
    let mut escapes = name.split('=');
    escapes.next();
    !name.is_empty() && escapes.all(|rest| rest.starts_with("2C") || rest.starts_with("3D"))
}

fn parse_extension(field: &str) -> Option<(&str, &str)> {
    let (key, value) = field.split_once('=')?;
    let valid = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphabetic()) && !value.is_empty();
    valid.then_some((key, value))
}
