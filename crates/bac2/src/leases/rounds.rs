//! The rounds of `watch`: what was said of each blob, so that only news is said, and what was done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use guard::account::ETag;
use guard::clock::Clock;
use guard::fault::Cause;
use guard::report::{Did, Entry, Row, Skip, Summary};
use guard::ruling::{Ruling, Terms};
use guard::scope::Scope;
use guard::{Account, Deed, Fault, Finding, Guard, Place};

use super::ask::Servers;
use super::confirm::reads_unseen;
use super::progress::Watcher;
use super::report::ReportFile;
use super::stop::Stop;
use super::{clean, complaint, table};
use crate::console::{Console, Format};
use crate::failure::{Exit, Failure};
use crate::paint::json_escaped;

/// Deeds that the report keeps beside what is locked now; older ones are in the lines that were written.
const DEEDS_KEPT: usize = 10_000;

/// What to watch, and what to do.
pub(super) struct Order {
    pub(super) scope: Scope,
    pub(super) terms: Terms,
    pub(super) deed: Option<Deed>,
    /// `None`: one round.
    pub(super) interval: Option<Duration>,
    /// Whom to ask before anything is broken.
    pub(super) ask: Option<Arc<Servers>>,
}

/// Where the lines go.
pub(super) struct Lines {
    format: Format,
    out: Box<dyn Write>,
}

/// Why nothing more is said or done.
enum Halt {
    /// Nobody reads any more.
    ReaderGone,
    /// What was said could not be written.
    Mute(Failure),
    /// A signal came.
    Asked,
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Mute(Failure::output(&error)),
        }
    }
}

/// How a round ended.
enum Round {
    /// Go on.
    Over,
    /// Nobody reads, or a signal came.
    Last,
    /// The lines cannot be written.
    Mute(Failure),
    /// The account did not answer.
    NoAnswer(Fault),
}

impl From<Halt> for Round {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::ReaderGone | Halt::Asked => Self::Last,
            Halt::Mute(failure) => Self::Mute(failure),
        }
    }
}

pub(super) struct Rounds<'a, A, C> {
    account: &'a A,
    clock: &'a C,
    order: Order,
    lines: Lines,
    report: Option<ReportFile>,
    /// The last row that was said of each locked blob.
    said: BTreeMap<Place, Row>,
    /// What could not be read at the last round, and what was said of it.
    unread: BTreeMap<String, String>,
    /// Blobs that may not be deleted because of what they hold: reading them again finds the same.
    spared: BTreeMap<Place, Option<ETag>>,
    deeds: VecDeque<Row>,
    /// The figures of the latest survey.
    summary: Summary,
}

impl Lines {
    pub(super) fn new(format: Format, out: Box<dyn Write>) -> Self {
        Self { format, out }
    }

    fn write(&mut self, row: &Row) -> Result<(), Halt> {
        let mut line = match self.format {
            Format::Json => {
                json_escaped(&serde_json::to_string(row).expect("rows are plain data with text keys"))
            }
            Format::Table => table::line(row),
        };
        line.push('\n');
        let written = self
            .out
            .write_all(line.as_bytes())
            .and_then(|()| self.out.flush());
        Ok(written?)
    }
}

impl<'a, A: Account, C: Clock> Rounds<'a, A, C> {
    pub(super) fn new(
        account: &'a A,
        clock: &'a C,
        order: Order,
        lines: Lines,
        report: Option<ReportFile>,
    ) -> Self {
        Self {
            account,
            clock,
            order,
            lines,
            report,
            said: BTreeMap::new(),
            unread: BTreeMap::new(),
            spared: BTreeMap::new(),
            deeds: VecDeque::new(),
            summary: Summary::default(),
        }
    }

    /// Round after round.
    ///
    /// # Errors
    /// The lines cannot be written. Of a single round also: the account does not answer, or an end by signal.
    pub(super) async fn go_on(mut self, stop: &Stop, console: &Console) -> Result<(), Failure> {
        let watcher = Watcher::new(console);
        let (scope, terms) = (self.order.scope.clone(), self.order.terms.clone());
        let ask = self.order.ask.clone();
        let mut guard = Guard::new(self.account, self.clock, scope, terms)
            .telling(&watcher)
            .asking_any(ask.as_deref());
        let mut first = true;
        loop {
            let round = self.round(&mut guard, first, stop, &watcher, console).await;
            if let (true, Round::NoAnswer(fault)) = (first, &round)
                && is_wrong_usage(fault)
            {
                return Err(complaint::unusable(fault, self.account.address()));
            }
            first = false;
            let Some(interval) = self.order.interval else {
                return match round {
                    Round::NoAnswer(fault) => Err(complaint::unusable(&fault, self.account.address())),
                    Round::Over | Round::Last if stop.is_asked() => Err(clean::interrupted()),
                    Round::Over | Round::Last => Ok(()),
                    Round::Mute(failure) => Err(failure),
                };
            };
            if let Round::Mute(failure) = round {
                return Err(failure);
            }
            let last = matches!(round, Round::Last) || stop.is_asked();
            if last || stop.unless(self.clock.sleep(interval)).await.is_none() {
                return Ok(());
            }
        }
    }

