//! Transcripts: `testdata/*.txt` say what is asked, and below `----` what the controller answers and writes.
//!
//! `UPDATE_TRANSCRIPTS=1 cargo test -p controller` writes the answers anew; read the difference before committing it.

#![allow(clippy::disallowed_methods, reason = "tests read and rewrite their transcripts")]

mod large_requests;

use std::fmt::Write;
use std::time::Duration;

use metadata::bootstrap_records;
use model::{Timestamp, Uuid};
use protocol::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use protocol::alter_partition_request::{BrokerState, PartitionData, TopicData};
use protocol::broker_registration_request::Feature;
use protocol::create_partitions_request::CreatePartitionsTopic;
use protocol::create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig};
use protocol::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::update_features_request::FeatureUpdateKey;
use protocol::*;

use super::*;

struct Transcript {
    controller: Controller,
    now: Duration,
}

impl Transcript {
    fn new() -> Self {
        let config = ControllerConfig {
            cluster_id: "cluster".to_owned(),
            node_id: NodeId(100),
            max_idle_interval: None,
            seed: 1,
            ..ControllerConfig::default()
        };
        let mut this = Self { controller: Controller::new(config), now: Duration::ZERO };
        let bootstrap =
            bootstrap_records(metadata::MetadataVersion::LATEST, &BTreeMap::new()).expect("defaults");
        let records = this.controller.activation_records(&bootstrap);
        this.replay(records);
        this.controller.activate(this.now());
        this
    }

    fn now(&self) -> Now {
        Now { monotonic: self.now, wall: Timestamp(0) }
    }

    fn replay(&mut self, records: Vec<MetadataRecord>) {
        for record in records {
            self.controller.replay(record);
        }
        assert_eq!(self.controller.failure(), None);
    }

    fn ask(&mut self, request: impl Into<ControllerRequest>) -> String {
        let now = self.now();
        let outcome = self.controller.handle(now, Ticket(0), request.into());
        let mut out = String::new();
        for (_, response) in &outcome.answers {
            answer(&mut out, response);
        }
        self.write(out, outcome.records)
    }

    fn write(&mut self, mut out: String, records: Vec<MetadataRecord>) -> String {
        for record in &records {
            let name = record.name();
            writeln!(out, "  {name} {}", fields(record)).expect("a string takes all");
        }
        self.replay(records);
        out
    }

    fn epoch(&self, broker: i32) -> i64 {
        self.controller.broker(NodeId(broker)).map_or(-1, |broker| broker.epoch)
    }

