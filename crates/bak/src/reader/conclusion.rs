//! The verdict: what all findings about one media come to.
//!
//! Damage outweighs everything, then an early end, then what cannot be verified; a single family of a stripe set is incomplete only
//! where all else is sound.

use super::MediaReader;
use crate::mtf::order::Place;
use crate::report::{ONLY_HEADERS_READ, Report};
use crate::sniff::Container;
use crate::verdict::Verdict;
use crate::verifier::Reading;

/// Fewer bad pages than these are never taken for an encrypted database: even an empty one has more.
const ENCRYPTED_PAGES: u64 = 8;

/// How the input ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ending {
    /// The input could be followed to its last byte and ends between two blocks.
    pub(crate) between_blocks: bool,
    /// What follows some place could not be read for a reason that is in the findings.
    pub(crate) lost: bool,
    /// Bytes of input.
    pub(crate) bytes: u64,
}

impl MediaReader {
    /// Draws the conclusion.
    pub(crate) fn conclude(mut self, container: Container, ending: Ending) -> Report {
        let at_end = self.place == Place::NextSetOrEnd && ending.between_blocks;
        self.close_set(false);
        let encrypted = self.is_encrypted_throughout();
        let mut reasons = self.findings.reasons().to_vec();
        let (damage, damage_count) = self.findings.into_damage(encrypted);
        let is_incomplete = self.family.is_some_and(|family| family.count > 1);
        if encrypted {
            reasons.push(
                "its page checksums fail throughout while all else holds: the database was encrypted (TDE), and only its key can tell"
                    .to_owned(),
            );
        }
        let verdict = if damage_count > 0 {
            let first = damage
                .first()
                .map(|damage| damage.detail.clone())
                .unwrap_or_default();
            reasons.insert(
                0,
                format!("{damage_count} finding(s) of damage, the first: {first}"),
            );
            Verdict::Damaged
        } else if !at_end && !ending.lost && !self.unknown_order {
            let expected = self.place.expected();
            reasons.insert(
                0,
                format!(
                    "the file ends after {} bytes where {expected} should follow or end",
                    ending.bytes
                ),
            );
            Verdict::Truncated
        } else if !reasons.is_empty() {
            Verdict::CannotVerify
        } else if self.reading != Reading::All {
            reasons.push(ONLY_HEADERS_READ.to_owned());
            Verdict::CannotVerify
        } else if let Some(family) = self.family.filter(|_| is_incomplete) {
            reasons.push(format!(
                "it is family {} of {} of its media set",
                family.number, family.count
            ));
            Verdict::Incomplete
        } else {
            Verdict::Ok
        };
        Report {
            container: Some(container),
            media: self.media,
            sets: self.sets,
            log_fingerprints: self.log_fingerprints,
            verdict,
            reasons,
            pages: self.pages,
            log_blocks: self.log_blocks,
            stream_checksums: self.stream_checksums,
            damage,
            damage_count,
            bytes: ending.bytes,
            foreign: None,
        }
    }

    /// Transparent data encryption: the bodies of most pages look random and their checksums fail, while every page header, extent,
    /// stream checksum and block holds.
    fn is_encrypted_throughout(&self) -> bool {
        self.content_bad >= ENCRYPTED_PAGES
            && self.content_bad == self.encrypted_looking
            && self.content_bad > self.pages.checksum_ok
            && self.stream_checksums.bad == 0
            && self.findings.structural_count() == 0
    }
}
