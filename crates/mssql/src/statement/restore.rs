//! RESTORE: of databases and logs, and the four that only look.
//!
//! A moment to stop at is on the server's clock, because SQL Server takes no other; who has one in UTC converts it, and where its
//! hour occurs twice, stops by LSN.

use std::fmt;

use bak::Lsn;

use super::devices::Devices;
use crate::quoting::{Identifier, Literal};
use crate::value::DateTime;

/// What is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A full or a differential.
    Database,
    /// A log.
    Log,
}

/// What the database is when the statement is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Still RESTORING: more comes.
    NoRecovery,
    /// Open.
    Recovery,
    /// Readable, and more may come. The path of the undo file on the server.
    Standby(Literal),
}

/// Where a log is not applied any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `STOPAT`: a moment on the server's clock.
    At(DateTime),
    /// `STOPATMARK = 'lsn:...'`: with the record of this LSN.
    AtLsn(Lsn),
    /// `STOPBEFOREMARK = 'lsn:...'`: before it.
    BeforeLsn(Lsn),
    /// `STOPATMARK`: with the marked transaction of this name.
    AtMark(Literal),
    /// `STOPBEFOREMARK`: before it.
    BeforeMark(Literal),
}

/// A file that goes elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Its logical name.
    pub logical: Literal,
    /// Its path on the server.
    pub path: Literal,
}

/// What is kept or changed beside the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// KEEP_REPLICATION.
    pub keep_replication: bool,
    /// KEEP_CDC.
    pub keep_cdc: bool,
    /// RESTRICTED_USER.
    pub restricted_user: bool,
    /// ENABLE_BROKER, NEW_BROKER, ERROR_BROKER_CONVERSATIONS.
    pub broker: Option<Broker>,
}

impl Extras {
    fn words(self) -> Vec<String> {
        let flags = [
            (self.keep_replication, "KEEP_REPLICATION"),
            (self.keep_cdc, "KEEP_CDC"),
            (self.restricted_user, "RESTRICTED_USER"),
        ];
        let broker = self.broker.map(|broker| match broker {
            Broker::Enable => "ENABLE_BROKER".to_owned(),
            Broker::New => "NEW_BROKER".to_owned(),
            Broker::ErrorConversations => "ERROR_BROKER_CONVERSATIONS".to_owned(),
        });
        chosen(&flags).chain(broker).collect()
    }
}

fn chosen(flags: &[(bool, &str)]) -> impl Iterator<Item = String> {
    flags
        .iter()
        .filter(|(is_set, _)| *is_set)
        .map(|(_, word)| (*word).to_owned())
}

/// What becomes of Service Broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broker {
    /// ENABLE_BROKER.
    Enable,
    /// NEW_BROKER.
    New,
    /// ERROR_BROKER_CONVERSATIONS.
    ErrorConversations,
}

/// RESTORE DATABASE or RESTORE LOG from devices. Prints as the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    /// The database that comes of it.
    pub database: Identifier,
    /// What.
    pub what: What,
    /// Where from.
    pub devices: Devices,
    /// FILE: which backup set of the media, from 1; for blobs there is only one, and it is not said.
    pub position: u16,
    /// MOVE.
    pub moves: Vec<Move>,
    /// What follows.
    pub ending: Ending,
    /// STOPAT and its like; on a database it only checks.
    pub stop: Option<Stop>,
    /// REPLACE: what is there may be lost.
    pub replace: bool,
    /// CHECKSUM: only where the set has checksums, else 3187.
    pub checksum: bool,
    /// CONTINUE_AFTER_ERROR: damaged pages are taken as they are.
    pub continue_after_error: bool,
    /// BLOCKSIZE, where message 3284 asked for it.
    pub block_size: Option<u32>,
    /// The rest.
    pub extras: Extras,
}

impl Restore {
    /// The plain form: more comes, nothing is overwritten or moved.
    #[must_use]
    pub fn new(database: Identifier, what: What, devices: Devices) -> Self {
        Self {
            database,
            what,
            devices,
            position: 1,
            moves: Vec::new(),
            ending: Ending::NoRecovery,
            stop: None,
            replace: false,
            checksum: false,
            continue_after_error: false,
            block_size: None,
            extras: Extras::default(),
        }
    }

