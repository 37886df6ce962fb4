//! A RESTORE statement with its words resolved and its options typed.

use bak::Lsn;

use crate::instance::Instance;
use crate::media::Device;
use crate::message::Failure;
use crate::moment::Moment;
use crate::query::convert::convert;
use crate::session::Session;
use crate::session::run::word as text;
use crate::tsql::device::DeviceName;
use crate::tsql::restore::{RestoreOptions, RestoreStatement, RestoreWhat, StopOption};
use crate::tsql::statement::Word;
use crate::value::{DateTime, Length, SqlType, Value};
use crate::world::OsError;

/// Devices of a statement at most, as SQL Server allows.
const DEVICES: usize = 64;

/// Windows' ERROR_SHARING_VIOLATION: somebody has the file open.
const IN_USE: i32 = 32;

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) what: RestoreWhat,
    /// Name of the database; empty for the forms that only look.
    pub(super) database: String,
    pub(super) devices: Vec<Device>,
    /// WITH CREDENTIAL.
    pub(super) credential: Option<String>,
    /// FILE =, from 1.
    pub(super) position: u16,
    /// Logical name and path.
    pub(super) moves: Vec<(String, String)>,
    pub(super) finish: Finish,
    pub(super) stop: Option<StopAt>,
    pub(super) replace: bool,
    pub(super) restricted_user: bool,
    pub(super) checksum: Option<bool>,
    pub(super) continue_after_error: bool,
    pub(super) stats: Option<u8>,
    pub(super) load_history: bool,
}

/// How the database is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    Recovery,
    NoRecovery,
    Standby(String),
}

/// Where roll forward stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopAt {
    Time(Moment),
    /// STOPATMARK = 'lsn:'.
    Including(Lsn),
    /// STOPBEFOREMARK = 'lsn:'.
    Before(Lsn),
}

impl Order {
    /// Reads a statement.
    ///
    /// # Errors
    /// 137, 3205, 3206, 3217, 3250, 4334, 4340, 40510 for what the simulation does not restore (single files, pages, snapshots).
    pub(super) fn of(session: &Session, statement: &RestoreStatement) -> Result<Self, Failure> {
        refuse_parts(statement)?;
        let options = &statement.options;
        if statement.devices.len() > DEVICES {
            return Err(Failure::new(3205, &[&DEVICES]));
        }
        let devices = statement.devices.iter().map(|name| device(session, name));
        let devices = devices.collect::<Result<_, _>>()?;
        let database = optional(session, statement.database.as_ref())?.unwrap_or_default();
        Ok(Self {
            what: statement.what,
            finish: finish(session, &database, options)?,
            database,
            devices,
            credential: optional(session, options.credential.as_ref())?,
            position: position(session, options)?,
            moves: moves(session, options)?,
            stop: stop(session, statement)?,
            replace: options.replace,
            restricted_user: options.restricted_user,
            checksum: options.checksum,
            continue_after_error: options.continue_after_error,
            stats: options.stats,
            load_history: options.load_history,
        })
    }

    /// The names of its devices, as the error log lists them.
    pub(super) fn device_information(&self) -> String {
        let one = |(number, device): (usize, &Device)| {
            let kind = match device {
                Device::Url(_) => "URL",
                _ => "DISK",
            };
            format!("FILE={}, TYPE={kind}: {{'{}'}}", number + 1, device.name())
        };
        let all: Vec<String> = self.devices.iter().enumerate().map(one).collect();
        all.join(", ")
    }
}

fn refuse_parts(statement: &RestoreStatement) -> Result<(), Failure> {
    let what = if !statement.files.is_empty() || statement.options.partial {
        "RESTORE of single files and filegroups"
    } else if statement.pages.is_some() {
        "RESTORE of single pages"
    } else if statement.snapshot.is_some() {
        "RESTORE ... FROM DATABASE_SNAPSHOT"
    } else {
        return Ok(());
    };
    Err(Failure::new(40_510, &[&what]))
}

fn optional(session: &Session, word: Option<&Word>) -> Result<Option<String>, Failure> {
    word.map(|word| text(session, word)).transpose()
}

/// A device, its path made absolute: a bare name lies in the backup directory.
fn device(session: &Session, name: &DeviceName) -> Result<Device, Failure> {
    let settings = &session.instance.settings;
    let disk = |path: String| {
        let is_absolute = path.starts_with(['/', '\\']) || path.get(1..2) == Some(":");
        if path.eq_ignore_ascii_case("NUL") {
            Device::Nul
        } else if is_absolute {
            Device::Disk(path)
        } else {
            Device::Disk(settings.path(&["backup", &path]))
        }
    };
    match name {
        DeviceName::Disk(word) => Ok(disk(text(session, word)?)),
        DeviceName::Url(word) => Ok(Device::Url(text(session, word)?)),
        DeviceName::Tape(_) => Err(Failure::new(40_510, &[&"tape devices"])),
        DeviceName::Logical(name) => {
            let state = session.instance.state();
            let found = state
                .server
                .devices
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name));
            let (_, path) = found.ok_or_else(|| Failure::new(3206, &[name]))?;
            Ok(if path.starts_with("http") {
                Device::Url(path.clone())
            } else {
                disk(path.clone())
            })
        }
    }
}

