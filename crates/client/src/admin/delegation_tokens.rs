//! Delegation tokens (KIP-48). Kafka: `Admin.createDelegationToken`, `renewDelegationToken`, `expireDelegationToken`,
//! `describeDelegationToken`.

use std::fmt;

use bytes::Bytes;
use model::Timestamp;
use protocol::create_delegation_token_request::CreatableRenewers;
use protocol::describe_delegation_token_request::DescribeDelegationTokenOwner;
use protocol::describe_delegation_token_response::DescribedDelegationToken;
use protocol::{
    CreateDelegationTokenRequest, CreateDelegationTokenResponse, DescribeDelegationTokenRequest,
    ExpireDelegationTokenRequest, RenewDelegationTokenRequest,
};

use super::Admin;
use crate::error::{Error, Result};

/// Who somebody is. Kafka: `KafkaPrincipal`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal {
    /// The kind: `User`.
    pub kind: String,
    /// The name.
    pub name: String,
}

impl Principal {
    /// Names somebody.
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), name: name.into() }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}

/// A token: who may log in with it as whom, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationToken {
    /// Its id.
    pub id: String,
    /// What proves it.
    pub hmac: Bytes,
    /// As whom one logs in.
    pub owner: Principal,
    /// Who asked for it.
    pub requester: Principal,
    /// Who else may renew it.
    pub renewers: Vec<Principal>,
    /// When it was made.
    pub issued: Timestamp,
    /// When it ends if it is not renewed.
    pub expires: Timestamp,
    /// When it ends at the latest.
    pub max: Timestamp,
}

impl Admin {
    /// Makes a token for `owner` (who asks, if `None`), for at most `max_lifetime_ms` (what the brokers say, if -1).
    pub async fn create_delegation_token(
        &self,
        owner: Option<&Principal>,
        renewers: &[Principal],
        max_lifetime_ms: i64,
    ) -> Result<DelegationToken> {
        let request = CreateDelegationTokenRequest {
            owner_principal_type: owner.map(|owner| owner.kind.clone()),
            owner_principal_name: owner.map(|owner| owner.name.clone()),
            renewers: renewers.iter().map(renewer).collect(),
            max_lifetime_ms,
            ..Default::default()
        };
        let response = self.on_any("createDelegationToken", &request, |response| response.error_code).await?;
        Error::check(response.error_code)?;
        Ok(created(response, renewers))
    }

    /// Moves a token's end by `period_ms` from now (what the brokers say, if -1); tells the new end.
    pub async fn renew_delegation_token(&self, hmac: Bytes, period_ms: i64) -> Result<Timestamp> {
        let request = RenewDelegationTokenRequest { hmac, renew_period_ms: period_ms, ..Default::default() };
        let response = self.on_any("renewDelegationToken", &request, |response| response.error_code).await?;
        Error::check(response.error_code)?;
        Ok(Timestamp(response.expiry_timestamp_ms))
    }

    /// Ends a token after `period_ms`, at once if -1; tells its end.
    pub async fn expire_delegation_token(&self, hmac: Bytes, period_ms: i64) -> Result<Timestamp> {
        let request =
            ExpireDelegationTokenRequest { hmac, expiry_time_period_ms: period_ms, ..Default::default() };
        let response = self.on_any("expireDelegationToken", &request, |response| response.error_code).await?;
        Error::check(response.error_code)?;
        Ok(Timestamp(response.expiry_timestamp_ms))
    }

    /// Tells the tokens of `owners`, or all that whoever asks may see if `None`.
    pub async fn describe_delegation_tokens(
        &self,
        owners: Option<&[Principal]>,
    ) -> Result<Vec<DelegationToken>> {
        let owner = |owner: &Principal| DescribeDelegationTokenOwner {
            principal_type: owner.kind.clone(),
            principal_name: owner.name.clone(),
            ..Default::default()
        };
        let owners = owners.map(|owners| owners.iter().map(owner).collect());
        let request = DescribeDelegationTokenRequest { owners, ..Default::default() };
        let response =
            self.on_any("describeDelegationToken", &request, |response| response.error_code).await?;
        Error::check(response.error_code)?;
        Ok(response.tokens.into_iter().map(described).collect())
    }
}

fn renewer(principal: &Principal) -> CreatableRenewers {
    CreatableRenewers {
        principal_type: principal.kind.clone(),
        principal_name: principal.name.clone(),
        ..Default::default()
    }
}

fn created(response: CreateDelegationTokenResponse, renewers: &[Principal]) -> DelegationToken {
    let requester =
        Principal::new(response.token_requester_principal_type, response.token_requester_principal_name);
    DelegationToken {
        id: response.token_id,
        hmac: response.hmac,
        owner: Principal::new(response.principal_type, response.principal_name),
        requester,
        renewers: renewers.to_vec(),
        issued: Timestamp(response.issue_timestamp_ms),
        expires: Timestamp(response.expiry_timestamp_ms),
        max: Timestamp(response.max_timestamp_ms),
    }
}

fn described(token: DescribedDelegationToken) -> DelegationToken {
    let renewers = token.renewers.into_iter();
    DelegationToken {
        id: token.token_id,
        hmac: token.hmac,
        owner: Principal::new(token.principal_type, token.principal_name),
        requester: Principal::new(token.token_requester_principal_type, token.token_requester_principal_name),
        renewers: renewers.map(|one| Principal::new(one.principal_type, one.principal_name)).collect(),
        issued: Timestamp(token.issue_timestamp),
        expires: Timestamp(token.expiry_timestamp),
        max: Timestamp(token.max_timestamp),
    }
}
