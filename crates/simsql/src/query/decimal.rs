//! Decimal arithmetic in 38 digits, as the documentation's page «Precision, scale, and length» has it.
//!
//! Products and quotients are computed in 256 bits, then rounded half away from zero to the scale of the result.

use crate::query::types::PRECISION_MAX;
use crate::value::{Decimal, SqlType};

/// 10 to the power of `exponent`, 0 to 38.
#[must_use]
pub fn power(exponent: u8) -> i128 {
    10_i128.pow(u32::from(exponent.min(PRECISION_MAX)))
}

/// Precision and scale of `left op right`.
#[must_use]
pub fn result(op: char, (p1, s1): (u8, u8), (p2, s2): (u8, u8)) -> SqlType {
    let (p1, s1, p2, s2) = (i32::from(p1), i32::from(s1), i32::from(p2), i32::from(s2));
    let limit = i32::from(PRECISION_MAX);
    let (precision, scale) = match op {
        '*' => (p1 + p2 + 1, s1 + s2),
        '/' => {
            let scale = 6.max(s1 + p2 + 1);
            (p1 - s1 + s2 + scale, scale)
        }
        '%' => ((p1 - s1).min(p2 - s2) + s1.max(s2), s1.max(s2)),
        _ => {
            let scale = s1.max(s2);
            ((p1 - s1).max(p2 - s2) + scale + 1, scale)
        }
    };
    let scale = if precision <= limit {
        scale
    } else if matches!(op, '*' | '/') {
        // The integral part keeps its digits, but at least six stay behind the point.
        let integral = precision - scale;
        scale.min((limit - integral).max(6.min(scale)))
    } else {
        scale.min(limit - (p1 - s1).max(p2 - s2)).max(0)
    };
    SqlType::Decimal {
        precision: precision.clamp(1, limit) as u8,
        scale: scale as u8,
    }
}

/// The number in another scale; `None` where it has more than 38 digits then.
#[must_use]
pub fn rescale(number: Decimal, scale: u8) -> Option<Decimal> {
    let unscaled = if scale >= number.scale {
        number.unscaled.checked_mul(power(scale - number.scale))?
    } else {
        divide_rounded(number.unscaled, power(number.scale - scale))
    };
    within(unscaled, PRECISION_MAX).then_some(Decimal { unscaled, scale })
}

/// The number cut to a scale, towards zero.
#[must_use]
pub fn truncate(number: Decimal, scale: u8) -> Decimal {
    if scale >= number.scale {
        return number;
    }
    Decimal {
        unscaled: number.unscaled / power(number.scale - scale),
        scale,
    }
}

/// Whether a number has at most so many digits.
#[must_use]
pub fn within(unscaled: i128, precision: u8) -> bool {
    unscaled.unsigned_abs() < power(precision).unsigned_abs()
}

/// Half away from zero.
fn divide_rounded(number: i128, by: i128) -> i128 {
    let quotient = number / by;
    let rest = (number % by).unsigned_abs();
    if rest * 2 >= by.unsigned_abs() {
        quotient + if (number < 0) == (by < 0) { 1 } else { -1 }
    } else {
        quotient
    }
}

/// Sum; `None` on overflow, as all below.
#[must_use]
pub fn add(left: Decimal, right: Decimal, scale: u8) -> Option<Decimal> {
    let wide = left.scale.max(right.scale);
    let sum = rescale(left, wide)?
        .unscaled
        .checked_add(rescale(right, wide)?.unscaled)?;
    rescale(
        Decimal {
            unscaled: sum,
            scale: wide,
        },
        scale,
    )
}

/// Product.
#[must_use]
pub fn multiply(left: Decimal, right: Decimal, scale: u8) -> Option<Decimal> {
    let (high, low) = wide_product(left.unscaled.unsigned_abs(), right.unscaled.unsigned_abs());
    let negative = (left.unscaled < 0) != (right.unscaled < 0);
    let natural = left.scale + right.scale;
    if natural <= scale {
        let unscaled = i128::try_from(low).ok().filter(|_| high == 0)?;
        let unscaled = unscaled.checked_mul(power(scale - natural))?;
        return signed(unscaled.unsigned_abs(), negative, scale);
    }
    let by = power(natural - scale).unsigned_abs();
    signed(wide_quotient(high, low, by)?, negative, scale)
}

/// Quotient; the divisor is not zero.
#[must_use]
pub fn divide(left: Decimal, right: Decimal, scale: u8) -> Option<Decimal> {
    let negative = (left.unscaled < 0) != (right.unscaled < 0);
    // left / 10^s1 * 10^s2 / right, shifted by 10^scale.
    let shift = i32::from(scale) + i32::from(right.scale) - i32::from(left.scale);
    let divisor = right.unscaled.unsigned_abs();
    let dividend = left.unscaled.unsigned_abs();
    if shift < 0 {
        let by = divisor.checked_mul(power(shift.unsigned_abs() as u8).unsigned_abs())?;
        return signed(wide_quotient(0, dividend, by)?, negative, scale);
    }
    if shift > i32::from(PRECISION_MAX) {
        return None;
    }
    let (high, low) = wide_product(dividend, power(shift as u8).unsigned_abs());
    signed(wide_quotient(high, low, divisor)?, negative, scale)
}

/// Rest of the division towards zero; the divisor is not zero.
#[must_use]
pub fn remainder(left: Decimal, right: Decimal, scale: u8) -> Option<Decimal> {
    let wide = left.scale.max(right.scale);
    let rest = rescale(left, wide)?.unscaled % rescale(right, wide)?.unscaled;
    rescale(
        Decimal {
            unscaled: rest,
            scale: wide,
        },
        scale,
    )
}