    fn run(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| word.parse::<i32>().expect("a number");
        let ids =
            |word: &str| -> Vec<i32> { word.split(',').filter(|id| !id.is_empty()).map(number).collect() };
        match words.as_slice() {
            ["register", id, incarnation, previous] => {
                self.register(number(id), number(incarnation), number(previous))
            }
            ["heartbeat", id, wants @ ..] => self.heartbeat(number(id), wants),
            ["unregister", id] => {
                self.ask(UnregisterBrokerRequest { broker_id: number(id), ..Default::default() })
            }
            ["create", name, partitions, replicas, configs @ ..] => {
                let config = |text: &&str| {
                    let (name, value) = text.split_once('=').expect("key=value");
                    CreatableTopicConfig {
                        name: name.into(),
                        value: Some(value.into()),
                        ..Default::default()
                    }
                };
                self.create(CreatableTopic {
                    name: (*name).to_owned(),
                    num_partitions: number(partitions),
                    replication_factor: number(replicas) as i16,
                    configs: configs.iter().map(config).collect(),
                    ..Default::default()
                })
            }
            ["create-on", name, assignments @ ..] => {
                let assignment = |text: &&str| {
                    let (index, brokers) = text.split_once('=').expect("partition=brokers");
                    let (partition_index, broker_ids) = (number(index), ids(brokers));
                    CreatableReplicaAssignment { partition_index, broker_ids, ..Default::default() }
                };
                self.create(CreatableTopic {
                    name: (*name).to_owned(),
                    num_partitions: -1,
                    replication_factor: -1,
                    assignments: assignments.iter().map(assignment).collect(),
                    ..Default::default()
                })
            }
            ["grow", name, count] => {
                let topic = CreatePartitionsTopic {
                    name: (*name).to_owned(),
                    count: number(count),
                    assignments: None,
                    ..Default::default()
                };
                self.ask(CreatePartitionsRequest { topics: vec![topic], ..Default::default() })
            }
            ["delete", names @ ..] => {
                let topic_names = names.iter().map(|name| (*name).to_owned()).collect();
                self.ask(DeleteTopicsRequest { topic_names, ..Default::default() })
            }
            ["config", kind, name, operation, key, value @ ..] => {
                let config = AlterableConfig {
                    name: (*key).to_owned(),
                    config_operation: ["set", "delete", "append", "subtract"]
                        .iter()
                        .position(|known| known == operation)
                        .expect("an operation") as i8,
                    value: value.first().map(|value| (*value).to_owned()),
                    ..Default::default()
                };
                let resource = AlterConfigsResource {
                    resource_type: number(kind) as i8,
                    resource_name: name.trim_matches('\'').to_owned(),
                    configs: vec![config],
                    ..Default::default()
                };
                self.ask(IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() })
            }
            ["elect", kind, topic, partition] => {
                let partitions = elect_leaders_request::TopicPartitions {
                    topic: (*topic).to_owned(),
                    partitions: vec![number(partition)],
                    ..Default::default()
                };
                self.ask(ElectLeadersRequest {
                    election_type: i8::from(*kind == "unclean"),
                    topic_partitions: Some(vec![partitions]),
                    ..Default::default()
                })
            }
            ["isr", broker, topic, partition, leader_epoch, partition_epoch, isr] => {
                let state = |id: i32| BrokerState { broker_id: id, broker_epoch: -1, ..Default::default() };
                let data = PartitionData {
                    partition_index: number(partition),
                    leader_epoch: number(leader_epoch),
                    partition_epoch: number(partition_epoch),
                    new_isr_with_epochs: ids(isr).into_iter().map(state).collect(),
                    ..Default::default()
                };
                let topic_id = self.controller.image().topics().id_of(topic).unwrap_or(Uuid::ZERO);
                self.ask(AlterPartitionRequest {
                    broker_id: number(broker),
                    broker_epoch: self.epoch(number(broker)),
                    topics: vec![TopicData { topic_id, partitions: vec![data], ..Default::default() }],
                    ..Default::default()
                })
            }
            ["reassign", topic, partition, replicas] => {
                let target = ReassignablePartition {
                    partition_index: number(partition),
                    replicas: (*replicas != "cancel").then(|| ids(replicas)),
                    ..Default::default()
                };
                let topic = ReassignableTopic {
                    name: (*topic).to_owned(),
                    partitions: vec![target],
                    ..Default::default()
                };
                self.ask(AlterPartitionReassignmentsRequest { topics: vec![topic], ..Default::default() })
            }
            ["reassignments"] => {
                self.ask(ListPartitionReassignmentsRequest { topics: None, ..Default::default() })
            }
            ["feature", name, level, upgrade_type] => {
                let update = FeatureUpdateKey {
                    feature: (*name).to_owned(),
                    max_version_level: number(level) as i16,
                    upgrade_type: number(upgrade_type) as i8,
                    ..Default::default()
                };
                self.ask(UpdateFeaturesRequest { feature_updates: vec![update], ..Default::default() })
            }
            ["scram", "set", user, mechanism, iterations] => {
                let upsertion = alter_user_scram_credentials_request::ScramCredentialUpsertion {
                    name: user.trim_matches('\'').to_owned(),
                    mechanism: number(mechanism) as i8,
                    iterations: number(iterations),
                    salt: "salt".into(),
                    salted_password: "salted".into(),
                    ..Default::default()
                };
                let upsertions = vec![upsertion];
                self.ask(AlterUserScramCredentialsRequest { upsertions, ..Default::default() })
            }
            ["scram", "delete", user, mechanism] => {
                let deletion = alter_user_scram_credentials_request::ScramCredentialDeletion {
                    name: (*user).to_owned(),
                    mechanism: number(mechanism) as i8,
                    ..Default::default()
                };
                let deletions = vec![deletion];
                self.ask(AlterUserScramCredentialsRequest { deletions, ..Default::default() })
            }
            ["quota", entity, key, value] => {
                let part = |text: &str| {
                    let (kind, name) = text.split_once('=').expect("type=name");
                    alter_client_quotas_request::EntityData {
                        entity_type: kind.to_owned(),
                        entity_name: (name != "<default>").then(|| name.to_owned()),
                        ..Default::default()
                    }
                };
                let op = alter_client_quotas_request::OpData {
                    key: (*key).to_owned(),
                    value: value.parse().unwrap_or_default(),
                    remove: *value == "none",
                    ..Default::default()
                };
                let entry = alter_client_quotas_request::EntryData {
                    entity: entity.split(',').map(part).collect(),
                    ops: vec![op],
                    ..Default::default()
                };
                self.ask(AlterClientQuotasRequest { entries: vec![entry], ..Default::default() })
            }
            ["producer-ids", broker] => {
                let (broker_id, broker_epoch) = (number(broker), self.epoch(number(broker)));
                self.ask(AllocateProducerIdsRequest { broker_id, broker_epoch, ..Default::default() })
            }
            ["advance", millis] => {
                self.now += Duration::from_millis(number(millis) as u64);
                let now = self.now();
                let outcome = self.controller.handle_timeout(now);
                self.write(String::new(), outcome.records)
            }
            other => panic!("{other:?} is no command"),
        }
    }

    fn create(&mut self, topic: CreatableTopic) -> String {
        self.ask(CreateTopicsRequest { topics: vec![topic], ..Default::default() })
    }

    fn register(&mut self, id: i32, incarnation: i32, previous: i32) -> String {
        let features = self.controller.config.supported_features.iter().map(|(name, range)| Feature {
            name: name.clone(),
            min_supported_version: range.min,
            max_supported_version: range.max,
            ..Default::default()
        });
        let features = features.collect();
        self.ask(BrokerRegistrationRequest {
            broker_id: id,
            cluster_id: "cluster".to_owned(),
            incarnation_id: Uuid::from_u128(1000 + incarnation as u128),
            features,
            log_dirs: vec![Uuid::from_u128(500 + id as u128)],
            previous_broker_epoch: previous.into(),
            ..Default::default()
        })
    }

    fn heartbeat(&mut self, id: i32, wants: &[&str]) -> String {
        self.ask(BrokerHeartbeatRequest {
            broker_id: id,
            broker_epoch: self.epoch(id),
            current_metadata_offset: self.controller.next_offset.0,
            want_fence: wants.contains(&"fence"),
            want_shut_down: wants.contains(&"stop"),
            offline_log_dirs: wants
                .contains(&"offline")
                .then(|| Uuid::from_u128(500 + id as u128))
                .into_iter()
                .collect(),
            ..Default::default()
        })
    }
}

