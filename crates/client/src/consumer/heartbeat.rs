//! The task that tells the coordinator that we live, and us what the coordinator answers.
//! Kafka: `AbstractCoordinator.HeartbeatThread`.
//!
//! Invariant: a member whose user does not poll for `max.poll.interval.ms` leaves the group.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::leave_group_request::MemberIdentity;
use protocol::{ErrorCode, HeartbeatRequest, LeaveGroupRequest};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cluster::CoordinatorClient;
use crate::error::{Error, Result};

/// What the heartbeat learnt.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    /// The group rebalances: rejoin.
    Rebalance,
    /// We are no member any more: what we had is lost.
    Lost(&'static str),
    /// Nothing can be done.
    Fatal(Error),
}

/// What the heartbeat and the one who polls tell each other.
#[derive(Debug)]
pub(super) struct Signals {
    pub changed: Notify,
    verdict: Mutex<Option<Verdict>>,
    last_poll: Mutex<Instant>,
}

impl Signals {
    pub(super) fn new() -> Self {
        Self { changed: Notify::new(), verdict: Mutex::new(None), last_poll: Mutex::new(Instant::now()) }
    }

    pub(super) fn polled(&self) {
        *self.last_poll.lock().expect("no holder panics") = Instant::now();
    }

    pub(super) fn take(&self) -> Option<Verdict> {
        self.verdict.lock().expect("no holder panics").take()
    }

    fn set(&self, verdict: Verdict) {
        *self.verdict.lock().expect("no holder panics") = Some(verdict);
        self.changed.notify_one();
    }
}

/// Who we are in the group.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub member_id: String,
    pub generation: i32,
    pub instance: Option<String>,
}

pub(super) async fn run(
    client: Arc<CoordinatorClient>,
    identity: Identity,
    interval: Duration,
    max_poll_interval: Duration,
    signals: Arc<Signals>,
) {
    let mut wait = interval;
    let mut failures = 0;
    loop {
        tokio::time::sleep(wait).await;
        let last_poll = *signals.last_poll.lock().expect("no holder panics");
        if last_poll.elapsed() > max_poll_interval {
            tracing::warn!(group = client.key, "no poll for max.poll.interval.ms; leaving the group");
            let _ = leave(&client, &identity, "consumer poll timeout has expired.", false).await;
            return signals.set(Verdict::Lost("consumer poll timeout has expired"));
        }
        wait = interval;
        match beat(&client, &identity).await {
            Ok(None) => failures = 0,
            Ok(Some(verdict)) => {
                let last = !matches!(verdict, Verdict::Rebalance);
                signals.set(verdict);
                if last {
                    return;
                }
            }
            Err(error) => {
                tracing::debug!(group = client.key, %error, "a heartbeat failed");
                wait = client.cluster.retry_delay(failures).min(interval);
                failures += 1;
            }
        }
    }
}

async fn beat(client: &CoordinatorClient, identity: &Identity) -> Result<Option<Verdict>> {
    let answer = client.send(i16::MAX, client.request_timeout(), |version| HeartbeatRequest {
        group_id: client.key.clone(),
        generation_id: identity.generation,
        member_id: identity.member_id.clone(),
        group_instance_id: identity.instance.clone().filter(|_| version >= 3),
        ..Default::default()
    });
    let code = match answer.await {
        Ok(response) => response.error_code,
        Err(error) if error.is_retriable() => return Err(error),
        Err(error) => return Ok(Some(Verdict::Fatal(error))),
    };
    client.note(code);
    Ok(match code {
        ErrorCode::NONE => None,
        ErrorCode::REBALANCE_IN_PROGRESS => Some(Verdict::Rebalance),
        ErrorCode::UNKNOWN_MEMBER_ID => Some(Verdict::Lost("the coordinator does not know the member")),
        ErrorCode::ILLEGAL_GENERATION => Some(Verdict::Lost("the group is in another generation")),
        code if code.is_retriable() => return Err(Error::broker(code)),
        code => Some(Verdict::Fatal(Error::broker(code))),
    })
}

/// Leaves the group; `past` a join that is under way, behind which the coordinator would not read it.
pub(super) async fn leave(
    client: &CoordinatorClient,
    identity: &Identity,
    reason: &str,
    past: bool,
) -> Result<()> {
    let make = |version| {
        let mut request = LeaveGroupRequest { group_id: client.key.clone(), ..Default::default() };
        if version < 3 {
            request.member_id = identity.member_id.clone();
        } else {
            request.members = vec![MemberIdentity {
                member_id: identity.member_id.clone(),
                group_instance_id: identity.instance.clone(),
                reason: Some(reason.to_owned()).filter(|_| version >= 5),
                ..Default::default()
            }];
        }
        request
    };
    let timeout = client.request_timeout();
    let response = if past {
        client.send_past(i16::MAX, timeout, make).await?
    } else {
        client.send(i16::MAX, timeout, make).await?
    };
    Error::check(response.error_code)
}
