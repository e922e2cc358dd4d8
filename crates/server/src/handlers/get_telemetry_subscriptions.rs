//! GetTelemetrySubscriptions (key 71): tells a client which of its metrics to push, and how often (KIP-714).
//!
//! Versions: 0. Advertised only where `monedula.telemetry.sink` says where metrics go.
//! Kafka: `ClientMetricsManager.processGetTelemetrySubscriptionRequest`.

use model::Uuid;
use protocol::{GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse};

use crate::broker::Broker;
use crate::broker::client_metrics::ClientAttributes;
use crate::request::RequestContext;

/// The codecs that pushed metrics may be compressed with, the preferred first: zstd, lz4, gzip, snappy.
const ACCEPTED_COMPRESSION_TYPES: [i8; 4] = [4, 3, 1, 2];

/// Tells a client its subscription; one that does not know its own id yet is given one.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &GetTelemetrySubscriptionsRequest,
) -> GetTelemetrySubscriptionsResponse {
    let id = match request.client_instance_id {
        Uuid::ZERO => Uuid::from_random_bytes(broker.chance.next_id()),
        id => id,
    };
    let now = broker.clock.monotonic();
    match broker.client_metrics.get(id, ClientAttributes::of(id, context), now) {
        Ok(subscription) => GetTelemetrySubscriptionsResponse {
            client_instance_id: id,
            subscription_id: subscription.id,
            accepted_compression_types: ACCEPTED_COMPRESSION_TYPES.to_vec(),
            push_interval_ms: subscription.push_interval_ms,
            telemetry_max_bytes: broker.config().metrics.telemetry_max_bytes,
            delta_temporality: true,
            requested_metrics: subscription.metrics,
            ..Default::default()
        },
        Err(error_code) => GetTelemetrySubscriptionsResponse { error_code, ..Default::default() },
    }
}
