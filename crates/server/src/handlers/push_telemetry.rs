//! PushTelemetry (key 72): takes a client's metrics and hands them to the sink (KIP-714).
//!
//! Versions: 0. Advertised only where `monedula.telemetry.sink` says where metrics go.
//! Kafka: `ClientMetricsManager.processPushTelemetryRequest`.

use protocol::{PushTelemetryRequest, PushTelemetryResponse};

use crate::broker::Broker;
use crate::broker::client_metrics::{ClientAttributes, Push};
use crate::request::RequestContext;

/// Takes a client's metrics.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: PushTelemetryRequest,
) -> PushTelemetryResponse {
    let id = request.client_instance_id;
    let push = Push {
        subscription_id: request.subscription_id,
        terminating: request.terminating,
        compression_type: request.compression_type,
        metrics: request.metrics,
        max_bytes: usize::try_from(broker.config().metrics.telemetry_max_bytes).unwrap_or(0),
    };
    let (now, wall_ms) = (broker.clock.monotonic(), broker.clock.wall_ms());
    let pushed = broker.client_metrics.push(id, ClientAttributes::of(id, context), push, now, wall_ms);
    PushTelemetryResponse { error_code: pushed.err().unwrap_or_default(), ..Default::default() }
}
