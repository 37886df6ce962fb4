//! `bac2 chain`: which moments of which databases these backups can bring back, why not the others, and the way to one of them.
//!
//! Found, put in order, judged, shown: `found.rs` and `blobs.rs` look for backups, `library.rs` makes databases of them, the crate
//! `chain` judges, `answer.rs` (JSON) and `show.rs` (people) tell. No SQL Server and no vault is needed. Deliberately absent: running
//! a plan.

mod aim;
mod answer;
mod blobs;
mod clockface;
mod excerpt;
mod found;
mod library;
mod loss;
mod reading;
mod script;
mod show;
mod steps;
mod timeline;
mod words;

use std::path::PathBuf;

use bak::Lsn;
use chain::{Coverage, Plans, Reason, Refusal, Target};
use clap::Args;
use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::console::{Console, Format};
use crate::failure::{Exit, Failure};
use crate::paint::printable;
use aim::{Aim, ForkName};
use answer::{Answer, DatabaseAnswer, LossAnswer, PlanAnswer, RefusalAnswer, View};
use clockface::Clockface;
use found::Search;
use library::Kin;
use loss::{Doomed, Loss};
use reading::Depth;
use script::Wishes;

/// Shows which moments can be restored, and how.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 chain /backups                          what can be restored, and why the rest cannot
  bac2 chain /backups --database Sales --at '2026-03-15 13:20:00'
  bac2 chain /backups --database Sales --latest --tsql > restore.sql
  bac2 chain ./vault --lsn 41000000005600001   the folder of bac2 blob serve
  bac2 chain /mnt/b --latest --tsql --seen-as '/mnt/b=\\\\nas\\b' --to Sales_test --move-to 'E:\\Data'
  bac2 chain /backups -o json | jq '.databases[].holes'
  bac2 chain /backups --if-deleted /backups/sales-full.bak

Folders are searched to their bottom. Stripes and copies of a backup are put together, whatever the
files are called. Only headers are read: what a plan names may be damaged all the same. --verify
reads every byte, plans with what is proved, and tells apart two histories of one recovery fork.

Times without an offset are on the server's clock. Times in answers carry the offset that the
server's clock had then (2017-06-01T13:24:13+02:00) where the backups or --zone tell it, and are
local times without an offset where nothing does. Bounds are conservative: a run of logs reaches to
the start of its last log.

With a target and several databases each gets its plan. Exit code 0: done; 1: a database has no plan
(the reason and the nearest restorable points are on stderr and in the json); 2: wrong usage, or
input that cannot be read. In a folder, a .bak or .trn that is no backup is a warning; other files are
passed over.")]
pub(crate) struct Arguments {
    /// Backup files, folders with backups, data directories of bac2 blob serve
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Only this database: a name it bears or bore, or its family GUID
    #[arg(long, value_name = "NAME|GUID")]
    database: Option<String>,

    #[command(flatten)]
    aim: Aim,

    /// Where the mark is: its LSN in msdb.dbo.logmarkhistory
    #[arg(long, value_name = "LSN", requires = "mark")]
    mark_lsn: Option<Lsn>,

    /// Only this recovery fork: its number as shown, or its GUID
    #[arg(long, value_name = "NUMBER|GUID", requires = "target")]
    fork: Option<ForkName>,

    /// Time zone of the servers that wrote the backups, such as Europe/Berlin; without it the recorded offsets count
    #[arg(long, value_name = "ZONE", value_parser = clockface::zone)]
    zone: Option<TimeZone>,

    /// Use this damaged backup set all the same, with CONTINUE_AFTER_ERROR; as often as needed
    #[arg(long, value_name = "SET-GUID", requires = "target")]
    accept_damaged: Vec<Uuid>,

    /// Read every byte, and plan with what that proves
    #[arg(long)]
    verify: bool,

    /// Print the T-SQL of the plan and nothing else
    #[arg(long, requires = "target", conflicts_with = "if_deleted")]
    tsql: bool,

    /// Show what could not be restored any more if this file, or backup set, were deleted; as often as needed
    #[arg(long, value_name = "FILE|SET-GUID", conflicts_with = "target")]
    if_deleted: Vec<Doomed>,

