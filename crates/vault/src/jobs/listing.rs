//! Looking at jobs: page by page, the newest first, whatever their number.
//!
//! The catalog keeps the jobs of an item by kind and of an instance by whether they are over, each by time; a page merges these,
//! and reads a bounded number of records, whether they are wanted or not.

use catalog::keys::tuple;
use catalog::record::{Job, JobState, moment};
use catalog::{Query, Range, Scope, Slot, Transaction};
use faults::Fault;
use schedule::BackupKind;

use super::{JobFilter, JobPage, JobPlace};
use crate::records::{fault, readable};
use crate::vault::Vault;

/// Records that one page looks at.
const LOOKED_AT_MAX: usize = 20_000;

/// One run of jobs in the catalog, the newest first.
struct Stream {
    /// What follows; none where it is at its end.
    query: Option<Query>,
    /// What was read and not taken yet, the newest last.
    read: Vec<Job>,
}

impl Stream {
    /// Has its newest job in `read`, where there is one.
    async fn fill(&mut self, tx: &mut dyn Transaction) -> Result<(), Fault> {
        while self.read.is_empty() {
            let Some(query) = self.query.take() else {
                return Ok(());
            };
            let page = readable::<Job>(tx, &query).await.map_err(fault)?;
            self.query = page.next.map(|next| query.after(next));
            self.read = page.records.into_iter().rev().map(|job| job.record).collect();
        }
        Ok(())
    }

    fn head(&self) -> Option<JobPlace> {
        self.read.last().map(place)
    }
}

fn place(job: &Job) -> JobPlace {
    (job.created, job.id)
}

/// The members that keys of these runs begin with.
fn runs(filter: &JobFilter) -> (Slot, Vec<Vec<String>>) {
    let is_any =
        |ended: bool| filter.states.is_empty() || filter.states.iter().any(|state| state.is_ended() == ended);
    let openness: Vec<&str> = [("open", is_any(false)), ("ended", is_any(true))]
        .into_iter()
        .filter_map(|(word, is_wanted)| is_wanted.then_some(word))
        .collect();
    let each = |first: &[&str]| -> Vec<Vec<String>> {
        let with = |word: &&str| first.iter().chain([word]).map(ToString::to_string).collect();
        openness.iter().map(with).collect()
    };
    match (filter.item, filter.server) {
        (Some(item), _) => {
            let item = item.to_string();
            let works = BackupKind::ALL
                .iter()
                .map(|kind| kind.name())
                .chain(["configure", "purge"]);
            (Slot::B, works.flat_map(|work| each(&[&item, work])).collect())
        }
        (None, Some(server)) => (Slot::D, each(&[&server.to_string()])),
        (None, None) => (Slot::C, vec![Vec::new()]),
    }
}

/// The keys of a run that a filter's times allow.
fn range(run: &[String], filter: &JobFilter) -> Range {
    let first: Vec<&str> = run.iter().map(String::as_str).collect();
    let at = |moment: &str| tuple(&[first.as_slice(), &[moment]].concat());
    let mut range = match first.is_empty() {
        true => Range::ALL,
        false => Range::members(&first),
    };
    if let Some(since) = filter.since {
        range.from = at(&moment(since));
    }
    if let Some((before, _)) = filter.before {
        range.to = Some(format!("{}\u{1}", at(&moment(before))));
    }
    range
}

impl Vault {
    /// Jobs, the newest first.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>, Fault> {
        Ok(self.page_of_jobs(filter).await?.jobs)
    }

    /// A page of jobs, the newest first; the next one begins where `next` says: put it into [`JobFilter::before`].
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn page_of_jobs(&self, filter: &JobFilter) -> Result<JobPage, Fault> {
        let limit = filter.limit.clamp(1, 1_000);
        let rows = u32::try_from(limit.clamp(16, 200)).expect("at most 200");
        let (slot, runs) = runs(filter);
        let mut streams: Vec<Stream> = runs
            .iter()
            .map(|run| {
                let query = Query::of(Scope::vault(&self.key), slot, range(run, filter));
                Stream {
                    query: Some(query.descending().limit(rows)),
                    read: Vec::new(),
                }
            })
            .collect();
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        let (mut jobs, mut last) = (Vec::new(), None);
        for _ in 0..LOOKED_AT_MAX {
            for stream in &mut streams {
                stream.fill(tx.as_mut()).await?;
            }
            let newest = streams
                .iter_mut()
                .filter(|stream| stream.head().is_some())
                .max_by_key(|stream| stream.head());
            let Some(job) = newest.and_then(|stream| stream.read.pop()) else {
                return Ok(JobPage { jobs, next: None });
            };
            last = Some(place(&job));
            if is_wanted(&job, filter) {
                jobs.push(job);
                if jobs.len() == limit {
                    break;
                }
            }
        }
        Ok(JobPage { jobs, next: last })
    }
}

fn is_wanted(job: &Job, filter: &JobFilter) -> bool {
    let in_state = |state: &JobState| *state == job.state;
    filter.before.is_none_or(|before| place(job) < before)
        && filter.since.is_none_or(|since| job.created >= since)
        && filter.server.is_none_or(|server| job.server == Some(server))
        && (filter.states.is_empty() || filter.states.iter().any(in_state))
}