    async fn round(
        &mut self,
        guard: &mut Guard<'_, A, C, Servers>,
        first: bool,
        stop: &Stop,
        watcher: &Watcher,
        console: &Console,
    ) -> Round {
        let surveyed = stop.unless(look(guard, self.order.interval.is_none())).await;
        watcher.clear();
        let round = match surveyed {
            None => return Round::Last,
            Some(Err(fault)) => {
                let entries = clean::unread(&fault, self.clock);
                match self.say_unread(&entries, console) {
                    Ok(()) => Round::NoAnswer(fault),
                    Err(halt) => halt.into(),
                }
            }
            Some(Ok(summary)) => {
                self.summary = summary;
                let entries = guard.entries();
                if first {
                    clean::say_missing(&self.order.scope, &entries, console);
                }
                match self.tell(guard, &entries, stop, console).await {
                    Ok(()) => Round::Over,
                    Err(halt) => halt.into(),
                }
            }
        };
        watcher.clear();
        self.keep_report(guard.entries(), &round, console);
        round
    }

    /// Says what is new, and does what is to be done.
    async fn tell(
        &mut self,
        guard: &mut Guard<'_, A, C, Servers>,
        entries: &[Entry],
        stop: &Stop,
        console: &Console,
    ) -> Result<(), Halt> {
        self.say_unread(entries, console)?;
        self.say_free(entries, stop).await?;
        for entry in entries {
            let Entry::Blob {
                finding, ruling, did, ..
            } = entry
            else {
                continue;
            };
            let ripe = matches!(ruling, Ruling::Break(_));
            match self.order.deed {
                Some(deed) if ripe && self.may_act(finding) => {
                    if stop.is_asked() {
                        return Err(Halt::Asked);
                    }
                    let outcome = stop.unless_again(guard.act(&finding.place, deed)).await;
                    let outcome = outcome.unwrap_or_else(|| clean::unknown_outcome(&finding.place));
                    self.say_done(entry, &outcome, console)?;
                }
                _ => {
                    let is_spared = ripe && self.is_spared(finding);
                    if !is_spared {
                        self.say(&finding.place, Row::of(entry, self.account.address()))?;
                    }
                    if ripe {
                        self.weigh(Exit::Failed, console);
                    }
                    if let Did::Failed(fault) = did
                        && self.order.interval.is_none()
                    {
                        console.fail(&complaint::failed(fault));
                    }
                }
            }
        }
        Ok(())
    }

    fn may_act(&self, finding: &Finding) -> bool {
        let seen = !reads_unseen(finding) || self.order.terms.named.contains(&finding.place);
        seen && !self.is_spared(finding)
    }

    fn is_spared(&self, finding: &Finding) -> bool {
        self.spared.get(&finding.place) == Some(&finding.properties.etag)
    }

    /// Says what was done, once.
    fn say_done(&mut self, entry: &Entry, outcome: &Did, console: &Console) -> Result<(), Halt> {
        let Entry::Blob { finding, ruling, .. } = entry else {
            return Ok(());
        };
        let done = Entry::Blob {
            finding: finding.clone(),
            ruling: ruling.clone(),
            did: outcome.clone(),
            at: self.clock.now(),
        };
        let row = Row::of(&done, self.account.address());
        match outcome {
            Did::Broke | Did::Deleted | Did::BrokeNotDeleted(_) => {
                self.lines.write(&row)?;
                self.said.remove(&finding.place);
            }
            Did::Skipped(Skip::Gone | Skip::Released) => {
                // Said as such by what follows, from the row before.
                let was = self.said.remove(&finding.place).unwrap_or(row.clone());
                self.lines
                    .write(&freed(was, &row.time, *outcome == Did::Skipped(Skip::Gone)))?;
            }
            Did::Skipped(Skip::CompleteBackup | Skip::NotVerified(_)) => {
                self.spared
                    .insert(finding.place.clone(), finding.properties.etag.clone());
                self.weigh(Exit::Failed, console);
                self.say(&finding.place, row.clone())?;
            }
            _ => self.say(&finding.place, row.clone())?,
        }
        if matches!(outcome, Did::Failed(_) | Did::BrokeNotDeleted(_)) {
            self.weigh(Exit::Failed, console);
        }
        // What is locked still stands in the report with its latest outcome; each try would be a row otherwise, for months.
        if !self.said.contains_key(&finding.place) {
            if self.deeds.len() == DEEDS_KEPT {
                self.deeds.pop_front();
            }
            self.deeds.push_back(row);
        }
        Ok(())
    }

    /// What was found weighs in the exit code of a single round alone.
    fn weigh(&self, exit: Exit, console: &Console) {
        if self.order.interval.is_none() {
            console.ended(exit);
        }
    }

