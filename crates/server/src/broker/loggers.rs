//! The levels of this node's loggers, which clients see and set as `BROKER_LOGGER` configurations.
//!
//! Loggers bear Kafka's names, each for the modules here that do what that logger tells of in Kafka. As there, a logger
//! without a level of its own has that of the nearest one above it (`kafka.server` above `kafka.server.KafkaApis`), and
//! `root` is above all. Levels are not kept: a node that starts anew has those that it was started with.
//!
//! Kafka: `RuntimeLoggerManager`, `LoggingController`, `LogLevelConfig`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The logger above all others.
pub const ROOT: &str = "root";

/// The loggers by name, with the modules that each speaks for.
const LOGGERS: &[(&str, &[&str])] = &[
    ("kafka", &["server"]),
    ("kafka.authorizer.logger", &["kafka.authorizer.logger"]),
    ("kafka.network", &["network"]),
    ("kafka.network.SocketServer", &["server::listeners", "server::serve", "network::listener"]),
    ("kafka.server", &["server::broker", "server::node"]),
    ("kafka.server.BrokerLifecycleManager", &["server::broker::lifecycle"]),
    ("kafka.server.DynamicBrokerConfig", &["server::broker::dynamic_config"]),
    ("kafka.server.KafkaApis", &["server::handlers", "server::dispatch"]),
    ("kafka.server.ReplicaManager", &["server::broker::replica_manager", "server::broker::partition"]),
    ("kafka.server.metadata.BrokerMetadataPublisher", &["server::broker::publisher"]),
    ("org.apache.kafka", &[]),
    ("org.apache.kafka.controller", &["server::controller"]),
    ("org.apache.kafka.coordinator", &["coordinator"]),
    ("org.apache.kafka.coordinator.group", &["coordinator::group"]),
    ("org.apache.kafka.coordinator.share", &["coordinator::share"]),
    ("org.apache.kafka.coordinator.transaction", &["coordinator::transaction"]),
    ("org.apache.kafka.server.ClientMetricsManager", &["server::broker::client_metrics"]),
    ("org.apache.kafka.server.metrics", &["telemetry"]),
    ("org.apache.kafka.storage", &["storage"]),
    ("org.apache.kafka.storage.internals.log.LogCleaner", &["storage::cleaner"]),
    ("org.apache.kafka.storage.internals.log.LogManager", &["storage::log_manager"]),
    ("root", &[]),
];

/// A level that a logger can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing, since nothing here is fatal to the process and goes on.
    Fatal,
    /// Errors.
    Error,
    /// And warnings.
    Warn,
    /// And what an operator wants to know.
    Info,
    /// And what helps to find a fault.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    const ALL: [Self; 6] = [Self::Fatal, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The level's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fatal => "FATAL",
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
        }
    }

    /// Finds the level of a name, which is in capitals.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// The names of all levels, in the order of error texts.
    pub fn names() -> String {
        let mut names = Self::ALL.map(Self::name);
        names.sort_unstable();
        names.join(", ")
    }

    fn directive(self) -> &'static str {
        match self {
            Self::Fatal => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    fn of_directive(directive: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.directive().eq_ignore_ascii_case(directive))
    }
}

/// What writes the log, as far as its levels can be set.
pub trait LogFilter: fmt::Debug + Send + Sync {
    /// Sets the levels: `info,storage=debug`, the level of all modules and then those of some.
    ///
    /// # Errors
    /// The text that says why it cannot.
    fn set(&self, directives: &str) -> Result<(), String>;
}

/// The loggers of a node.
#[derive(Debug)]
pub struct Loggers {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    filter: Option<Arc<dyn LogFilter>>,
    /// The levels of modules that the node was started with.
    modules: Vec<String>,
    levels: BTreeMap<&'static str, LogLevel>,
}

impl Default for Loggers {
    fn default() -> Self {
        let levels = BTreeMap::from([(ROOT, LogLevel::Info)]);
        Self { state: Mutex::new(State { filter: None, modules: Vec::new(), levels }) }
    }
}

