//! All families of a media set that a statement names.

use super::family::Family;
use super::order::Order;
use crate::message::Failure;
use crate::session::Session;
use bak::content::SetHeader;

/// The families, in the order of their numbers.
pub(super) struct MediaSet {
    pub(super) families: Vec<Family>,
}

impl MediaSet {
    /// Opens all devices of a statement; they must be all the families of one media set.
    ///
    /// # Errors
    /// Those of [`Family::open`]; 3231 more devices than families, 3258 another media set, 3227 the same family twice, 3132
    /// families missing.
    pub(super) async fn open(session: &Session, order: &Order) -> Result<Self, Failure> {
        let mut set = Self { families: Vec::new() };
        for device in &order.devices {
            match Family::open(session, device, order.credential.as_deref()).await {
                Ok(family) => set.families.push(family),
                Err(failure) => {
                    set.close().await;
                    return Err(failure);
                }
            }
        }
        if let Err(failure) = set.check() {
            set.close().await;
            return Err(failure);
        }
        set.families
            .sort_by_key(|family| family.media.media.family_number);
        Ok(set)
    }

    /// Lets all devices go.
    pub(super) async fn close(&mut self) {
        for family in &mut self.families {
            family.source.close().await;
        }
    }

    fn check(&self) -> Result<(), Failure> {
        let Some(first) = self.families.first() else {
            return Err(Failure::new(3207, &[]));
        };
        let count = usize::from(first.media.media.family_count);
        let given = self.families.len();
        if given > count {
            return Err(Failure::new(3231, &[&first.device.name(), &count, &given]));
        }
        for (index, family) in self.families.iter().enumerate() {
            let media = &family.media.media;
            if media.media_set_id != first.media.media.media_set_id {
                return Err(Failure::new(3258, &[&family.device.name()]));
            }
            let same = |earlier: &&Family| earlier.media.media.family_number == media.family_number;
            if let Some(earlier) = self.families[..index].iter().find(same) {
                return Err(Failure::new(
                    3227,
                    &[
                        &family.device.name(),
                        &media.family_number,
                        &earlier.device.name(),
                    ],
                ));
            }
        }
        if given < count {
            return Err(Failure::new(3132, &[&count, &given]));
        }
        Ok(())
    }

    /// The set at `position`, complete in every family.
    ///
    /// # Errors
    /// Those of [`Family::set`]; 3232 where the families do not hold the same set there.
    pub(super) fn set(&self, position: u16) -> Result<SetHeader, Failure> {
        let mut found: Option<&SetHeader> = None;
        for family in &self.families {
            let header = family.set(position)?;
            let other = found.is_some_and(|found| found.set.backup_set_guid != header.set.backup_set_guid);
            if other {
                let number = family.media.media.family_number;
                return Err(Failure::new(3232, &[&family.device.name(), &1, &number]));
            }
            found.get_or_insert(header);
        }
        found.cloned().ok_or_else(|| Failure::new(3207, &[]))
    }

    /// Bytes of all families.
    pub(super) fn bytes(&self) -> u64 {
        self.families.iter().map(|family| family.source.len()).sum()
    }
}
