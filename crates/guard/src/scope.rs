//! Where the guard looks.

use std::collections::BTreeSet;

use crate::place::Place;

/// Which blobs of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only this container; all that the credential lists without it.
    pub container: Option<String>,
    /// Only blobs whose names begin so.
    pub prefix: String,
    /// Only these blobs, looked up directly and not by a listing; all where empty.
    pub blobs: BTreeSet<Place>,
}
