//! From what SQL Server said to a code.
//!
//! The rule is that of the engine: the first error is the cause, what comes after it follows from it, and the message
//! that the statement terminates abnormally (3013) says nothing. So of all messages the one that the strongest rule
//! knows decides; of equally strong ones the first error, and information only where no error does. A message that only
//! announces others (3119) carries nothing; one that only follows from others is known by a weak rule.

use crate::catalogue::catalogue;
use crate::code::Code;
use crate::operation::Operation;
use crate::rule::Strength;
use crate::said::Said;

/// The code of what was said in `operation`, in the order in which it was said. What no rule knows, and nothing at all,
/// is [`Code::Bac2UnexpectedSqlError`].
///
/// It is for what has failed: some operations succeed with an error on the way (3009 beside 3014), which is for the
/// caller to know.
pub fn classify(operation: Operation, said: &[Said]) -> Code {
    judge(operation, said).0
}

/// The code, and the place of the message that decides; none where no rule knows one.
pub(crate) fn judge(operation: Operation, said: &[Said]) -> (Code, Option<usize>) {
    let mut best: Option<(Weight, Code, usize)> = None;
    for (place, one) in said.iter().enumerate() {
        let Some((strength, code)) = strongest(operation, one) else {
            continue;
        };
        let weight = Weight {
            error: one.is_error(),
            strength,
        };
        // Strictly more: of equals the first stays.
        if best.is_none_or(|(so_far, _, _)| weight > so_far) {
            best = Some((weight, code, place));
        }
    }
    match best {
        Some((_, code, place)) => (code, Some(place)),
        None => (Code::Bac2UnexpectedSqlError, unknown(said)),
    }
}

/// What makes one message decide rather than another, the first field first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Weight {
    error: bool,
    strength: Strength,
}

/// The strongest rule that knows a message; of equally strong ones the first in the catalogue.
fn strongest(operation: Operation, said: &Said) -> Option<(Strength, Code)> {
    let catalogue = catalogue();
    if catalogue.carries_nothing.contains(&said.number()) {
        return None;
    }
    let mut best: Option<(Strength, Code)> = None;
    for entry in catalogue.entries() {
        for rule in entry.raised.iter().filter(|rule| rule.holds(operation, said)) {
            if best.is_none_or(|(so_far, _)| rule.strength() > so_far) {
                best = Some((rule.strength(), entry.code));
            }
        }
    }
    best
}

/// The first error that says something, though no rule knows it.
fn unknown(said: &[Said]) -> Option<usize> {
    let nothing = &catalogue().carries_nothing;
    said.iter()
        .position(|one| one.is_error() && !nothing.contains(&one.number()))
}
