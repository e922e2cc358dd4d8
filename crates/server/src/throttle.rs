//! What a request costs its client: how long the connection is silent after the answer.
//!
//! The answer goes out at once and says how long (KIP-219); the connection is not read from until then, so clients that
//! do not listen are held back too. What brokers do for the cluster costs nothing.
//!
//! Kafka: `RequestHandlerHelper`, `ClientRequestQuotaManager`.

use std::time::Duration;

use protocol::ApiKey;
use quota::QuotaKind;

use crate::broker::Broker;
use crate::dispatch::Answer;
use crate::request::{ListenerRole, RequestContext};

/// Percent of one thread, for a second's quota, that a nanosecond is.
const PERCENT_PER_NANOSECOND: f64 = 100.0 / 1e9;

/// Counts a served request that was `worked` on for so long, tells the client in its answer how long it is held back, and returns that time.
pub(crate) fn charge(
    broker: &Broker,
    context: &RequestContext,
    request_bytes: usize,
    worked: Duration,
    answer: &mut Answer,
) -> Duration {
    let now = broker.clock.monotonic();
    let quotas = &broker.quotas;
    let for_bytes = match context.api {
        ApiKey::Produce => quotas.record(QuotaKind::Produce, context, request_bytes as f64, now),
        _ => Duration::ZERO,
    };
    let Answer::Respond(response) = answer else { return for_bytes };
    // The work on a fetch was counted before it was known whether it brings anything.
    let for_time = match context.api {
        ApiKey::Fetch => Duration::ZERO,
        _ => charge_work(broker, context, worked, now),
    };
    let told = Duration::from_millis(u64::try_from(response.throttle_time_ms()).unwrap_or(0));
    let throttle = for_bytes.max(for_time).max(told);
    if throttle > told {
        response.set_throttle_time_ms(millis(throttle));
    }
    throttle
}

/// Counts the time in which a request was worked on; returns how long its client is held back for it.
pub(crate) fn charge_work(
    broker: &Broker,
    context: &RequestContext,
    worked: Duration,
    now: Duration,
) -> Duration {
    match is_exempt(context) {
        true => Duration::ZERO,
        false => broker.quotas.record(QuotaKind::Request, context, percent(worked), now),
    }
}

/// Counts the time in which an answer was written, for which nobody is held back any more.
pub(crate) fn charge_write(broker: &Broker, context: &RequestContext, spent: Duration) {
    if !is_exempt(context) {
        let now = broker.clock.monotonic();
        broker.quotas.record_only(QuotaKind::Request, context, percent(spent), now);
    }
}

/// A throttle time as responses have it.
pub(crate) fn millis(throttle: Duration) -> i32 {
    i32::try_from(throttle.as_millis()).unwrap_or(i32::MAX)
}

fn percent(time: Duration) -> f64 {
    time.as_nanos() as f64 * PERCENT_PER_NANOSECOND
}

/// What one node does for another is not counted.
fn is_exempt(context: &RequestContext) -> bool {
    let on_controller = context.listener.role == ListenerRole::Controller;
    context.api == ApiKey::WriteTxnMarkers
        || (on_controller && (context.api == ApiKey::Fetch || !context.api.on_broker()))
}
