//! The task that carries a member's heartbeats to its coordinator. Kafka: `AbstractHeartbeatRequestManager`.
//!
//! Invariants: one heartbeat at a time; a member whose user does not poll for `max.poll.interval.ms` leaves the group.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::ConsumerGroupHeartbeatRequest;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Member, Next};
use crate::cluster::CoordinatorClient;
use crate::error::{Error, Result};

/// A member, shared by the one who polls and the task.
#[derive(Debug)]
pub(in crate::consumer) struct Shared {
    member: Mutex<Member>,
    /// There is something to tell.
    pub wake: Notify,
    /// There is news for the one who polls.
    pub changed: Notify,
    last_poll: Mutex<Instant>,
}

impl Shared {
    pub(in crate::consumer) fn new(member: Member) -> Self {
        Self {
            member: Mutex::new(member),
            wake: Notify::new(),
            changed: Notify::new(),
            last_poll: Mutex::new(Instant::now()),
        }
    }

    pub(in crate::consumer) fn with<T>(&self, use_it: impl FnOnce(&mut Member) -> T) -> T {
        use_it(&mut self.member.lock().expect("no holder panics"))
    }

    pub(in crate::consumer) fn polled(&self) {
        *self.last_poll.lock().expect("no holder panics") = Instant::now();
    }
}

/// Runs until it is aborted.
pub(in crate::consumer) async fn run(
    shared: Arc<Shared>,
    client: Arc<CoordinatorClient>,
    max_poll_interval: Duration,
) {
    let mut interval = Duration::from_secs(5);
    let mut failures = 0;
    let mut next_beat = Instant::now();
    loop {
        let expires = *shared.last_poll.lock().expect("no holder panics") + max_poll_interval;
        let (inside, urgent) = shared.with(|member| (member.is_in(), member.is_urgent()));
        if !inside {
            shared.wake.notified().await;
            continue;
        }
        if Instant::now() >= expires {
            tracing::warn!(group = client.key, "no poll for max.poll.interval.ms; leaving the group");
            let farewell = shared.with(|member| {
                member.become_stale();
                member.farewell()
            });
            let _ = say(&client, farewell).await;
            continue;
        }
        let due = if urgent && failures == 0 { Instant::now() } else { next_beat };
        if Instant::now() < due {
            tokio::select! {
                () = tokio::time::sleep_until(due.min(expires)) => {}
                () = shared.wake.notified() => {}
            }
            continue;
        }
        match beat(&shared, &client).await {
            Next::Beat { interval_ms } => {
                failures = 0;
                interval = Duration::from_millis(u64::try_from(interval_ms).unwrap_or(0)).max(MIN_INTERVAL);
                next_beat = Instant::now() + interval;
            }
            Next::Again => {
                next_beat = Instant::now() + client.cluster.retry_delay(failures).min(interval);
                failures += 1;
            }
            Next::Stop => {}
        }
        shared.changed.notify_one();
    }
}

/// A coordinator that asks for more heartbeats than this gets no more.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

async fn beat(shared: &Shared, client: &CoordinatorClient) -> Next {
    let make = |version| shared.with(|member| member.heartbeat(version));
    let answer = client.try_send(i16::MAX, client.request_timeout(), make).await;
    match answer {
        Ok(response) => {
            client.note(response.error_code);
            shared.with(|member| member.answered(response))
        }
        Err(error) => {
            if matches!(error, Error::Timeout(_)) {
                client.forget();
            }
            tracing::debug!(group = client.key, %error, "a heartbeat failed");
            shared.with(|member| member.unanswered(error))
        }
    }
}

/// Sends a farewell.
pub(in crate::consumer) async fn say(
    client: &CoordinatorClient,
    farewell: ConsumerGroupHeartbeatRequest,
) -> Result<()> {
    let response = client.send(i16::MAX, client.request_timeout(), |_| farewell).await?;
    Error::check_with(response.error_code, response.error_message)
}
