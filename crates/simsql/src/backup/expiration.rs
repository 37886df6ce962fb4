//! EXPIREDATE and RETAINDAYS: until when a set is not to be overwritten.

use bak::content::Event;
use bak::{ContentReader, LocalTime};

use super::order::Order;
use crate::message::Failure;
use crate::query::convert::convert;
use crate::value::{DateTime, Length, SqlType, Value};
use crate::world::{DiskFile, OsError};

/// Bytes of a file that are read at a time: some headers, so that what lies between them can be passed over.
const PIECE: u64 = 16 << 10;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// When a set of this order expires; `None` where it may be overwritten at any time.
///
/// # Errors
/// 241 where EXPIREDATE is no date.
pub(super) fn of(order: &Order, now: DateTime) -> Result<Option<LocalTime>, Failure> {
    if let Some(days) = order.retain_days.filter(|days| *days > 0) {
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        let midnight = DateTime {
            days: now.days.saturating_add(days),
            ticks: 0,
        };
        return Ok(Some(midnight.to_local_time()));
    }
    let Some(text) = &order.expire_date else {
        return Ok(None);
    };
    let text = Value::Text(text.clone());
    let date = convert(text, SqlType::NVarChar(Length::Of(4000)), SqlType::DateTime)?;
    match date {
        Value::DateTime(date) => Ok(Some(date.to_local_time())),
        _ => Ok(None),
    }
}

/// Whether the sets on a file may be overwritten.
///
/// # Errors
/// 4030 where one of them has not expired, 3203 where the file cannot be read.
pub(super) fn check(path: &str, file: &dyn DiskFile, length: u64, now: LocalTime) -> Result<(), Failure> {
    let latest = latest(file, length).map_err(|error| Failure::new(3203, &[&path, &error]))?;
    match latest.filter(|expiration| *expiration > now) {
        Some(expiration) => Err(Failure::new(4030, &[&path, &told(expiration)])),
        None => Ok(()),
    }
}

/// The latest date at which a set on the file expires. Pages and log are passed over where the container lets it.
fn latest(file: &dyn DiskFile, length: u64) -> Result<Option<LocalTime>, OsError> {
    let mut reader = ContentReader::headers_only();
    let mut latest = None;
    let mut note = |event: Event| {
        if let Event::SetStart(header) = event {
            latest = latest.max(header.expiration);
        }
    };
    let mut piece = Vec::new();
    while reader.bytes() < length && !reader.is_lost() {
        let skippable = reader.skippable().min(length - reader.bytes());
        if skippable > 0 {
            reader.skip(skippable);
            continue;
        }
        piece.resize(PIECE.min(length - reader.bytes()) as usize, 0);
        file.read_at(reader.bytes(), &mut piece)?;
        reader.push(&piece, &mut note);
    }
    drop(reader.finish(&mut note));
    Ok(latest)
}

/// `Jan  4 2026 12:00:00:000AM`.
fn told(time: LocalTime) -> String {
    let month = MONTHS[usize::from(time.month.clamp(1, 12)) - 1];
    let hour = match time.hour % 12 {
        0 => 12,
        hour => hour,
    };
    let half = if time.hour < 12 { "AM" } else { "PM" };
    format!(
        "{month} {:2} {} {hour:02}:{:02}:{:02}:000{half}",
        time.day, time.year, time.minute, time.second
    )
}
