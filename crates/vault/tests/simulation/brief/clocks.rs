//! Clocks that jump: that of the database's server, which writes its times into backups, and that of the vault's host.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use vault::world::Clock as _;

use super::Play;
use crate::world::Cluster;

/// How far a clock jumps at most.
const FURTHEST: u64 = 2 * 3600;

/// What the clock of the database's server showed when.
pub(super) struct ServerClock {
    /// What it showed at first, by the time since the world began.
    first: Timestamp,
    /// Jumps: after which time it was how far ahead.
    jumps: Vec<(Duration, SignedDuration)>,
}

impl ServerClock {
    /// One that is right.
    pub(super) fn of(cluster: &Cluster) -> Self {
        Self {
            first: cluster.now() - cluster.clock.uptime(),
            jumps: Vec::new(),
        }
    }

    /// Whether it showed a moment more than once up to a time since the world began, give or take the second that headers cut.
    pub(super) fn showed_again(&self, at: Timestamp, now: Duration) -> bool {
        let second = SignedDuration::from_secs(1);
        let since_first = [(Duration::ZERO, SignedDuration::ZERO)];
        let eras: Vec<_> = since_first
            .into_iter()
            .chain(self.jumps.iter().copied())
            .collect();
        let ends = eras.iter().skip(1).map(|(since, _)| *since).chain([now]);
        let showed = |((since, ahead), end): &((Duration, SignedDuration), Duration)| {
            let shown = |uptime: Duration| self.first + uptime + *ahead;
            shown(*since) - second <= at && at <= shown(*end) + second
        };
        eras.iter().copied().zip(ends).filter(showed).count() > 1
    }

    /// What it showed at a time since the world began.
    pub(super) fn then(&self, uptime: Duration) -> Timestamp {
        let ahead = self.jumps.iter().rfind(|(since, _)| *since <= uptime);
        self.first + uptime + ahead.map_or(SignedDuration::ZERO, |(_, ahead)| *ahead)
    }
}

impl Play {
    /// What the clock of the database's server shows.
    pub(super) fn now(&self) -> Timestamp {
        self.servers[0].clock.timestamp()
    }

    /// A clock jumps.
    pub(super) async fn a_clock_jumps(&mut self) {
        self.is_troubled = true;
        let seconds = 1 + self.dice.below(FURTHEST) as i64;
        let seconds = if self.dice.one_in(2) { seconds } else { -seconds };
        let met = self.steps().await;
        if self.dice.one_in(3) {
            // The store is on the same host.
            self.cluster.clock.jump(seconds * 1_000_000);
            self.cluster.door.clock.jump(seconds * 1_000_000);
            self.counts("vault's clock", &met);
            return;
        }
        let before = self.now();
        self.servers[0].clock.jump(seconds * 1_000_000);
        let last = self
            .clock
            .jumps
            .last()
            .map_or(SignedDuration::ZERO, |(_, ahead)| *ahead);
        let ahead = last + SignedDuration::from_secs(seconds);
        self.clock.jumps.push((self.cluster.clock.uptime(), ahead));
        self.truth.jumps(before, self.now());
        self.counts(
            if seconds > 0 {
                "server's clock forward"
            } else {
                "server's clock back"
            },
            &met,
        );
    }
}