fn answer(out: &mut String, response: &ResponseBody) {
    let mut line = |code: ErrorCode, message: Option<&str>, rest: String| {
        let message =
            message.filter(|message| !message.is_empty()).map(|m| format!(": {m}")).unwrap_or_default();
        writeln!(out, "{}{message}{rest}", code.name()).expect("a string takes all");
    };
    match response {
        ResponseBody::BrokerRegistration(r) => line(r.error_code, None, format!(" epoch={}", r.broker_epoch)),
        ResponseBody::BrokerHeartbeat(r) => {
            let rest = format!(
                " caught_up={} fenced={} shut_down={}",
                r.is_caught_up, r.is_fenced, r.should_shut_down
            );
            line(r.error_code, None, rest);
        }
        ResponseBody::UnregisterBroker(r) => line(r.error_code, r.error_message.as_deref(), String::new()),
        ResponseBody::CreateTopics(r) => {
            for topic in &r.topics {
                line(topic.error_code, topic.error_message.as_deref(), String::new());
            }
        }
        ResponseBody::CreatePartitions(r) => {
            for topic in &r.results {
                line(topic.error_code, topic.error_message.as_deref(), String::new());
            }
        }
        ResponseBody::DeleteTopics(r) => {
            for topic in &r.responses {
                line(topic.error_code, topic.error_message.as_deref(), format!(" {:?}", topic.name));
            }
        }
        ResponseBody::IncrementalAlterConfigs(r) => {
            for resource in &r.responses {
                line(resource.error_code, resource.error_message.as_deref(), String::new());
            }
        }
        ResponseBody::AlterUserScramCredentials(r) => {
            for user in &r.results {
                line(user.error_code, user.error_message.as_deref(), format!(" {}", user.user));
            }
        }
        ResponseBody::AlterClientQuotas(r) => {
            for entry in &r.entries {
                line(entry.error_code, entry.error_message.as_deref(), String::new());
            }
        }
        ResponseBody::ElectLeaders(r) => {
            for partition in r.replica_election_results.iter().flat_map(|topic| &topic.partition_result) {
                line(partition.error_code, partition.error_message.as_deref(), String::new());
            }
        }
        ResponseBody::AlterPartition(r) => {
            line(r.error_code, None, String::new());
            for p in r.topics.iter().flat_map(|topic| &topic.partitions) {
                let rest = format!(
                    " leader={} isr={:?} leader_epoch={} partition_epoch={}",
                    p.leader_id, p.isr, p.leader_epoch, p.partition_epoch
                );
                line(p.error_code, None, rest);
            }
        }
        ResponseBody::AlterPartitionReassignments(r) => {
            for partition in r.responses.iter().flat_map(|topic| &topic.partitions) {
                line(partition.error_code, partition.error_message.as_deref(), String::new());
            }
        }
        ResponseBody::ListPartitionReassignments(r) => {
            line(r.error_code, r.error_message.as_deref(), String::new());
            for (topic, p) in
                r.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |p| (topic, p)))
            {
                let (adding, removing) = (&p.adding_replicas, &p.removing_replicas);
                let rest = format!(
                    " {}-{} {:?} adding={adding:?} removing={removing:?}",
                    topic.name, p.partition_index, p.replicas
                );
                line(ErrorCode::NONE, None, rest);
            }
        }
        ResponseBody::UpdateFeatures(r) => line(r.error_code, r.error_message.as_deref(), String::new()),
        ResponseBody::AllocateProducerIds(r) => {
            line(r.error_code, None, format!(" {}+{}", r.producer_id_start, r.producer_id_len));
        }
        other => panic!("{other:?} is not written in transcripts"),
    }
}

