//! What was committed when: the record that restored databases are compared with.
//!
//! A line of history is the sequence of its commits; restoring to the past, or putting a snapshot back, begins another line that
//! shares the first commits of an older one. Everything here comes from the workload's own model, nothing from the code under
//! test but where the log stood behind each commit.

use bak::Lsn;
use simsql::moment::Moment;

use crate::workload::State;

/// A committed state.
#[derive(Clone)]
pub(crate) struct Commit {
    /// The clock when the statement that committed was sent.
    pub(crate) began: Moment,
    /// The clock when it was answered.
    pub(crate) at: Moment,
    /// Where the log went on behind it.
    pub(crate) end: Lsn,
    /// All tables.
    pub(crate) state: State,
}

struct Line {
    /// The line it left, and how many commits of that one's lineage are its own too.
    parent: Option<(usize, usize)>,
    commits: Vec<Commit>,
}

/// All lines of one database; the last is the one that goes on.
pub(crate) struct History {
    lines: Vec<Line>,
}

impl History {
    pub(crate) fn new(first: Commit) -> Self {
        Self {
            lines: vec![Line {
                parent: None,
                commits: vec![first],
            }],
        }
    }

    pub(crate) fn line(&self) -> usize {
        self.lines.len() - 1
    }

    pub(crate) fn record(&mut self, commit: Commit) {
        self.lines
            .last_mut()
            .expect("there is a line from the start")
            .commits
            .push(commit);
    }

    /// Goes on from behind the first `kept` commits of a line.
    pub(crate) fn fork(&mut self, line: usize, kept: usize) {
        self.lines.push(Line {
            parent: Some((line, kept)),
            commits: Vec::new(),
        });
    }

    /// The commits that lead to the end of a line.
    pub(crate) fn lineage(&self, line: usize) -> Vec<&Commit> {
        let own = &self.lines[line];
        let mut commits = match own.parent {
            Some((parent, kept)) => self.lineage(parent)[..kept].to_vec(),
            None => Vec::new(),
        };
        commits.extend(&own.commits);
        commits
    }

    /// How many commits led to where the history is now.
    pub(crate) fn length(&self) -> usize {
        self.lineage(self.line()).len()
    }

    /// The commits done at a moment of a line: how many at least and at most. More than one answer where a commit was under way.
    pub(crate) fn at(&self, line: usize, moment: Moment) -> (usize, usize) {
        let lineage = self.lineage(line);
        let sure = lineage.iter().filter(|commit| commit.at <= moment).count();
        let possible = lineage.iter().filter(|commit| commit.began <= moment).count();
        (sure, possible)
    }

    /// How many commits of a line lie before an LSN.
    pub(crate) fn before(&self, line: usize, lsn: Lsn) -> usize {
        self.lineage(line)
            .iter()
            .filter(|commit| commit.end <= lsn)
            .count()
    }

    /// A recorded row that somebody falsifies: what a judge must notice. Whether there was one.
    pub(crate) fn falsify(&mut self) -> bool {
        let rows = self.lines.iter_mut().flat_map(|line| &mut line.commits);
        let rows = rows.flat_map(|commit| commit.state.values_mut()).flatten();
        let mut changed = false;
        for (_, text) in rows {
            text.push('!');
            changed = true;
        }
        changed
    }
}
