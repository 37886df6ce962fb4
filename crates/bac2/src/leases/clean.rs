//! The flow of `break` and `delete`: survey, watch until all is ruled, show, ask, act one by one.
//!
//! Whatever ends it early, what was found and done comes out as entries, so that the answer and the report have it. A
//! first signal lets the act under way finish; a second drops it, and its outcome is then called unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use guard::clock::Clock;
use guard::fault::{Cause, Operation};
use guard::report::{Did, Entry, Row, Skip, Summary};
use guard::ruling::{Ruling, Terms};
use guard::scope::Scope;
use guard::{Account, Deed, Fault, Finding, Guard, Place};

use super::ask::Servers;
use super::complaint;
use super::confirm::{Consent, is_only_evidence, reads_unseen};
use super::progress::Watcher;
use super::stop::Stop;
use super::table;
use crate::console::{Console, Format};
use crate::failure::Failure;
use crate::quantity::{counted, duration};

/// What a run shall do.
#[derive(Clone)]
pub(super) struct Order {
    pub(super) scope: Scope,
    pub(super) terms: Terms,
    pub(super) deed: Deed,
    pub(super) dry_run: bool,
    /// Whom to ask before anything is broken.
    pub(super) ask: Option<Arc<Servers>>,
}

/// What became of it.
pub(super) struct Cleaned {
    /// The figures of the survey.
    pub(super) summary: Summary,
    /// Everything found, with what was done.
    pub(super) entries: Vec<Entry>,
    /// The blobs that were to be acted on.
    pub(super) chosen: BTreeSet<Place>,
    /// Why it ended early.
    pub(super) end: Option<Failure>,
}

impl Cleaned {
    fn ended(summary: Summary, entries: Vec<Entry>, end: Option<Failure>) -> Self {
        Self {
            summary,
            entries,
            chosen: BTreeSet::new(),
            end,
        }
    }

    /// Whether a person has just seen all of it, and said no.
    pub(super) fn is_just_shown(&self, format: Format) -> bool {
        let refused = self.end.as_ref().is_some_and(|end| end.code() == NOT_CONFIRMED);
        refused && format == Format::Table
    }

    /// Whether this entry was to be acted on.
    pub(super) fn was_chosen(&self, entry: &Entry) -> bool {
        finding(entry).is_some_and(|finding| self.chosen.contains(&finding.place))
    }
}

/// Does it.
pub(super) async fn clean<A: Account, C: Clock>(
    account: &A,
    clock: &C,
    order: Order,
    consent: Option<Consent>,
    stop: &Stop,
    console: &Console,
) -> Cleaned {
    let watcher = Watcher::new(console);
    let (scope, terms) = (order.scope.clone(), order.terms.clone());
    let ask = order.ask.clone();
    let mut guard = Guard::new(account, clock, scope, terms)
        .telling(&watcher)
        .asking_any(ask.as_deref());
    let mut cleaned = ruled(account, &mut guard, clock, &order, stop, &watcher, console).await;
    if cleaned.end.is_some() {
        return cleaned;
    }
    let would = match order.deed {
        Deed::Break => Did::WouldBreak,
        Deed::Delete { .. } => Did::WouldDelete,
    };
    plan(&mut cleaned.entries, &would);
    let ripe: Vec<Finding> = planned(&cleaned.entries, &would).cloned().collect();
    let Some(mut consent) = consent.filter(|_| !ripe.is_empty() && !order.dry_run) else {
        return cleaned;
    };
    if matches!(consent, Consent::Asked(_)) {
        console.aside(&table::show(&planned_rows(&cleaned.entries, account), console));
    }
    let ripe: Vec<&Finding> = ripe.iter().collect();
    let answer = consent
        .ask(&ripe, &order.terms.named, order.deed, account.address(), stop)
        .await;
    warn_of_reads(&ripe, &answer.granted, matches!(consent, Consent::Given), console);
    cleaned.end = match () {
        () if stop.is_asked() => Some(interrupted()),
        () if answer.refused => Some(not_confirmed()),
        () => None,
    };
    cleaned.chosen = answer.granted;
    acted(&mut guard, clock, &ripe, order.deed, &mut cleaned, stop).await;
    watcher.clear();
    cleaned
}

