//! The command line: what can be said, each with an example.
//!
//! Only shape is here; each command's module says what it does. What a wrong usage looks like is clap's business
//! (exit code 2, one sentence, the usage).

use clap::{Args, Parser, Subcommand};

use crate::console::{Console, Format};
use crate::failure::Failure;
use crate::{blob, ca, chain, demo, explain, inspect, leases, sas, sim, verify};

/// Proves, stores and returns SQL Server backups.
///
/// Reads SQL Server's backup format itself, with no SQL Server at hand, and serves an Azure Blob endpoint that
/// BACKUP ... TO URL writes to.
#[derive(Debug, Parser)]
#[command(
    name = "bac2",
    version,
    arg_required_else_help = true,
    after_help = "Examples:
  bac2 demo                                  see the whole story in a temporary folder
  bac2 inspect /backups/sales.bak            what is in this file?
  bac2 verify --recursive /backups           is every page and log block intact?
  bac2 chain /backups                        which moments can I get back?
  bac2 explain UserErrorSQLLSNValidationFailure   what does this error code mean?
  bac2 blob serve --data ./vault --listen 127.0.0.1:10000 --accounts-file ./accounts
  bac2 leases list --account-url https://shop.blob.core.windows.net --entra   what was left locked?

Exit code: 0 done, 1 the thing asked for failed or was found damaged, 2 wrong usage or unreadable
input."
)]
pub(crate) struct Arguments {
    /// How to answer; a table on a terminal and json elsewhere, unless given
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    output: Option<Format>,

    /// Count warnings as failures (exit code 1)
    #[arg(long, global = true)]
    strict: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what backup files contain: sets, databases, LSNs, files
    Inspect(inspect::Arguments),
    /// Check every page, log block and structure of backup files
    Verify(verify::Arguments),
    /// Show which moments can be restored, why others cannot, and the plan that gets to one
    Chain(Box<chain::Arguments>),
    /// Explain an error code: why it can be, what to do, what heals it
    Explain(explain::Arguments),
    /// The blob store and its front door
    Blob(Blob),
    /// Backups that were interrupted and left a blob locked, on any Azure Blob account
    Leases(Leases),
    /// The vault's own certificate authority, which clients must trust
    Ca(Ca),
    /// Shared access signatures: what clients show instead of a key
    Sas(Sas),
    /// Run a simulated SQL Server instance, for tests and the demo
    Sim(Box<sim::Arguments>),
    /// Play the life of a vault on this machine, with a simulated SQL Server, bad days included
    Demo(demo::Arguments),
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
struct Blob {
    #[command(subcommand)]
    command: BlobCommand,
}

#[derive(Debug, Subcommand)]
enum BlobCommand {
    /// Serve a folder as an Azure Blob endpoint
    Serve(blob::serve::Arguments),
    /// List what a folder holds, with each blob's proof
    List(blob::list::Arguments),
    /// Write backups out as files, from the folder alone
    Export(blob::export::Arguments),
    /// Print what a SQL Server needs to back up here, ready to paste
    Connect(blob::connect::Arguments),
    /// Seal blobs: nobody changes or deletes them over the protocol any more
    Seal(blob::seal::Arguments),
    /// Lift the seal of blobs
    Unseal(blob::seal::Arguments),
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
struct Leases {
    #[command(subcommand)]
    command: LeasesCommand,
}

#[derive(Debug, Subcommand)]
enum LeasesCommand {
    /// List locked blobs: who holds each, whether the holder lives, what is in it
    List(Box<leases::list::Arguments>),
    /// Break the leases of backups that died
    Break(Box<leases::deed::Break>),
    /// Break the leases of backups that died, and delete what they left
    Delete(Box<leases::deed::Delete>),
    /// Go on looking, one line a finding; act only where told to
    Watch(Box<leases::watch::Arguments>),
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
struct Ca {
    #[command(subcommand)]
    command: CaCommand,
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
struct Sas {
    #[command(subcommand)]
    command: SasCommand,
}

#[derive(Debug, Subcommand)]
enum SasCommand {
    /// Make one for a container or a blob
    Create(sas::create::Arguments),
    /// Stored policies, by which tokens can be changed and taken back
    Policy(Policy),
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
struct Policy {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// List those of a container
    List(sas::policy::List),
    /// Make one, or replace it
    Set(sas::policy::Set),
    /// Remove one: its tokens are refused from then on
    Revoke(sas::policy::Revoke),
}

#[derive(Debug, Subcommand)]
enum CaCommand {
    /// Print the certificates that clients must trust, as PEM
    Export(ca::Export),
    /// Show the authorities: for which hosts, until when
    Show(ca::Show),
    /// Make the next authority, for more hosts or ahead of time
    Renew(ca::Renew),
}

impl Arguments {
    /// The outputs as the user wants them.
    pub(crate) fn console(&self) -> Console {
        Console::new(self.output, self.strict)
    }