    fn options(&self) -> Vec<String> {
        let mut options = source_options(&self.devices, self.position, self.block_size);
        options.extend(self.moves.iter().map(ToString::to_string));
        options.push(self.ending.to_string());
        options.extend(self.stop.as_ref().map(ToString::to_string));
        let flags = [
            (self.replace, "REPLACE"),
            (self.checksum, "CHECKSUM"),
            (self.continue_after_error, "CONTINUE_AFTER_ERROR"),
        ];
        options.extend(chosen(&flags));
        options.extend(self.extras.words());
        options.push("STATS = 5".to_owned());
        options
    }
}

fn source_options(devices: &Devices, position: u16, block_size: Option<u32>) -> Vec<String> {
    let mut options = Vec::new();
    if !devices.are_blobs() {
        options.push(format!("FILE = {position}"));
    }
    options.extend(devices.credential());
    options.extend(block_size.map(|size| format!("BLOCKSIZE = {size}")));
    options
}

impl fmt::Display for Restore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begins = begins(self.what, &self.database);
        let options = self.options().join(", ");
        write!(f, "{begins} FROM {} WITH {options};", self.devices)
    }
}

/// How the statement that restores into a database begins: `RESTORE LOG [Shop]`. By this it is known among those that run.
#[must_use]
pub fn begins(what: What, database: &Identifier) -> String {
    let what = match what {
        What::Database => "DATABASE",
        What::Log => "LOG",
    };
    format!("RESTORE {what} {database}")
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRecovery => f.write_str("NORECOVERY"),
            Self::Recovery => f.write_str("RECOVERY"),
            Self::Standby(undo) => write!(f, "STANDBY = {undo}"),
        }
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MOVE {} TO {}", self.logical, self.path)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(moment) => {
                // Always three digits behind the second, as `datetime` reads them in every language.
                let millis = moment.ticks / 10_000 % 1000;
                let whole = DateTime {
                    ticks: moment.ticks / 10_000_000 * 10_000_000,
                    ..*moment
                };
                write!(f, "STOPAT = N'{whole}.{millis:03}'")
            }
            Self::AtLsn(lsn) => write!(f, "STOPATMARK = N'lsn:{lsn}'"),
            Self::BeforeLsn(lsn) => write!(f, "STOPBEFOREMARK = N'lsn:{lsn}'"),
            Self::AtMark(mark) => write!(f, "STOPATMARK = {mark}"),
            Self::BeforeMark(mark) => write!(f, "STOPBEFOREMARK = {mark}"),
        }
    }
}

/// Opens a database that a restore left RESTORING.
#[must_use]
pub fn recover(database: &Identifier) -> String {
    recover_with(database, Extras::default())
}

/// The same, with what is kept or changed beside the data: SQL Server takes that at the recovery alone.
#[must_use]
pub fn recover_with(database: &Identifier, extras: Extras) -> String {
    let options: String = extras.words().iter().map(|word| format!(", {word}")).collect();
    format!("RESTORE DATABASE {database} WITH RECOVERY{options};")
}

/// What is looked at without restoring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// The backup sets of the media.
    HeaderOnly,
    /// The files of one set.
    FileListOnly,
    /// The media.
    LabelOnly,
    /// Whether one set can be read; success is message 3262 alone.
    VerifyOnly {
        /// CHECKSUM: only where the set has checksums.
        checksum: bool,
        /// MOVE: whether there would be room.
        moves: Vec<Move>,
    },
}

