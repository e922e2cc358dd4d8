//! A node in this process, on free ports and a folder of its own, and a client that speaks raw messages to it.

#![allow(dead_code)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use protocol::header::{decode_response_header, encode_request_header};
use protocol::{ErrorCode, Message, Reader, Records, Request, Writer};
use records::{BatchBuilder, BatchOptions};
use server::broker::start::World;
use server::controller::ControllerService;
use server::node::Node;
use server::{RunError, RunOptions, start_in};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use world::chance::RealChance;
use world::clock::{Clock, RealClock};
use world::files::{Files, RealFiles};

/// A running node.
pub struct TestNode {
    /// The node itself.
    pub node: Node,
    controller: Arc<ControllerService>,
    /// Where the broker's listener is.
    pub address: SocketAddr,
    /// Where the controller's listener is.
    pub controller_address: SocketAddr,
}

impl TestNode {
    /// Starts a node in `dir` with these overrides.
    pub async fn start(dir: &std::path::Path, overrides: &[&str]) -> Self {
        Self::start_on(Arc::new(RealFiles), dir, overrides).await
    }

    /// Starts a node on files of the test's.
    pub async fn start_on(files: Arc<dyn Files>, dir: &std::path::Path, overrides: &[&str]) -> Self {
        let world = World { files, clock: Arc::new(RealClock::default()), chance: Arc::new(RealChance) };
        Self::start_in(world, dir, overrides).await
    }

    /// Starts a node on files, a clock and chance of the test's.
    pub async fn start_in(world: World, dir: &std::path::Path, overrides: &[&str]) -> Self {
        Self::try_start_in(world, dir, overrides).await.expect("the node starts")
    }

    /// Starts a node on files of the test's, if it can.
    pub async fn try_start_on(
        files: Arc<dyn Files>,
        dir: &std::path::Path,
        overrides: &[&str],
    ) -> Result<Self, RunError> {
        let world = World { files, clock: Arc::new(RealClock::default()), chance: Arc::new(RealChance) };
        Self::try_start_in(world, dir, overrides).await
    }

    async fn try_start_in(world: World, dir: &std::path::Path, overrides: &[&str]) -> Result<Self, RunError> {
        let options = options(dir, overrides);
        let config = Arc::new(server::configuration(&options).expect("the overrides are valid"));
        let (node, controller) = start_in(world, config, &options).await?;
        let address_of = |name: &str| {
            node.addresses().iter().find(|(listener, _)| listener == name).expect("it listens").1
        };
        let (address, controller_address) = (address_of("PLAINTEXT"), address_of("CONTROLLER"));
        Ok(Self { node, controller, address, controller_address })
    }

    /// Waits until something fails without which the node cannot go on; tells what.
    pub async fn failure(&self) -> String {
        let mut failure = self.node.broker().essential.failure();
        let told = tokio::time::timeout(Duration::from_secs(60), failure.wait_for(Option::is_some)).await;
        told.expect("something fails within 60 s").expect("the node lives").clone().unwrap_or_default()
    }

    /// Stops cleanly.
    pub async fn stop(self) {
        stop_controller(self.stop_broker().await).await;
    }

    /// Stops the broker role alone; returns the controller, which goes on.
    pub async fn stop_broker(self) -> Arc<ControllerService> {
        self.node.stop().await;
        self.controller
    }

    /// Where the listener called `name` is.
    pub fn address_of(&self, name: &str) -> SocketAddr {
        self.node.addresses().iter().find(|(listener, _)| listener == name).expect("it listens").1
    }

    /// Connects a client.
    pub async fn client(&self) -> Client {
        Client::connect(self.address).await
    }
}

/// Stops the controller role.
pub async fn stop_controller(controller: Arc<ControllerService>) {
    tokio::task::spawn_blocking(move || controller.stop()).await.expect("the controller stops");
}

