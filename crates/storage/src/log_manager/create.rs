//! Making and deleting logs.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard};

use config::LogConfig;
use model::{Offset, TopicPartition, Uuid};

use super::LogManager;
use crate::log_dirs::LogDir;
use crate::names::{DELETE_DIR_SUFFIX, FUTURE_DIR_SUFFIX};
use crate::{LoadOptions, StorageError, UnifiedLog};

/// For how many partitions that are not here yet a dir is remembered: whoever asks for one says how they are called.
const PREFERRED_MAX: usize = 100_000;

impl LogManager {
    /// Returns a partition's log, made if it is not there: on `target_dir`, or the dir that was preferred for it, or the one with
    /// the fewest logs. Nothing is synced; the first acknowledged append does that. Fails if there is one of another topic id.
    pub fn get_or_create_log(
        &self,
        partition: &TopicPartition,
        topic_id: Option<Uuid>,
        target_dir: Option<Uuid>,
        config: Arc<LogConfig>,
    ) -> Result<Arc<UnifiedLog>, StorageError> {
        if let Some(log) = self.get_log(partition) {
            if let Some(topic_id) = topic_id {
                log.assign_topic_id(topic_id)?;
            }
            return Ok(log);
        }
        let _change = self.changes.lock().expect("no holder panics");
        if let Some(log) = self.get_log(partition) {
            return Ok(log);
        }
        if self.gone().contains(partition) {
            // Else a start after a kill would take what the checkpoints say of the old log for the new one's.
            self.online_dirs().for_each(|dir| dir.note_changed());
            self.checkpoint();
        }
        let target_dir = target_dir.filter(|id| self.dir(*id).is_some());
        let preferred = self.preferred().get(partition).copied();
        let log =
            self.create(partition, topic_id, target_dir.or(preferred), config, partition.to_string())?;
        self.current_mut().insert(log.clone());
        self.preferred().remove(partition);
        Ok(log)
    }

    /// Remembers where the log of a partition that is not here yet is to be made, unless the controller then names a dir.
    /// Kafka: `LogManager.maybeUpdatePreferredLogDir`.
    pub fn prefer_dir(&self, partition: &TopicPartition, target_dir: Uuid) {
        let mut preferred = self.preferred();
        let has_room = preferred.len() < PREFERRED_MAX || preferred.contains_key(partition);
        if has_room && self.get_log(partition).is_none() {
            preferred.insert(partition.clone(), target_dir);
        }
    }

    fn preferred(&self) -> MutexGuard<'_, BTreeMap<TopicPartition, Uuid>> {
        self.preferred.lock().expect("no holder panics")
    }

    /// Makes the log to which a partition moves on another log dir; none if the partition was deleted meanwhile.
    pub(super) fn create_future_log(
        &self,
        current: &Arc<UnifiedLog>,
        target_dir: Uuid,
    ) -> Result<Option<Arc<UnifiedLog>>, StorageError> {
        let _change = self.changes.lock().expect("no holder panics");
        let partition = current.topic_partition();
        if !self.get_log(partition).is_some_and(|found| Arc::ptr_eq(&found, current)) {
            return Ok(None);
        }
        if let Some(log) = self.get_future_log(partition) {
            return Ok(Some(log));
        }
        let name = self.marked_name(partition, FUTURE_DIR_SUFFIX);
        let log = self.create(partition, current.topic_id(), Some(target_dir), current.config(), name)?;
        self.future_mut().insert(log.clone());
        Ok(Some(log))
    }

    fn create(
        &self,
        partition: &TopicPartition,
        topic_id: Option<Uuid>,
        target_dir: Option<Uuid>,
        config: Arc<LogConfig>,
        folder_name: String,
    ) -> Result<Arc<UnifiedLog>, StorageError> {
        let dir = self.choose_dir(target_dir)?;
        let folder = dir.path().join(folder_name);
        let options = LoadOptions {
            partition: partition.clone(),
            folder,
            dir,
            config,
            topic_id,
            had_clean_shutdown: true,
            recovery_point: Offset(0),
            producerless: true,
            log_start: Offset(0),
        };
        UnifiedLog::load(&self.environment, options)
    }

    /// Kafka: `LogManager.nextLogDirs`.
    fn choose_dir(&self, target: Option<Uuid>) -> Result<Arc<LogDir>, StorageError> {
        if let Some(dir) = target.and_then(|id| self.dir(id)) {
            dir.check()?;
            return Ok(dir.clone());
        }
        self.check_any_online()?;
        let logs = self.current();
        let count = |dir: &Arc<LogDir>| logs.values().filter(|log| Arc::ptr_eq(log.dir(), dir)).count();
        let only = self.dirs.len() == 1;
        // The controller puts nothing on a broker whose dirs are all cordoned; should it come to that, any dir will do.
        let chosen =
            self.online_dirs().min_by_key(|dir| (dir.is_cordoned(), if only { 0 } else { count(dir) }));
        Ok(chosen.expect("one is online").clone())
    }

    /// Deletes a partition's log: its folder is renamed now and removed after `file.delete.delay.ms`.
    pub fn delete_log(&self, partition: &TopicPartition) -> Result<(), StorageError> {
        self.abort_future_log(partition)?;
        let _change = self.changes.lock().expect("no holder panics");
        let removed = self.current_mut().remove(partition);
        removed.map_or(Ok(()), |log| self.put_away(&log))
    }

    /// Renames a log's folder so that it is no log any more, and plans its removal.
    pub(super) fn put_away(&self, log: &Arc<UnifiedLog>) -> Result<(), StorageError> {
        if log.dir().is_offline() {
            log.close_files();
            return Ok(());
        }
        log.refuse_appends();
        log.dir().note_changed();
        self.gone().insert(log.topic_partition().clone());
        let name = self.marked_name(log.topic_partition(), DELETE_DIR_SUFFIX);
        // Were the new name lost, the next start would find the log and be told that it should not be here.
        log.rename_folder(&name, false)?;
        log.close_files();
        log.plan_removal([log.folder().to_path_buf()]);
        tracing::info!(partition = %log.topic_partition(), folder = name, "put a log away");
        Ok(())
    }
}
