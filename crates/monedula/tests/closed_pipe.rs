//! The program, run by somebody who does not read to its end, as `monedula help | head -1`.

use std::process::{Command, Stdio};

/// The exit code of `monedula` with these arguments, where nobody reads what it prints or says.
fn unread(args: &[&str]) -> Option<i32> {
    let closed = || {
        let (reader, writer) = std::io::pipe().expect("there are pipes");
        drop(reader);
        Stdio::from(writer)
    };
    let mut monedula = Command::new(env!("CARGO_BIN_EXE_monedula"));
    monedula.args(args).stdin(Stdio::null()).stdout(closed()).stderr(closed());
    monedula.status().expect("it runs").code()
}

#[test]
fn a_reader_that_went_away_changes_no_exit_code() {
    assert_eq!(unread(&["help"]), Some(0));
    assert_eq!(unread(&["topics", "--help"]), Some(1));
    assert_eq!(unread(&["topics", "--version"]), Some(0));
    assert_eq!(unread(&["topics"]), Some(1));
    assert_eq!(unread(&["delegation-tokens", "--create"]), Some(1));
    assert_eq!(unread(&["no-such-command"]), Some(2));
}
