//! What the server counts, and how Prometheus reads it.
//!
//! Every name stands here and nowhere else. Counters belong to one server, not to the process, so that two servers in
//! one process do not mix. Labels have few values: an operation is a word of our own, never a client's text.
//!
//! Written by hand rather than with a metrics library: fifteen names need a map and a few atomics, and a library for it
//! brings twenty crates and a thread that tidies up.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Requests answered, by operation and status.
const REQUESTS: &str = "bac2_requests_total";
/// How long they took, to the last byte handed to the connection, seconds.
const DURATION: &str = "bac2_request_duration_seconds";
/// Connections taken since the start.
const CONNECTIONS_TOTAL: &str = "bac2_connections_total";
/// Connections open now.
const CONNECTIONS: &str = "bac2_connections";
/// TLS handshakes that came to nothing.
const HANDSHAKES_FAILED: &str = "bac2_tls_handshakes_failed_total";
/// Bytes read from clients' connections, TLS and heads included.
const RECEIVED: &str = "bac2_received_bytes_total";
/// Bytes written to them.
const SENT: &str = "bac2_sent_bytes_total";
/// Bytes of request bodies in memory, waiting for the disk.
const IN_FLIGHT: &str = "bac2_body_bytes_in_flight";
/// The most there may be.
const IN_FLIGHT_LIMIT: &str = "bac2_body_bytes_in_flight_limit";
/// Blobs that wait for the verifier or are in its hands.
const PROOF_WAITING: &str = "bac2_proof_waiting";
/// Final verdicts since the start, by verdict.
const VERDICTS: &str = "bac2_verdicts_total";
/// Free space of the data directory's file system, bytes.
const DISK_FREE: &str = "bac2_disk_free_bytes";
/// 1 when the store takes no changes any more.
const READ_ONLY: &str = "bac2_store_read_only";
/// Seconds until the served certificate ends; negative when it has.
const CERTIFICATE: &str = "bac2_certificate_expiry_seconds";
/// Seconds until the last of the vault's own authorities ends.
const AUTHORITY: &str = "bac2_authority_expiry_seconds";

/// Upper bounds of the duration histogram, seconds. From a cached read to a request that a full disk holds up.
const BOUNDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0,
];

/// The counters of one server.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    durations: Mutex<BTreeMap<&'static str, Histogram>>,
    /// Bytes through all connections.
    pub(crate) traffic: Arc<Traffic>,
    connections: AtomicU64,
    connections_total: AtomicU64,
    handshakes_failed: AtomicU64,
}

/// Bytes through sockets.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
}

#[derive(Debug, Default, Clone)]
struct Histogram {
    /// Requests within each bound and above the one before; the last counts those beyond all bounds.
    counts: [u64; BOUNDS.len() + 1],
    seconds: f64,
}

/// An open connection, counted until it is dropped.
pub(crate) struct OpenConnection(Arc<Metrics>);

/// What is measured at the moment of asking.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    /// Body bytes in memory.
    pub(crate) in_flight: u64,
    /// The most there may be.
    pub(crate) in_flight_limit: u64,
    /// Blobs in the verifier's hands.
    pub(crate) proof_waiting: u64,
    /// Final verdicts by name.
    pub(crate) verdicts: BTreeMap<&'static str, u64>,
    /// Bytes; `None` where the system does not say.
    pub(crate) disk_free: Option<u64>,
    /// Whether the store refuses changes.
    pub(crate) read_only: bool,
    /// Seconds until the certificate ends; `None` without TLS.
    pub(crate) certificate: Option<i64>,
    /// Seconds until the last authority ends; `None` where there is none of ours.
    pub(crate) authority: Option<i64>,
}

impl Traffic {
    /// Counts bytes that came.
    pub(crate) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts bytes that went.
    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Counts an answered request.
    pub(crate) fn answered(&self, operation: &'static str, status: u16, took: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((operation, status)).or_default() += 1;
        drop(requests);
        let mut durations = self.durations.lock().unwrap_or_else(PoisonError::into_inner);
        durations.entry(operation).or_default().add(took.as_secs_f64());
    }

    /// Counts a connection, until what is returned is dropped.
    pub(crate) fn connected(self: &Arc<Self>) -> OpenConnection {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.connections_total.fetch_add(1, Ordering::Relaxed);
        OpenConnection(Arc::clone(self))
    }

