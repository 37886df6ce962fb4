//! Why there is no way to a target, in the catalogue's codes.

use catalog::record::Point;
use chain::Refusal;
use faults::{Code, Fault};

/// Why a planner refused.
pub(super) fn refused(refusal: &Refusal, _points: &[Point]) -> Fault {
    Fault::new(Code::Bac2MomentNotRestorable).because(&format!("{:?}", refusal.reason))
}
