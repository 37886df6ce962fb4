//! A moment in UTC, and how it reads on a server's clock.

use bak::LocalTime;

use crate::value::DateTime;

/// Microseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Moment(pub i64);

/// Days from 0001-01-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_162;
const DAY: i64 = 86_400_000_000;

impl Moment {
    /// The last moment that reads the same as this one in `datetime`, which counts 300ths of a second and rounds to the nearest.
    #[must_use]
    pub fn last_of_datetime(self) -> Self {
        // A 300th is 10,000/3 microseconds; the next one begins half of it further on.
        let grain = (self.0 * 3 + 5_000).div_euclid(10_000);
        Self((grain * 10_000 + 5_000 + 2).div_euclid(3) - 1)
    }

    /// The clock of a server `offset` minutes ahead of UTC.
    #[must_use]
    pub fn local(self, offset: i16) -> DateTime {
        let micros = self.0 + i64::from(offset) * 60_000_000;
        let days = micros.div_euclid(DAY) + EPOCH_DAYS;
        DateTime {
            days: i32::try_from(days).unwrap_or(i32::MAX),
            ticks: micros.rem_euclid(DAY).unsigned_abs() * 10,
        }
    }
}

impl DateTime {
    /// The moment it was UTC when a clock `offset` minutes ahead showed this.
    #[must_use]
    pub fn moment(self, offset: i16) -> Moment {
        let micros = (i64::from(self.days) - EPOCH_DAYS) * DAY + i64::try_from(self.ticks / 10).unwrap_or(0);
        Moment(micros - i64::from(offset) * 60_000_000)
    }

    /// Rounded down to the second, in a backup's form.
    #[must_use]
    pub fn to_local_time(self) -> LocalTime {
        let (year, month, day) = civil(i64::from(self.days) - EPOCH_DAYS);
        let seconds = self.ticks / 10_000_000;
        LocalTime {
            year: u16::try_from(year).unwrap_or(u16::MAX),
            month,
            day,
            hour: (seconds / 3600) as u8,
            minute: (seconds / 60 % 60) as u8,
            second: (seconds % 60) as u8,
        }
    }

    /// Year, month and day.
    #[must_use]
    pub fn date(self) -> (i32, u8, u8) {
        civil(i64::from(self.days) - EPOCH_DAYS)
    }

    /// Midnight of a date of the Gregorian calendar, which must exist.
    #[must_use]
    pub fn midnight(year: i32, month: u8, day: u8) -> Self {
        Self {
            days: i32::try_from(days_of(i64::from(year), month, day) + EPOCH_DAYS).unwrap_or(i32::MAX),
            ticks: 0,
        }
    }
}

/// Days since 1970-01-01 to a date, by Howard Hinnant's arithmetic on eras of 400 years.
fn civil(days: i64) -> (i32, u8, u8) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (i32::try_from(year).unwrap_or(i32::MAX), month as u8, day as u8)
}

fn days_of(year: i64, month: u8, day: u8) -> i64 {
    let month = i64::from(month);
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::Moment;
    use crate::value::DateTime;

    #[test]
    fn a_datetime_is_the_nearest_300th_of_a_second() {
        // 1/600, 3/600, 5/600 s are where the values change: 1666.7, 5000, 8333.3 microseconds.
        for (moment, last) in [
            (0, 1666),
            (1666, 1666),
            (1667, 4999),
            (3333, 4999),
            (5000, 8333),
            (6667, 8333),
        ] {
            assert_eq!(Moment(moment).last_of_datetime(), Moment(last), "{moment}");
        }
    }

    #[test]
    fn dates_known_from_the_calendar() {
        // 2026-11-21T17:33:05Z is 1795282385 seconds after the epoch (date -u -d @1795282385).
        let local = Moment(1_795_282_385_000_000).local(60);
        assert_eq!(local.to_local_time().to_string(), "2026-11-21T18:33:05");
        assert_eq!(local.moment(60), Moment(1_795_282_385_000_000));
        assert_eq!(DateTime::midnight(1900, 1, 1).days, 693_595);
        assert_eq!(DateTime::midnight(2000, 2, 29).date(), (2000, 2, 29));
    }
}
