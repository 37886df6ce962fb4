//! The report: a table for each phase, what each server cost, and a sentence for each bar.
//!
//! Bars (ARCHITECTURE.md, speed): writes at least 60 % of the limit; reads at least the smaller of ten times
//! Azurite and 80 % of the bare sink. A bar whose peer is missing is said to be so, never passed.

use std::fmt::Write as _;
use std::time::Duration;

use super::tally::{Sample, Series};

/// Writes: at least this part of the limit.
const WRITE_BAR: f64 = 0.6;
/// Reads: at least this part of the bare sink, or `PEER_AIM` times the peer.
const SINK_BAR: f64 = 0.8;
/// How many times the peer.
const PEER_AIM: f64 = 10.0;

/// What is done to the subjects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Put Block of 4 MiB, and one Put Block List.
    Write,
    /// Ranges of 4 MiB.
    Large,
    /// Ranges of 64 KiB.
    Small,
}

/// What a server used over the whole run.
pub(crate) struct Cost {
    /// The server.
    pub(crate) name: &'static str,
    /// Peak of resident memory in bytes.
    pub(crate) peak_memory: Option<u64>,
}

/// All samples.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<(Phase, &'static str, Series)>,
    /// How long after its commit each backup was proved, in rounds that store backups.
    pub(crate) proofs: Vec<Duration>,
}

impl Report {
    /// Adds the sample of one round.
    pub(crate) fn push(&mut self, phase: Phase, name: &'static str, sample: Sample) {
        let row = self.rows.iter_mut().find(|row| row.0 == phase && row.1 == name);
        match row {
            Some((_, _, series)) => series.0.push(sample),
            None => self.rows.push((phase, name, Series(vec![sample]))),
        }
    }

