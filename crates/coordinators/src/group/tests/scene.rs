//! A group machine with a clock that is moved by hand, its log, and clients by name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use machine::{Machine, Now, Outcome, Ticket};
use metadata::MetadataImage;
use model::Timestamp;

use crate::group::{
    GroupCoordinatorConfig, GroupMachine, GroupOutcome, GroupRecord, GroupRequest, GroupResponse,
};

/// The wall clock when a scene begins, in milliseconds.
pub(super) const START: i64 = 1_000_000;

pub(super) struct Scene {
    pub(super) config: GroupCoordinatorConfig,
    pub(super) machine: GroupMachine,
    pub(super) log: Vec<GroupRecord>,
    pub(super) elapsed: Duration,
    pub(super) fresh: u64,
    /// The topics that there are.
    pub(super) image: Arc<MetadataImage>,
    tickets: u64,
    /// Who waits for what answer.
    pub(super) waiting: BTreeMap<Ticket, String>,
}

/// What happened: records of the log and answers by client, in order.
#[derive(Default)]
pub(super) struct Happened {
    pub(super) records: Vec<GroupRecord>,
    pub(super) answers: Vec<(String, GroupResponse)>,
}

impl Scene {
    pub(super) fn new(config: GroupCoordinatorConfig) -> Self {
        let machine = GroupMachine::new(Arc::new(config.clone()), Arc::default());
        let mut scene = Self {
            config,
            machine,
            log: Vec::new(),
            elapsed: Duration::ZERO,
            fresh: 0,
            image: Arc::default(),
            tickets: 0,
            waiting: BTreeMap::new(),
        };
        scene.begin();
        scene
    }

    pub(super) fn now(&self) -> Now {
        let wall = START + i64::try_from(self.elapsed.as_millis()).expect("scenes are short");
        Now { monotonic: self.elapsed, wall: Timestamp(wall) }
    }

    fn begin(&mut self) -> Happened {
        let outcome = self.machine.loaded(self.now());
        self.settle(outcome)
    }

    pub(super) fn ask(&mut self, client: &str, request: GroupRequest) -> Happened {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.insert(ticket, client.into());
        let outcome = self.machine.handle(self.now(), ticket, request);
        self.settle(outcome)
    }

    /// Moves the clock on, and lets each timer act at its own time.
    pub(super) fn advance(&mut self, by: Duration) -> Happened {
        let target = self.elapsed + by;
        let mut happened = Happened::default();
        while let Some(deadline) = self.machine.poll_timeout().filter(|deadline| *deadline <= target) {
            self.elapsed = self.elapsed.max(deadline);
            let outcome = self.machine.handle_timeout(self.now());
            let more = self.settle(outcome);
            happened.records.extend(more.records);
            happened.answers.extend(more.answers);
        }
        self.elapsed = target;
        happened
    }

    /// Replays the log into a new machine. Those who wait are forgotten.
    pub(super) fn restart(&mut self) -> Happened {
        let mut machine = GroupMachine::new(Arc::new(self.config.clone()), self.image.clone());
        for record in &self.log {
            machine.replay(super::through_bytes(record));
        }
        self.machine = machine;
        self.waiting.clear();
        self.begin()
    }

    fn settle(&mut self, outcome: GroupOutcome) -> Happened {
        let Outcome { records, answers } = outcome;
        for record in &records {
            self.log.push(record.clone());
            self.machine.replay(super::through_bytes(record));
        }
        let named = |(ticket, response)| {
            if ticket == Ticket::SHELL {
                return ("shell".to_owned(), response);
            }
            let client = self.waiting.remove(&ticket).expect("each request is answered once");
            (client, response)
        };
        Happened { records, answers: answers.into_iter().map(named).collect() }
    }
}
