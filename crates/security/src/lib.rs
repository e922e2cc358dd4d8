//! Principals, what they may do, SASL mechanisms and TLS settings.
//!
//! Deciders: bytes in, bytes out. Random numbers and files come from the caller; nothing here waits. What a client
//! is told of a failure never tells whether the user exists, and no secret is shown by `Debug`.
//!
//! Not yet: GSSAPI, OAUTHBEARER, and JAAS files (`java.security.auth.login.config`).

mod authorizer;
mod delegation_token;
mod der;
mod distinguished_name;
mod jaas;
mod mechanism;
mod plain;
mod principal;
mod sasl_client;
mod sasl_exchange;
mod scram;
mod ssl_principal_mapper;
mod tls;

pub use authorizer::{Action, Requester, StandardAuthorizer, Verdict};
pub use delegation_token::{TokenCredential, TokenSecret};
pub use distinguished_name::{CertificateError, subject_name};
pub use jaas::{JaasEntry, JaasError, PLAIN_LOGIN_MODULE, server_key};
pub use mechanism::{CredentialStore, Mechanism, SaslError};
pub use plain::{PlainClient, PlainServer, PlainUsers};
pub use principal::{ParsePrincipalError, Principal};
pub use sasl_client::SaslClient;
pub use sasl_exchange::{
    Awaits, Established, FailedAuthentication, ListenerMechanism, SaslExchange, SaslListener, Step,
    UnexpectedRequest,
};
pub use scram::{AddScramError, ScramClient, ScramDecoy, ScramHash, ScramServer, nonce, parse_add_scram};
pub use ssl_principal_mapper::{MapperError, SslPrincipalMapper};
pub use tls::{ClientAuth, TlsError, TlsSettings};
