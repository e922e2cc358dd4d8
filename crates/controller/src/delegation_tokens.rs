//! CreateDelegationToken, RenewDelegationToken, ExpireDelegationToken, and the removal of tokens that have ended.
//!
//! Invariants:
//! - what proves a token is not in the log: who has the log alone cannot log in
//!
//! Whether the asker may ask for tokens, and for somebody else's, the server has checked.
//!
//! Kafka: `DelegationTokenControlManager`.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use config::BrokerConfig;
use machine::{Instant, Now};
use metadata::{MetadataImage, MetadataVersion};
use protocol::create_delegation_token_request::CreatableRenewers;
use protocol::{
    CreateDelegationTokenRequest, CreateDelegationTokenResponse, DelegationTokenRecord, ErrorCode,
    ExpireDelegationTokenRequest, ExpireDelegationTokenResponse, MetadataRecord, RemoveDelegationTokenRecord,
    RenewDelegationTokenRequest, RenewDelegationTokenResponse,
};
use security::{Principal, TokenSecret};

use crate::Controller;
use crate::requests::Decision;

/// The most tokens that are removed at once. Kafka: `MAX_RECORDS_PER_EXPIRATION`.
const MAX_RECORDS_PER_EXPIRATION: usize = 1000;

/// What somebody asks about tokens.
#[derive(Clone, Debug)]
pub enum TokenRequest {
    /// A new one.
    Create(Box<CreateDelegationTokenRequest>),
    /// That one may be used for longer.
    Renew(RenewDelegationTokenRequest),
    /// That one ends, now or later.
    Expire(ExpireDelegationTokenRequest),
}

/// What the controller knows of tokens beside the image.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// None if there are no tokens.
    secret: Option<TokenSecret>,
    /// The ids of tokens by what proves them.
    ids: BTreeMap<Bytes, String>,
    pub(crate) next_sweep: Option<Instant>,
}

impl Tokens {
    pub(crate) fn new(config: &BrokerConfig) -> Self {
        Self { secret: TokenSecret::of(config), ids: BTreeMap::new(), next_sweep: None }
    }

    pub(crate) fn replay(&mut self, record: &MetadataRecord) {
        let Some(secret) = &self.secret else { return };
        match record {
            MetadataRecord::DelegationTokenRecord(token) => {
                self.ids.insert(secret.hmac(&token.token_id), token.token_id.clone());
            }
            MetadataRecord::RemoveDelegationTokenRecord(token) => {
                self.ids.remove(&secret.hmac(&token.token_id));
            }
            _ => {}
        }
    }

    /// Begins anew with the tokens of `image`.
    pub(crate) fn reload(&mut self, image: &MetadataImage) {
        let Some(secret) = &self.secret else { return };
        let ids = image.delegation_tokens().tokens().map(|token| token.token_id.clone());
        self.ids = ids.map(|id| (secret.hmac(&id), id)).collect();
    }
}

impl Controller {
    pub(crate) fn decide_on_token(&mut self, now: Now, request: TokenRequest, asker: &Principal) -> Decision {
        let now = now.wall.0;
        match request {
            TokenRequest::Create(request) => self.create_token(now, &request, asker),
            TokenRequest::Renew(request) => {
                let answer = |error_code, expiry_timestamp_ms| RenewDelegationTokenResponse {
                    error_code,
                    expiry_timestamp_ms,
                    ..Default::default()
                };
                match self.renew_token(now, &request, asker) {
                    Ok((record, end)) => Decision::new(vec![record], answer(ErrorCode::NONE, end)),
                    Err(error_code) => Decision::answer(answer(error_code, 0)),
                }
            }
            TokenRequest::Expire(request) => {
                let answer = |error_code, expiry_timestamp_ms| ExpireDelegationTokenResponse {
                    error_code,
                    expiry_timestamp_ms,
                    ..Default::default()
                };
                match self.expire_token(now, &request, asker) {
                    Ok((record, end)) => Decision::new(vec![record], answer(ErrorCode::NONE, end)),
                    Err(error_code) => Decision::answer(answer(error_code, 0)),
                }
            }
        }
    }

    fn create_token(
        &mut self,
        now: i64,
        request: &CreateDelegationTokenRequest,
        asker: &Principal,
    ) -> Decision {
        let owner = token_owner(request, asker);
        let response = CreateDelegationTokenResponse {
            principal_type: owner.principal_type.to_string(),
            principal_name: owner.name.to_string(),
            token_requester_principal_type: asker.principal_type.to_string(),
            token_requester_principal_name: asker.name.to_string(),
            ..Default::default()
        };
        match self.new_token(now, request, &owner, asker) {
            Err(error_code) => Decision::answer(CreateDelegationTokenResponse { error_code, ..response }),
            Ok((record, hmac)) => {
                let response = CreateDelegationTokenResponse {
                    issue_timestamp_ms: record.issue_timestamp,
                    expiry_timestamp_ms: record.expiration_timestamp,
                    max_timestamp_ms: record.max_timestamp,
                    token_id: record.token_id.clone(),
                    hmac,
                    ..response
                };
                Decision::new(vec![MetadataRecord::DelegationTokenRecord(record)], response)
            }
        }
    }

