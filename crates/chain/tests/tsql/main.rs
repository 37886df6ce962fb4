//! The T-SQL of plans means what the plans say, for any names.

mod names;
mod reader;
mod refusals;
mod scripts;
mod story;
