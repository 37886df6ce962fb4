//! Policies: when backups run in a time zone, how long their recovery points are kept, and what a policy means for one database.
//!
//! Ground floor: no clock, no network, no file. Moments and facts come in, slots and judgements go out. The rules of all time zones
//! come with the library; no zone of the machine is read.
//!
//! - A [`Policy`] is read from JSON or TOML, and [`validate()`] holds it against [`Limits`].
//! - A [`Schedule`] knows its slots, when an item starts for one, and what is due after an outage.
//! - [`keep::by_age`] says how long points are kept and why; what stands on what is for those who know chains.
//! - [`Application`] tells which types of backup run for a database, [`rpo_target`] how old its newest moment may be.
//! - [`Comparison`] tells what another policy would change, above all whether anything would be kept for a shorter time.

mod as_text;
pub mod calendar;
pub mod compare;
pub mod database;
pub mod due;
pub mod format;
pub mod jitter;
pub mod keep;
pub mod kind;
pub mod limits;
pub mod local_time;
pub mod objective;
pub mod period;
pub mod policy;
pub mod size;
pub mod slots;
pub mod validate;
pub mod zone;

pub use compare::{Change, Comparison};
pub use database::{Application, Unsupported, supports};
pub use due::{Agenda, Dealt, Due, Missed, stagger};
pub use format::BadPolicy;
pub use keep::{Hold, Kept, Origin, Point, Why};
pub use kind::BackupKind;
pub use limits::{Limits, Range};
pub use local_time::LocalTime;
pub use objective::rpo_target;
pub use period::{Days, Period};
pub use policy::Policy;
pub use size::Size;
pub use slots::{Placed, Schedule, Slot, Start};
pub use validate::{Finding, Validation, validate};
pub use zone::Zone;
