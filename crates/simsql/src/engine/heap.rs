//! Rows on data pages.
