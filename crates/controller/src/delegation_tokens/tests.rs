//! Who gets tokens, for how long, and who may change that.

use std::collections::BTreeMap;
use std::sync::Arc;

use machine::{Machine, Ticket};
use metadata::bootstrap_records;
use model::Timestamp;
use protocol::ResponseBody;

use super::*;
use crate::{ControllerConfig, ControllerRequest};

const SECOND: i64 = 1000;
const DAY: i64 = 24 * 3600 * SECOND;

struct Scene {
    controller: Controller,
    wall: i64,
}

impl Scene {
    fn new(secret: Option<&str>, version: MetadataVersion) -> Self {
        let lines = "process.roles=broker,controller\nnode.id=1\ncontroller.listener.names=CONTROLLER\n\
            listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
            controller.quorum.bootstrap.servers=localhost:9093\n";
        let secret = secret.map(|secret| format!("delegation.token.secret.key={secret}\n"));
        let text = format!("{lines}{}", secret.unwrap_or_default());
        let properties = config::parse_properties(text.as_bytes()).expect("well-formed lines");
        let broker = Arc::new(BrokerConfig::parse(&properties).expect("a valid configuration"));
        let mut controller = Controller::new(ControllerConfig {
            broker,
            max_idle_interval: None,
            seed: 1,
            ..ControllerConfig::default()
        });
        let records = bootstrap_records(version, &BTreeMap::new()).expect("defaults");
        records.into_iter().for_each(|record| controller.replay(record));
        let mut scene = Self { controller, wall: 1_000_000 };
        scene.controller.activate(scene.now());
        scene
    }

    fn served() -> Self {
        Self::new(Some("secret"), MetadataVersion::LATEST)
    }

    fn now(&self) -> Now {
        let monotonic = Duration::from_millis(self.wall.unsigned_abs() - 1_000_000);
        Now { monotonic, wall: Timestamp(self.wall) }
    }

    fn ask(&mut self, request: TokenRequest, asker: &str) -> ResponseBody {
        let request = ControllerRequest::Token(request, Principal::user(asker));
        let mut outcome = self.controller.handle(self.now(), Ticket(0), request);
        outcome.records.into_iter().for_each(|record| self.controller.replay(record));
        assert_eq!(self.controller.failure(), None);
        outcome.answers.remove(0).1
    }

    fn create(
        &mut self,
        request: CreateDelegationTokenRequest,
        asker: &str,
    ) -> CreateDelegationTokenResponse {
        match self.ask(TokenRequest::Create(Box::new(request)), asker) {
            ResponseBody::CreateDelegationToken(response) => *response,
            other => panic!("{other:?}"),
        }
    }

    fn renew(&mut self, hmac: &Bytes, renew_period_ms: i64, asker: &str) -> (ErrorCode, i64) {
        let hmac = hmac.clone();
        let request = RenewDelegationTokenRequest { hmac, renew_period_ms, ..Default::default() };
        match self.ask(TokenRequest::Renew(request), asker) {
            ResponseBody::RenewDelegationToken(it) => (it.error_code, it.expiry_timestamp_ms),
            other => panic!("{other:?}"),
        }
    }

    fn expire(&mut self, hmac: &Bytes, expiry_time_period_ms: i64, asker: &str) -> (ErrorCode, i64) {
        let hmac = hmac.clone();
        let request = ExpireDelegationTokenRequest { hmac, expiry_time_period_ms, ..Default::default() };
        match self.ask(TokenRequest::Expire(request), asker) {
            ResponseBody::ExpireDelegationToken(it) => (it.error_code, it.expiry_timestamp_ms),
            other => panic!("{other:?}"),
        }
    }

    fn tokens(&self) -> usize {
        self.controller.image.delegation_tokens().tokens().count()
    }

    /// Lets time pass, and the timers that are due act.
    fn pass(&mut self, millis: i64) {
        self.wall += millis;
        while self.controller.poll_timeout().is_some_and(|at| at <= self.now().monotonic) {
            let outcome = self.controller.handle_timeout(self.now());
            outcome.records.into_iter().for_each(|record| self.controller.replay(record));
        }
    }
}

fn for_bob() -> CreateDelegationTokenRequest {
    let renewer = CreatableRenewers {
        principal_type: "User".to_owned(),
        principal_name: "bob".to_owned(),
        ..Default::default()
    };
    CreateDelegationTokenRequest { renewers: vec![renewer], max_lifetime_ms: -1, ..Default::default() }
}

