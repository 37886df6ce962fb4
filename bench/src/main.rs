//! The benches: bac2 beside its peers and beside what the machine can do at all. See bench/README.md.

use anyhow::Result;
use clap::{Parser, Subcommand};

mod cat;
mod chain;
mod child;
mod frontdoor;
mod leases;
mod list;
mod make_backup;
mod median;
mod programs;
mod sim;
mod verify;

#[derive(Parser)]
#[command(
    about = "bac2 beside its peers and beside the limits of the machine; bench/README.md explains each"
)]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    Cat(cat::Args),
    Chain(chain::Args),
    Frontdoor(frontdoor::Args),
    Leases(leases::Args),
    List(list::Args),
    MakeBackup(make_backup::Args),
    Sim(sim::Args),
    Verify(verify::Args),
    #[command(hide = true)]
    FrontdoorSink(frontdoor::sink::Args),
    #[command(hide = true)]
    FrontdoorWriter(frontdoor::writers::Args),
}

fn main() -> Result<()> {
    match Cli::parse().bench {
        Bench::Cat(args) => cat::run(&args),
        Bench::Chain(args) => chain::run(&args),
        Bench::Frontdoor(args) => frontdoor::run(&args),
        Bench::Leases(args) => leases::run(&args),
        Bench::List(args) => list::run(&args),
        Bench::MakeBackup(args) => make_backup::run(&args),
        Bench::Sim(args) => sim::run(&args),
        Bench::Verify(args) => verify::run(&args),
        Bench::FrontdoorSink(args) => frontdoor::sink::run(&args),
        Bench::FrontdoorWriter(args) => frontdoor::writers::run(&args),
    }
}
