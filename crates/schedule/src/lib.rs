//! Policies: when backups run in a time zone, how long their recovery points are kept, and what a policy means for one database.
//!
//! Ground floor: no clock, no network, no file. Moments and facts come in, slots and judgements go out. The rules of all time zones
//! come with the library; no zone of the machine is read.

pub mod calendar;
pub mod format;
pub mod jitter;
pub mod kind;
pub mod limits;
pub mod local_time;
pub mod period;
pub mod policy;
pub mod size;
pub mod slots;
pub mod validate;
pub mod zone;

pub use format::BadPolicy;
pub use kind::BackupKind;
pub use limits::{Limits, Range};
pub use local_time::LocalTime;
pub use period::{Days, Period};
pub use policy::Policy;
pub use size::Size;
pub use slots::{Placed, Schedule, Slot, Start};
pub use validate::{Finding, Validation, validate};
pub use zone::Zone;
