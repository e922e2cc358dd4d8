//! The next producer id that the controller hands out.
//!
//! Kafka: `ProducerIdsImage`.

use model::ProducerId;
use protocol::{MetadataRecord, ProducerIdsRecord};

/// How far producer ids were handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdsImage {
    next_producer_id: ProducerId,
}

impl Default for ProducerIdsImage {
    fn default() -> Self {
        Self { next_producer_id: ProducerId::NONE }
    }
}

impl ProducerIdsImage {
    /// The first id of the next block; `None` while none was ever handed out.
    pub fn next_producer_id(&self) -> Option<ProducerId> {
        (self.next_producer_id != ProducerId::NONE).then_some(self.next_producer_id)
    }

    pub(crate) fn replay(&mut self, record: &ProducerIdsRecord) {
        self.next_producer_id = ProducerId(record.next_producer_id);
    }

    pub(crate) fn to_records(self, records: &mut Vec<MetadataRecord>) {
        records.extend(self.next_producer_id().map(|next| {
            MetadataRecord::ProducerIdsRecord(ProducerIdsRecord {
                broker_id: -1,
                broker_epoch: -1,
                next_producer_id: next.0,
                ..Default::default()
            })
        }));
    }
}
