//! What went wrong in other tools, thread by thread: the history that a thread tells of, and what the right plan or refusal is.
//!
//! Each test bears the number of its thread. LSNs are those of the thread where it names them; else they are made up to its story.

#[path = "../notation/mod.rs"]
mod notation;

mod dbatools;
mod planner_of_sql_server;
mod scripts;
mod striped;
