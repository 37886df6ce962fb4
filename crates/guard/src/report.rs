//! What a run found and did, as rows: for tables, JSON, CSV and Excel alike.

mod outcome;
mod row;

pub use outcome::{Did, Entry, Skip, Summary};
pub use row::Row;
