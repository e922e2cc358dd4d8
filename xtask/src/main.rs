//! The project's automation: `cargo xtask codegen|tidy|test|compat|bench`.

mod codegen;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("codegen") => codegen::run(&args[1..]),
        _ => anyhow::bail!("usage: cargo xtask codegen"),
    }
}