#[test]
fn a_token_lives_a_day_and_can_be_renewed_for_a_week() {
    let mut scene = Scene::served();
    let made = scene.create(for_bob(), "alice");
    assert_eq!((made.error_code, made.issue_timestamp_ms), (ErrorCode::NONE, scene.wall));
    assert_eq!(made.expiry_timestamp_ms, scene.wall + DAY);
    assert_eq!(made.max_timestamp_ms, scene.wall + 7 * DAY);
    assert_eq!(made.hmac, TokenSecret::new("secret").expect("a secret").hmac(&made.token_id));
    scene.wall += SECOND;
    assert_eq!(scene.renew(&made.hmac, SECOND, "bob"), (ErrorCode::NONE, scene.wall + SECOND));
    assert_eq!(scene.renew(&made.hmac, -1, "alice"), (ErrorCode::NONE, scene.wall + DAY));
    assert_eq!(scene.renew(&made.hmac, 9 * DAY, "alice"), (ErrorCode::NONE, scene.wall + DAY));
    let short = CreateDelegationTokenRequest { max_lifetime_ms: SECOND, ..for_bob() };
    let short = scene.create(short, "alice");
    assert_eq!(short.expiry_timestamp_ms, scene.wall + SECOND);
    assert_eq!(scene.renew(&short.hmac, -1, "bob"), (ErrorCode::NONE, scene.wall + SECOND));
}

#[test]
fn only_the_owner_and_renewers_change_a_token() {
    let mut scene = Scene::served();
    let request = CreateDelegationTokenRequest {
        owner_principal_type: Some("User".to_owned()),
        owner_principal_name: Some("carol".to_owned()),
        ..for_bob()
    };
    let made = scene.create(request, "alice");
    assert_eq!((&*made.principal_name, &*made.token_requester_principal_name), ("carol", "alice"));
    let mismatch = (ErrorCode::DELEGATION_TOKEN_OWNER_MISMATCH, 0);
    assert_eq!(scene.renew(&made.hmac, -1, "alice"), mismatch);
    assert_eq!(scene.expire(&made.hmac, -1, "alice"), mismatch);
    let unknown = Bytes::from_static(b"guess");
    assert_eq!(scene.renew(&unknown, -1, "bob").0, ErrorCode::DELEGATION_TOKEN_NOT_FOUND);
    assert_eq!(scene.expire(&unknown, -1, "bob").0, ErrorCode::DELEGATION_TOKEN_NOT_FOUND);
    assert_eq!(scene.expire(&made.hmac, SECOND, "carol"), (ErrorCode::NONE, scene.wall + SECOND));
    assert_eq!(scene.expire(&made.hmac, -1, "bob"), (ErrorCode::NONE, scene.wall));
    assert_eq!(scene.tokens(), 0);
    assert_eq!(scene.expire(&made.hmac, -1, "bob").0, ErrorCode::DELEGATION_TOKEN_NOT_FOUND);
}

#[test]
fn a_token_that_has_ended_stays_until_the_next_look() {
    let mut scene = Scene::served();
    let made = scene.create(for_bob(), "alice");
    scene.expire(&made.hmac, SECOND, "alice");
    scene.pass(2 * SECOND);
    let expired = (ErrorCode::DELEGATION_TOKEN_EXPIRED, 0);
    assert_eq!(scene.renew(&made.hmac, -1, "alice"), expired);
    assert_eq!(scene.expire(&made.hmac, SECOND, "alice"), expired);
    assert_eq!(scene.tokens(), 1);
    scene.pass(3600 * SECOND);
    assert_eq!(scene.tokens(), 0);
}

#[test]
fn however_many_tokens_have_ended_they_are_all_removed() {
    let mut scene = Scene::served();
    let request = || CreateDelegationTokenRequest { max_lifetime_ms: SECOND, ..for_bob() };
    for _ in 0..=MAX_RECORDS_PER_EXPIRATION {
        scene.create(request(), "alice");
    }
    scene.pass(3600 * SECOND);
    assert_eq!(scene.tokens(), 0);
}

#[test]
fn there_are_tokens_with_a_secret_and_a_metadata_version_that_knows_them_alone() {
    let mut without = Scene::new(None, MetadataVersion::LATEST);
    assert_eq!(without.create(for_bob(), "alice").error_code, ErrorCode::DELEGATION_TOKEN_AUTH_DISABLED);
    let any = Bytes::from_static(b"any");
    assert_eq!(without.renew(&any, -1, "alice"), (ErrorCode::DELEGATION_TOKEN_AUTH_DISABLED, 0));
    let mut old = Scene::new(Some("secret"), MetadataVersion::V3_6_IV1);
    assert_eq!(old.create(for_bob(), "alice").error_code, ErrorCode::UNSUPPORTED_VERSION);
    assert_eq!(old.expire(&any, -1, "alice"), (ErrorCode::UNSUPPORTED_VERSION, 0));
    let mut group = for_bob();
    group.renewers[0].principal_type = "Group".to_owned();
    assert_eq!(Scene::served().create(group, "alice").error_code, ErrorCode::INVALID_PRINCIPAL_TYPE);
}
