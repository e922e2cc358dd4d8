//! `monedula install-links DIR`: links to this program with the names of Kafka's scripts, with and without `.sh`.

use std::io;
use std::path::Path;
use std::{env, fs, os::unix::fs::symlink};

use crate::server;

/// Makes the links; returns the exit code.
pub fn install(args: &[String]) -> i32 {
    let [directory] = args else {
        tools::complain!("Usage: monedula install-links DIR");
        return 2;
    };
    match make(Path::new(directory)) {
        Ok(count) => {
            tools::say!(
                "Made {count} links in {directory}. Put it first in PATH to use them in place of Kafka's scripts."
            );
            0
        }
        Err(error) => {
            tools::complain!("monedula: {directory}: {error}");
            1
        }
    }
}

fn make(directory: &Path) -> io::Result<usize> {
    let program = env::current_exe()?;
    fs::create_dir_all(directory)?;
    let kafka_names = tools::COMMANDS.iter().map(|tool| tool.kafka_name).chain([server::SCRIPT]);
    let names = kafka_names.flat_map(|name| [name.to_owned(), format!("{name}.sh")]);
    let mut count = 0;
    for name in names {
        let link = directory.join(name);
        match fs::symlink_metadata(&link) {
            Ok(found) if found.is_symlink() => fs::remove_file(&link)?,
            Ok(_) => {
                return Err(io::Error::other(format!("{} is there already and is no link", link.display())));
            }
            Err(_) => {}
        }
        symlink(&program, &link)?;
        count += 1;
    }
    Ok(count)
}
