//! What changes of a recovery point after it was taken, and is written beside its blobs too: its grade, and until when a user wants it.
//!
//! Deliberately absent: its deletion. Where the catalog is lost, everything that the store has still is kept until somebody says what
//! is to become of it.

use azblob::names::{BlobName, ContainerName};
use catalog::record::{Container, Grade, Point};
use faults::{Code, Fault};

use super::{name_of, store_fault};
use crate::backup::record::SetRecord;
use crate::vault::Vault;

impl Vault {
    /// Brings a point that is not gone for good, and its record, to one word.
    ///
    /// # Errors
    /// The catalog or the store does not answer.
    pub(super) async fn agree_on(
        &self,
        name: &ContainerName,
        set: &SetRecord,
        point: &Point,
    ) -> Result<(), Fault> {
        let set = self.agree_on_wish(name, set, point).await?;
        self.agree_on_grade(name, &set, point).await
    }

    /// Brings point and record to one time until which a user wants the point: the later, whichever was written when the other could
    /// not be. Gives the record as it is then.
    async fn agree_on_wish(
        &self,
        name: &ContainerName,
        set: &SetRecord,
        point: &Point,
    ) -> Result<SetRecord, Fault> {
        let keep_until = set.keep_until.max(point.keep_until);
        let record = SetRecord {
            keep_until,
            ..set.clone()
        };
        if set.keep_until != keep_until {
            self.rewrite(name, &record).await?;
        }
        if point.keep_until != keep_until {
            self.change::<Point, _>(point.id, |point| {
                point.keep_until = point.keep_until.max(keep_until);
                Ok(())
            })
            .await?;
        }
        Ok(record)
    }

    async fn rewrite(&self, name: &ContainerName, record: &SetRecord) -> Result<(), Fault> {
        let shelf = &self.world.shelf;
        let put = shelf.put_record(name, &record.name(), record.encode()?).await;
        put.map_err(|error| store_fault(&error))
    }

    /// Writes beside its blobs until when a user wants a point; all else that its record says stays as it is.
    ///
    /// # Errors
    /// Its record cannot be read; the catalog or the store does not answer.
    pub(crate) async fn record_wish(&self, point: &Point) -> Result<(), Fault> {
        let container = self.get::<Container>(point.container).await?.record;
        let (name, shelf) = (name_of(&container)?, &self.world.shelf);
        let record = SetRecord::name_of(&point.blobs, point.set.guid);
        // Without its last letter it stands right before itself.
        let before = record.as_str().strip_suffix('n').unwrap_or_default();
        let before = BlobName::new(before.to_owned()).ok();
        let found = shelf.records(&name, before.as_ref(), 1).await;
        let found = found.map_err(|error| store_fault(&error))?;
        if let Some((_, body)) = found.iter().find(|(one, _)| *one == record) {
            self.agree_on_wish(&name, &SetRecord::decode(body)?, point)
                .await?;
        }
        Ok(())
    }

    /// Brings point and record to one grade, where it was changed in one of them alone: the point's was judged again, or the catalog is
    /// an older copy.
    async fn agree_on_grade(
        &self,
        name: &ContainerName,
        set: &SetRecord,
        point: &Point,
    ) -> Result<(), Fault> {
        if set.grade == point.grade {
            return Ok(());
        }
        if known_later(point.grade, set.grade) == point.grade {
            let record = SetRecord {
                grade: point.grade,
                reasons: point.reasons.clone(),
                ..set.clone()
            };
            return self.rewrite(name, &record).await;
        }
        if set.grade == Grade::Disputed {
            let why = set.reasons.join("; ");
            let fault = Fault::new(Code::Bac2StreamDisputed)
                .at(&format!("recovery point {}", point.id))
                .because(&why);
            return self.dispute(point.id, &why, &fault).await;
        }
        self.change::<Point, _>(point.id, |point| {
            if point.grade != Grade::Disputed {
                point.grade = set.grade;
                point.reasons.clone_from(&set.reasons);
            }
            Ok(())
        })
        .await
        .map(drop)
    }
}

/// The grade of two that was found later: damage stays damage, and what is known of sound bytes only grows.
fn known_later(one: Grade, other: Grade) -> Grade {
    let rank = |grade: Grade| match grade {
        Grade::Accepted => 0,
        Grade::EngineVerified => 1,
        Grade::Proved => 2,
        Grade::Disputed => 3,
    };
    if rank(one) < rank(other) { other } else { one }
}
