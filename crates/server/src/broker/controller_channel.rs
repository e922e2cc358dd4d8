//! The way from the broker to the active controller.
//!
//! Kafka: `NodeToControllerChannelManager`, `ForwardingManager`.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use controller::ControllerRequest;
use protocol::ResponseBody;

/// An answer of the controller that is on its way.
pub type Submitted<'a> = Pin<Box<dyn Future<Output = ResponseBody> + Send + 'a>>;

/// Reaches the active controller, wherever it is.
pub trait ControllerChannel: Debug + Send + Sync {
    /// Puts a request to the controller. The answer comes when what it decided is committed, and is of the request's own
    /// API, also where the controller could not be reached (`NOT_CONTROLLER`).
    fn submit(&self, request: ControllerRequest) -> Submitted<'_>;
}