    /// Does what was asked.
    pub(crate) fn run(self, console: &Console) -> Result<(), Failure> {
        match self.command {
            Command::Inspect(arguments) => inspect::run(&arguments, console),
            Command::Verify(arguments) => verify::run(&arguments, console),
            Command::Chain(arguments) => chain::run(&arguments, console),
            Command::Explain(arguments) => explain::run(&arguments, console),
            Command::Blob(Blob {
                command: BlobCommand::Serve(arguments),
            }) => blob::serve::run(&arguments, console),
            Command::Blob(Blob {
                command: BlobCommand::List(arguments),
            }) => blob::list::run(&arguments, console),
            Command::Blob(Blob {
                command: BlobCommand::Export(arguments),
            }) => blob::export::run(&arguments, console),
            Command::Blob(Blob {
                command: BlobCommand::Connect(arguments),
            }) => blob::connect::run(&arguments, console),
            Command::Blob(Blob {
                command: BlobCommand::Seal(arguments),
            }) => blob::seal::run(&arguments, true, console),
            Command::Blob(Blob {
                command: BlobCommand::Unseal(arguments),
            }) => blob::seal::run(&arguments, false, console),
            Command::Leases(Leases { command }) => match command {
                LeasesCommand::List(arguments) => leases::list::run(&arguments, console),
                LeasesCommand::Break(arguments) => arguments.run(console),
                LeasesCommand::Delete(arguments) => arguments.run(console),
                LeasesCommand::Watch(arguments) => leases::watch::run(&arguments, console),
            },
            Command::Ca(Ca { command }) => match command {
                CaCommand::Export(arguments) => ca::export(&arguments, console),
                CaCommand::Show(arguments) => ca::show(&arguments, console),
                CaCommand::Renew(arguments) => ca::renew(&arguments, console),
            },
            Command::Sas(Sas {
                command: SasCommand::Create(arguments),
            }) => sas::create::run(&arguments, console),
            Command::Sas(Sas {
                command: SasCommand::Policy(Policy { command }),
            }) => match command {
                PolicyCommand::List(arguments) => sas::policy::list(&arguments, console),
                PolicyCommand::Set(arguments) => sas::policy::set(&arguments, console),
                PolicyCommand::Revoke(arguments) => sas::policy::revoke(&arguments, console),
            },
            Command::Sim(arguments) => sim::run(&arguments, console),
            Command::Demo(arguments) => demo::run(&arguments, console),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Arguments;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn walk(command: &clap::Command) {
            if command.get_subcommands().next().is_none() {
                let help = command
                    .get_after_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(help.contains("bac2 "), "{} has no example", command.get_name());
            }
            for below in command.get_subcommands().filter(|c| c.get_name() != "help") {
                walk(below);
            }
        }
        walk(&Arguments::command());
    }

    #[test]
    fn the_format_may_stand_before_or_after_the_command() {
        for line in [
            ["bac2", "-o", "json", "inspect", "a"],
            ["bac2", "inspect", "a", "--output", "json"],
        ] {
            assert!(Arguments::try_parse_from(line).is_ok(), "{line:?}");
        }
        assert!(Arguments::try_parse_from(["bac2", "inspect"]).is_err());
    }
}
