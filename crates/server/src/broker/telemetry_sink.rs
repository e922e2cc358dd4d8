//! Where the metrics go that clients push: a file, or a collector that speaks OTLP over HTTP.
//!
//! A file gets a line of JSON for each push, with what the client told of itself, and the OTLP `MetricsData` in base64.
//! A collector gets each push as an OTLP `ExportMetricsServiceRequest`, with what the client told of itself among the
//! attributes of its resource.
//!
//! Invariants:
//! - whoever pushes never waits for the sink: what it cannot take is refused, and counted in the log
//!
//! Kafka: `ClientTelemetryExporterPlugin`.

mod otlp;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use config::{BrokerConfig, TelemetrySinkAddress};
use rustls::ClientConfig;
use security::{TlsError, TlsSettings};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use world::files::{File, Files, Open};

/// How many pushes wait for the sink at most.
const WAITING_MAX: usize = 1024;
/// How many bytes these have at most.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// One client's push.
#[derive(Clone, Debug)]
pub struct Export {
    /// When it came: milliseconds since 1970.
    pub wall_ms: i64,
    /// What the client told of itself.
    pub attributes: BTreeMap<&'static str, String>,
    /// Whether it is the client's last.
    pub terminating: bool,
    /// OTLP `MetricsData`, decompressed.
    pub metrics: Bytes,
}

/// The sink takes no more now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the telemetry sink takes no more now")]
pub struct SinkFull;

/// Where the metrics are to go, with all that the configuration names for it at hand.
#[derive(Debug)]
pub enum SinkTarget {
    /// Lines in the file of this path.
    File(String),
    /// OTLP over HTTP.
    Collector(otlp::Collector),
}

impl SinkTarget {
    /// Reads what `monedula.telemetry.sink` names; none if metrics go nowhere.
    ///
    /// # Errors
    /// The certificates for a collector behind https cannot be read.
    pub fn read(config: &BrokerConfig) -> Result<Option<Self>, TlsError> {
        let address = TelemetrySinkAddress::parse(config.metrics.monedula_telemetry_sink.trim());
        Ok(match address.expect("the configuration was checked when it was read") {
            TelemetrySinkAddress::None => None,
            TelemetrySinkAddress::File(path) => Some(Self::File(path)),
            TelemetrySinkAddress::Http { tls, host, port, path } => {
                let tls = if tls { Some(client_tls(config)?) } else { None };
                Some(Self::Collector(otlp::Collector { host, port, path, tls }))
            }
        })
    }
}

/// The way to the sink.
#[derive(Clone, Debug)]
pub struct TelemetrySink {
    exports: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

/// A push that waits for the sink, and the room that it takes until it is dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) export: Export,
    _room: OwnedSemaphorePermit,
}

impl TelemetrySink {
    /// Starts the task that writes to `target`. Must be called within a tokio runtime.
    pub fn start(target: SinkTarget, files: Arc<dyn Files>) -> Self {
        let (sink, waiting) = Self::new();
        match target {
            SinkTarget::File(path) => drop(tokio::spawn(write_lines(files, path, waiting))),
            SinkTarget::Collector(collector) => drop(tokio::spawn(otlp::post_all(collector, waiting))),
        }
        sink
    }

    pub(super) fn new() -> (Self, mpsc::Receiver<Waiting>) {
        let (exports, waiting) = mpsc::channel(WAITING_MAX);
        (Self { exports, room: Arc::new(Semaphore::new(WAITING_BYTES_MAX)) }, waiting)
    }

    /// Hands a push to the sink.
    ///
    /// # Errors
    /// Too many pushes wait already.
    pub fn export(&self, export: Export) -> Result<(), SinkFull> {
        let bytes = export.metrics.len().min(WAITING_BYTES_MAX) as u32;
        let room = self.room.clone().try_acquire_many_owned(bytes).map_err(|_| SinkFull)?;
        self.exports.try_send(Waiting { export, _room: room }).map_err(|_| SinkFull)
    }
}

