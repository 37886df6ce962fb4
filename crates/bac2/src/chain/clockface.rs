//! Moments as this command reads and shows them.
//!
//! One rule for all that is shown: where the offset of the server's clock is known, a moment is RFC 3339 with the offset that the
//! clock had then (`2017-06-01T13:24:13+02:00`); where it is not, it is the server's local time and has none. The offset is that of
//! `--zone` where that is given, else the one recorded in the newest backup begun by then. Read are the same forms, with a T or a
//! space, with fractions or without; a moment without an offset is on the server's clock.

use chain::{Moment, Set};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// How moments of one database are shown.
#[derive(Debug, Clone)]
pub(super) struct Clockface {
    zone: Option<TimeZone>,
    /// From when on which offset holds, ascending.
    offsets: Vec<(Timestamp, Offset)>,
}

impl Clockface {
    /// The clock of the servers that wrote `sets`.
    pub(super) fn of<'a>(sets: impl IntoIterator<Item = &'a Set>, zone: Option<&TimeZone>) -> Self {
        let recorded = sets.into_iter().filter_map(|set| {
            let minutes = i32::from(set.clock.offset_minutes?);
            let offset = Offset::from_seconds(minutes * 60).ok()?;
            Some((offset.to_timestamp(set.clock.start).ok()?, offset))
        });
        let mut offsets: Vec<_> = recorded.collect();
        offsets.sort_unstable();
        offsets.dedup_by(|next, kept| next.1 == kept.1);
        Self {
            zone: zone.cloned(),
            offsets,
        }
    }

    /// On the server's clock, and how far that was from UTC where it is known. Where it is not, the moments of `chain` are the
    /// server's clock read as if it stood in Greenwich.
    pub(super) fn read(&self, moment: Timestamp) -> (DateTime, Option<Offset>) {
        if let Some(zone) = &self.zone {
            let zoned = moment.to_zoned(zone.clone());
            return (zoned.datetime(), Some(zoned.offset()));
        }
        let begun = self.offsets.partition_point(|(from, _)| *from <= moment);
        match self.offsets.get(begun.saturating_sub(1)) {
            Some((_, offset)) => (offset.to_datetime(moment), Some(*offset)),
            None => (Offset::UTC.to_datetime(moment), None),
        }
    }

    /// About when a set began and ended. For drawings and order: the planner keeps bounds instead.
    pub(super) fn times(&self, set: &Set) -> (Timestamp, Timestamp) {
        let recorded = set.clock.offset_minutes;
        let recorded = recorded.and_then(|minutes| Offset::from_seconds(i32::from(minutes) * 60).ok());
        let moment = |local: DateTime| {
            let moment = match (&self.zone, recorded) {
                (Some(zone), _) => zone.to_timestamp(local),
                (None, offset) => offset.unwrap_or(Offset::UTC).to_timestamp(local),
            };
            moment.unwrap_or(Timestamp::UNIX_EPOCH)
        };
        (moment(set.clock.start), moment(set.clock.finish))
    }

    /// For JSON, and as `--at` takes it.
    pub(super) fn exact(&self, moment: Timestamp) -> String {
        match self.read(moment) {
            (local, Some(offset)) => format!("{local}{}", offset_text(offset)),
            (local, None) => local.to_string(),
        }
    }

    /// For people: without the T, and with the offset where one is known.
    pub(super) fn plain(&self, moment: Timestamp) -> String {
        match self.read(moment) {
            (local, Some(offset)) => format!("{} {}", spaced(local), offset_text(offset)),
            (local, None) => spaced(local),
        }
    }
}

/// `2017-06-01 13:24:13`.
pub(super) fn spaced(local: DateTime) -> String {
    local.to_string().replacen('T', " ", 1)
}

/// `+02:00`. Never `Z`: that would read as if the server's zone were unknown.
fn offset_text(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// A moment as a user types it.
pub(super) fn moment(text: &str) -> Result<Moment, String> {
    let text = text.trim();
    if let Ok(universal) = text.parse::<Timestamp>() {
        return Ok(Moment::Universal(universal));
    }
    let is_offset_like = text.contains(['Z', 'z', '+', '[']);
    match text.parse::<DateTime>() {
        Ok(local) if !is_offset_like => Ok(Moment::Local(local)),
        _ => Err(
            "expected a time such as 2017-06-01T13:20:00 (the server's clock) or 2017-06-01T11:20:00Z"
                .to_owned(),
        ),
    }
}

/// A time zone as a user names it.
pub(super) fn zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| {
        "expected a name of the IANA time zone database such as Europe/Berlin, America/Chicago or UTC"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::{Clockface, moment};
    use chain::Moment;
    use jiff::tz::TimeZone;

    fn local(text: &str) -> Moment {
        Moment::Local(text.parse().unwrap())
    }

    #[test]
    fn a_moment_may_be_written_in_many_ways() {
        for text in [
            "2017-06-01T13:20:00",
            "2017-06-01 13:20:00",
            "2017-06-01T13:20",
            "2017-06-01 13:20:00.000",
        ] {
            assert_eq!(moment(text).unwrap(), local("2017-06-01T13:20:00"), "{text}");
        }
        assert_eq!(moment("2017-06-01").unwrap(), local("2017-06-01T00:00:00"));
        assert_eq!(
            moment("2017-06-01 13:20:00.25").unwrap(),
            local("2017-06-01T13:20:00.25")
        );
        let universal = Moment::Universal("2017-06-01T11:20:00Z".parse().unwrap());
        for text in [
            "2017-06-01T11:20:00Z",
            "2017-06-01T13:20:00+02:00",
            "2017-06-01 06:20:00-05:00",
        ] {
            assert_eq!(moment(text).unwrap(), universal, "{text}");
        }
        for text in [
            "",
            "yesterday",
            "13:20",
            "2017-06-31T00:00:00",
            "2017-06-01T25:00:00",
            "01/06/2017",
        ] {
            assert!(moment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_zone_gives_each_moment_its_own_offset() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let face = Clockface::of([], Some(&berlin));
        assert_eq!(
            face.exact("2026-10-25T00:30:00Z".parse().unwrap()),
            "2026-10-25T02:30:00+02:00"
        );
        assert_eq!(
            face.exact("2026-10-25T01:30:00Z".parse().unwrap()),
            "2026-10-25T02:30:00+01:00"
        );
        let unknown = Clockface::of([], None);
        assert_eq!(
            unknown.exact("2026-10-25T01:30:00Z".parse().unwrap()),
            "2026-10-25T01:30:00"
        );
    }
}