    #[command(flatten)]
    wishes: Wishes,

    /// What stands before /CONTAINER/BLOB in the URLs of blobs; without it as bac2 blob connect has it
    #[arg(long, value_name = "URL", help_heading = "The script")]
    blob_url: Option<String>,
}

/// A database, judged.
struct Judged {
    kin: Kin,
    coverage: Coverage,
    face: Clockface,
    aimed: Option<Aimed>,
    loss: Option<Loss>,
}

/// What became of the target in it.
struct Aimed {
    target: Target,
    outcome: Result<Plans, Box<Refusal>>,
    script: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<(), Failure> {
    let search = Search {
        paths: &arguments.paths,
        depth: if arguments.verify {
            Depth::Everything
        } else {
            Depth::Headers
        },
        blob_url: arguments.blob_url.as_deref(),
    };
    let found = search.run(console);
    let all = library::databases(&found, arguments.zone.as_ref());
    let chosen = arguments.choose(all)?;
    loss::check(&chosen, &arguments.if_deleted)?;
    let aimed: Vec<&Kin> = chosen
        .iter()
        .filter(|kin| arguments.aim.target(kin).is_some())
        .collect();
    arguments.wishes.check_names(&aimed, arguments.tsql)?;
    if let Some(warning) = arguments.wishes.warning() {
        console.warn(warning);
    }
    let mut judged = Vec::with_capacity(chosen.len());
    for kin in chosen {
        judged.push(arguments.judge(kin, console)?);
    }
    for one in &judged {
        one.complain(console);
    }
    if arguments.tsql {
        return console.text(&scripts(&judged));
    }
    match console.format() {
        Format::Json => console.json(&Answer {
            databases: judged.iter().map(Judged::answer).collect(),
        }),
        Format::Table => console.text(&show::show(&judged, console)),
    }
}

impl Arguments {
    /// The databases that the question is about.
    fn choose(&self, all: Vec<Kin>) -> Result<Vec<Kin>, Failure> {
        let names: Vec<String> = all.iter().map(|kin| printable(&kin.name)).collect();
        let chosen: Vec<Kin> = match &self.database {
            Some(name) => all.into_iter().filter(|kin| kin.is_called(name)).collect(),
            None => all,
        };
        if let Some(name) = self.database.as_ref().filter(|_| chosen.is_empty()) {
            return Err(Failure::unusable(
                "NoSuchDatabase",
                format!("there is no backup of {} here", printable(name)),
                if names.is_empty() {
                    "there is no backup of any database".to_owned()
                } else {
                    format!("there are backups of {}", names.join(", "))
                },
            ));
        }
        let known = |guid| chosen.iter().any(|kin| aim::by_guid(kin, guid).is_some());
        let mut guids = self
            .aim
            .set()
            .into_iter()
            .chain(self.accept_damaged.iter().copied());
        match guids.find(|guid| !known(*guid)) {
            None => Ok(chosen),
            Some(guid) => Err(Failure::unusable(
                "NoSuchSet",
                format!("there is no backup set {guid} here"),
                "bac2 inspect shows the GUIDs of the sets in a file",
            )),
        }
    }

    fn judge(&self, mut kin: Kin, console: &Console) -> Result<Judged, Failure> {
        let face = Clockface::of(kin.held.iter().map(|held| &held.set), self.zone.as_ref());
        let marks = self.aim.marks(&kin, self.mark_lsn);
        kin.database = std::mem::take(&mut kin.database).with_marks(marks);
        let coverage = kin.database.coverage();
        let aimed = match self.aim.target(&kin) {
            None => None,
            Some(target) => Some(self.aimed(&kin, &coverage, target, console)?),
        };
        let asked = !self.if_deleted.is_empty();
        let loss = asked.then(|| loss::of(&kin, &self.if_deleted));
        Ok(Judged {
            kin,
            coverage,
            face,
            aimed,
            loss,
        })
    }

