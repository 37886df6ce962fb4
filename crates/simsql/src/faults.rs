//! Trouble on demand: a schedule of faults, from a file or by `EXEC sim_fault ...`.

/// The schedule and what of it was used up.
#[derive(Clone, Debug, Default)]
pub struct Faults {}
