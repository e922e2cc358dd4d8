//! What transcripts say of answers and records.

use std::fmt::Write;

use super::*;

pub(super) fn answer(out: &mut String, response: &ResponseBody) {
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
pub(super) fn fields(record: &MetadataRecord) -> String {
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
