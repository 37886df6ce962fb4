//! `bac2 explain`: what a code means, why that can be, what to do, and what the vault does by itself.
//!
//! It needs no vault: the catalogue is in the program. A number is taken for a message of SQL Server, and answered with
//! the codes that it can stand for.

use std::fmt::Write as _;

use clap::Args;
use faults::entry::{Actor, Blame, Origin, Severity};
use faults::similar::{find, raised_by, similar};
use faults::{Code, Entry, Heal, Report};

use crate::console::{Console, Format};
use crate::failure::Failure;
use crate::paint::{Tone, cell, only_break, paint, printable, table, terminal_width, toned};

/// Explains error codes: causes, what to do, and what heals them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 explain UserErrorSQLLSNValidationFailure
  bac2 explain 3023                                  which codes can this message of SQL Server stand for?
  bac2 explain                                       all codes, a line each
  bac2 explain --all -o json                         the whole catalogue

Codes of Azure Backup keep their names and their meaning; those that begin with Bac2 are bac2's own.")]
pub(crate) struct Arguments {
    /// Codes, or numbers of messages of SQL Server; none: a list of all
    #[arg(value_name = "CODE")]
    codes: Vec<String>,

    /// All codes, each explained in full
    #[arg(long, conflicts_with = "codes")]
    all: bool,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<(), Failure> {
    if arguments.codes.is_empty() && !arguments.all {
        return list(console);
    }
    let mut wanted = Vec::new();
    if arguments.all {
        wanted.extend(Code::ALL);
    }
    for asked in &arguments.codes {
        match meant(asked) {
            Ok(codes) => wanted.extend(
                codes
                    .into_iter()
                    .filter(|code| !wanted.contains(code))
                    .collect::<Vec<_>>(),
            ),
            Err(failure) => console.fail(&failure),
        }
    }
    match console.format() {
        Format::Json => {
            let reports: Vec<Report<'_>> = wanted.iter().map(|code| Report::from(code.entry())).collect();
            console.json(&reports)
        }
        Format::Table => {
            let pages: Vec<String> = wanted.iter().map(|code| page(code.entry(), console)).collect();
            console.text(&pages.join("\n"))
        }
    }
}

/// The codes that somebody means by a word.
fn meant(asked: &str) -> Result<Vec<Code>, Failure> {
    if let Some(code) = find(asked) {
        return Ok(vec![code]);
    }
    if let Ok(number) = asked.trim().parse::<i32>() {
        let codes: Vec<Code> = raised_by(number).into_iter().map(|(code, _)| code).collect();
        if codes.is_empty() {
            return Err(Failure::unusable(
                "UnknownCode",
                format!("no code stands for message {number} of SQL Server alone"),
                "look it up in SQL Server's documentation of errors and events; in a job it comes with the code \
                 Bac2UnexpectedSqlError",
            ));
        }
        return Ok(codes);
    }
    let near = similar(asked);
    let next = if near.is_empty() {
        "`bac2 explain` lists all codes".to_owned()
    } else {
        let names: Vec<&str> = near.into_iter().map(Code::as_str).collect();
        format!("did you mean {}?", names.join(", "))
    };
    Err(Failure::unusable(
        "UnknownCode",
        format!("{asked:?} is no code"),
        next,
    ))
}

fn list(console: &Console) -> Result<(), Failure> {
    if console.format() == Format::Json {
        let reports: Vec<Report<'_>> = Code::ALL.iter().map(|code| Report::from(code.entry())).collect();
        return console.json(&reports);
    }
    let mut lines = table(console, &["code", "", "what happened"]);
    for code in Code::ALL {
        let entry = code.entry();
        lines.add_row(vec![
            cell(code.as_str()),
            toned(tone(entry.severity), severity(entry.severity)),
            cell(&entry.message),
        ]);
    }
    only_break(&mut lines, &[2]);
    console.text(&format!(
        "{lines}\n\nbac2 explain CODE says why, and what to do.\n"
    ))
}

fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Doubtful,
        Severity::Info => Tone::Faint,
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

/// One code on one page.
fn page(entry: &Entry, console: &Console) -> String {
    let mut out = String::new();
    let width = terminal_width();
    let mut section = |title: &str, texts: &[String]| {
        if texts.is_empty() {
            return;
        }
        let _ = writeln!(out, "\n{}", paint(console, Tone::Strong, title));
        for text in texts {
            let _ = writeln!(out, "{}", hanging(&printable(text), width));
        }
    };
    section("Possible causes", &entry.causes);
    section("What to do", &entry.actions);
    section("What the vault does by itself", entry.vault.as_slice());
    section("Also", &notes(entry));
    let message = wrapped(&entry.message, width, "");
    format!(
        "{}  {}\n{message}\n{out}",
        paint(console, Tone::Strong, entry.code.as_str()),
        paint(console, tone(entry.severity), severity(entry.severity)),
    )
}

/// What else is known of a code, a sentence each.
fn notes(entry: &Entry) -> Vec<String> {
    let mut notes = Vec::new();
    let who: Vec<&str> = entry.who.iter().map(|actor| actor_words(*actor)).collect();
    notes.push(format!("To act: {}.", who.join(", then ")));
    notes.push(match entry.blame {
        Blame::User => {
            "It counts against the instance, its machine or what was asked for, not against the vault."
                .to_owned()
        }
        Blame::Service => "It counts against the vault.".to_owned(),
    });
    if entry.heal == Heal::None {
        notes.push("Nothing heals it without a person.".to_owned());
    }
    if let Some(wider) = entry.refines {
        notes.push(format!("Azure Backup has the wider code {wider} for it."));
    }
    if entry.known_only {
        notes.push(
            "bac2 never raises it itself: it is here for those who know it from Azure Backup.".to_owned(),
        );
    } else if entry.origin != Origin::Bac2 {
        notes.push("The name is Azure Backup's.".to_owned());
    }
    let report = Report::from(entry.code.entry());
    if !report.messages.is_empty() {
        let numbers: Vec<String> = report.messages.iter().map(ToString::to_string).collect();
        notes.push(format!(
            "Messages of SQL Server that it can stand for: {}.",
            numbers.join(", ")
        ));
    }
    notes
}

fn actor_words(actor: Actor) -> &'static str {
    match actor {
        Actor::User => "who asked for it",
        Actor::Dba => "who administers the instance",
        Actor::Operator => "who runs the machines and the network",
        Actor::Vault => "the vault",
    }
}

/// A point of a list.
fn hanging(text: &str, width: usize) -> String {
    format!("  - {}", wrapped(text, width.saturating_sub(4), "    "))
}

/// `text` in lines of at most `width` characters where it has blanks, all but the first after `indent`.
fn wrapped(text: &str, width: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a first line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.join(&format!("\n{indent}"))
}

#[cfg(test)]
mod tests {
    use super::{meant, wrapped};
    use faults::Code;

    #[test]
    fn a_word_means_a_code_and_a_number_the_codes_of_a_message() {
        assert_eq!(
            meant("usererrorsqlpodoesnotexist").ok(),
            Some(vec![Code::UserErrorSQLPODoesNotExist])
        );
        let codes = meant("3201").expect("a message that the map knows");
        assert!(codes.contains(&Code::WlExtGenericIOFaultUserError) && codes.contains(&Code::Bac2UrlLeased));
        assert!(meant("1").is_err() && meant("").is_err());
    }

    #[test]
    fn lines_break_at_blanks_and_nowhere_else() {
        assert_eq!(wrapped("aa bb cc", 5, " "), "aa bb\n cc");
        assert_eq!(wrapped("a-very-long-word b", 5, ""), "a-very-long-word\nb");
    }
}
