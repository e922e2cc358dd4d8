//! How a tool ends when it does not succeed.

use std::io;

/// Why a tool ends with an exit code that is not 0.
#[derive(Debug)]
pub enum Failure {
    /// The command line cannot be meant: the text, then the options, on standard error; exit code 1.
    Usage {
        /// What is wrong, or what the tool is for.
        message: String,
        /// The table of options.
        options: String,
    },
    /// The text on standard error; the exit code.
    Message(String, i32),
    /// Everything was said already; the exit code.
    Code(i32),
}

impl Failure {
    /// Ends with `message` on standard error and exit code 1.
    pub fn message(message: impl Into<String>) -> Self {
        Self::Message(message.into(), 1)
    }

    /// What is said of it, without the options.
    pub fn text(&self) -> &str {
        match self {
            Self::Usage { message, .. } | Self::Message(message, _) => message,
            Self::Code(_) => "",
        }
    }

    /// Says on standard error why the tool ends, and returns the exit code.
    pub fn report(&self) -> i32 {
        match self {
            Self::Usage { message, options } => {
                complain!("{message}\n{}", options.trim_end());
                1
            }
            Self::Message(message, code) => {
                complain!("{message}");
                *code
            }
            Self::Code(code) => *code,
        }
    }
}

impl From<io::Error> for Failure {
    /// A reader that went away, as `head` does, is no failure.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Code(0),
            _ => Self::message(error.to_string()),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::message(format!("{error:#}"))
    }
}