/// RESTORE HEADERONLY and its like. Prints as the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// What.
    pub look: Look,
    /// Where.
    pub devices: Devices,
    /// FILE: which set, from 1; of no use to HEADERONLY and LABELONLY, and for blobs.
    pub position: u16,
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut options = match self.look {
            Look::FileListOnly | Look::VerifyOnly { .. } => {
                source_options(&self.devices, self.position, None)
            }
            Look::HeaderOnly | Look::LabelOnly => self.devices.credential().into_iter().collect(),
        };
        let word = match &self.look {
            Look::HeaderOnly => "HEADERONLY",
            Look::FileListOnly => "FILELISTONLY",
            Look::LabelOnly => "LABELONLY",
            Look::VerifyOnly { checksum, moves } => {
                options.extend(moves.iter().map(ToString::to_string));
                options.extend(checksum.then(|| "CHECKSUM".to_owned()));
                options.push("STATS = 5".to_owned());
                "VERIFYONLY"
            }
        };
        write!(f, "RESTORE {word} FROM {}", self.devices)?;
        if !options.is_empty() {
            write!(f, " WITH {}", options.join(", "))?;
        }
        f.write_str(";")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(devices: Devices) -> Restore {
        Restore::new(Identifier::new("a]b").unwrap(), What::Log, devices)
    }

    #[test]
    fn from_blobs_no_file_number_is_said() {
        let mut restore = log(Devices::urls(&["https://v/c/1"]).unwrap());
        restore.stop = Some(Stop::At(DateTime {
            days: 739_575,
            ticks: 864_000_000_000 - 30_000,
        }));
        // 2024 years have 739,251 days (2024 * 365 + 506 - 20 + 5), and 21 November is 324 days after 1 January 2025.
        assert_eq!(
            restore.to_string(),
            "RESTORE LOG [a]]b] FROM URL = N'https://v/c/1' WITH NORECOVERY, STOPAT = N'2025-11-21T23:59:59.997', STATS = 5;"
        );
    }

    #[test]
    fn from_files_with_all_that_can_be_said() {
        let mut restore = log(Devices::files(&["/b/1.bak"]).unwrap());
        restore.what = What::Database;
        restore.position = 3;
        restore.moves = vec![Move {
            logical: Literal::new("d'").unwrap(),
            path: Literal::device("/d/x.mdf").unwrap(),
        }];
        restore.ending = Ending::Standby(Literal::device("/d/x.undo").unwrap());
        restore.replace = true;
        restore.checksum = true;
        restore.extras.broker = Some(Broker::New);
        assert_eq!(
            restore.to_string(),
            "RESTORE DATABASE [a]]b] FROM DISK = N'/b/1.bak' WITH FILE = 3, MOVE N'd''' TO N'/d/x.mdf', STANDBY = N'/d/x.undo', \
             REPLACE, CHECKSUM, NEW_BROKER, STATS = 5;"
        );
    }

    #[test]
    fn what_is_kept_is_said_at_the_recovery() {
        let database = Identifier::new("a]b").unwrap();
        assert_eq!(recover(&database), "RESTORE DATABASE [a]]b] WITH RECOVERY;");
        let extras = Extras {
            keep_replication: true,
            keep_cdc: true,
            ..Extras::default()
        };
        assert_eq!(
            recover_with(&database, extras),
            "RESTORE DATABASE [a]]b] WITH RECOVERY, KEEP_REPLICATION, KEEP_CDC;"
        );
    }

    #[test]
    fn lsns_are_in_decimal() {
        let lsn: Lsn = "53000002197300001".parse().unwrap();
        assert_eq!(
            Stop::AtLsn(lsn).to_string(),
            "STOPATMARK = N'lsn:53000002197300001'"
        );
        assert_eq!(
            Stop::BeforeLsn(lsn).to_string(),
            "STOPBEFOREMARK = N'lsn:53000002197300001'"
        );
    }

    #[test]
    fn looking() {
        let look = |look, devices| {
            let inspection = Inspection {
                look,
                devices,
                position: 2,
            };
            inspection.to_string()
        };
        let file = Devices::files(&["/b"]).unwrap();
        assert_eq!(
            look(Look::HeaderOnly, file.clone()),
            "RESTORE HEADERONLY FROM DISK = N'/b';"
        );
        assert_eq!(
            look(Look::FileListOnly, file),
            "RESTORE FILELISTONLY FROM DISK = N'/b' WITH FILE = 2;"
        );
        let page = Devices::page_blob("https://v/c/1", "c").unwrap();
        assert_eq!(
            look(Look::LabelOnly, page.clone()),
            "RESTORE LABELONLY FROM URL = N'https://v/c/1' WITH CREDENTIAL = N'c';"
        );
        let verify = Look::VerifyOnly {
            checksum: true,
            moves: Vec::new(),
        };
        assert_eq!(
            look(verify, page),
            "RESTORE VERIFYONLY FROM URL = N'https://v/c/1' WITH CREDENTIAL = N'c', CHECKSUM, STATS = 5;"
        );
    }
}
