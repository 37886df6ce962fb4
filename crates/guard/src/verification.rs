//! Whether a blob holds a complete backup: asked before a deletion.
//!
//! The question is not whether the backup is sound: a damaged one that ended is still somebody's only one, and nothing is
//! deleted because this reader dislikes it. The question is whether it ended, and that stands in its headers, commit
//! record and trailer. So a plain backup is walked through header by header, all of them, pages and log passed over: no
//! page could change the answer. A compressed one has no place to pass over and is read and decoded from its first byte to
//! its last.

#[cfg(test)]
mod tests;

use bak::{FileKind, Foreign};

use crate::account::{Account, Properties};
use crate::content::Ending;
use crate::contents::{NO_TAG, Walk, Walked, Written, by_name, ending, why_unread};
use crate::event::Listener;
use crate::place::Place;

/// What the reading says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verified {
    /// Holds a backup set that has its commit record and trailer, damaged or not, alone or one stripe of several; or a
    /// backup that cannot be followed to its end (encrypted, an unknown codec, a broken header) and may be complete. It
    /// must not be lost by a clean-up.
    Complete,
    /// Cut short, empty, or no backup.
    Partial,
    /// Could not be read to its end, or is no business of the guard (a database file); one sentence why.
    Unread(String),
}

/// Reads the committed content of the tag that `properties` has, as far as needed to be sure. What is put and not
/// committed does not count: a complete backup below an overwrite that was interrupted is still there.
pub(crate) async fn verify<A: Account>(
    account: &A,
    place: &Place,
    properties: &Properties,
    listener: &dyn Listener,
) -> Verified {
    if by_name(&place.blob).is_some() {
        return Verified::Unread("by its name it is a disk or a database file".to_owned());
    }
    if properties.size == 0 {
        return Verified::Partial;
    }
    let Some(tag) = &properties.etag else {
        return Verified::Unread(NO_TAG.to_owned());
    };
    let written = match Written::of(account, place, properties).await {
        Ok(written) if written.is_empty() => return Verified::Partial,
        Ok(written) => written,
        Err(fault) => return Verified::Unread(why_unread(&fault)),
    };
    match Walk::new(account, place, tag, &written)
        .telling(listener)
        .run()
        .await
    {
        Ok(walked) => judge(&walked),
        Err(fault) => Verified::Unread(why_unread(&fault)),
    }
}

fn judge(walked: &Walked) -> Verified {
    match walked.kind {
        FileKind::Foreign(Foreign::Empty | Foreign::Unknown) => Verified::Partial,
        FileKind::Foreign(foreign @ (Foreign::DataFile | Foreign::LogFile)) => {
            Verified::Unread(foreign.sentence().to_owned())
        }
        // A later set that was cut short takes nothing from an earlier one.
        FileKind::Backup(_) if walked.report.sets.iter().any(|set| set.complete) => Verified::Complete,
        FileKind::Backup(_) => match ending(walked) {
            Ending::CutShort => Verified::Partial,
            Ending::Complete | Ending::Unknown => Verified::Complete,
        },
    }
}
