//! What one world is like: the service, the instances, and under which terms the guard works in it.

use std::time::Duration;

use guard::Deed;

use crate::noise::Noise;

pub(crate) const SECOND: u64 = 1_000;
pub(crate) const MINUTE: u64 = 60 * SECOND;

/// Whose storage it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// Azure Storage: lease ids are numbers.
    Azure,
    /// Azurite: lease ids are texts.
    Azurite,
    /// The vault's own door, which testifies.
    OwnDoor,
}

/// Times in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) service: Service,
    pub(crate) instances: usize,
    /// The first so many of them are asked; none: nobody is.
    pub(crate) asked: usize,
    pub(crate) min_quiet: u64,
    pub(crate) interval: u64,
    pub(crate) include_restore: bool,
    /// The user named some blobs.
    pub(crate) names_some: bool,
    pub(crate) deed: Deed,
    /// Requests in a thousand that fail.
    pub(crate) faults: u64,
    /// New holders come until then, so often.
    pub(crate) births_until: u64,
    pub(crate) birth_every: u64,
    /// Only this container.
    pub(crate) container: Option<String>,
    /// Only names that begin so.
    pub(crate) prefix: String,
    /// Only the blobs that are locked when the guard comes, looked up one by one.
    pub(crate) only_some: bool,
}

impl Plan {
    /// The plan of a seed: what `watch --act` allows, with short intervals.
    pub(crate) fn of(seed: u64) -> Self {
        let mut noise = Noise::new(seed.wrapping_mul(0x00A5_A5A5_A5A5_A5A5));
        let service = *noise.one(&[
            Service::Azure,
            Service::Azure,
            Service::Azurite,
            Service::OwnDoor,
            Service::OwnDoor,
        ]);
        let instances = 2 + noise.below(3);
        let asked = *noise.one(&[0, instances - 1, instances]);
        let (min_quiet, interval) = if asked > 0 {
            (
                *noise.one(&[10 * MINUTE, 25 * MINUTE]),
                *noise.one(&[30 * SECOND, MINUTE, 3 * MINUTE]),
            )
        } else {
            (
                *noise.one(&[60 * MINUTE, 240 * MINUTE]),
                *noise.one(&[4 * MINUTE, 10 * MINUTE, 20 * MINUTE]),
            )
        };
        let deeds = [
            Deed::Break,
            Deed::Delete { complete_too: false },
            Deed::Delete { complete_too: true },
        ];
        Self {
            seed,
            service,
            instances,
            asked,
            min_quiet,
            interval,
            include_restore: noise.chance(300),
            names_some: noise.chance(300),
            deed: *noise.one(&deeds),
            faults: *noise.one(&[0, 2, 8, 25]),
            births_until: 5 * min_quiet,
            birth_every: min_quiet / 12,
            container: noise.chance(120).then(|| "backups".to_owned()),
            prefix: noise.one(&["", "", "", "", "", "", "", "d"]).to_string(),
            only_some: noise.chance(60),
        }
    }

    pub(crate) fn quiet(&self) -> Duration {
        Duration::from_millis(self.min_quiet)
    }
}
