//! The project's automation: `cargo xtask codegen|tidy|test|compat|bench`.

fn main() {}