fn signed(magnitude: u128, negative: bool, scale: u8) -> Option<Decimal> {
    let unscaled = i128::try_from(magnitude).ok()?;
    let unscaled = if negative { -unscaled } else { unscaled };
    within(unscaled, PRECISION_MAX).then_some(Decimal { unscaled, scale })
}

/// The 256 bits of a product.
fn wide_product(left: u128, right: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a, b) = (left >> 64, left & LOW);
    let (c, d) = (right >> 64, right & LOW);
    let low = b * d;
    let middle = a * d + (low >> 64);
    let carried = (middle & LOW) + b * c;
    (
        a * c + (middle >> 64) + (carried >> 64),
        (carried << 64) | (low & LOW),
    )
}

/// 256 bits by 128, rounded half up; `None` where the quotient does not fit 127 bits.
fn wide_quotient(high: u128, low: u128, by: u128) -> Option<u128> {
    if high >= by {
        return None;
    }
    let (mut rest, mut quotient) = (high, 0_u128);
    for bit in (0..128).rev() {
        let carry = rest >> 127;
        rest = (rest << 1) | ((low >> bit) & 1);
        quotient <<= 1;
        if carry == 1 || rest >= by {
            rest = rest.wrapping_sub(by);
            quotient |= 1;
        }
    }
    if rest >= by - rest {
        quotient = quotient.checked_add(1)?;
    }
    (quotient >> 127 == 0).then_some(quotient)
}

/// Digits with their point: `-12.30`.
#[must_use]
pub fn print(number: Decimal) -> String {
    let digits = number.unscaled.unsigned_abs().to_string();
    let scale = usize::from(number.scale);
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if number.unscaled < 0 { "-" } else { "" };
    if scale == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// A decimal literal with all its digits; `None` where it is none or has more than 38 digits.
#[must_use]
pub fn parse(text: &str) -> Option<Decimal> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty())
        || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let significant = format!("{}{fraction}", whole.trim_start_matches('0'));
    if significant.len() > usize::from(PRECISION_MAX) {
        return None;
    }
    let unscaled: i128 = if significant.is_empty() {
        0
    } else {
        significant.parse().ok()?
    };
    Some(Decimal {
        unscaled: if negative { -unscaled } else { unscaled },
        scale: fraction.len() as u8,
    })
}

/// The nearest float.
#[must_use]
pub fn to_float(number: Decimal) -> f64 {
    // Parsing rounds once; dividing would round twice.
    print(number).parse().unwrap_or(0.0)
}

/// A float in a scale, rounded half away from zero; `None` where it is out of range.
#[must_use]
pub fn from_float(number: f64, scale: u8) -> Option<Decimal> {
    if !number.is_finite() || number.abs() >= 1e38 {
        return None;
    }
    // 17 significant digits are all a double has.
    let text = format!("{number:.16e}");
    let (mantissa, exponent) = text.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let digits = parse(mantissa)?;
    let places = i32::from(digits.scale) - exponent;
    let shift = i32::from(scale) - places;
    let unscaled = if shift >= 0 {
        let shift = u8::try_from(shift).ok().filter(|s| *s <= PRECISION_MAX)?;
        digits.unscaled.checked_mul(power(shift))?
    } else if -shift > i32::from(PRECISION_MAX) {
        0
    } else {
        divide_rounded(digits.unscaled, power((-shift) as u8))
    };
    within(unscaled, PRECISION_MAX).then_some(Decimal { unscaled, scale })
}

#[cfg(test)]
mod tests {
    use super::{Decimal, add, divide, from_float, multiply, parse, print, result};
    use crate::value::SqlType;

    fn number(text: &str) -> Decimal {
        parse(text).unwrap()
    }

    #[test]
    fn types_of_the_documentation() {
        // «Precision, scale, and length»: decimal(38,20) * decimal(38,20) is decimal(38,6) by its rule for products over 38 digits;
        // decimal(3,2) + decimal(3,2) is decimal(4,2); 1/3 of int constants as decimal(1,0) has scale 6.
        let decimal = |precision, scale| SqlType::Decimal { precision, scale };
        assert_eq!(result('*', (38, 20), (38, 20)), decimal(38, 6));
        assert_eq!(result('+', (3, 2), (3, 2)), decimal(4, 2));
        assert_eq!(result('/', (1, 0), (1, 0)), decimal(7, 6));
        assert_eq!(result('/', (10, 2), (5, 1)), decimal(17, 8));
    }

    #[test]
    fn arithmetic_by_hand() {
        assert_eq!(print(add(number("1.25"), number("-0.5"), 2).unwrap()), "0.75");
        assert_eq!(
            print(multiply(number("-1.5"), number("2.25"), 3).unwrap()),
            "-3.375"
        );
        assert_eq!(print(multiply(number("0.05"), number("0.5"), 2).unwrap()), "0.03");
        assert_eq!(print(divide(number("1"), number("3"), 6).unwrap()), "0.333333");
        assert_eq!(print(divide(number("2"), number("-3"), 6).unwrap()), "-0.666667");
        let huge = number("12345678901234567890123456789012345678");
        assert_eq!(divide(huge, huge, 10).map(print).as_deref(), Some("1.0000000000"));
        assert!(multiply(huge, huge, 0).is_none());
        assert_eq!(from_float(0.125, 2).map(print).as_deref(), Some("0.13"));
        assert_eq!(from_float(-1e10, 1).map(print).as_deref(), Some("-10000000000.0"));
    }
}
