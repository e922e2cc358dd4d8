//! A broker of one node and one topic for tests: answers as the test says, and remembers what it was asked.
//!
//! Invariant: requests of a connection are answered in their order.

use std::sync::{Arc, Mutex};

use protocol::api_versions_response::ApiVersion;
use protocol::find_coordinator_response::Coordinator;
use protocol::metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic};
use protocol::{
    ApiKey, ApiVersionsResponse, FindCoordinatorResponse, InitProducerIdResponse, MetadataResponse, Reader,
    RequestBody, ResponseBody, Writer,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::config::{ConfigMap, config_map};

/// What a test answers to a request.
pub(crate) enum Reply {
    /// As a broker would that has topic `t` with one partition, and coordinates every group.
    Usual,
    With(ResponseBody),
    /// This, once that is told.
    After(Arc<Notify>, ResponseBody),
    /// Nothing, and nothing more is read from the connection.
    Stall,
    /// Nothing, and the connection is closed.
    HangUp,
}

type Script = dyn Fn(&RequestBody, u16) -> Reply + Send + Sync;

#[derive(Clone)]
pub(crate) struct FakeBroker {
    pub port: u16,
    asked: Arc<Mutex<Vec<RequestBody>>>,
}

impl FakeBroker {
    /// Begins to answer as `script` says, which is given the broker's port.
    pub(crate) async fn start(script: impl Fn(&RequestBody, u16) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let broker = Self { port, asked: Arc::default() };
        let (script, this): (Arc<Script>, _) = (Arc::new(script), broker.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(this.clone().serve(stream, Arc::clone(&script)));
            }
        });
        broker
    }

    /// The configuration of a client of it.
    pub(crate) fn config<const N: usize>(&self, pairs: [(&str, &str); N]) -> ConfigMap {
        let mut map = config_map(pairs);
        map.insert("bootstrap.servers".into(), format!("127.0.0.1:{}", self.port));
        map
    }

    /// What `of` sees in the requests so far.
    pub(crate) fn asked<T>(&self, of: impl Fn(&RequestBody) -> Option<T>) -> Vec<T> {
        self.asked.lock().expect("no holder panics").iter().filter_map(of).collect()
    }

    async fn serve(self, mut stream: TcpStream, script: Arc<Script>) {
        while let Ok(length) = stream.read_i32().await {
            let mut frame = vec![0; length as usize];
            if stream.read_exact(&mut frame).await.is_err() {
                return;
            }
            let mut input = Reader::new(frame.into());
            let (api, header) =
                protocol::header::decode_request_header(&mut input).expect("a client sends requests");
            let version = header.request_api_version;
            let request = RequestBody::decode(api, version, &mut input).expect("a client sends requests");
            let said = script(&request, self.port);
            self.asked.lock().expect("no holder panics").push(request.clone());
            let reply = match said {
                Reply::Usual => self.usual(&request),
                Reply::With(response) => response,
                Reply::After(told, response) => {
                    told.notified().await;
                    response
                }
                Reply::Stall => return std::future::pending().await,
                Reply::HangUp => return,
            };
            let mut out = Writer::new();
            protocol::header::encode_response_header(&mut out, api, version, header.correlation_id)
                .expect("it fits");
            reply.encode(&mut out, version).expect("it fits");
            let bytes = out.into_bytes().expect("it is in memory");
            let _ = stream.write_i32(bytes.len() as i32).await;
            let _ = stream.write_all(&bytes).await;
        }
    }

    fn usual(&self, request: &RequestBody) -> ResponseBody {
        match request {
            RequestBody::ApiVersions(_) => {
                let of = |api: &ApiKey| {
                    let (min_version, max_version) = api.stable_versions().into_inner();
                    ApiVersion { api_key: api.id(), min_version, max_version, ..Default::default() }
                };
                let api_keys = ApiKey::ALL.iter().map(of).collect();
                ResponseBody::ApiVersions(Box::new(ApiVersionsResponse { api_keys, ..Default::default() }))
            }
            RequestBody::Metadata(_) => ResponseBody::Metadata(Box::new(metadata(self.port, self.port))),
            RequestBody::FindCoordinator(request) => {
                let of = |key: &String| Coordinator {
                    key: key.clone(),
                    node_id: 1,
                    host: "127.0.0.1".into(),
                    port: i32::from(self.port),
                    ..Default::default()
                };
                let coordinators = request.coordinator_keys.iter().map(of).collect();
                ResponseBody::FindCoordinator(Box::new(FindCoordinatorResponse {
                    coordinators,
                    ..Default::default()
                }))
            }
            RequestBody::InitProducerId(_) => {
                ResponseBody::InitProducerId(Box::new(InitProducerIdResponse {
                    producer_id: 7,
                    ..Default::default()
                }))
            }
            other => panic!("the test says nothing of {:?}", other.api_key()),
        }
    }
}

/// Topic `t`, whose partition is led by node 2 at `leader`; the broker that is asked is node 1 at `port`.
pub(crate) fn metadata(port: u16, leader: u16) -> MetadataResponse {
    let broker = |node_id, port: u16| MetadataResponseBroker {
        node_id,
        host: "127.0.0.1".into(),
        port: i32::from(port),
        ..Default::default()
    };
    let partition = MetadataResponsePartition { leader_id: 2, ..Default::default() };
    let topic = MetadataResponseTopic {
        name: Some("t".into()),
        topic_id: model::Uuid::from_u128(9),
        partitions: vec![partition],
        ..Default::default()
    };
    MetadataResponse {
        brokers: vec![broker(1, port), broker(2, leader)],
        controller_id: 1,
        topics: vec![topic],
        ..Default::default()
    }
}
