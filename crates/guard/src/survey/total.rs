//! What all containers of a survey come to.

use std::collections::BTreeSet;

use super::listing::Container;
use super::{Surveyed, is_about_the_container};
use crate::fault::{Cause, Fault, Operation};
use crate::limits::FINDINGS_MAX;

/// The sum so far, in the order of the answers.
#[derive(Debug, Default)]
pub(super) struct Total {
    surveyed: Surveyed,
    /// Those that were read to their end.
    containers: BTreeSet<String>,
}

impl Total {
    /// Adds a container; `named` by the user.
    ///
    /// # Errors
    /// A fault that is the account's, and more findings than are kept.
    pub(super) fn add(&mut self, container: Container, named: bool) -> Result<(), Fault> {
        self.surveyed.blobs += container.blobs as u64;
        match container.ended {
            Ok(()) => {
                self.containers.insert(container.name);
            }
            Err(fault) if is_the_accounts(&fault) => return Err(fault),
            // Whatever it held went with it.
            Err(fault) if !named && is_gone(&fault) => return Ok(()),
            Err(fault) => self.surveyed.unread.push(fault),
        }
        self.surveyed.locked.extend(container.locked);
        if self.surveyed.locked.len() > FINDINGS_MAX {
            return Err(too_many());
        }
        Ok(())
    }

    /// All of it, ordered. A blob that two pages of a changing listing name counts once.
    pub(super) fn in_order(self) -> Surveyed {
        let mut surveyed = self.surveyed;
        surveyed.containers = self.containers.len() as u64;
        surveyed.locked.sort_by(|a, b| a.0.cmp(&b.0));
        surveyed.locked.dedup_by(|later, first| later.0 == first.0);
        surveyed
            .unread
            .sort_by(|a, b| (&a.target, a.operation).cmp(&(&b.target, b.operation)));
        surveyed
    }
}

/// Whether no other container would fare better.
fn is_the_accounts(fault: &Fault) -> bool {
    matches!(
        fault.cause,
        Cause::Expired(_) | Cause::Refused | Cause::Unreachable(_)
    )
}

fn is_gone(fault: &Fault) -> bool {
    fault.cause == Cause::NotFound || is_about_the_container(fault)
}

fn too_many() -> Fault {
    Fault {
        operation: Operation::ListBlobs,
        target: String::new(),
        cause: Cause::Unusable(format!(
            "more than {FINDINGS_MAX} locked blobs: name a container or a prefix"
        )),
        status: None,
        code: None,
    }
}
