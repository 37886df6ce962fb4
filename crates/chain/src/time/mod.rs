//! Local times of servers as points in time, and back: where the sets of a branch lie ([`Timeline`]), what a moment on the server's
//! clock may mean ([`Readings`]), and what to write into STOPAT ([`literal`]).
//!
//! A backup set tells its times on the clock of the server that wrote it, with the clock's offset from UTC or without. All that a
//! planner decides by time is decided in UTC; STOPAT goes back to the clock of the instance that wrote the log. Offsets come, in this
//! order, from the set itself, from the rules of the server's zone where the user names it, and from the sets around. A set whose
//! recorded offset contradicts the zone was written elsewhere (a replica, a moved server): the zone says nothing about it.
//!
//! What cannot be told is a range ([`Bounds`]), several readings, or a refusal ([`NoLiteral`]), never a guess. Only an hour that
//! occurs twice is narrowed by the sets around; a server's clock that was put back stays as it was written, and such sets contradict
//! each other in time here as they do in the files.
//!
//! Deliberately absent: the machine's own zone, the target server's zone and language. None of them has any part in a restore.

mod bounds;
mod choice;
mod dial;
mod literal;
mod narrow;
mod readings;
mod seen;
mod timeline;

pub use bounds::{Bounds, Times};
pub use literal::{NoLiteral, certain_neighbours, literal, sql_literal};
pub use readings::{OffsetUnknown, Readings};
pub use timeline::Timeline;