fn position(session: &Session, options: &RestoreOptions) -> Result<u16, Failure> {
    let Some(word) = &options.file else { return Ok(1) };
    let written = text(session, word)?;
    written
        .trim()
        .parse()
        .ok()
        .filter(|position| *position > 0)
        .ok_or_else(|| Failure::new(3250, &[&written, &"FILE"]))
}

fn moves(session: &Session, options: &RestoreOptions) -> Result<Vec<(String, String)>, Failure> {
    let mut moves: Vec<(String, String)> = Vec::new();
    for (logical, path) in &options.moves {
        let logical = text(session, logical)?;
        if moves
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(&logical))
        {
            return Err(Failure::new(4353, &[&logical]));
        }
        moves.push((logical, text(session, path)?));
    }
    Ok(moves)
}

/// Whether the undo file of `database` would be written over a file that the instance has open: a database's, the undo file of another one
/// in standby, which could never go on without it, or the instance's record.
fn is_in_use(session: &Session, database: &str, path: &str) -> bool {
    let state = session.instance.state();
    session.instance.keeps(&state, path) || Instance::undoes_another(&state, database, path)
}

fn finish(session: &Session, database: &str, options: &RestoreOptions) -> Result<Finish, Failure> {
    Ok(match &options.standby {
        Some(word) => match text(session, word)? {
            path if path.is_empty() => return Err(Failure::new(3170, &[])),
            path if is_in_use(session, database, &path) => {
                return Err(Failure::new(5123, &[&OsError::new(IN_USE), &path]));
            }
            path => Finish::Standby(path),
        },
        None if options.norecovery => Finish::NoRecovery,
        None => Finish::Recovery,
    })
}

fn stop(session: &Session, statement: &RestoreStatement) -> Result<Option<StopAt>, Failure> {
    let (mark, before) = match &statement.options.stop {
        None => return Ok(None),
        Some(StopOption::At(word)) => {
            let written = text(session, word)?;
            let local = local_time(&written).ok_or_else(|| Failure::new(3217, &[&"STOPAT"]))?;
            return Ok(Some(StopAt::Time(to_utc(&session.instance, local))));
        }
        Some(StopOption::AtMark(mark, _)) => (text(session, mark)?, false),
        Some(StopOption::BeforeMark(mark, _)) => (text(session, mark)?, true),
    };
    let Some(lsn) = mark.trim().strip_prefix("lsn:") else {
        if statement.what == RestoreWhat::Database {
            return Err(Failure::new(4340, &[]));
        }
        return Err(Failure::new(40_510, &[&"marked transactions"]));
    };
    let lsn = lsn_of(lsn.trim()).ok_or_else(|| Failure::new(4334, &[]))?;
    Ok(Some(if before {
        StopAt::Before(lsn)
    } else {
        StopAt::Including(lsn)
    }))
}

/// An LSN as SQL Server prints it: decimal, or `vlf:block:slot` in hexadecimal with or without `0x`.
fn lsn_of(written: &str) -> Option<Lsn> {
    if let Ok(lsn) = written.parse() {
        return Some(lsn);
    }
    let hexadecimal = written
        .strip_prefix("0x")
        .or_else(|| written.strip_prefix("0X"))
        .unwrap_or(written);
    let mut parts = hexadecimal.split(':');
    let lsn = Lsn {
        vlf: u32::from_str_radix(parts.next()?, 16).ok()?,
        block: u32::from_str_radix(parts.next()?, 16).ok()?,
        slot: u16::from_str_radix(parts.next()?, 16).ok()?,
    };
    parts.next().is_none().then_some(lsn)
}

/// A time of the server's clock, as T-SQL reads a `datetime`.
fn local_time(written: &str) -> Option<DateTime> {
    let text = SqlType::NVarChar(Length::Max);
    match convert(Value::from(written), text, SqlType::DateTime) {
        Ok(Value::DateTime(time)) => Some(time),
        _ => None,
    }
}

/// The moment when the server's clock showed this. Of an hour that the clock shows twice it is the one whose offset holds at the
/// end.
fn to_utc(instance: &Instance, local: DateTime) -> Moment {
    let clock = &instance.world.clock;
    let guess = local.moment(clock.offset_minutes(clock.now()));
    local.moment(clock.offset_minutes(guess))
}

#[cfg(test)]
mod tests {
    use super::lsn_of;

    #[test]
    fn an_lsn_is_decimal_or_hexadecimal() {
        let lsn = lsn_of("37000000043000037").unwrap();
        assert_eq!((lsn.vlf, lsn.block, lsn.slot), (37, 430, 37));
        assert_eq!(lsn_of("0x00000025:000001ae:0025"), Some(lsn));
        assert_eq!(lsn_of("00000025:000001ae:0025"), Some(lsn));
        for wrong in ["", "0x", "1:2", "1:2:3:4", "now"] {
            assert_eq!(lsn_of(wrong), None, "{wrong}");
        }
    }
}
