//! What touches the outside: clock, chance and files, each behind a trait with a real form.

pub mod chance;
pub mod clock;
pub mod files;
