//! The rules of planning one by one, each as a small history and what follows from it.
//!
//! Expected plans are worked out by hand from the rules that the crate's documentation states; the comment beside each says how.

#[path = "../notation/mod.rs"]
mod notation;

mod bases;
mod bulk;
mod files;
mod forks;
mod grades;
mod logs;
mod moments;
mod snapshots;
mod twice;
mod what_if;
