//! The one binary: server and tools by subcommand or by Kafka's script names.

mod help;
mod links;
mod server;

use std::env;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = env::args_os();
    let program = args.next().unwrap_or_default();
    let args: Vec<String> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
    let called =
        Path::new(&program).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ExitCode::from(u8::try_from(run(&called, &args)).unwrap_or(1))
}

fn run(called: &str, args: &[String]) -> i32 {
    if server::is_script(called) {
        return server::run(args);
    }
    if let Some(tool) = tools::find(called) {
        return run_tool(tool, args);
    }
    match args.split_first() {
        None => help::print(),
        Some((word, _)) if matches!(word.as_str(), "help" | "--help" | "-h") => help::print(),
        Some((word, _)) if matches!(word.as_str(), "version" | "--version" | "-V") => {
            tools::say!("monedula {} (Kafka {})", env!("CARGO_PKG_VERSION"), tools::KAFKA_VERSION);
            0
        }
        Some((word, rest)) if word == "server" => server::run(rest),
        Some((word, rest)) if word == "install-links" => links::install(rest),
        Some((word, rest)) => match tools::find(word) {
            Some(tool) => run_tool(tool, rest),
            None => {
                tools::complain!(
                    "monedula: there is no command `{word}`; `monedula help` shows those that there are."
                );
                2
            }
        },
    }
}

fn run_tool(tool: &tools::Command, args: &[String]) -> i32 {
    let mut out = BufWriter::new(std::io::stdout());
    let result = (tool.run)(args, &mut out);
    let flushed = out.flush();
    match result {
        Err(failure) => failure.report(),
        Ok(()) => flushed.map_or_else(|error| tools::Failure::from(error).report(), |()| 0),
    }
}
