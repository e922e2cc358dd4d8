//! Counts of passed and failed checks, read from the closing lines of whatever runs them.
//!
//! Invariant: a command that fails without saying how many checks failed counts as one failure.

use anyhow::{Context, Result};
use std::fmt;
use std::io::{BufRead, BufReader};
use std::ops::AddAssign;
use std::process::{Command, Stdio};

/// How many checks passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Checks that passed.
    pub passed: u64,
    /// Checks that failed.
    pub failed: u64,
}

impl Tally {
    /// One check, passed or failed.
    pub fn one(passed: bool) -> Tally {
        Tally { passed: passed.into(), failed: (!passed).into() }
    }

    /// Reads `N passed, N failed` or cargo's `test result: ok. N passed; N failed; …`.
    pub fn parse(line: &str) -> Option<Tally> {
        let line = line.trim();
        let counts = match line.strip_prefix("test result: ") {
            Some(rest) => rest.split_once(". ")?.1,
            None => line,
        };
        let (passed, rest) = counts.split_once(" passed")?;
        let rest = rest.trim_start_matches([',', ';']).trim_start();
        let (failed, _) = rest.split_once(" failed")?;
        Some(Tally { passed: passed.parse().ok()?, failed: failed.parse().ok()? })
    }

    /// Runs a command with its output shown, and adds up the closing lines in its standard output.
    pub fn of(command: &mut Command) -> Result<Tally> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {:?}", command.get_program()))?;
        let output = child.stdout.take().expect("standard output was asked for");
        let mut tally = Tally::default();
        for line in BufReader::new(output).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            println!("{line}");
            tally += Tally::parse(&line).unwrap_or_default();
        }
        let ok = child.wait()?.success();
        if !ok && tally.failed == 0 {
            tally.failed = 1;
        }
        Ok(tally)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_both_kinds_are_read() {
        assert_eq!(Tally::parse("12 passed, 3 failed"), Some(Tally { passed: 12, failed: 3 }));
        let cargo = "test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(Tally::parse(cargo), Some(Tally { passed: 7, failed: 0 }));
        assert_eq!(Tally::parse("all of them passed, none failed"), None);
        assert_eq!(Tally::parse("test it ... ok"), None);
    }

    #[test]
    fn a_command_that_fails_silently_counts_as_one_failure() {
        let tally = Tally::of(&mut Command::new("false")).expect("`false` is on every Unix");
        assert_eq!(tally, Tally { passed: 0, failed: 1 });
    }
}