    /// The whole text, as Markdown.
    pub(crate) fn render(&self, costs: &[Cost]) -> String {
        let mut text = String::new();
        let phases = [
            (Phase::Write, "Put Block, 4 MiB, durable", "limit"),
            (Phase::Large, "Get Blob, ranges of 4 MiB", "bare sink"),
            (Phase::Small, "Get Blob, ranges of 64 KiB", "bare sink"),
        ];
        for (phase, title, limit) in phases {
            self.table(&mut text, phase, title, limit);
        }
        text.push_str("| server | peak memory MiB | read from disk MiB, while writing | while reading |\n|---|---|---|---|\n");
        for cost in costs {
            let peak = cost
                .peak_memory
                .map_or_else(|| "?".to_owned(), |bytes| (bytes >> 20).to_string());
            let writing = self.disk_reads(cost.name, &[Phase::Write]) >> 20;
            let reading = self.disk_reads(cost.name, &[Phase::Large, Phase::Small]) >> 20;
            let _ = writeln!(text, "| {} | {peak} | {writing} | {reading} |", cost.name);
        }
        text.push('\n');
        for line in self.verdicts() {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    fn table(&self, text: &mut String, phase: Phase, title: &str, limit: &str) {
        let _ = writeln!(
            text,
            "| {title} | MB/s, median | lowest-highest | of the {limit} | times Azurite | server CPU s/GB | client CPU s/GB |\n|---|---|---|---|---|---|---|"
        );
        for (_, name, series) in self.rows.iter().filter(|row| row.0 == phase) {
            let Some((middle, low, high)) = series.rates() else {
                continue;
            };
            let (client, server) = series.cpu_per_gb();
            let against = |other: &str| {
                let ratio = self.series(phase, other).and_then(|other| series.ratio(other));
                ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
            };
            let _ = writeln!(
                text,
                "| {name} | {middle:.0} | {low:.0}-{high:.0} | {} | {} | {server:.2} | {client:.2} |",
                against(limit),
                against("Azurite")
            );
        }
        text.push('\n');
    }

    fn series(&self, phase: Phase, name: &str) -> Option<&Series> {
        self.rows
            .iter()
            .find(|row| row.0 == phase && row.1 == name)
            .map(|row| &row.2)
    }

    /// Bytes a server fetched from the disk in these phases, all rounds together.
    fn disk_reads(&self, name: &str, phases: &[Phase]) -> u64 {
        let rows = phases.iter().filter_map(|phase| self.series(*phase, name));
        rows.flat_map(|series| &series.0)
            .map(|sample| sample.disk_reads)
            .sum()
    }

    /// A sentence for each bar.
    fn verdicts(&self) -> Vec<String> {
        let ratio = |phase, other| self.series(phase, "bac2")?.ratio(self.series(phase, other)?);
        let word = |good: bool| if good { "pass" } else { "FAIL" };
        let mut lines = Vec::new();
        if let Some(part) = ratio(Phase::Write, "limit") {
            let good = word(part >= WRITE_BAR);
            lines.push(format!(
                "{good}: writes reach {part:.2} of the limit; the bar is {WRITE_BAR:.2}"
            ));
        }
        if let Some(times) = ratio(Phase::Write, "Azurite") {
            lines.push(format!(
                "aim: writes are {times:.1} times Azurite; the aim is {PEER_AIM:.0}"
            ));
        }
        for (phase, what) in [(Phase::Large, "4 MiB"), (Phase::Small, "64 KiB")] {
            let (part, times) = (ratio(phase, "bare sink"), ratio(phase, "Azurite"));
            let Some(part) = part else { continue };
            let good = part >= SINK_BAR || times.is_some_and(|times| times >= PEER_AIM);
            // Without the peer nobody knows whether ten times the peer would be the smaller.
            let verdict = if !good && times.is_none() {
                "open"
            } else {
                word(good)
            };
            let beside = times.map_or_else(
                || "no Azurite here".to_owned(),
                |times| format!("{times:.1} times Azurite"),
            );
            lines.push(format!(
                "{verdict}: reads of {what} reach {part:.2} of the bare sink, {beside}; the bar is the smaller of {SINK_BAR:.2} and {PEER_AIM:.0} times"
            ));
        }
        if let Some(last) = self.proofs.iter().max() {
            let (count, ms) = (self.proofs.len(), last.as_millis());
            lines.push(format!(
                "proof: all {count} backups were proved, each at most {ms} ms after its commit"
            ));
        }
        if lines.is_empty() {
            lines.push("no bar was judged: the product was left out".to_owned());
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Phase, Report};
    use crate::frontdoor::tally::Sample;

    fn report(rows: &[(Phase, &'static str, u64)]) -> Report {
        let mut report = Report::default();
        for (phase, name, mb) in rows {
            let sample = Sample {
                bytes: mb * 1_000_000,
                wall: Duration::from_secs(1),
                ..Sample::default()
            };
            report.push(*phase, name, sample);
        }
        report
    }

    #[test]
    fn the_write_bar_is_a_part_of_the_limit() {
        let verdicts = report(&[(Phase::Write, "limit", 1000), (Phase::Write, "bac2", 590)]).verdicts();
        assert!(verdicts[0].starts_with("FAIL: writes reach 0.59"), "{verdicts:?}");
    }

    #[test]
    fn reads_pass_by_either_bar() {
        let sink = (Phase::Large, "bare sink", 4000);
        let by_sink = report(&[
            sink,
            (Phase::Large, "bac2", 3300),
            (Phase::Large, "Azurite", 1000),
        ])
        .verdicts();
        assert!(by_sink[0].starts_with("pass"), "{by_sink:?}");
        let by_peer =
            report(&[sink, (Phase::Large, "bac2", 2000), (Phase::Large, "Azurite", 200)]).verdicts();
        assert!(by_peer[0].starts_with("pass"), "{by_peer:?}");
        let neither =
            report(&[sink, (Phase::Large, "bac2", 2000), (Phase::Large, "Azurite", 300)]).verdicts();
        assert!(neither[0].starts_with("FAIL"), "{neither:?}");
        let alone = report(&[sink, (Phase::Large, "bac2", 2000)]).verdicts();
        assert!(alone[0].starts_with("open"), "{alone:?}");
    }

    #[test]
    fn without_the_product_nothing_is_passed() {
        let verdicts = report(&[(Phase::Write, "limit", 1000), (Phase::Write, "Azurite", 100)]).verdicts();
        assert_eq!(verdicts, ["no bar was judged: the product was left out"]);
    }
}
