//! What cannot be written as a script, and why; seen before a word is written.

use std::collections::BTreeSet;

use super::{Device, End, Order, Source};
use crate::grade::Grade;
use crate::plan::{Plan, Step, Stop};
use crate::set::{Kind, SetId};

/// RESTORE takes at most so many devices.
const DEVICES_MAX: usize = 64;
/// `sysname`, in UTF-16 units.
const NAME_MAX: usize = 128;
/// The longest `nvarchar` that is no `max`, in UTF-16 units.
const STRING_MAX: usize = 4000;

/// Why there is no script for a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// The plan has no steps, or does not begin with a full backup, or has one in its middle.
    #[error("the plan is not a full backup followed by what applies to it")]
    NotAPlan,
    /// Sources and steps are not the same sets in the same order.
    #[error("step {0} of the plan and the backup set that was given for it are not the same")]
    WrongSource(usize),
    /// A set of [`Grade::None`].
    #[error("backup set {} is not known to have succeeded, or breaks off", .0.0)]
    NeverPlanned(SetId),
    /// Another number of devices than the set has families, or none.
    #[error("backup set {} lies on {families} families, and {devices} devices were given for it", .set.0)]
    WrongDevices {
        /// The set.
        set: SetId,
        /// Its families.
        families: u16,
        /// The devices given.
        devices: usize,
    },
    /// More than RESTORE takes.
    #[error("backup set {} has {devices} devices: RESTORE takes at most 64", .set.0)]
    TooManyDevices {
        /// The set.
        set: SetId,
        /// The devices given.
        devices: usize,
    },
    /// DISK and URL.
    #[error("backup set {} lies partly on disk and partly behind URLs: one RESTORE takes either, not both", .0.0)]
    MixedDevices(SetId),
    /// A URL with a query: message 3297, and usually a signature that belongs in a credential, not in a script.
    #[error("a URL of backup set {} has a query string, which SQL Server refuses (message 3297); a signature belongs in its credential", .0.0)]
    UrlWithQuery(SetId),
    /// WITH CREDENTIAL reads one page blob (message 3294).
    #[error("backup set {} lies on several URLs: WITH CREDENTIAL restores from one only", .0.0)]
    StripedWithCredential(SetId),
    /// Position 0.
    #[error("backup set {} has no position in its files: they count from 1", .0.0)]
    NoPosition(SetId),
    /// A stop at a full or differential, which are restored whole.
    #[error("backup set {} is no log: only a log can be restored in part", .0.0)]
    StopOutsideLog(SetId),
    /// A stop that `datetime` does not hold.
    #[error("backup set {} stops in the year {year}: SQL Server's times begin in 1753", .set.0)]
    StopTooEarly {
        /// The set.
        set: SetId,
        /// The year asked for.
        year: i16,
    },
    /// Two files of one set to one path.
    #[error("backup set {} would have two files at {path:?}", .set.0)]
    SamePath {
        /// The set.
        set: SetId,
        /// The path.
        path: String,
    },
    /// An empty name, or one that is longer than SQL Server's names are.
    #[error("{what} has {units} UTF-16 units: it takes from 1 to {most}")]
    Length {
        /// What it names.
        what: &'static str,
        /// Its length.
        units: usize,
        /// The longest.
        most: usize,
    },
    /// A percentage outside 1 to 100.
    #[error("STATS = {0} is no percentage from 1 to 100")]
    Stats(u8),
    /// A credential's name cannot come from a variable.
    #[error("the credential's name holds a control character or $(")]
    Credential,
}

/// Everything that can be wrong, before a word is written.
pub(super) fn check(plan: &Plan, sources: &[Source<'_>], order: &Order<'_>) -> Result<(), Unwritable> {
    length("the database's name", order.database, NAME_MAX)?;
    if let End::Standby { undo } = &order.options.end {
        length("the standby file's path", undo, STRING_MAX)?;
    }
    if let Some(credential) = &order.options.credential {
        length("the credential's name", credential, NAME_MAX)?;
        if !super::words::can_be_written(credential) {
            return Err(Unwritable::Credential);
        }
    }
    if let Some(stats) = order.options.stats.filter(|stats| !(1..=100).contains(stats)) {
        return Err(Unwritable::Stats(stats));
    }
    let fulls = plan.steps.iter().map(|step| step.kind == Kind::Full);
    if fulls.enumerate().any(|(at, is_full)| is_full != (at == 0)) || plan.steps.is_empty() {
        return Err(Unwritable::NotAPlan);
    }
    if plan.steps.len() != sources.len() {
        return Err(Unwritable::WrongSource(plan.steps.len().min(sources.len()) + 1));
    }
    for (number, (step, source)) in (1..).zip(plan.steps.iter().zip(sources)) {
        if step.set != source.set.id || step.kind != source.set.kind {
            return Err(Unwritable::WrongSource(number));
        }
        check_step(step)?;
        check_devices(source, order)?;
        check_moves(source)?;
    }
    Ok(())
}

fn check_step(step: &Step) -> Result<(), Unwritable> {
    let set = step.set;
    if step.grade == Grade::None {
        return Err(Unwritable::NeverPlanned(set));
    }
    if step.stop.is_some() && step.kind != Kind::Log {
        return Err(Unwritable::StopOutsideLog(set));
    }
    let moment = match &step.stop {
        Some(Stop::At(at)) => Some(at),
        Some(Stop::AtMark { name, after }) => {
            length("the mark's name", name, NAME_MAX)?;
            after.as_ref()
        }
        _ => None,
    };
    match moment {
        Some(at) if at.year() < 1753 => Err(Unwritable::StopTooEarly { set, year: at.year() }),
        _ => Ok(()),
    }
}

fn check_devices(source: &Source<'_>, order: &Order<'_>) -> Result<(), Unwritable> {
    let set = source.set.id;
    let (families, devices) = (source.set.families.count, source.devices.len());
    if devices > DEVICES_MAX {
        return Err(Unwritable::TooManyDevices { set, devices });
    }
    if devices == 0 || devices != usize::from(families) {
        return Err(Unwritable::WrongDevices {
            set,
            families,
            devices,
        });
    }
    let urls = source.devices.iter().filter(|device| device.is_url()).count();
    if urls != 0 && urls != devices {
        return Err(Unwritable::MixedDevices(set));
    }
    if urls > 1 && order.options.credential.is_some() {
        return Err(Unwritable::StripedWithCredential(set));
    }
    if source.position == 0 {
        return Err(Unwritable::NoPosition(set));
    }
    for device in &source.devices {
        length("a device", device.name(), STRING_MAX)?;
        if matches!(device, Device::Url(url) if url.contains('?')) {
            return Err(Unwritable::UrlWithQuery(set));
        }
    }
    Ok(())
}

fn check_moves(source: &Source<'_>) -> Result<(), Unwritable> {
    let mut paths = BTreeSet::new();
    for file in &source.moves {
        length("a logical file name", &file.logical_name, NAME_MAX)?;
        length("a file's path", &file.path, STRING_MAX)?;
        if !paths.insert(&file.path) {
            return Err(Unwritable::SamePath {
                set: source.set.id,
                path: file.path.clone(),
            });
        }
    }
    Ok(())
}

fn length(what: &'static str, text: &str, most: usize) -> Result<(), Unwritable> {
    let units = text.encode_utf16().count();
    if (1..=most).contains(&units) {
        Ok(())
    } else {
        Err(Unwritable::Length { what, units, most })
    }
}
