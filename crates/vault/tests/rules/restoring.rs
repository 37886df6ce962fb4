//! Restores: what is planned, what is refused before anything is touched, and what stands there in the end.

mod simple;
mod stand;
