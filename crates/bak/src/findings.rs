//! What the reader collects while it reads: damage, and reasons why something cannot be verified. Bounded, whatever the input.
//!
//! For a reader of content also what was read, until it is [taken](Findings::take_events).

use crate::content::Event;
use crate::damage::{Damage, DamageKind};
use crate::limits::{DAMAGE_LISTED, REASONS_LISTED};

/// The collected findings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    /// Position of the set that is being read; `None` outside of sets.
    pub(crate) set: Option<u16>,
    /// Damage other than to pages whose content alone does not hold, the first of it.
    listed: Vec<Damage>,
    count: u64,
    /// Pages whose checksum alone does not hold: kept apart, because encryption looks the same.
    page_content: Vec<Damage>,
    page_content_count: u64,
    unknown: Vec<String>,
    /// What was read since it was last taken; `None` where nobody takes it.
    events: Option<Vec<Event>>,
}

impl Findings {
    /// None so far; `with_events` where somebody takes them.
    pub(crate) fn new(with_events: bool) -> Self {
        Self {
            events: with_events.then(Vec::new),
            ..Self::default()
        }
    }

    /// Passes on what `event` makes, where somebody takes it.
    pub(crate) fn event(&mut self, event: impl FnOnce() -> Event) {
        if let Some(events) = &mut self.events {
            events.push(event());
        }
    }

    /// Whether somebody takes events.
    pub(crate) fn has_taker(&self) -> bool {
        self.events.is_some()
    }

    /// Gives the events so far to `out`.
    pub(crate) fn take_events(&mut self, out: &mut dyn FnMut(Event)) {
        if let Some(events) = &mut self.events {
            events.drain(..).for_each(out);
        }
    }

    /// Adds damage that is neither of a page nor of an extent.
    pub(crate) fn structure(&mut self, kind: DamageKind, offset: u64, detail: impl Into<String>) {
        let set = self.set;
        self.add(Damage {
            kind,
            offset,
            set,
            file_id: None,
            page_id: None,
            detail: detail.into(),
        });
    }

    /// Adds damage to a page or an extent.
    pub(crate) fn page(&mut self, kind: DamageKind, offset: u64, file_id: u16, page_id: u32, detail: String) {
        let set = self.set;
        self.add(Damage {
            kind,
            offset,
            set,
            file_id: Some(file_id),
            page_id: Some(page_id),
            detail,
        });
    }

    /// Adds a page in its place whose content does not hold.
    pub(crate) fn page_content(&mut self, offset: u64, file_id: u16, page_id: u32, detail: String) {
        self.page_content_count += 1;
        let damage = Damage {
            kind: DamageKind::Page,
            offset,
            set: self.set,
            file_id: Some(file_id),
            page_id: Some(page_id),
            detail,
        };
        self.event(|| Event::Damage(damage.clone()));
        if self.page_content.len() < DAMAGE_LISTED {
            self.page_content.push(damage);
        }
    }

    /// Adds a reason why the file cannot be verified; the same one only once.
    pub(crate) fn unknown(&mut self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.unknown.len() < REASONS_LISTED && !self.unknown.contains(&reason) {
            self.event(|| Event::Unknown(reason.clone()));
            self.unknown.push(reason);
        }
    }

    fn add(&mut self, damage: Damage) {
        self.count += 1;
        self.event(|| Event::Damage(damage.clone()));
        if self.listed.len() < DAMAGE_LISTED {
            self.listed.push(damage);
        }
    }

    /// Damage other than to the content of pages alone.
    pub(crate) fn structural_count(&self) -> u64 {
        self.count
    }

    /// All damage so far, were the reading to end here.
    pub(crate) fn total_count(&self) -> u64 {
        self.count + self.page_content_count
    }

    /// Reasons why the file cannot be verified.
    pub(crate) fn reasons(&self) -> &[String] {
        &self.unknown
    }

    /// The findings of damage in the order of the file, the first [`DAMAGE_LISTED`], and how many there are in all.
    /// `without_page_content` leaves out the pages whose content alone does not hold.
    pub(crate) fn into_damage(self, without_page_content: bool) -> (Vec<Damage>, u64) {
        let mut damage = self.listed;
        let mut count = self.count;
        if !without_page_content {
            damage.extend(self.page_content);
            damage.sort_by_key(|damage| damage.offset);
            damage.truncate(DAMAGE_LISTED);
            count += self.page_content_count;
        }
        (damage, count)
    }
}
