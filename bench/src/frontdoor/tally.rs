//! What was measured, and what follows: rates, medians over the rounds, ratios within a round.
//!
//! A ratio is taken inside each round and the median of those is reported: the disk of a virtual machine moves
//! by a factor of five between minutes, and a ratio of two medians from different minutes would mean nothing.

use std::time::Duration;

use crate::median::median;

/// One subject in one phase of one round.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sample {
    /// Payload bytes moved.
    pub(crate) bytes: u64,
    /// Time on the wall.
    pub(crate) wall: Duration,
    /// Processor time of the client, or of the processes that are the limit.
    pub(crate) client: Duration,
    /// Processor time of the server.
    pub(crate) server: Duration,
    /// Bytes the server fetched from the disk meanwhile.
    pub(crate) disk_reads: u64,
}

impl Sample {
    /// Adds a slice of the same round.
    pub(crate) fn add(&mut self, slice: &Sample) {
        self.bytes += slice.bytes;
        self.wall += slice.wall;
        self.client += slice.client;
        self.server += slice.server;
        self.disk_reads += slice.disk_reads;
    }

    /// Bytes a second, in units of 10^6.
    pub(crate) fn rate(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.wall.as_secs_f64().max(1e-9)
    }
}

/// The samples of one subject in one phase, a round each.
#[derive(Clone, Default)]
pub(crate) struct Series(pub(crate) Vec<Sample>);

impl Series {
    /// Median, lowest and highest rate in MB/s.
    pub(crate) fn rates(&self) -> Option<(f64, f64, f64)> {
        let rates: Vec<f64> = self.0.iter().map(Sample::rate).collect();
        let low = rates.iter().copied().reduce(f64::min)?;
        let high = rates.iter().copied().reduce(f64::max)?;
        Some((median(rates)?, low, high))
    }

    /// Median over the rounds of this rate divided by the other's of the same round.
    pub(crate) fn ratio(&self, other: &Series) -> Option<f64> {
        median(
            self.0
                .iter()
                .zip(&other.0)
                .map(|(own, other)| own.rate() / other.rate())
                .collect(),
        )
    }

    /// Processor seconds per GB moved: client, server.
    pub(crate) fn cpu_per_gb(&self) -> (f64, f64) {
        let gb = self.0.iter().map(|sample| sample.bytes).sum::<u64>().max(1) as f64 / 1e9;
        let client: Duration = self.0.iter().map(|sample| sample.client).sum();
        let server: Duration = self.0.iter().map(|sample| sample.server).sum();
        (client.as_secs_f64() / gb, server.as_secs_f64() / gb)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Sample, Series};

    fn sample(mb: u64, seconds: u64) -> Sample {
        Sample {
            bytes: mb * 1_000_000,
            wall: Duration::from_secs(seconds),
            ..Sample::default()
        }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The disk is five times slower in the second round: both move, the ratio does not.
        let limit = Series(vec![sample(1000, 1), sample(200, 1), sample(1000, 1)]);
        let own = Series(vec![sample(700, 1), sample(140, 1), sample(700, 1)]);
        assert!((own.ratio(&limit).expect("three rounds") - 0.7).abs() < 1e-9);
        let (middle, low, high) = own.rates().expect("three rounds");
        assert_eq!((middle.round(), low.round(), high.round()), (700.0, 140.0, 700.0));
    }
}