impl Loggers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has levels take effect on `filter` from now on, which was started with `directives`.
    pub fn attach(&self, filter: Arc<dyn LogFilter>, directives: &str) {
        let mut state = self.state();
        for directive in directives.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
            match LogLevel::of_directive(directive) {
                Some(level) => drop(state.levels.insert(ROOT, level)),
                None => state.modules.push(directive.to_owned()),
            }
        }
        state.filter = Some(filter);
    }

    /// Finds a logger.
    pub fn find(name: &str) -> Option<&'static str> {
        LOGGERS.iter().map(|(known, _)| *known).find(|known| *known == name)
    }

    /// Returns the level of each logger, by name.
    pub fn levels(&self) -> Vec<(&'static str, LogLevel)> {
        let state = self.state();
        LOGGERS.iter().map(|(name, _)| (*name, state.level(name))).collect()
    }

    /// Sets the level of a logger, or takes it away, and has that take effect.
    pub fn set(&self, name: &'static str, level: Option<LogLevel>) {
        let mut state = self.state();
        match level {
            Some(level) => drop(state.levels.insert(name, level)),
            None => drop(state.levels.remove(name)),
        }
        let directives = state.directives();
        let applied = state.filter.as_ref().map_or(Ok(()), |filter| filter.set(&directives));
        drop(state);
        let level = level.map_or("that of the logger above", LogLevel::name);
        match applied {
            Ok(()) => tracing::info!(logger = name, level, "the level of a logger was changed"),
            Err(error) => tracing::error!(logger = name, level, error, "a logger's level cannot be changed"),
        }
    }
}

impl State {
    /// The level of a logger, or of the nearest one above that has one.
    fn level(&self, name: &str) -> LogLevel {
        self.own(name).unwrap_or_else(|| self.levels.get(ROOT).copied().unwrap_or(LogLevel::Info))
    }

    /// The level that was set for a logger, or for one above it that is not the root.
    fn own(&self, name: &str) -> Option<LogLevel> {
        let mut name = name;
        loop {
            if name != ROOT
                && let Some(level) = self.levels.get(name)
            {
                return Some(*level);
            }
            name = name.rsplit_once('.')?.0;
        }
    }

    /// What the filter is told: the root's level, then those of modules. What was given at the start for a module holds
    /// unless its logger was set.
    fn directives(&self) -> String {
        let mut directives = vec![self.level(ROOT).directive().to_owned()];
        directives.extend(self.modules.iter().cloned());
        for (name, modules) in LOGGERS {
            let own = self.own(name);
            for module in *modules {
                let given = self.modules.iter().any(|given| given.split('=').next() == Some(module));
                if own.is_some() || !given {
                    directives.push(format!("{module}={}", self.level(name).directive()));
                }
            }
        }
        directives.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Recorder(Mutex<String>);

    impl LogFilter for Recorder {
        fn set(&self, directives: &str) -> Result<(), String> {
            *self.0.lock().unwrap() = directives.to_owned();
            Ok(())
        }
    }

    fn directive(recorder: &Recorder, module: &str) -> String {
        let directives = recorder.0.lock().unwrap().clone();
        let mut of_module = directives.split(',').filter_map(|directive| directive.split_once('='));
        of_module.rfind(|(known, _)| *known == module).expect("it is told").1.to_owned()
    }

    #[test]
    fn a_logger_has_the_level_of_the_nearest_one_above() {
        let (loggers, recorder) = (Loggers::default(), Arc::new(Recorder::default()));
        loggers.attach(recorder.clone(), "warn,storage=trace");
        let level = |name: &str| loggers.levels().into_iter().find(|(known, _)| *known == name).unwrap().1;
        assert_eq!(level("kafka.server.KafkaApis"), LogLevel::Warn);
        loggers.set(Loggers::find("kafka").unwrap(), Some(LogLevel::Debug));
        assert_eq!(level("kafka.server.KafkaApis"), LogLevel::Debug);
        assert_eq!(directive(&recorder, "server::handlers"), "debug");
        assert_eq!(directive(&recorder, "server::controller"), "warn");
        assert_eq!(directive(&recorder, "storage"), "trace");
        loggers.set(Loggers::find("org.apache.kafka").unwrap(), Some(LogLevel::Fatal));
        assert_eq!(directive(&recorder, "storage"), "off");
        loggers.set(Loggers::find("kafka").unwrap(), None);
        assert_eq!(level("kafka.server.KafkaApis"), LogLevel::Warn);
    }

    #[test]
    fn loggers_are_listed_by_name() {
        assert!(LOGGERS.is_sorted_by_key(|(name, _)| *name));
        assert_eq!(LogLevel::names(), "DEBUG, ERROR, FATAL, INFO, TRACE, WARN");
    }
}