    fn new_token(
        &mut self,
        now: i64,
        request: &CreateDelegationTokenRequest,
        owner: &Principal,
        asker: &Principal,
    ) -> Result<(DelegationTokenRecord, Bytes), ErrorCode> {
        self.check_tokens_are_served()?;
        let security = &self.config.broker.security;
        let lifetime = at_most(security.delegation_token_max_lifetime_ms, request.max_lifetime_ms);
        let max_timestamp = now.saturating_add(lifetime);
        let end = now.saturating_add(security.delegation_token_expiry_time_ms).min(max_timestamp);
        let is_user = |renewer: &CreatableRenewers| renewer.principal_type == Principal::USER_TYPE;
        if !request.renewers.iter().all(is_user) {
            return Err(ErrorCode::INVALID_PRINCIPAL_TYPE);
        }
        let token_id = self.random.id().to_string();
        let secret = self.tokens.secret.as_ref().ok_or(ErrorCode::DELEGATION_TOKEN_AUTH_DISABLED)?;
        let hmac = secret.hmac(&token_id);
        let name = |renewer: &CreatableRenewers| Principal::user(&*renewer.principal_name).to_string();
        let record = DelegationTokenRecord {
            owner: owner.to_string(),
            requester: asker.to_string(),
            renewers: request.renewers.iter().map(name).collect(),
            issue_timestamp: now,
            max_timestamp,
            expiration_timestamp: end,
            token_id,
            ..Default::default()
        };
        Ok((record, hmac))
    }

    fn renew_token(
        &self,
        now: i64,
        request: &RenewDelegationTokenRequest,
        asker: &Principal,
    ) -> Result<(MetadataRecord, i64), ErrorCode> {
        let token = self.token_proved_by(&request.hmac)?;
        if has_ended(token, now) {
            return Err(ErrorCode::DELEGATION_TOKEN_EXPIRED);
        }
        check_renewer(token, asker)?;
        let longest = self.config.broker.security.delegation_token_expiry_time_ms;
        let end = now.saturating_add(at_most(longest, request.renew_period_ms)).min(token.max_timestamp);
        Ok((ending_at(token, end), end))
    }

    fn expire_token(
        &self,
        now: i64,
        request: &ExpireDelegationTokenRequest,
        asker: &Principal,
    ) -> Result<(MetadataRecord, i64), ErrorCode> {
        let token = self.token_proved_by(&request.hmac)?;
        check_renewer(token, asker)?;
        if request.expiry_time_period_ms < 0 {
            return Ok((removal(token), now));
        }
        if has_ended(token, now) {
            return Err(ErrorCode::DELEGATION_TOKEN_EXPIRED);
        }
        let end = now.saturating_add(request.expiry_time_period_ms).min(token.max_timestamp);
        Ok((ending_at(token, end), end))
    }

    fn check_tokens_are_served(&self) -> Result<(), ErrorCode> {
        if self.tokens.secret.is_none() {
            return Err(ErrorCode::DELEGATION_TOKEN_AUTH_DISABLED);
        }
        if self.image.features().metadata_version() < MetadataVersion::V3_6_IV2 {
            return Err(ErrorCode::UNSUPPORTED_VERSION);
        }
        Ok(())
    }

    fn token_proved_by(&self, hmac: &Bytes) -> Result<&DelegationTokenRecord, ErrorCode> {
        self.check_tokens_are_served()?;
        let id = self.tokens.ids.get(hmac);
        let token = id.and_then(|id| self.image.delegation_tokens().token(id));
        token.map(AsRef::as_ref).ok_or(ErrorCode::DELEGATION_TOKEN_NOT_FOUND)
    }

    /// How often tokens that have ended are removed; none if there are no tokens.
    pub(crate) fn token_sweep_interval(&self) -> Option<Duration> {
        let interval = self.config.broker.security.delegation_token_expiry_check_interval_ms;
        let interval = Duration::from_millis(u64::try_from(interval).unwrap_or(0));
        self.tokens.secret.is_some().then_some(interval)
    }

    /// Removes tokens that have ended; at once again if there may be more of them.
    pub(crate) fn sweep_tokens(&mut self, now: Now) -> Vec<MetadataRecord> {
        let tokens = self.image.delegation_tokens().tokens();
        let ended = tokens.filter(|token| has_ended(token, now.wall.0));
        let records: Vec<_> = ended.take(MAX_RECORDS_PER_EXPIRATION).map(|token| removal(token)).collect();
        if records.len() == MAX_RECORDS_PER_EXPIRATION {
            self.tokens.next_sweep = Some(now.monotonic);
        }
        records
    }
}

/// Returns for whom a token is asked: for the asker, if nobody is named.
pub fn token_owner(request: &CreateDelegationTokenRequest, asker: &Principal) -> Principal {
    match (&request.owner_principal_type, &request.owner_principal_name) {
        (kind, Some(name)) if !name.is_empty() => Principal {
            principal_type: kind.as_deref().unwrap_or_default().into(),
            ..Principal::user(&**name)
        },
        _ => asker.clone(),
    }
}

/// What was asked for if it is something, and no more than `most`.
fn at_most(most: i64, asked: i64) -> i64 {
    if asked > 0 { most.min(asked) } else { most }
}

fn has_ended(token: &DelegationTokenRecord, now: i64) -> bool {
    token.max_timestamp < now || token.expiration_timestamp < now
}

/// Kafka: `DelegationTokenControlManager.allowedToRenew`.
fn check_renewer(token: &DelegationTokenRecord, asker: &Principal) -> Result<(), ErrorCode> {
    let asker = asker.to_string();
    let may = token.owner == asker || token.renewers.contains(&asker);
    if may { Ok(()) } else { Err(ErrorCode::DELEGATION_TOKEN_OWNER_MISMATCH) }
}

fn ending_at(token: &DelegationTokenRecord, end: i64) -> MetadataRecord {
    MetadataRecord::DelegationTokenRecord(DelegationTokenRecord {
        expiration_timestamp: end,
        ..token.clone()
    })
}

fn removal(token: &DelegationTokenRecord) -> MetadataRecord {
    let token_id = token.token_id.clone();
    MetadataRecord::RemoveDelegationTokenRecord(RemoveDelegationTokenRecord {
        token_id,
        ..Default::default()
    })
}

#[cfg(test)]
mod tests;