/// Reads how a collector behind https is spoken to: the settings of a client's TLS behind `monedula.telemetry.sink.`.
fn client_tls(config: &BrokerConfig) -> Result<Arc<ClientConfig>, TlsError> {
    let get = |key: &str| config.originals().get(&format!("monedula.telemetry.sink.{key}")).cloned();
    // Unlike Java's, these stores are PEM unless something else is said.
    let get = |key: &str| get(key).or_else(|| (key == "ssl.truststore.type").then(|| "PEM".to_owned()));
    let settings = TlsSettings::read(&get, &|path| std::fs::read(path))?;
    Ok(Arc::new(settings.client_config()?))
}

async fn write_lines(files: Arc<dyn Files>, path: String, mut waiting: mpsc::Receiver<Waiting>) {
    let mut failing = false;
    while let Some(next) = waiting.recv().await {
        let (files, file) = (files.clone(), path.clone());
        let line = line(&next.export);
        let written = tokio::task::spawn_blocking(move || append(&*files, Path::new(&file), &line)).await;
        let written = written.unwrap_or_else(|panicked| Err(io::Error::other(panicked)));
        tell(&path, &mut failing, written);
    }
}

/// Says once that a sink fails, and once that it takes metrics again.
fn tell(sink: &str, failing: &mut bool, taken: Result<(), impl std::fmt::Display>) {
    let failed = std::mem::replace(failing, taken.is_err());
    match (taken, failed) {
        (Err(error), false) => {
            tracing::warn!(
                sink,
                "clients' metrics are lost until monedula.telemetry.sink takes them again: {error}"
            );
        }
        (Ok(()), true) => tracing::info!(sink, "monedula.telemetry.sink takes clients' metrics again"),
        (Err(error), true) => tracing::debug!(sink, "clients' metrics are lost: {error}"),
        (Ok(()), false) => {}
    }
}

/// The file is opened each time, so that it can be moved away.
fn append(files: &dyn Files, path: &Path, line: &str) -> io::Result<()> {
    let file: Arc<dyn File> = files.open(path, Open::Create)?;
    file.write_at(&[IoSlice::new(line.as_bytes())], file.len()?)
}

fn line(export: &Export) -> String {
    let mut line = format!("{{\"timestamp_ms\":{}", export.wall_ms);
    for (name, value) in &export.attributes {
        write!(line, ",\"{name}\":{}", quoted(value)).expect("a string takes all");
    }
    let metrics = base64(&export.metrics);
    writeln!(line, ",\"terminating\":{},\"metrics\":\"{metrics}\"}}", export.terminating)
        .expect("a string takes all");
    line
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 => write!(out, "\\u{:04x}", u32::from(c)).expect("a string takes all"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sink_that_hangs_holds_no_more_than_so_many_bytes() {
        let (sink, mut waiting) = TelemetrySink::new();
        let metrics = Bytes::from(vec![0; 1 << 20]);
        let push = || {
            let (attributes, metrics) = (BTreeMap::new(), metrics.clone());
            sink.export(Export { wall_ms: 0, attributes, terminating: false, metrics })
        };
        for _ in 0..WAITING_BYTES_MAX >> 20 {
            assert_eq!(push(), Ok(()));
        }
        assert_eq!(push(), Err(SinkFull));
        drop(waiting.recv().await);
        assert_eq!(push(), Ok(()));
    }

    #[test]
    fn a_push_is_a_line_of_json() {
        let export = Export {
            wall_ms: 7,
            attributes: BTreeMap::from([("client_id", "a \"b\"\n".to_owned())]),
            terminating: false,
            metrics: Bytes::from_static(b"abc"),
        };
        let expected = "{\"timestamp_ms\":7,\"client_id\":\"a \\\"b\\\"\\u000a\",\"terminating\":false,\"metrics\":\"YWJj\"}\n";
        assert_eq!(line(&export), expected);
    }
}
