//! Lines for whoever looks, on standard output and standard error.
//!
//! Invariant: a reader that went away, as `head` does, is no reason to fail, as it is none for Java's `PrintStream`.

/// Writes a line to standard output.
#[macro_export]
macro_rules! say {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($line)*);
    }};
}

/// Writes a line to standard error.
#[macro_export]
macro_rules! complain {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($line)*);
    }};
}
