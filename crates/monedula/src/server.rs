//! `monedula server`, and `kafka-server-start` by its own name: runs a node until a signal stops it.

use std::io::IsTerminal;

use ::server::RunOptions;
use tracing_subscriber::EnvFilter;

const HELP: &str = "\
Runs a node: broker and controller in one.

Usage: monedula server [SERVER.PROPERTIES] [--override KEY=VALUE]... [--insecure]

  SERVER.PROPERTIES     Kafka's configuration file. Without one the node makes its own data directory, monedula-data,
                        formats it, and listens on localhost:9092.
  --override KEY=VALUE  Sets a key over the file, or over the defaults. May be repeated.
  --insecure            Lets listeners without TLS and login be reached from other machines, where no file says so.

The log's level is set by RUST_LOG (error, warn, info, debug); the default is info.";

/// The name of Kafka's script, without `.sh`.
pub const SCRIPT: &str = "kafka-server-start";

/// Tells whether the program was called by the name of Kafka's script.
pub fn is_script(called: &str) -> bool {
    called.strip_suffix(".sh").unwrap_or(called) == SCRIPT
}

/// Runs a node; returns the exit code.
pub fn run(args: &[String]) -> i32 {
    if args.iter().any(|arg| matches!(arg.as_str(), "--help" | "-h")) {
        println!("{HELP}");
        return 0;
    }
    let options = match parse(args) {
        Ok(options) => options,
        Err(text) => {
            eprintln!("monedula server: {text}\n\n{HELP}");
            return 1;
        }
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
    match ::server::run(&options) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("monedula server: {error}");
            1
        }
    }
}

fn parse(args: &[String]) -> Result<RunOptions, String> {
    let mut options = RunOptions::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--insecure" => options.insecure = true,
            "--override" => {
                let text = args.next().ok_or("--override needs KEY=VALUE")?;
                options.overrides.push(text.clone());
            }
            _ if arg.starts_with("--override=") => {
                options.overrides.push(arg["--override=".len()..].to_owned())
            }
            _ if arg.starts_with('-') => return Err(format!("there is no option {arg}")),
            _ if options.properties.is_none() => options.properties = Some(arg.into()),
            _ => return Err(format!("only one configuration file can be given, but {arg} is another")),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<RunOptions, String> {
        parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_file_and_overrides_are_taken_in_any_order() {
        let options = parsed(&["--override", "a=1", "s.properties", "--override=b=2"]).unwrap();
        assert_eq!(options.properties.unwrap().to_str(), Some("s.properties"));
        assert_eq!(options.overrides, ["a=1", "b=2"]);
    }

    #[test]
    fn what_is_no_option_is_refused() {
        assert!(parsed(&["--port", "1"]).is_err());
        assert!(parsed(&["one.properties", "two.properties"]).is_err());
        assert!(parsed(&["--override"]).is_err());
    }
}
