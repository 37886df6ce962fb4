//! What would be lost if backups were deleted, and so what they still protect.
//!
//! A set is gone when one of its stripes has no copy left that is as good as what goes: a copy that was cut off replaces nothing.
//! Deliberately absent: deleting anything.

use std::path::Path;

use bak::Lsn;
use chain::{Coverage, SetId};
use uuid::Uuid;

use super::library::{Copied, Held, Kin};
use crate::failure::Failure;
use crate::paint::printable;

/// What the user would delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Doomed {
    /// A backup set, wherever it lies.
    Set(Uuid),
    /// A file, with all sets in it.
    File(String),
}

impl std::str::FromStr for Doomed {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Uuid::try_parse(text).map_or_else(|_| Self::File(text.to_owned()), Self::Set))
    }
}

impl Doomed {
    fn hits(&self, held: &Held) -> bool {
        match self {
            Self::Set(guid) => held.set.guid == Some(*guid),
            Self::File(_) => held
                .places
                .iter()
                .flatten()
                .flatten()
                .any(|copy| self.takes(&copy.file)),
        }
    }

    /// Whether it means the file of that name.
    fn takes(&self, name: &str) -> bool {
        let Self::File(doomed) = self else { return false };
        let absolute = |path: &str| std::path::absolute(Path::new(path)).ok();
        doomed == name || absolute(doomed).is_some_and(|path| absolute(name) == Some(path))
    }

    fn shown(&self) -> String {
        match self {
            Self::Set(guid) => format!("a backup set {guid}"),
            Self::File(name) => format!("a backup in {}", printable(name)),
        }
    }
}

/// The loss in one database.
#[derive(Debug)]
pub(super) struct Loss {
    /// The sets that would be gone.
    pub(super) sets: Vec<SetId>,
    /// What could not be restored to any more.
    pub(super) lost: Coverage,
    /// The sets that stay and that nothing would lead to any more.
    pub(super) useless: Vec<SetId>,
}

/// Everything that is to be deleted is there.
pub(super) fn check(kins: &[Kin], doomed: &[Doomed]) -> Result<(), Failure> {
    let is_there = |one: &&Doomed| !kins.iter().flat_map(|kin| &kin.held).any(|held| one.hits(held));
    match doomed.iter().find(is_there) {
        None => Ok(()),
        Some(missing) => Err(Failure::unusable(
            "NothingToDelete",
            format!("there is not {} among these", missing.shown()),
            "name a file as the answer shows it, or a set by its GUID, which bac2 inspect shows",
        )),
    }
}

/// What of `kin` would be lost without `doomed`.
pub(super) fn of(kin: &Kin, doomed: &[Doomed]) -> Loss {
    let gone = kin.held.iter().filter(|held| is_gone(held, doomed));
    let sets: Vec<SetId> = gone.map(|held| held.set.id).collect();
    let mut useless = kin.database.dependents(&sets);
    useless.sort_unstable();
    Loss {
        useless,
        lost: if sets.is_empty() {
            Coverage::default()
        } else {
            kin.database.loss(&sets)
        },
        sets,
    }
}

fn is_gone(held: &Held, doomed: &[Doomed]) -> bool {
    if !doomed.iter().any(|one| one.hits(held)) {
        return false;
    }
    let by_guid = |one: &Doomed| matches!(one, Doomed::Set(_)) && one.hits(held);
    let serves = |copy: &Copied| copy.grade.is_usable() || copy.grade <= held.set.grade;
    let stays = |copy: &Copied| serves(copy) && !doomed.iter().any(|one| one.takes(&copy.file));
    let is_whole = |place: &Vec<Vec<Copied>>| place.iter().all(|copies| copies.iter().any(stays));
    doomed.iter().any(by_guid) || !held.places.iter().any(is_whole)
}

/// The LSNs of a loss, for one line: from the first to the last.
pub(super) fn bounds(lost: &Coverage) -> Option<(Lsn, Lsn)> {
    let first = lost.spans.iter().map(|span| span.from).min()?;
    let last = lost.spans.iter().map(|span| span.to).max()?;
    Some((first, last))
}
