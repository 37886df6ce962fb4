//! Lengths of time as people give them: `500ms`, `2s`, `10m`, `4h`, `14d`.

use std::time::Duration;

/// The length in milliseconds; `None` for what is no number with one of the five units, or no number of 64 bits.
pub(crate) fn millis(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit)
}

/// As a parser of arguments.
pub(crate) fn lasting(text: &str) -> Result<Duration, String> {
    millis(text)
        .and_then(|millis| u64::try_from(millis).ok())
        .map(Duration::from_millis)
        .ok_or_else(|| "expected a length of time such as 30s, 10m, 4h or 2d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_units_and_nothing_else() {
        for (text, want) in [
            ("500ms", 500),
            ("0s", 0),
            ("2s", 2_000),
            ("10m", 600_000),
            ("4h", 14_400_000),
            ("14d", 1_209_600_000),
        ] {
            assert_eq!(lasting(text), Ok(Duration::from_millis(want)), "{text}");
        }
        for bad in [
            "",
            "s",
            "10",
            "-1s",
            "1.5h",
            "10 m",
            "4H",
            "99999999999999999999d",
            "9999999999999999d",
        ] {
            assert!(lasting(bad).is_err(), "{bad}");
        }
    }
}
