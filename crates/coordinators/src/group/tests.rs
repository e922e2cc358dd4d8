#![allow(clippy::disallowed_methods, reason = "tests read and rewrite their transcripts")]
