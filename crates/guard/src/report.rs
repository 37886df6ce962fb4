//! What a run found and did, as rows: for tables, JSON, CSV and Excel alike.
//!
//! [`Row::of`] turns one [`Entry`] into the one row that all forms share. The writers are pure: rows go in, bytes come
//! out; who writes them to a file is the caller.

mod column;
mod csv;
mod heading;
mod json;
mod outcome;
mod reason;
mod row;
mod sentence;
mod xlsx;

pub use csv::csv;
pub use heading::Heading;
pub use json::{json, json_line};
pub use outcome::{Did, Entry, Skip, Summary};
pub use row::Row;
pub use xlsx::{WorkbookError, xlsx};

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