    /// Says this of the blob unless it was said before.
    fn say(&mut self, place: &Place, row: Row) -> Result<(), Halt> {
        let news = self
            .said
            .get(place)
            .is_none_or(|before| gist(before) != gist(&row));
        if news {
            self.lines.write(&row)?;
        }
        self.said.insert(place.clone(), row);
        Ok(())
    }

    /// Says what could not be read, and on standard error what can be read again.
    fn say_unread(&mut self, entries: &[Entry], console: &Console) -> Result<(), Halt> {
        let mut now = BTreeMap::new();
        for entry in entries {
            let Entry::Unread { fault, .. } = entry else {
                continue;
            };
            let sentence = fault.sentence();
            if self.unread.get(&fault.target) != Some(&sentence) {
                self.lines.write(&Row::of(entry, self.account.address()))?;
                match self.order.interval {
                    Some(_) => console.warn(&sentence),
                    None if fault.target.is_empty() => {}
                    None => console.fail(&complaint::failed(fault)),
                }
            }
            now.insert(fault.target.clone(), sentence);
        }
        for target in self.unread.keys().filter(|target| !now.contains_key(*target)) {
            let target = if target.is_empty() { "the account" } else { target };
            console.note(format!("{target} can be read again"));
        }
        self.unread = now;
        Ok(())
    }

    /// Says what is locked no more. One look tells whether it is there still.
    async fn say_free(&mut self, entries: &[Entry], stop: &Stop) -> Result<(), Halt> {
        let locked: BTreeSet<&Place> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Blob { finding, .. } => Some(&finding.place),
                Entry::Unread { .. } => None,
            })
            .collect();
        let free: Vec<Place> = self
            .said
            .keys()
            .filter(|place| !locked.contains(place))
            .cloned()
            .collect();
        for place in free {
            let Some(looked) = stop.unless(self.account.head(&place)).await else {
                return Err(Halt::Asked);
            };
            let gone = match looked {
                Ok(_) => false,
                Err(fault) if fault.cause == Cause::NotFound => true,
                // Not known; the next round asks again.
                Err(_) => continue,
            };
            let Some(was) = self.said.remove(&place) else {
                continue;
            };
            self.spared.remove(&place);
            let time = self.clock.now().rfc3339();
            self.lines.write(&freed(was, &time, gone))?;
        }
        Ok(())
    }

    /// The row of an entry, or what came of the last try to act on it.
    fn latest(&self, entry: &Entry) -> Row {
        let tried = match entry {
            Entry::Blob { finding, .. } => self.said.get(&finding.place),
            Entry::Unread { .. } => None,
        };
        let tried = tried.filter(|row| matches!(row.action, "skipped" | "failed"));
        tried
            .cloned()
            .unwrap_or_else(|| Row::of(entry, self.account.address()))
    }

    /// The report shows what is locked and what was done; while the account does not answer, also that.
    fn keep_report(&mut self, mut entries: Vec<Entry>, round: &Round, console: &Console) {
        if self.report.is_none() {
            return;
        }
        if let Round::NoAnswer(fault) = round {
            entries.extend(clean::unread(fault, self.clock));
        }
        let mut rows: Vec<Row> = self.deeds.iter().cloned().collect();
        rows.extend(entries.iter().map(|entry| self.latest(entry)));
        let (account, now) = (self.account.address(), self.clock.now());
        let Some(report) = &mut self.report else {
            return;
        };
        if let Err(failure) = report.write(&rows, &self.summary, account, now) {
            match self.order.interval {
                Some(_) => console.warn(failure.sentence()),
                None => console.fail(&failure),
            }
        }
    }
}

/// One look at everything; a single round goes on until all is ruled.
async fn look<A: Account, C: Clock>(
    guard: &mut Guard<'_, A, C, Servers>,
    ripen: bool,
) -> Result<Summary, Fault> {
    let summary = guard.survey().await?;
    if ripen {
        guard.ripen().await?;
    }
    Ok(summary)
}

/// What a change of is news.
fn gist(row: &Row) -> impl PartialEq {
    (
        (
            row.holder,
            row.evidence,
            row.activity,
            row.ruling,
            row.action,
            row.reason.clone(),
        ),
        (
            row.content,
            row.database_name.clone(),
            row.backup_type.clone(),
            row.complete,
        ),
        (row.lease_state, row.lease_duration, row.kind),
    )
}

/// The row of a blob that is locked no more.
fn freed(was: Row, time: &str, gone: bool) -> Row {
    let (action, detail) = match gone {
        true => ("gone", "It is not there any more."),
        false => ("released", "It is not locked any more."),
    };
    Row {
        time: time.to_owned(),
        ruling: None,
        action,
        reason: None,
        detail: Some(detail.to_owned()),
        ..was
    }
}

/// Whether a first round that fails so will not be better at the next one: what the command was given is wrong. Later the
/// same fault may pass, when a SAS file is replaced or a role given back, and the watch goes on.
fn is_wrong_usage(fault: &Fault) -> bool {
    matches!(
        fault.cause,
        Cause::Refused | Cause::NotAllowed | Cause::Expired(_) | Cause::NotFound
    )
}
