//! How this node's controller registers itself.
//!
//! Kafka: `ControllerRegistrationManager`.

use ::controller::ControllerRequest;
use metadata::{Endpoint, MetadataImage};
use protocol::ControllerRegistrationRequest;
use protocol::controller_registration_request::{Feature, Listener};

use super::ControllerOptions;

/// Tells whether the image shows another registration than this process would make, as it does after every start.
pub(super) fn is_needed(options: &ControllerOptions, image: &MetadataImage) -> bool {
    if !image.features().metadata_version().is_controller_registration_supported() {
        return false;
    }
    let registered = image.cluster().controller(options.node_id());
    registered.is_none_or(|controller| {
        controller.incarnation_id != options.incarnation_id
            || !options.endpoints.iter().all(|(endpoint, security_protocol)| {
                let wanted = Endpoint {
                    host: endpoint.host.clone(),
                    port: endpoint.port,
                    security_protocol: *security_protocol,
                };
                controller.listeners.get(&endpoint.name) == Some(&wanted)
            })
    })
}

/// The request with which this node's controller registers.
pub(super) fn of_controller(options: &ControllerOptions) -> ControllerRequest {
    let listeners = options.endpoints.iter().map(|(endpoint, security_protocol)| Listener {
        name: endpoint.name.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        security_protocol: *security_protocol,
        ..Default::default()
    });
    let features = options.machine.supported_features.iter().map(|(name, range)| Feature {
        name: name.clone(),
        min_supported_version: range.min,
        max_supported_version: range.max,
        ..Default::default()
    });
    let request = ControllerRegistrationRequest {
        controller_id: options.node_id().0,
        incarnation_id: options.incarnation_id,
        listeners: listeners.collect(),
        features: features.collect(),
        ..Default::default()
    };
    request.into()
}
