//! The thread that owns the machine: decide, append, sync, publish, answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::controller::Controller;
use ::machine::{Machine, Now, Ticket};
use metadata::{MetadataImage, record_version};
use model::{Offset, Timestamp};
use protocol::{MetadataRecord, ResponseBody};
use raft::{Action, Quorum, QuorumConfig, encode_control_batch, encode_metadata_batches};
use tokio::sync::{mpsc, oneshot, watch};

use super::loader::{Loaded, check, committed, provenance};
use super::metadata_log::MetadataLog;
use super::snapshots::SnapshotWriter;
use super::{
    Command, ControllerError, ControllerOptions, ControllerService, EventQueueMetrics, registration,
};

/// The most requests that one sync serves.
const BATCH_REQUESTS: usize = 1000;

struct Worker {
    machine: Controller,
    quorum: Arc<Mutex<Quorum>>,
    log: Arc<MetadataLog>,
    options: Arc<ControllerOptions>,
    snapshots: SnapshotWriter,
    image: watch::Sender<Arc<MetadataImage>>,
    log_end: watch::Sender<Offset>,
    unanswered: Vec<(oneshot::Sender<ResponseBody>, ResponseBody)>,
    /// Since when something is appended and not synced.
    unsynced: Option<Duration>,
    metrics: Arc<EventQueueMetrics>,
}

/// Makes this node the leader and starts its thread.
pub(super) fn start(
    options: Arc<ControllerOptions>,
    log: Arc<MetadataLog>,
    loaded: Loaded,
) -> Result<Arc<ControllerService>, ControllerError> {
    let mut worker = Worker::new(
        &options,
        &log,
        &loaded.election,
        loaded.machine,
        loaded.history,
        SnapshotWriter::new(now(&log), loaded.snapshot_end, loaded.bytes_after_snapshot),
    );
    let began = worker.now().monotonic;
    worker.lead()?;
    worker.metrics.election_times.observe(worker.now().monotonic.saturating_sub(began));
    worker.activate(&loaded.bootstrap)?;
    worker.commit()?;
    let (commands, received) = mpsc::unbounded_channel();
    let (failure, failed) = watch::channel(None);
    let (stop, stopped) = watch::channel(false);
    let service = ControllerService {
        commands,
        image: worker.image.subscribe(),
        log_end: worker.log_end.subscribe(),
        failure: failed,
        quorum: worker.quorum.clone(),
        metrics: worker.metrics.clone(),
        log,
        thread: Mutex::new(None),
        stop,
        directory_id: worker.options.directory_id,
        contacts: Mutex::default(),
        started: worker.now().monotonic,
    };
    let run = move || {
        if let Err(error) = worker.run(received, stopped) {
            tracing::error!("the controller stops: {error}");
            failure.send_replace(Some(error.to_string()));
        }
    };
    let thread = std::thread::Builder::new().name("controller".to_owned()).spawn(run);
    *service.thread.lock().expect("no holder panics") = Some(thread.map_err(ControllerError::Thread)?);
    Ok(Arc::new(service))
}

fn now(log: &MetadataLog) -> Now {
    Now { monotonic: log.clock().monotonic(), wall: Timestamp(log.clock().wall_ms()) }
}

impl Worker {
    fn new(
        options: &Arc<ControllerOptions>,
        log: &Arc<MetadataLog>,
        election: &raft::ElectionState,
        machine: Controller,
        history: raft::VoterHistory,
        snapshots: SnapshotWriter,
    ) -> Self {
        let config = QuorumConfig {
            local: raft::ReplicaKey { id: options.node_id(), directory_id: Some(options.directory_id) },
            cluster_id: options.machine.cluster_id.clone(),
            endpoints: options.endpoints.iter().map(|(endpoint, _)| endpoint.clone()).collect(),
        };
        let end = log.log().log_end_offset();
        Self {
            quorum: Arc::new(Mutex::new(Quorum::new(config, history, election, end, log.last_epoch()))),
            image: watch::Sender::new(Arc::new(committed(&machine))),
            log_end: watch::Sender::new(end),
            machine,
            log: log.clone(),
            options: options.clone(),
            snapshots,
            unanswered: Vec::new(),
            unsynced: None,
            metrics: Arc::default(),
        }
    }

    fn now(&self) -> Now {
        now(&self.log)
    }

