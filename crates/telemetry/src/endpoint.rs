//! Where Prometheus reads: `GET /metrics` on an address of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::Source;
use crate::page::Registered;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// An endpoint that is bound, and does not answer yet.
#[derive(Debug)]
pub struct MetricsEndpoint {
    listener: TcpListener,
    registry: Registry,
}

impl MetricsEndpoint {
    /// Binds an address. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The address is taken, or not this machine's.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener: TcpListener::from_std(listener)?, registry: Registry::default() })
    }

    /// Returns where it listens.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Adds what is shown from now on, after what was added before.
    pub fn add(&mut self, source: impl Source) {
        self.registry.register_collector(Box::new(Registered(Box::new(source))));
    }

    /// Answers until `stop` is over.
    ///
    /// # Errors
    /// Connections can no longer be accepted.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let registry = Arc::new(self.registry);
        let metrics = move || {
            let registry = registry.clone();
            async move { page(&registry) }
        };
        let router = Router::new().route("/metrics", get(metrics));
        axum::serve(self.listener, router).with_graceful_shutdown(stop).await
    }
}

fn page(registry: &Registry) -> Response {
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n").into_response(),
    }
}
