//! One family's way through a restore: bytes in, what they hold in a queue.

use std::collections::VecDeque;

use bak::ContentReader;
use bak::content::{Event, Extent, LogBlock};
use bak::writer::LogSegment;
use bak::{Damage, DamageKind};

use super::family::{self, Family};
use crate::message::Failure;
use crate::session::Session;

/// Bytes of a read from plain media, and from compressed ones, whose bytes become more.
const PLAIN: usize = 1 << 20;
const COMPRESSED: usize = 128 << 10;

/// What is to be put into the database, in its order.
pub(super) enum Item {
    Extent(Extent),
    Log(LogSegment, LogBlock),
}

/// Where an item stands in the order of all families: pages before log, passes and log in their own order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    Pages { pass: u32 },
    Log { vlf: u32, start: u64 },
}

impl Item {
    pub(super) fn turn(&self) -> Turn {
        match self {
            Self::Extent(extent) => Turn::Pages { pass: extent.pass },
            Self::Log(segment, block) => Turn::Log {
                vlf: segment.vlf_sequence,
                start: block.start,
            },
        }
    }
}

/// What is wrong with the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// A page whose content does not hold.
    Page { file: u16, page: u32 },
    /// A checksum over a stream, or a log block.
    Stream,
    /// The structure of the media.
    Structure,
}

/// A family on its way.
pub(super) struct Lane {
    position: u16,
    reader: ContentReader,
    offset: u64,
    segment: Option<LogSegment>,
    pub(super) queue: VecDeque<Item>,
    pub(super) flaws: Vec<Flaw>,
    /// All of the set has been read.
    pub(super) at_end: bool,
}

/// Flaws that are kept; there is nothing to do with more.
const FLAWS: usize = 1000;

impl Lane {
    pub(super) fn new(position: u16) -> Self {
        Self {
            position,
            reader: ContentReader::of_set(position),
            offset: 0,
            segment: None,
            queue: VecDeque::new(),
            flaws: Vec::new(),
            at_end: false,
        }
    }

    /// Reads on until there is something in the queue or the set ends.
    ///
    /// # Errors
    /// 3203 and what else the device says; [`Failure::cancelled`].
    pub(super) async fn fill(&mut self, session: &Session, family: &mut Family) -> Result<(), Failure> {
        let length = family.source.len();
        let size = if family.media.compressed {
            COMPRESSED
        } else {
            PLAIN
        };
        while self.queue.is_empty() && !self.at_end {
            let ahead = self.reader.skippable().min(length.saturating_sub(self.offset));
            self.reader.skip(ahead);
            self.offset += ahead;
            if self.offset >= length || self.reader.is_lost() {
                // The headers were read to the end before: what was there then is not there now.
                self.flaw(Flaw::Structure);
                self.at_end = true;
                return Ok(());
            }
            let source = family.source.as_mut();
            let bytes = family::read(session, &family.device, source, self.offset, size).await?;
            self.offset += bytes.len() as u64;
            let mut events = VecDeque::new();
            self.reader.push(&bytes, &mut |event| events.push_back(event));
            for event in events {
                self.take(event);
            }
        }
        Ok(())
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Extent(extent) => self.queue.push_back(Item::Extent(extent)),
            Event::LogSegment(segment) => self.segment = Some(segment),
            Event::LogBlock(block) => {
                if let Some(segment) = self.segment {
                    self.queue.push_back(Item::Log(segment, block));
                }
            }
            Event::StreamChecksum { holds: false, .. } => self.flaw(Flaw::Stream),
            Event::Damage(damage) => self.damage(&damage),
            Event::SetEnd { position, .. } if position == self.position => self.at_end = true,
            _ => {}
        }
    }

    fn damage(&mut self, damage: &Damage) {
        // Other sets of the media are none of this restore's business.
        if damage.set.is_some_and(|set| set != self.position) {
            return;
        }
        let flaw = match (damage.kind, damage.file_id, damage.page_id) {
            (DamageKind::Page | DamageKind::MisplacedPage, Some(file), Some(page)) => {
                Flaw::Page { file, page }
            }
            (DamageKind::Page | DamageKind::MisplacedPage | DamageKind::StreamChecksum, ..)
            | (DamageKind::LogBlock | DamageKind::LogChain, ..) => Flaw::Stream,
            _ => Flaw::Structure,
        };
        self.flaw(flaw);
    }

    fn flaw(&mut self, flaw: Flaw) {
        if self.flaws.len() < FLAWS {
            self.flaws.push(flaw);
        }
    }

    /// Throws away what is in the queue; returns its bytes.
    pub(super) fn drain(&mut self) -> u64 {
        let bytes = |item: Item| match item {
            Item::Extent(extent) => extent.pages.len(),
            Item::Log(_, block) => block.bytes.len(),
        };
        self.queue.drain(..).map(bytes).sum::<usize>() as u64
    }

    /// Whose turn it is among all families; `None` where nothing is left here.
    pub(super) fn turn(&self) -> Option<Turn> {
        self.queue.front().map(Item::turn)
    }
}