/// What a node in `dir` is told, with these overrides.
pub fn options(dir: &std::path::Path, overrides: &[&str]) -> RunOptions {
    let listeners = "listeners=PLAINTEXT://localhost:0,CONTROLLER://localhost:0";
    let mut all = vec![
        format!("log.dirs={}", dir.join("data").display()),
        listeners.to_owned(),
        "controller.quorum.voters=1@localhost:9093".to_owned(),
        "group.initial.rebalance.delay.ms=0".to_owned(),
        "offsets.topic.num.partitions=4".to_owned(),
    ];
    all.extend(overrides.iter().map(|text| (*text).to_owned()));
    RunOptions { overrides: all, ..Default::default() }
}

/// The real world.
pub fn real_world() -> World {
    World { files: Arc::new(RealFiles), clock: Arc::new(RealClock::default()), chance: Arc::new(RealChance) }
}

/// A client that does as it is told.
pub struct Client {
    /// The connection.
    pub socket: TcpStream,
    correlation_id: i32,
}

impl Client {
    /// Connects to `address`.
    pub async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.expect("the node listens");
        Self { socket, correlation_id: 0 }
    }

    /// Sends a request and returns its response.
    pub async fn ask<R: Request>(&mut self, request: R, version: i16) -> R::Response {
        self.send(request, version).await;
        self.receive::<R>(version).await
    }

    /// Sends a request.
    pub async fn send<R: Request>(&mut self, request: R, version: i16) {
        self.correlation_id += 1;
        let mut out = Writer::new();
        encode_request_header(&mut out, R::API, version, self.correlation_id, Some("test")).unwrap();
        request
            .encode(&mut out, version)
            .unwrap_or_else(|error| panic!("{} v{version}: {error}", R::API.name()));
        self.send_frame(&out.into_bytes().unwrap()).await;
    }

    /// Sends a frame's bytes with their length before them.
    pub async fn send_frame(&mut self, body: &[u8]) {
        let mut frame = BytesMut::with_capacity(body.len() + 4);
        frame.put_i32(body.len() as i32);
        frame.put_slice(body);
        self.socket.write_all(&frame).await.expect("the node reads");
    }

    /// Returns the response to the last request.
    pub async fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        self.receive_before::<R>(version, 0).await
    }

    /// Returns the response to the request that `others` were sent after.
    pub async fn receive_before<R: Request>(&mut self, version: i16, others: i32) -> R::Response {
        let frame = self.receive_frame().await.expect("the node answers");
        let mut input = Reader::new(frame);
        let correlation_id = decode_response_header(&mut input, R::API, version).unwrap();
        assert_eq!(correlation_id, self.correlation_id - others);
        let response = R::Response::decode(&mut input, version).unwrap();
        assert_eq!(input.remaining(), 0, "bytes are left over");
        response
    }

    /// Returns the next frame; none if the node closed the connection.
    pub async fn receive_frame(&mut self) -> Option<Bytes> {
        let read = async {
            let size = self.socket.read_i32().await.ok()?;
            let mut body = vec![0; size as usize];
            self.socket.read_exact(&mut body).await.ok()?;
            Some(Bytes::from(body))
        };
        tokio::time::timeout(Duration::from_secs(30), read).await.expect("an answer or an end within 30 s")
    }

    /// Tells whether the node closes the connection without a word.
    pub async fn is_closed(&mut self) -> bool {
        self.receive_frame().await.is_none()
    }

    /// Creates a topic and waits until clients are told of its leaders.
    pub async fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        use protocol::create_topics_request::{CreatableTopic, CreatableTopicConfig};
        let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
            ..Default::default()
        };
        let topic = CreatableTopic {
            name: name.to_owned(),
            num_partitions: partitions,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        let request =
            protocol::CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
        let response = self.ask(request, 7).await;
        assert_eq!(response.topics[0].error_code, ErrorCode::NONE, "{:?}", response.topics[0].error_message);
        self.wait_for_topic(name).await;
    }

    /// Waits until clients are told of all leaders of a topic; returns its id.
    pub async fn wait_for_topic(&mut self, name: &str) -> model::Uuid {
        loop {
            let topic = self.metadata_of(name).await;
            let led = topic.partitions.iter().all(|partition| partition.leader_id >= 0);
            if topic.error_code.is_none() && led {
                return topic.topic_id;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn metadata_of(&mut self, name: &str) -> protocol::metadata_response::MetadataResponseTopic {
        use protocol::metadata_request::MetadataRequestTopic;
        let topic = MetadataRequestTopic { name: Some(name.to_owned()), ..Default::default() };
        let request = protocol::MetadataRequest {
            topics: Some(vec![topic]),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        self.ask(request, 12).await.topics.remove(0)
    }

    /// Produces `records` to a partition; returns the partition's part of the response.
    pub async fn produce(
        &mut self,
        topic: &str,
        partition: i32,
        records: impl Into<Bytes>,
    ) -> protocol::produce_response::PartitionProduceResponse {
        let request = produce_request(topic, partition, records.into(), -1);
        self.ask(request, 12).await.responses.remove(0).partition_responses.remove(0)
    }

    /// Fetches a partition from `offset` on, waiting up to `wait_ms` for one byte.
    pub async fn fetch(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
        wait_ms: i32,
    ) -> protocol::fetch_response::PartitionData {
        let request = fetch_request(topic, partition, offset, wait_ms);
        self.ask(request, 12).await.responses.remove(0).partitions.remove(0)
    }
}

/// What Prometheus reads of a node that has `monedula.metrics.listener`.
pub async fn metrics_page(node: &TestNode) -> String {
    let mut socket = TcpStream::connect(node.address_of("metrics")).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let mut page = String::new();
    socket.read_to_string(&mut page).await.unwrap();
    page
}

/// A Produce request for one partition.
pub fn produce_request(topic: &str, partition: i32, records: Bytes, acks: i16) -> protocol::ProduceRequest {
    use protocol::produce_request::{PartitionProduceData, TopicProduceData};
    let data = PartitionProduceData {
        index: partition,
        records: Some(Records::Bytes(records)),
        ..Default::default()
    };
    let topic = TopicProduceData { name: topic.to_owned(), partition_data: vec![data], ..Default::default() };
    protocol::ProduceRequest { acks, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() }
}

/// A Fetch request for one partition, without a session.
pub fn fetch_request(topic: &str, partition: i32, offset: i64, wait_ms: i32) -> protocol::FetchRequest {
    use protocol::fetch_request::{FetchPartition, FetchTopic};
    let asked = FetchPartition {
        partition,
        fetch_offset: offset,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let topic = FetchTopic { topic: topic.to_owned(), partitions: vec![asked], ..Default::default() };
    protocol::FetchRequest {
        replica_id: -1,
        max_wait_ms: wait_ms,
        min_bytes: 1,
        max_bytes: 50 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    }
}

/// A batch of records with these values.
pub fn batch(values: &[&str]) -> Bytes {
    batch_with(BatchOptions::default(), values)
}

/// A batch of one record of `time_ms`.
pub fn batch_at(time_ms: i64, value: &str) -> Bytes {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.append(model::Timestamp(time_ms), None, Some(value.as_bytes()), &[]).unwrap();
    builder.build().unwrap()
}

/// The time now: records of long ago would fall to retention.
pub fn now_ms() -> i64 {
    RealClock::default().wall_ms()
}

/// A batch of records with these values and options.
pub fn batch_with(options: BatchOptions, values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(options);
    let now = model::Timestamp(now_ms());
    for value in values {
        builder.append(now, None, Some(value.as_bytes()), &[]).unwrap();
    }
    builder.build().unwrap()
}

/// The values of the records of a fetched partition, with their offsets.
pub fn values(records: &Option<Records>) -> Vec<(i64, String)> {
    let bytes = records.as_ref().map(|records| records.read().unwrap()).unwrap_or_default();
    let mut values = Vec::new();
    for batch in records::batches(bytes) {
        let decoded = batch.unwrap().decode(usize::MAX).unwrap();
        for record in decoded.iter() {
            let record = record.unwrap();
            let value = record.value.map(|value| String::from_utf8_lossy(value).into_owned());
            values.push((record.offset.0, value.unwrap_or_default()));
        }
    }
    values
}
