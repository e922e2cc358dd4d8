//! The way from the broker to the active controller.
//!
//! Kafka: `NodeToControllerChannelManager`, `ForwardingManager`.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use controller::ControllerRequest;
use model::Offset;
use protocol::ResponseBody;

use crate::controller::ControllerService;

/// An answer of the controller that is on its way.
pub type Submitted<'a> = Pin<Box<dyn Future<Output = ResponseBody> + Send + 'a>>;

/// Reaches the active controller, wherever it is.
pub trait ControllerChannel: Debug + Send + Sync {
    /// Puts a request to the controller. The answer comes when what it decided is committed, and is of the request's own
    /// API. It never comes once this node's own controller has stopped: the node stops too then, and its connections end.
    fn submit(&self, request: ControllerRequest) -> Submitted<'_>;

    /// Returns the offset of the last metadata record that the controller has committed, as far as is known here.
    fn committed_offset(&self) -> Offset;
}

/// The controller is this node's own.
impl ControllerChannel for ControllerService {
    fn submit(&self, request: ControllerRequest) -> Submitted<'_> {
        Box::pin(async move {
            match self.handle(request).await {
                Ok(response) => response,
                Err(_stopped) => std::future::pending().await,
            }
        })
    }

    fn committed_offset(&self) -> Offset {
        self.image().provenance().last_contained_offset
    }
}
