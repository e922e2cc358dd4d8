//! Group records to entries of the log, and back.

use coordinators::group::{GroupRecord, Producer};

use crate::batches::{BatchProducer, EntryError, LogEntry, LogRecord};

impl LogRecord for GroupRecord {
    fn to_entry(&self) -> Result<LogEntry, EntryError> {
        if let Self::EndTransaction { producer, coordinator_epoch, commit } = self {
            let producer = BatchProducer { id: producer.id, epoch: producer.epoch };
            return Ok(LogEntry::EndTransaction {
                producer,
                coordinator_epoch: *coordinator_epoch,
                commit: *commit,
            });
        }
        let producer = match self {
            Self::Offset { producer: Some(producer), .. } => {
                Some(BatchProducer { id: producer.id, epoch: producer.epoch })
            }
            _ => None,
        };
        let encoded = self.encode()?;
        Ok(LogEntry::Data { key: Some(encoded.key), value: encoded.value, producer })
    }

    fn from_entry(entry: LogEntry) -> Result<Option<Self>, EntryError> {
        let own = |producer: BatchProducer| Producer { id: producer.id, epoch: producer.epoch };
        match entry {
            LogEntry::Data { key, value, producer } => Ok(Self::decode(key, value, producer.map(own))?),
            LogEntry::EndTransaction { producer, coordinator_epoch, commit } => {
                Ok(Some(Self::EndTransaction { producer: own(producer), coordinator_epoch, commit }))
            }
        }
    }
}
