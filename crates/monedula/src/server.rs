//! `monedula server`, and `kafka-server-start` by its own name: runs a node until a signal stops it.

use std::io::IsTerminal;
use std::sync::Arc;

use ::server::RunOptions;
use ::server::broker::loggers::LogFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

const HELP: &str = "\
Runs a node: broker and controller in one.

Usage: monedula server [SERVER.PROPERTIES] [--override KEY=VALUE]... [--insecure] [--log-format text|json]

  SERVER.PROPERTIES     Kafka's configuration file. Without one the node makes its own data directory, monedula-data,
                        formats it, and listens on localhost:9092.
  --override KEY=VALUE  Sets a key over the file, or over the defaults. May be repeated.
  --insecure            Lets listeners without TLS and login be reached from other machines, where no file says so.
  --log-format FORMAT   How the log is written: text (the default), or json, an object on each line.

The log's level is set by RUST_LOG (error, warn, info, debug); the default is info. While the node runs it is changed
by `kafka-configs --entity-type broker-loggers`.";

/// The name of Kafka's script, without `.sh`.
pub const SCRIPT: &str = "kafka-server-start";

/// Tells whether the program was called by the name of Kafka's script.
pub fn is_script(called: &str) -> bool {
    called.strip_suffix(".sh").unwrap_or(called) == SCRIPT
}

/// Runs a node; returns the exit code.
pub fn run(args: &[String]) -> i32 {
    if args.iter().any(|arg| matches!(arg.as_str(), "--help" | "-h")) {
        tools::say!("{HELP}");
        return 0;
    }
    let (mut options, format) = match parse(args) {
        Ok(parsed) => parsed,
        Err(text) => {
            tools::complain!("monedula server: {text}\n\n{HELP}");
            return 1;
        }
    };
    options.log = Some(start_log(format));
    match ::server::run(&options) {
        Ok(()) => 0,
        Err(error) => {
            tools::complain!("monedula server: {error}");
            1
        }
    }
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LogFormat {
    #[default]
    Text,
    Json,
}

/// The filter of the log, which is exchanged as a whole.
#[derive(Debug)]
struct Reload(reload::Handle<EnvFilter, Registry>);

impl LogFilter for Reload {
    fn set(&self, directives: &str) -> Result<(), String> {
        let filter = EnvFilter::try_new(directives).map_err(|error| error.to_string())?;
        self.0.reload(filter).map_err(|error| error.to_string())
    }
}

/// Starts the log; returns its filter, and the levels that it starts with.
fn start_log(format: LogFormat) -> (Arc<dyn LogFilter>, String) {
    let given = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let (filter, directives) = match EnvFilter::try_new(&given) {
        Ok(filter) if !given.is_empty() => (filter, given),
        _ => (EnvFilter::new("info"), "info".to_owned()),
    };
    let (filter, handle) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter);
    let log = fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => registry.with(log.with_ansi(std::io::stderr().is_terminal())).init(),
        LogFormat::Json => registry.with(log.json().flatten_event(true)).init(),
    }
    (Arc::new(Reload(handle)), directives)
}

fn parse(args: &[String]) -> Result<(RunOptions, LogFormat), String> {
    let mut options = RunOptions::default();
    let mut format = LogFormat::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--insecure" => options.insecure = true,
            "--override" => {
                let text = args.next().ok_or("--override needs KEY=VALUE")?;
                options.overrides.push(text.clone());
            }
            "--log-format" => {
                format = match args.next().map(String::as_str) {
                    Some("text") => LogFormat::Text,
                    Some("json") => LogFormat::Json,
                    _ => return Err("--log-format needs text or json".to_owned()),
                }
            }
            _ if arg.starts_with("--override=") => {
                options.overrides.push(arg["--override=".len()..].to_owned())
            }
            _ if arg.starts_with('-') => return Err(format!("there is no option {arg}")),
            _ if options.properties.is_none() => options.properties = Some(arg.into()),
            _ => return Err(format!("only one configuration file can be given, but {arg} is another")),
        }
    }
    Ok((options, format))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<(RunOptions, LogFormat), String> {
        parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_file_and_overrides_are_taken_in_any_order() {
        let (options, format) = parsed(&["--override", "a=1", "s.properties", "--override=b=2"]).unwrap();
        assert_eq!(format, LogFormat::Text);
        assert_eq!(options.properties.unwrap().to_str(), Some("s.properties"));
        assert_eq!(options.overrides, ["a=1", "b=2"]);
    }

    #[test]
    fn the_log_is_text_or_json() {
        assert_eq!(parsed(&["--log-format", "json"]).unwrap().1, LogFormat::Json);
        assert!(parsed(&["--log-format", "xml"]).is_err());
    }

    #[test]
    fn what_is_no_option_is_refused() {
        assert!(parsed(&["--port", "1"]).is_err());
        assert!(parsed(&["one.properties", "two.properties"]).is_err());
        assert!(parsed(&["--override"]).is_err());
    }
}