/// The fields that matter, without ids that chance made.
fn fields(record: &MetadataRecord) -> String {
    match record {
        MetadataRecord::TopicRecord(r) => r.name.clone(),
        MetadataRecord::PartitionRecord(r) => format!(
            "{} replicas={:?} isr={:?} leader={} epoch={}",
            r.partition_id, r.replicas, r.isr, r.leader, r.leader_epoch
        ),
        MetadataRecord::PartitionChangeRecord(r) => partition_change(r),
        MetadataRecord::ConfigRecord(r) => {
            format!("{} '{}' {}={:?}", r.resource_type, r.resource_name, r.name, r.value)
        }
        MetadataRecord::UserScramCredentialRecord(r) => {
            format!("{} mechanism={} iterations={}", r.name, r.mechanism, r.iterations)
        }
        MetadataRecord::RemoveUserScramCredentialRecord(r) => {
            format!("{} mechanism={}", r.name, r.mechanism)
        }
        MetadataRecord::ClientQuotaRecord(r) => {
            let part = |part: &client_quota_record::EntityData| {
                format!("{}={}", part.entity_type, part.entity_name.as_deref().unwrap_or("<default>"))
            };
            let entity: Vec<_> = r.entity.iter().map(part).collect();
            format!("{} {}={} remove={}", entity.join(","), r.key, r.value, r.remove)
        }
        MetadataRecord::FeatureLevelRecord(r) => format!("{}={}", r.name, r.feature_level),
        MetadataRecord::RegisterBrokerRecord(r) => {
            format!("{} epoch={} fenced={}", r.broker_id, r.broker_epoch, r.fenced)
        }
        MetadataRecord::BrokerRegistrationChangeRecord(r) => format!(
            "{} fenced={} in_controlled_shutdown={} log_dirs={}",
            r.broker_id,
            r.fenced,
            r.in_controlled_shutdown,
            r.log_dirs.len()
        ),
        MetadataRecord::UnregisterBrokerRecord(r) => format!("{} epoch={}", r.broker_id, r.broker_epoch),
        MetadataRecord::ProducerIdsRecord(r) => format!("next={}", r.next_producer_id),
        MetadataRecord::ClearElrRecord(r) => format!("'{}'", r.topic_name),
        _ => String::new(),
    }
}

fn partition_change(r: &PartitionChangeRecord) -> String {
    let mut out = r.partition_id.to_string();
    let mut list = |name: &str, ids: &Option<Vec<i32>>| {
        if let Some(ids) = ids {
            write!(out, " {name}={ids:?}").expect("a string takes all");
        }
    };
    list("isr", &r.isr);
    list("replicas", &r.replicas);
    list("removing", &r.removing_replicas);
    list("adding", &r.adding_replicas);
    list("elr", &r.eligible_leader_replicas);
    list("last_known_elr", &r.last_known_elr);
    if r.leader != -2 {
        write!(out, " leader={}", r.leader).expect("a string takes all");
    }
    if r.leader_recovery_state != -1 {
        write!(out, " recovery={}", r.leader_recovery_state).expect("a string takes all");
    }
    out
}

fn check(name: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let text = std::fs::read_to_string(&path).expect("the transcript can be read");
    let mut transcript = Transcript::new();
    let mut written = String::new();
    for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        let commands = block.split("\n----").next().unwrap_or_default();
        let mut answers = String::new();
        for line in commands.lines().filter(|line| !line.starts_with('#')) {
            answers.push_str(&transcript.run(line));
        }
        write!(written, "{commands}\n----\n{answers}\n").expect("a string takes all");
    }
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        std::fs::write(&path, written.trim_end().to_owned() + "\n").expect("the transcript can be written");
        return;
    }
    assert_eq!(written.trim_end(), text.trim_end(), "{name} tells otherwise");
}

#[test]
fn topics_are_created_grown_and_deleted() {
    check("topics.txt");
}

#[test]
fn brokers_come_and_go_and_their_partitions_follow() {
    check("brokers.txt");
}

#[test]
fn configs_are_altered() {
    check("configs.txt");
}

#[test]
fn credentials_and_quotas_are_altered() {
    check("clients.txt");
}

#[test]
fn partitions_are_reassigned_and_isrs_altered() {
    check("partitions.txt");
}

#[test]
fn features_and_producer_ids_are_handed_out() {
    check("features.txt");
}
