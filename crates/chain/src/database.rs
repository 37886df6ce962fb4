//! The backup sets of one database family, and what can be asked of them.

use bak::Lsn;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::coverage::Coverage;
use crate::plan::{Plans, Reason, Refusal};
use crate::set::{Set, SetId};
use crate::target::{Target, Terms};

/// A named mark in the log (`msdb.dbo.logmarkhistory`), or a moment whose LSN is known (an empty name).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its name.
    pub name: String,
    /// The record that carries it.
    pub lsn: Lsn,
    /// When it was committed.
    pub at: Option<Timestamp>,
    /// The fork it is on.
    pub fork: Uuid,
}

/// The sets of one database family (one FamilyGUID).
#[derive(Debug, Clone, Default)]
pub struct Database {
    sets: Vec<Set>,
    marks: Vec<Mark>,
    zone: Option<TimeZone>,
}

impl Database {
    /// A database of these sets.
    #[must_use]
    pub fn new(sets: Vec<Set>) -> Self {
        Self {
            sets,
            ..Self::default()
        }
    }

    /// The rules of the server's time zone: resolves times without an offset, and hours that occur twice.
    #[must_use]
    pub fn in_zone(mut self, zone: TimeZone) -> Self {
        self.zone = Some(zone);
        self
    }

    /// Marks whose LSN is known.
    #[must_use]
    pub fn with_marks(mut self, marks: Vec<Mark>) -> Self {
        self.marks = marks;
        self
    }

    /// A set.
    #[must_use]
    pub fn set(&self, id: SetId) -> Option<&Set> {
        self.sets.iter().find(|set| set.id == id)
    }

    /// What is restorable, and why the rest is not.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        Coverage::default()
    }

    /// The cheapest way to `target`.
    ///
    /// # Errors
    /// Why there is none, with the nearest restorable points.
    pub fn plan(&self, target: &Target, terms: &Terms) -> Result<Plans, Box<Refusal>> {
        let _ = (target, terms, &self.marks, &self.zone);
        Err(Box::new(Refusal {
            reason: Reason::Nothing,
            before: None,
            after: None,
            moment: None,
        }))
    }

    /// What of the coverage would be lost if these sets were deleted.
    #[must_use]
    pub fn loss(&self, sets: &[SetId]) -> Coverage {
        let _ = sets;
        Coverage::default()
    }
}
