//! The figures in BACKUP's messages: pages, seconds, throughput, percent.

use std::time::Duration;

use crate::message::Message;

/// 3014. Seconds are cut off to milliseconds; the rate follows from the time as it was measured, not as it is printed.
pub(super) fn processed(title: &str, pages: u64, elapsed: Duration) -> Message {
    let nanos = elapsed.as_nanos();
    let seconds = format!("{}.{:03}", elapsed.as_secs(), elapsed.subsec_millis());
    // Thousandths of a MB a second: pages * 8192 / 2^20 MB, over nanos / 10^9 seconds.
    let thousandths = match nanos {
        0 => 0,
        nanos => u128::from(pages) * 1_000_000_000_000 / (128 * nanos),
    };
    let rate = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    Message::new(3014, &[&title, &pages, &seconds, &rate])
}

/// Pages of 8 KiB that bytes of log fill.
pub(super) fn log_pages(bytes: u64) -> u64 {
    bytes.div_ceil(8192)
}

/// Percent messages: one at the first transfer at or past each multiple of the interval.
#[derive(Clone, Debug)]
pub(super) struct Percent {
    interval: u64,
    next: u64,
    total: u64,
}

impl Percent {
    /// For `total` bytes; without an interval nothing is told.
    pub(super) fn new(interval: Option<u8>, total: u64) -> Self {
        let interval = u64::from(interval.unwrap_or(0)).min(100);
        Self {
            interval,
            next: interval,
            total: total.max(1),
        }
    }

    /// So many bytes are done: the message where there is one. The last, for all of it, comes from [`Percent::end`].
    pub(super) fn done(&mut self, bytes: u64) -> Option<Message> {
        let percent = (bytes.saturating_mul(100) / self.total).min(99);
        if self.interval == 0 || percent < self.next {
            return None;
        }
        self.next = (percent / self.interval + 1) * self.interval;
        Some(Message::new(3211, &[&percent]))
    }

    /// All is done.
    pub(super) fn end(&self) -> Option<Message> {
        (self.interval > 0).then(|| Message::new(3211, &[&100]))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Percent, processed};

    #[test]
    fn throughput_as_sql_server_printed_it() {
        // Listings of real backups: 28,154 pages in 1.639 s at 134.195 MB/s; 426 pages in 0.026 s at 127.854 MB/s; 474 pages in
        // 0.050 s at 74.023 MB/s. The times behind the milliseconds follow from the rates.
        for (pages, nanos, text) in [
            (
                28_154,
                1_639_050_000,
                "28154 pages in 1.639 seconds (134.195 MB/sec).",
            ),
            (426, 26_030_500, "426 pages in 0.026 seconds (127.854 MB/sec)."),
            (474, 50_026_300, "474 pages in 0.050 seconds (74.023 MB/sec)."),
        ] {
            let message = processed("BACKUP DATABASE", pages, Duration::from_nanos(nanos));
            assert_eq!(
                message.text,
                format!("BACKUP DATABASE successfully processed {text}")
            );
        }
        let at_once = processed("BACKUP LOG", 2, Duration::ZERO);
        assert_eq!(
            at_once.text,
            "BACKUP LOG successfully processed 2 pages in 0.000 seconds (0.000 MB/sec)."
        );
    }

    #[test]
    fn percent_is_told_at_the_first_transfer_past_each_interval() {
        let mut percent = Percent::new(Some(10), 1000);
        let told: Vec<String> = [50, 100, 130, 190, 430, 1000]
            .iter()
            .filter_map(|bytes| percent.done(*bytes))
            .map(|message| message.text)
            .collect();
        assert_eq!(
            told,
            [
                "10 percent processed.",
                "43 percent processed.",
                "99 percent processed."
            ]
        );
        let mut silent = Percent::new(None, 1000);
        assert_eq!(silent.done(1000), None);
        assert_eq!(silent.end(), None);
    }
}