/// Finds what is locked, and watches until each is ruled.
async fn ruled<A: Account, C: Clock>(
    account: &A,
    guard: &mut Guard<'_, A, C, Servers>,
    clock: &C,
    order: &Order,
    stop: &Stop,
    watcher: &Watcher,
    console: &Console,
) -> Cleaned {
    let surveyed = stop.unless(guard.survey()).await;
    watcher.clear();
    let summary = match surveyed {
        None => return Cleaned::ended(Summary::default(), Vec::new(), Some(interrupted())),
        Some(Err(fault)) => {
            let (entries, end) = (
                unread(&fault, clock),
                complaint::unusable(&fault, account.address()),
            );
            return Cleaned::ended(Summary::default(), entries, Some(end));
        }
        Some(Ok(summary)) => summary,
    };
    let before = guard.entries();
    say_missing(&order.scope, &before, console);
    let mut end = None;
    let mut lost = Vec::new();
    if let Some(longest) = guard.longest_wait() {
        announce(&before, longest, &order.terms, console);
        let ripened = stop.unless(guard.ripen()).await;
        watcher.clear();
        match ripened {
            None => end = Some(interrupted()),
            Some(Err(fault)) => {
                lost = unread(&fault, clock);
                end = Some(complaint::unusable(&fault, account.address()));
            }
            Some(Ok(())) => {}
        }
    }
    let mut entries = left(guard.entries());
    entries.extend(lost);
    let free = free(account, clock, before, &entries, stop).await;
    entries.splice(0..0, free);
    // By place, and what could not be read at the end, as the guard gives them.
    entries.sort_by(|a, b| order_of(a).cmp(&order_of(b)));
    Cleaned::ended(summary, entries, end)
}

/// Blobs that were locked at the survey and are no more: nothing is left to do, which is told.
async fn free<A: Account, C: Clock>(
    account: &A,
    clock: &C,
    before: Vec<Entry>,
    after: &[Entry],
    stop: &Stop,
) -> Vec<Entry> {
    let locked: BTreeSet<&Place> = after
        .iter()
        .filter_map(finding)
        .map(|finding| &finding.place)
        .collect();
    let mut free = Vec::new();
    for entry in before {
        let Entry::Blob { finding, ruling, .. } = entry else {
            continue;
        };
        if locked.contains(&finding.place) {
            continue;
        }
        let Some(looked) = stop.unless_again(account.head(&finding.place)).await else {
            break;
        };
        let did = match looked {
            Ok(_) => Did::Skipped(Skip::Released),
            Err(fault) if fault.cause == Cause::NotFound => Did::Skipped(Skip::Gone),
            Err(fault) => Did::Failed(fault),
        };
        free.push(Entry::Blob {
            finding,
            ruling,
            did,
            at: clock.now(),
        });
    }
    free
}

fn order_of(entry: &Entry) -> (bool, Option<&Place>) {
    let place = finding(entry).map(|finding| &finding.place);
    (place.is_none(), place)
}

/// Does the deed to each that may be acted on, and writes down what became of all that are ripe.
async fn acted<A: Account, C: Clock>(
    guard: &mut Guard<'_, A, C, Servers>,
    clock: &C,
    ripe: &[&Finding],
    deed: Deed,
    cleaned: &mut Cleaned,
    stop: &Stop,
) {
    let mut done = BTreeMap::new();
    for one in ripe {
        let did = if !cleaned.chosen.contains(&one.place) {
            Did::Skipped(Skip::Declined)
        } else if stop.is_asked() {
            cleaned.end = Some(interrupted());
            Did::Listed
        } else {
            let did = stop.unless_again(guard.act(&one.place, deed)).await;
            did.unwrap_or_else(|| unknown_outcome(&one.place))
        };
        done.insert(one.place.clone(), (did, clock.now()));
    }
    for entry in &mut cleaned.entries {
        if let Entry::Blob { finding, did, at, .. } = entry
            && let Some(outcome) = done.remove(&finding.place)
        {
            (*did, *at) = outcome;
        }
    }
}

/// The rows of the answer.
pub(super) fn rows<A: Account>(entries: &[Entry], account: &A) -> Vec<Row> {
    entries
        .iter()
        .map(|entry| Row::of(entry, account.address()))
        .collect()
}

/// The rows of what is about to be done. Their sentences are those of a dry run, whose next step is another.
pub(super) fn planned_rows<A: Account>(entries: &[Entry], account: &A) -> Vec<Row> {
    let mut rows = rows(entries, account);
    for detail in rows.iter_mut().filter_map(|row| row.detail.as_mut()) {
        if let Some(plain) = detail.strip_suffix(DRY_RUN_NEXT) {
            *detail = format!("{plain}.");
        }
    }
    rows
}

/// How a dry run's sentence ends.
const DRY_RUN_NEXT: &str = "; run the command again without --dry-run.";

