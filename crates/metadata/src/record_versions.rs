//! At which version each metadata record is written: the lowest that holds its content at the cluster's level.

use protocol::{BrokerRegistrationChangeRecord, MetadataRecord};

use crate::MetadataVersion;

/// Returns the version at which `record` is written in a cluster at `version`.
pub fn record_version(record: &MetadataRecord, version: MetadataVersion) -> i16 {
    match record {
        MetadataRecord::RegisterBrokerRecord(_) => version.register_broker_record_version(),
        MetadataRecord::PartitionRecord(_) | MetadataRecord::PartitionChangeRecord(_) => {
            version.partition_record_version()
        }
        MetadataRecord::BrokerRegistrationChangeRecord(change) => broker_registration_change_version(change),
        _ => 0,
    }
}

fn broker_registration_change_version(change: &BrokerRegistrationChangeRecord) -> i16 {
    match change {
        _ if change.cordoned_log_dirs.is_some() => 3,
        _ if !change.log_dirs.is_empty() => 2,
        _ if change.in_controlled_shutdown != 0 => 1,
        _ => 0,
    }
}
