//! bac2: a Recovery Services vault for SQL Server that you run yourself.
//!
//! The binary holds the command line, wiring and what people see; what it knows about backups, blobs and HTTP is in
//! the crates below it. `main` turns the end of a command into an exit code and nothing else.

mod blob;
mod ca;
mod chain;
mod cli;
mod console;
mod demo;
mod explain;
mod failure;
mod input;
mod inspect;
mod lasting;
mod leases;
mod logging;
mod paint;
mod progress;
mod quantity;
mod sas;
mod sim;
mod stopping;
mod verify;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    let console = arguments.console();
    if let Err(failure) = arguments.run(&console) {
        console.fail(&failure);
    }
    console.exit().into()
}
