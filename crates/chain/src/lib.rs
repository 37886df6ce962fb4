//! Backup sets as intervals of LSN: which moments of a database are restorable, which are not and why, and the cheapest plan that
//! gets to one.
//!
//! Ground floor: no clock, no network, no file. Facts about sets come in ([`Set`]), judgements go out ([`Coverage`], [`Plan`],
//! [`Refusal`]). Where a file lies is the caller's business: a plan names sets, and whoever writes its T-SQL knows their devices.
//!
//! The rules are those of SQL Server's own planner where it is right, and stricter where tools are known to be wrong: forks and
//! bases are told by GUID and LSN, never by name or start date; a moment is claimed only where every record up to it is in hand.

mod branches;
mod clocks;
pub mod coverage;
pub mod database;
pub mod from_backup;
pub mod grade;
mod graph;
mod histories;
mod holes;
pub mod ledger;
mod loss;
pub mod media;
mod moments;
pub mod plan;
mod planner;
pub mod set;
mod spans;
pub mod target;
pub mod time;
pub mod tsql;
mod ways;

pub use coverage::{Branch, BranchId, Coverage, Hole, HoleReason, Span, TimeSpan};
pub use database::{Database, Mark};
pub use from_backup::{Known, Unplannable};
pub use grade::Grade;
pub use ledger::Ledger;
pub use plan::{Plan, Plans, Reason, Refusal, Restorable, Step, Stop};
pub use set::{Clock, DifferentialBase, Families, Fork, ForkOrigin, Grain, Kind, Set, SetId};
pub use target::{Moment, Target, Terms};
