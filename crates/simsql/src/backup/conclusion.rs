//! The end of a backup that succeeded: what it was, for msdb, for the error log and for the client.

use std::fmt::Write as _;
use std::time::Duration;

use bak::{BackupSet, LocalTime, Lsn};
use uuid::Uuid;

use super::figures;
use super::history;
use super::media_set::MediaSet;
use super::order::{Kind, Order};
use crate::answers::Answers;
use crate::engine::DatabaseFile;
use crate::instance::{Version, note};
use crate::media::Device;
use crate::message::Message;
use crate::moment::Moment;
use crate::session::Session;

/// Trace flag that keeps successful backups out of the error log.
const QUIET: u32 = 3226;

/// What was backed up.
pub(super) struct Conclusion<'a> {
    pub(super) order: &'a Order,
    pub(super) media: &'a MediaSet,
    /// As the commit record has it.
    pub(super) set: BackupSet,
    /// Flags as HEADERONLY prints them.
    pub(super) flags: u32,
    pub(super) files: Vec<DatabaseFile>,
    /// Pages in the first pass, by data file.
    pub(super) pages: Vec<(u16, u64)>,
    /// Pages sent a second time.
    pub(super) again: u64,
    pub(super) log_bytes: u64,
    /// Bytes that went to the media.
    pub(super) sent: u64,
    pub(super) finish: Moment,
    pub(super) elapsed: Duration,
    pub(super) damaged: bool,
    pub(super) expiration: Option<LocalTime>,
    /// The differential base that the files have behind this backup.
    pub(super) base: Option<(Lsn, Uuid)>,
    pub(super) begins_log_chain: bool,
}

impl Conclusion<'_> {
    fn position(&self) -> u16 {
        self.media.position
    }

    /// 4035 for each data file.
    pub(super) fn tell_pages(&self, answers: &mut dyn Answers) {
        for file in self
            .files
            .iter()
            .filter(|file| file.file_type == bak::FileType::Data)
        {
            let pages = self.pages.iter().find(|(id, _)| *id == file.file_id);
            if let Some((_, pages)) = pages {
                self.tell_file(answers, file, *pages);
            }
        }
    }

    /// 4035 for the log.
    pub(super) fn tell_log(&self, answers: &mut dyn Answers) {
        let log = self
            .files
            .iter()
            .find(|file| file.file_type == bak::FileType::Log);
        if let Some(log) = log {
            self.tell_file(answers, log, figures::log_pages(self.log_bytes));
        }
    }

    fn tell_file(&self, answers: &mut dyn Answers, file: &DatabaseFile, pages: u64) {
        answers.message(Message::new(
            4035,
            &[
                &pages,
                &self.set.database_name,
                &file.logical_name,
                &self.position(),
            ],
        ));
    }

    fn processed_pages(&self) -> u64 {
        let data: u64 = self.pages.iter().map(|(_, pages)| pages).sum();
        data + figures::log_pages(self.log_bytes)
    }

    /// msdb, the error log, and the closing messages.
    pub(super) async fn close(&self, session: &Session, answers: &mut dyn Answers) {
        if history::write(session, self).await.is_err() {
            answers.message(Message::new(3009, &[]));
        }
        let processed = figures::processed(self.order.title(), self.processed_pages(), self.elapsed);
        if self.damaged {
            answers.message(Message::new(3042, &[]));
        }
        self.note(session, &processed);
        answers.message(processed);
    }

    fn note(&self, session: &Session, processed: &Message) {
        let mut state = session.instance.state();
        if state.server.trace_flags.contains(&QUIET) {
            return;
        }
        note(&mut state, self.finish, self.logged());
        // From 2019 on the line of the client follows in the log.
        if session.instance.settings.version >= Version::V2019 {
            note(&mut state, self.finish, processed.clone());
        }
    }

    /// 18264, 18265 or 18270.
    fn logged(&self) -> Message {
        let set = &self.set;
        let created = set.database_creation_date.map_or_else(String::new, |date| {
            format!(
                "{:04}/{:02}/{:02}({:02}:{:02}:{:02})",
                date.year, date.month, date.day, date.hour, date.minute, date.second
            )
        });
        let dumped = self.processed_pages() + self.again;
        let (first, last) = (colons(set.first_lsn), colons(set.last_lsn));
        let base = colons(set.differential_base_lsn);
        let devices = self.order.mirrors.iter().map(Vec::len).sum::<usize>();
        let name = &set.database_name;
        let about = self.devices();
        match self.order.kind {
            Kind::Full => Message::new(
                18_264,
                &[name, &created, &dumped, &first, &last, &devices, &about],
            ),
            Kind::Differential => Message::new(
                18_270,
                &[name, &created, &dumped, &first, &last, &base, &devices, &about],
            ),
            Kind::Log => Message::new(18_265, &[name, &created, &first, &last, &devices, &about]),
        }
    }

    /// `FILE=1, TYPE=DISK, MEDIANAME='x': {'/a.bak', '/b.bak'}`.
    fn devices(&self) -> String {
        let kind = match self.order.mirrors[0].first() {
            Some(Device::Url(_)) => "URL",
            _ => "DISK",
        };
        let mut text = format!("FILE={}, TYPE={kind}", self.position());
        if !self.media.name.is_empty() {
            write!(text, ", MEDIANAME='{}'", self.media.name).expect("a String takes all");
        }
        let names: Vec<String> = self
            .order
            .mirrors
            .iter()
            .flatten()
            .map(|device| format!("'{}'", device.name()))
            .collect();
        write!(text, ": {{{}}}", names.join(", ")).expect("a String takes all");
        text
    }
}

/// `39:1000:1`, the form of the error log.
fn colons(lsn: Option<Lsn>) -> String {
    let Lsn { vlf, block, slot } = lsn.unwrap_or_default();
    format!("{vlf}:{block}:{slot}")
}