    fn quorum(&self) -> std::sync::MutexGuard<'_, Quorum> {
        self.quorum.lock().expect("no holder panics")
    }

    fn lead(&mut self) -> Result<(), ControllerError> {
        let actions = self.quorum().start()?;
        for action in actions {
            match action {
                Action::Persist(state) => {
                    let kraft_version = self.quorum().history().last_kraft_version();
                    self.log.write_election(&state, kraft_version)?;
                }
                Action::Append(records) => self.append_control(&records)?,
            }
        }
        Ok(())
    }

    fn append_control(&mut self, records: &[records::ControlRecord]) -> Result<(), ControllerError> {
        let now = self.now();
        let base = self.log.log().log_end_offset();
        let epoch = self.quorum().epoch();
        let end = self.log.append(encode_control_batch(records, base, epoch, now.wall)?, epoch)?;
        let mut quorum = self.quorum();
        for (offset, record) in (base.0..).zip(records) {
            quorum.observe(Offset(offset), record);
        }
        quorum.appended(end);
        drop(quorum);
        self.machine.set_next_offset(end);
        self.machine.set_provenance(provenance(end.plus(-1), epoch, now.wall));
        self.metrics.appended(records.len());
        self.unsynced.get_or_insert(now.monotonic);
        Ok(())
    }

    fn activate(&mut self, bootstrap: &[MetadataRecord]) -> Result<(), ControllerError> {
        let kraft_version = self.quorum().history().last_kraft_version();
        self.machine.set_kraft_version(kraft_version);
        let records = self.machine.activation_records(bootstrap);
        self.append(records)?;
        self.machine.activate(self.now());
        let request = registration::of_controller(&self.options);
        if registration::is_needed(&self.options, self.machine.image()) {
            let now = self.now();
            let outcome = self.machine.handle(now, Ticket(0), request);
            self.append(outcome.records)?;
        }
        Ok(())
    }

    /// Appends what was decided and applies it; it is not committed yet.
    fn append(&mut self, records: Vec<MetadataRecord>) -> Result<(), ControllerError> {
        if records.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let base = self.log.log().log_end_offset();
        let epoch = self.quorum().epoch();
        let version = self.machine.image().features().metadata_version();
        let versioned = records.iter().map(|record| (record, record_version(record, version)));
        let (batches, end) = encode_metadata_batches(versioned, base, epoch, now.wall)?;
        for batch in batches {
            self.snapshots.appended(batch.len());
            self.log.append(batch, epoch)?;
        }
        self.metrics.appended(records.len());
        self.unsynced.get_or_insert(now.monotonic);
        self.quorum().appended(end);
        self.machine.set_next_offset(base);
        for record in records {
            self.machine.replay(record);
        }
        check(&self.machine, end)?;
        self.machine.set_provenance(provenance(end.plus(-1), epoch, now.wall));
        Ok(())
    }

    /// Makes all that was appended durable, publishes it, and answers.
    fn commit(&mut self) -> Result<(), ControllerError> {
        if let Some(since) = self.unsynced.take() {
            let synced = self.log.sync()?;
            self.quorum().synced(synced);
            self.metrics.commit_times.observe(self.now().monotonic.saturating_sub(since));
            self.image.send_replace(Arc::new(committed(&self.machine)));
            self.log_end.send_replace(synced);
        }
        for (answer, response) in self.unanswered.drain(..) {
            // Whoever asked may have gone meanwhile.
            let _ = answer.send(response);
        }
        Ok(())
    }

    fn run(
        mut self,
        commands: mpsc::UnboundedReceiver<Command>,
        stopped: watch::Receiver<bool>,
    ) -> Result<(), ControllerError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(ControllerError::Thread)?;
        let outcome = self.serve(&runtime, commands, stopped);
        self.snapshots.finish();
        outcome?;
        Ok(self.log.log().close()?)
    }

    fn serve(
        &mut self,
        runtime: &tokio::runtime::Runtime,
        mut commands: mpsc::UnboundedReceiver<Command>,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<(), ControllerError> {
        let mut waiting = Vec::new();
        loop {
            let began = self.now().monotonic;
            let due = self.machine.poll_timeout().map(|at| at.saturating_sub(began));
            let stop = runtime.block_on(next(&mut commands, &mut stopped, &mut waiting, due));
            self.metrics.idled(self.now().monotonic.saturating_sub(began));
            self.decide(&mut waiting)?;
            if stop {
                return self.commit();
            }
            let now = self.now();
            if self.machine.poll_timeout().is_some_and(|at| at <= now.monotonic) {
                let outcome = self.machine.handle_timeout(now);
                self.append(outcome.records)?;
            }
            self.commit()?;
            let image = self.image.borrow().clone();
            let history = || self.quorum.lock().expect("no holder panics").history().clone();
            self.snapshots.tend(&self.options, &self.log, &image, history, now);
        }
    }

    fn decide(&mut self, waiting: &mut Vec<Command>) -> Result<(), ControllerError> {
        for command in waiting.drain(..) {
            let now = self.now();
            self.metrics.queue_times.observe(now.monotonic.saturating_sub(command.asked));
            let outcome = self.machine.handle(now, Ticket(0), command.request);
            self.append(outcome.records)?;
            let took = self.now().monotonic.saturating_sub(now.monotonic);
            self.metrics.processing_times.observe(took);
            let mut answers = outcome.answers.into_iter().map(|(_, response)| response);
            self.unanswered.extend(answers.next().map(|response| (command.answer, response)));
        }
        Ok(())
    }
}

/// Waits for requests, for `due`, or for the stop; tells whether to stop.
async fn next(
    commands: &mut mpsc::UnboundedReceiver<Command>,
    stopped: &mut watch::Receiver<bool>,
    waiting: &mut Vec<Command>,
    due: Option<Duration>,
) -> bool {
    let sleep = tokio::time::sleep(due.unwrap_or(Duration::from_secs(3600)));
    tokio::select! {
        biased;
        count = commands.recv_many(waiting, BATCH_REQUESTS) => count == 0,
        _ = stopped.wait_for(|stop| *stop) => true,
        () = sleep => false,
    }
}
