//! Sizes, counts and times as people read them.
//!
//! JSON never uses these: there a size is a number of bytes and a time a number of seconds.

/// A size in bytes as people read it: `3.5 MiB`, `512 B`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let unit = UNITS[unit];
    if value < 100.0 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

/// A count with its thousands set apart: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count and its noun, `1 page` or `2 pages`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{} {noun}s", count(number))
    }
}

/// A time in seconds as people read it: `12 ms`, `3.4 s`, `5 min 10 s`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 0.0005 {
        "<1 ms".to_owned()
    } else if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 99.95 {
        format!("{seconds:.1} s")
    } else {
        let whole = seconds.round() as u64;
        if whole < 3600 {
            format!("{} min {} s", whole / 60, whole % 60)
        } else {
            format!("{} h {} min", whole / 3600, whole % 3600 / 60)
        }
    }
}

/// Bytes in a time as people read it, `2.1 GB/s` (decimal, as disks and networks are sold); `None` where the time is
/// too short to say.
pub(crate) fn speed(bytes: u64, seconds: f64) -> Option<String> {
    if seconds < 0.001 {
        return None;
    }
    let rate = bytes as f64 / seconds;
    Some(if rate >= 1e9 {
        format!("{:.1} GB/s", rate / 1e9)
    } else {
        format!("{:.0} MB/s", rate / 1e6)
    })
}

#[cfg(test)]
mod tests {
    use super::{count, counted, duration, size, speed};

    #[test]
    fn sizes_step_by_1024_and_never_show_four_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (3_700_224, "3.5 MiB"),
            (1_048_575, "1.0 MiB"),
            (1 << 30, "1.0 GiB"),
            (500 << 30, "500 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn counts_and_times() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "page"), "1 page");
        assert_eq!(counted(2_000, "page"), "2,000 pages");
        assert_eq!(duration(0.0), "<1 ms");
        assert_eq!(duration(0.0123), "12 ms");
        assert_eq!(duration(3.44), "3.4 s");
        assert_eq!(duration(310.0), "5 min 10 s");
        assert_eq!(duration(7320.0), "2 h 2 min");
        assert_eq!(speed(1 << 30, 0.5).as_deref(), Some("2.1 GB/s"));
        assert_eq!(speed(1, 0.0), None);
    }
}
