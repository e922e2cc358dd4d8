//! `cargo xtask codegen`: writes the protocol crate's `generated/` from its schema files.
//!
//! `cargo xtask codegen` regenerates; `cargo xtask codegen --check` fails if that would change a file;
//! `cargo xtask codegen --import NEWEST_DIR RELEASED_DIR` first makes the schema files anew from the JSON schemas
//! found in the unpacked jars of the newest release and of the release whose level is advertised.

mod emit_api;
mod emit_errors;
mod emit_message;
mod emit_response_errors;
mod emit_type;
mod import;
mod schema;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use schema::Message;

/// Runs the command with the arguments after `codegen`.
pub fn run(args: &[String]) -> Result<()> {
    let protocol = crate_dir();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--import", newest, released] => {
            import::import(Path::new(newest), Path::new(released), &protocol.join("schemas"))?;
            write_all(&protocol, &generate(&protocol)?)
        }
        [] => write_all(&protocol, &generate(&protocol)?),
        ["--check"] => check(&protocol),
        _ => bail!("usage: cargo xtask codegen [--check | --import NEWEST_DIR RELEASED_DIR]"),
    }
}

fn crate_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/protocol")
}

/// Fails if a generated file differs from what its schema gives.
fn check(protocol: &Path) -> Result<()> {
    let folder = protocol.join("src/generated");
    let files = generate(protocol)?;
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !files.contains_key(&name) {
            bail!("src/generated/{name} has no schema: run `cargo xtask codegen`");
        }
    }
    for (name, text) in files {
        let there = fs::read_to_string(folder.join(&name)).unwrap_or_default();
        if there != text {
            bail!("src/generated/{name} is stale: run `cargo xtask codegen`");
        }
    }
    Ok(())
}

fn write_all(protocol: &Path, files: &BTreeMap<String, String>) -> Result<()> {
    let folder = protocol.join("src/generated");
    fs::create_dir_all(&folder)?;
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !files.contains_key(&name) {
            fs::remove_file(path)?;
        }
    }
    for (name, text) in files {
        let path = folder.join(name);
        if fs::read_to_string(&path).unwrap_or_default() != *text {
            fs::write(path, text)?;
        }
    }
    Ok(())
}

/// Returns the generated files by name, formatted.
fn generate(protocol: &Path) -> Result<BTreeMap<String, String>> {
    let mut messages = Vec::new();
    for entry in fs::read_dir(protocol.join("schemas"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let text = fs::read_to_string(&path)?;
            messages.push(Message::parse(&text).with_context(|| path.display().to_string())?);
        }
    }
    messages.sort_by(|a, b| a.name.cmp(&b.name));
    let errors = fs::read_to_string(protocol.join("schemas/errors.tsv"))?;
    let mut files = BTreeMap::new();
    for message in &messages {
        files.insert(format!("{}.rs", message.module()), emit_message::emit(message)?);
    }
    files.insert("api_key.rs".to_owned(), emit_api::api_keys(&messages));
    files.insert("bodies.rs".to_owned(), emit_api::bodies(&messages));
    files.insert("metadata_record.rs".to_owned(), emit_api::metadata_records(&messages));
    files.insert("registry.rs".to_owned(), emit_api::registry(&messages));
    files.insert("response_errors.rs".to_owned(), emit_response_errors::response_errors(&messages));
    files.insert("error_codes.rs".to_owned(), emit_errors::emit(&errors)?);
    let modules: Vec<_> = files.keys().map(|name| name.trim_end_matches(".rs").to_owned()).collect();
    files.insert("all.rs".to_owned(), emit_api::all(&messages, &modules));
    files.into_iter().map(|(name, text)| Ok((name, format(&text)?))).collect()
}

fn format(text: &str) -> Result<String> {
    use std::io::Write;
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config", "max_width=110,use_small_heuristics=Max,style_edition=2024"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("running rustfmt")?;
    rustfmt.stdin.take().context("rustfmt's input")?.write_all(text.as_bytes())?;
    let output = rustfmt.wait_with_output()?;
    if !output.status.success() {
        bail!("rustfmt refused:\n{text}");
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_code_is_what_the_schemas_give() {
        check(&crate_dir()).expect("nothing is stale");
    }
}
