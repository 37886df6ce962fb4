//! What the vault must do, rule by rule, in the simulated world: one file for each area, one binary for all.

#![allow(clippy::unwrap_used)]

#[path = "../world/mod.rs"]
mod world;

mod backup;
mod cleaning;
mod discovery;
mod errorlog;
mod first_full;
mod foreign;
mod groups;
mod healing;
mod orphans;
mod overflow;
mod readiness;
mod rebuilding;
mod registration;
mod restoring;
mod retention;
mod scheduler;
mod secrets;
mod world_itself;