    /// Counts a handshake that came to nothing.
    pub(crate) fn handshake_failed(&self) {
        self.handshakes_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Everything, in the text format of Prometheus.
    pub(crate) fn render(&self, gauges: &Gauges) -> String {
        let mut page = Page::default();
        let requests = self
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        page.head(REQUESTS, "counter", "Requests answered.");
        for ((operation, status), count) in requests {
            let labels = format!("operation=\"{operation}\",status=\"{status}\"");
            page.line(REQUESTS, &labels, count);
        }
        let durations = self
            .durations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        page.head(
            DURATION,
            "histogram",
            "Seconds from a request's head to its answer's last byte.",
        );
        for (operation, histogram) in durations {
            histogram.render(operation, &mut page);
        }
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        page.one(
            CONNECTIONS_TOTAL,
            "counter",
            "Connections taken.",
            read(&self.connections_total),
        );
        page.one(CONNECTIONS, "gauge", "Connections open.", read(&self.connections));
        let failed = read(&self.handshakes_failed);
        page.one(
            HANDSHAKES_FAILED,
            "counter",
            "TLS handshakes that failed.",
            failed,
        );
        page.one(
            RECEIVED,
            "counter",
            "Bytes read from connections.",
            read(&self.traffic.received),
        );
        page.one(
            SENT,
            "counter",
            "Bytes written to connections.",
            read(&self.traffic.sent),
        );
        gauges.render(&mut page);
        page.0
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gauges {
    fn render(&self, page: &mut Page) {
        page.one(
            IN_FLIGHT,
            "gauge",
            "Bytes of request bodies in memory.",
            self.in_flight,
        );
        page.one(
            IN_FLIGHT_LIMIT,
            "gauge",
            "The most there may be.",
            self.in_flight_limit,
        );
        page.one(
            PROOF_WAITING,
            "gauge",
            "Blobs that wait for the verifier.",
            self.proof_waiting,
        );
        page.head(VERDICTS, "counter", "Final verdicts.");
        for (verdict, count) in &self.verdicts {
            page.line(VERDICTS, &format!("verdict=\"{verdict}\""), count);
        }
        if let Some(bytes) = self.disk_free {
            page.one(DISK_FREE, "gauge", "Free bytes beside the data directory.", bytes);
        }
        page.one(
            READ_ONLY,
            "gauge",
            "1 when the store takes no changes.",
            u8::from(self.read_only),
        );
        if let Some(seconds) = self.certificate {
            page.one(
                CERTIFICATE,
                "gauge",
                "Seconds until the certificate ends.",
                seconds,
            );
        }
        if let Some(seconds) = self.authority {
            page.one(
                AUTHORITY,
                "gauge",
                "Seconds until the vault's last authority ends.",
                seconds,
            );
        }
    }
}

impl Histogram {
    fn add(&mut self, seconds: f64) {
        let place = BOUNDS.iter().position(|bound| seconds <= *bound);
        self.counts[place.unwrap_or(BOUNDS.len())] += 1;
        self.seconds += seconds;
    }

    fn render(&self, operation: &str, page: &mut Page) {
        let mut sum = 0;
        let bounds = BOUNDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(self.counts) {
            sum += count;
            let labels = format!("operation=\"{operation}\",le=\"{bound}\"");
            page.line(&format!("{DURATION}_bucket"), &labels, sum);
        }
        let labels = format!("operation=\"{operation}\"");
        page.line(&format!("{DURATION}_sum"), &labels, self.seconds);
        page.line(&format!("{DURATION}_count"), &labels, sum);
    }
}

/// The text as it grows. Writing to a string cannot fail.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _never = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").is_err();
    }

    fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _never = writeln!(self.0, "{name}{{{labels}}} {value}").is_err();
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, kind, help);
        let _never = writeln!(self.0, "{name} {value}").is_err();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up() {
        let metrics = Arc::new(Metrics::default());
        for ms in [1, 2, 3, 70_000] {
            metrics.answered("PutBlock", 201, Duration::from_millis(ms));
        }
        metrics.answered("PutBlock", 412, Duration::from_millis(1));
        let open = metrics.connected();
        let text = metrics.render(&Gauges::default());
        for line in [
            "bac2_requests_total{operation=\"PutBlock\",status=\"201\"} 4",
            "bac2_requests_total{operation=\"PutBlock\",status=\"412\"} 1",
            "bac2_request_duration_seconds_bucket{operation=\"PutBlock\",le=\"0.001\"} 2",
            "bac2_request_duration_seconds_bucket{operation=\"PutBlock\",le=\"0.0025\"} 3",
            "bac2_request_duration_seconds_bucket{operation=\"PutBlock\",le=\"60\"} 4",
            "bac2_request_duration_seconds_bucket{operation=\"PutBlock\",le=\"+Inf\"} 5",
            "bac2_request_duration_seconds_count{operation=\"PutBlock\"} 5",
            "bac2_connections 1",
            "bac2_store_read_only 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(!text.contains("bac2_certificate"), "there is no TLS");
        drop(open);
        assert!(
            metrics
                .render(&Gauges::default())
                .contains("\nbac2_connections 0\n")
        );
    }
}
