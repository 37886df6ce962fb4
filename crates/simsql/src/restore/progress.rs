//! How far a restore is: STATS, and what sys.dm_exec_requests shows.

use std::time::Duration;

use bak::content::SetHeader;

use crate::answers::Answers;
use crate::message::Message;
use crate::session::Session;

/// Counts bytes.
pub(super) struct Progress {
    stats: Option<u8>,
    total: u64,
    done: u64,
    told: u64,
    started: Duration,
}

impl Progress {
    /// Of the bytes that the set's files have in it.
    pub(super) fn new(session: &Session, stats: Option<u8>, header: &SetHeader) -> Self {
        Self {
            stats: stats.filter(|every| *every > 0),
            total: header
                .files
                .iter()
                .fold(0, |total, file| total.saturating_add(file.backup_bytes)),
            done: 0,
            told: 0,
            started: session.instance.world.clock.uptime(),
        }
    }

    /// Counts `bytes` and says so where the next threshold is passed.
    pub(super) fn add(&mut self, session: &Session, bytes: u64, answers: &mut dyn Answers) {
        self.done += bytes;
        // The last word is said when all is done.
        let percent = (self.done * 100).checked_div(self.total).unwrap_or(0).min(99);
        self.note(session, percent);
        if let Some(every) = self.stats.map(u64::from)
            && percent / every > self.told / every
        {
            self.told = percent;
            answers.message(Message::new(3211, &[&percent]));
        }
    }

    /// All has been read.
    pub(super) fn end(&self, session: &Session, answers: &mut dyn Answers) {
        self.note(session, 100);
        if self.stats.is_some() {
            answers.message(Message::new(3211, &[&100]));
        }
    }

    fn note(&self, session: &Session, percent: u64) {
        let elapsed = session.instance.world.clock.uptime().saturating_sub(self.started);
        let mut state = session.instance.state();
        let Some(request) = state
            .sessions
            .get_mut(&session.id)
            .and_then(|facts| facts.request.as_mut())
        else {
            return;
        };
        request.percent_complete = percent as f32;
        let left = elapsed.as_millis() as u64 * (100 - percent) / percent.max(1);
        request.estimated_completion_ms = i64::try_from(left).unwrap_or(i64::MAX);
    }
}
