//! Restores: what is planned, what is refused before anything is touched, and what stands there in the end.

mod crashed;
mod ends;
mod exported;
mod lent;
mod over;
mod planned;
mod refused;
mod simple;
pub(crate) mod stand;
