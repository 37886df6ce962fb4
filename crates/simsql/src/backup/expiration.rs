//! EXPIREDATE and RETAINDAYS: until when a set is not to be overwritten.

use bak::LocalTime;

use super::order::Order;
use crate::message::Failure;
use crate::query::convert::convert;
use crate::value::{DateTime, Length, SqlType, Value};

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