fn finding(entry: &Entry) -> Option<&Finding> {
    match entry {
        Entry::Blob { finding, .. } => Some(finding),
        Entry::Unread { .. } => None,
    }
}

fn planned<'a>(entries: &'a [Entry], would: &'a Did) -> impl Iterator<Item = &'a Finding> {
    entries.iter().filter_map(move |entry| match entry {
        Entry::Blob { finding, did, .. } if did == would => Some(&**finding),
        _ => None,
    })
}

/// What the rules leave alone is called so.
fn left(mut entries: Vec<Entry>) -> Vec<Entry> {
    for entry in &mut entries {
        if let Entry::Blob { ruling, did, .. } = entry
            && *did == Did::Listed
        {
            match ruling {
                Ruling::Break(_) => {}
                Ruling::Wait(_) => *did = Did::Skipped(Skip::NotQuietYet),
                Ruling::Keep(why) => *did = Did::Skipped(Skip::Ruled(why.clone())),
            }
        }
    }
    entries
}

/// What the rules allow is planned. A blob whose latest look failed is looked at again before anything happens to it.
fn plan(entries: &mut [Entry], would: &Did) {
    for entry in entries {
        if let Entry::Blob {
            ruling: Ruling::Break(_),
            did,
            ..
        } = entry
            && !matches!(did, Did::Skipped(_))
        {
            *did = would.clone();
        }
    }
}

/// The account failed as a whole: a row of its own.
pub(super) fn unread<C: Clock>(fault: &Fault, clock: &C) -> Vec<Entry> {
    vec![Entry::Unread {
        fault: fault.clone(),
        at: clock.now(),
    }]
}

/// Named blobs that are not locked are nothing to work on, which the user should know.
pub(super) fn say_missing(scope: &Scope, entries: &[Entry], console: &Console) {
    let found: BTreeSet<&Place> = entries
        .iter()
        .filter_map(finding)
        .map(|finding| &finding.place)
        .collect();
    let unread: BTreeSet<&str> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Unread { fault, .. } => Some(fault.target.as_str()),
            Entry::Blob { .. } => None,
        })
        .collect();
    for place in scope.blobs.iter().filter(|place| !found.contains(place)) {
        if !unread.contains(place.to_string().as_str()) && !unread.contains(place.container.as_str()) {
            console.warn(format!("{place} is not locked, or not there"));
        }
    }
}

fn announce(entries: &[Entry], longest: std::time::Duration, terms: &Terms, console: &Console) {
    let waiting = |entry: &&Entry| {
        matches!(
            entry,
            Entry::Blob {
                ruling: Ruling::Wait(_),
                ..
            }
        )
    };
    let number = entries.iter().filter(waiting).count() as u64;
    let evidence = if entries.iter().filter(waiting).any(is_only_evidence) {
        "; the account does not tell who is alive, so that will be evidence, not proof"
    } else {
        ""
    };
    console.note(format!(
        "{} may turn out to be abandoned; watching until each was quiet for {}, {} at most{evidence}. Ctrl-C ends it and \
         changes nothing.",
        counted(number, "locked blob"),
        duration(terms.min_quiet.as_secs_f64()),
        duration(longest.as_secs_f64()),
    ));
}

/// `--yes` covers no restore that nobody could see.
fn warn_of_reads(ripe: &[&Finding], granted: &BTreeSet<Place>, unattended: bool, console: &Console) {
    let skipped = ripe
        .iter()
        .filter(|finding| unattended && reads_unseen(finding) && !granted.contains(&finding.place));
    for finding in skipped {
        console.warn(format!(
            "{} is left alone: a RESTORE holds it, and on this account a restore that reads leaves no trace; if you know \
             that none runs, name it with --blob, or answer on a terminal",
            finding.place
        ));
    }
}

pub(super) fn interrupted() -> Failure {
    Failure::failed(
        "Interrupted",
        "ended by a signal before all was done",
        "run the command again; the answer shows what was done so far",
    )
}

/// The code of a question that was not answered with the name.
const NOT_CONFIRMED: &str = "NotConfirmed";

fn not_confirmed() -> Failure {
    Failure::unusable(
        NOT_CONFIRMED,
        "the name was not typed, and nothing was changed",
        "type it as shown, or add --yes",
    )
}

/// An act that a second signal cut off.
pub(super) fn unknown_outcome(place: &Place) -> Did {
    Did::Failed(Fault {
        operation: Operation::BreakLease,
        target: place.to_string(),
        cause: Cause::Unreachable("it was cut off by a second signal".to_owned()),
        status: None,
        code: None,
    })
}
