//! `monedula help`: what there is to type.

/// Prints the commands; returns the exit code.
pub fn print() -> i32 {
    println!(
        "Monedula is Apache Kafka's whole platform in one program.\n\n\
         Usage: monedula COMMAND [ARGUMENT]...\n\n\
         A command also answers to its name in Kafka, as `kafka-topics` or `kafka-topics.sh`: `monedula install-links \
         DIR` makes\nlinks with these names.\n\nCommands:"
    );
    println!("  {:<22} Run a node: broker and controller in one", "server");
    for tool in tools::COMMANDS {
        println!("  {:<22} {}", tool.name, tool.about);
    }
    println!("  {:<22} Make links to this program with the names of Kafka's scripts", "install-links");
    println!("  {:<22} Print the version", "version");
    println!("\n`monedula COMMAND --help` tells what a command takes.");
    0
}