    fn aimed(
        &self,
        kin: &Kin,
        coverage: &Coverage,
        target: Target,
        console: &Console,
    ) -> Result<Aimed, Failure> {
        let terms = aim::terms(
            kin,
            coverage,
            self.database.as_deref(),
            self.fork,
            &self.accept_damaged,
        )?;
        let outcome = kin.database.plan(&target, &terms);
        let steps = outcome.iter().flat_map(|plans| &plans.best.steps);
        for step in steps.filter(|step| !step.grade.is_usable()) {
            let files = kin.held(step.set).map(words::files).unwrap_or_default();
            console.warn(format!(
                "the plan for {} takes the damaged {}: check what comes out of it with DBCC CHECKDB",
                printable(&kin.name),
                printable(&files)
            ));
        }
        let script = match &outcome {
            Err(_) => None,
            Ok(plans) => match self.wishes.script(kin, &plans.best, &target, console) {
                Ok(script) => Some(script),
                Err(failure) if failure.exit() == Exit::Unusable => return Err(failure),
                Err(failure) => {
                    console.fail(&failure);
                    None
                }
            },
        };
        Ok(Aimed {
            target,
            outcome,
            script,
        })
    }
}

impl Judged {
    fn view(&self) -> View<'_> {
        View {
            face: &self.face,
            has_forks: self.coverage.branches.len() > 1,
        }
    }

    /// Says that there is no plan, and what can be had instead.
    fn complain(&self, console: &Console) {
        let Some(Aimed {
            target,
            outcome: Err(refusal),
            ..
        }) = &self.aimed
        else {
            return;
        };
        let next = next_step(&self.kin, target, refusal, &self.view());
        let sentence = format!(
            "{} cannot be restored to {}: {}",
            printable(&self.kin.name),
            printable(&words::target(&self.kin, target, &self.face)),
            printable(&words::refusal(&self.kin, refusal, &self.face))
        );
        console.fail(&Failure::failed(words::refusal_code(refusal), sentence, next));
    }

    fn answer(&self) -> DatabaseAnswer {
        let mut answer = DatabaseAnswer::of(&self.kin, &self.coverage, &self.face);
        let loss = self.loss.as_ref();
        answer.if_deleted = loss.map(|loss| LossAnswer::of(&self.kin, loss, &self.face));
        if let Some(aimed) = &self.aimed {
            match &aimed.outcome {
                Ok(plans) => {
                    let mut plan = PlanAnswer::of(&self.kin, plans);
                    plan.tsql = aimed.script.clone();
                    answer.plan = Some(plan);
                }
                Err(refusal) => {
                    answer.refusal = Some(RefusalAnswer::of(&self.kin, &aimed.target, refusal, &self.view()));
                }
            }
        }
        answer
    }
}

/// What to type instead of a target that has no plan.
fn next_step(kin: &Kin, target: &Target, refusal: &Refusal, view: &View<'_>) -> String {
    let readings = answer::readings(refusal, view);
    if !readings.is_empty() {
        return format!("say which one is meant: {}", readings.join(" or "));
    }
    let near = [("before it", refusal.before), ("after it", refusal.after)];
    let mut near: Vec<String> = near
        .iter()
        .filter_map(|(side, point)| {
            let option = answer::option(target, point.as_ref()?, view);
            Some(format!("the nearest point {side}: {option}"))
        })
        .collect();
    match &refusal.reason {
        Reason::Ambiguous(_) => {
            near.push("give the server's time zone with --zone, or a log record with --lsn".to_owned());
        }
        Reason::AmbiguousInLog(id) => {
            let set = &kin.held(*id).expect("a refusal names sets it was given").set;
            near.push(format!(
                "that log begins at --lsn {} and ends at --lsn {}",
                set.first, set.last
            ));
        }
        Reason::OffsetUnknown => {
            near.push(
                "give the time on the server's clock, without an offset, or its time zone with --zone"
                    .to_owned(),
            );
        }
        Reason::UnknownBranch => {
            near.push("the answer without --fork numbers the forks there are".to_owned());
        }
        _ if near.is_empty() => near.push("add the folders where its other backups lie".to_owned()),
        _ => {}
    }
    near.join("; ")
}

/// All scripts there are, one after the other.
fn scripts(judged: &[Judged]) -> String {
    let aimed = judged.iter().filter_map(|one| one.aimed.as_ref());
    let scripts: Vec<&str> = aimed.filter_map(|aimed| aimed.script.as_deref()).collect();
    scripts.join("GO\n")
}
