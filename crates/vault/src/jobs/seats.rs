//! Seats: how many jobs run at a time in the vault, on an instance, and of a policy on an instance.
//!
//! A fifth of the seats is kept for log backups: fulls that run for hours must not stop the logs, by which the recovery point
//! objective stands. Jobs that write no backup (discovery, configuration, removal) take no seat of these, and have a few of their
//! own; so have restores, which are long, and which somebody waits for.

use std::collections::BTreeMap;

use catalog::record::{PolicyId, ServerId};

/// Jobs other than backups that run at a time, in all and on one instance: they are short, and one that hangs on an instance that
/// does not answer must leave room for the others.
const OTHERS_AT_ONCE: u32 = 16;
const OTHERS_OF_SERVER: u32 = 2;

/// Restores that run at a time, in all and on one instance: somebody waits for each, so none waits for backups.
const RESTORES_AT_ONCE: u32 = 16;
const RESTORES_OF_SERVER: u32 = 4;

/// One seat in so many is for logs alone.
const LOGS_SHARE: u32 = 5;

/// Which jobs go before which, where room is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Restores.
    Restore,
    /// Log backups.
    Log,
    /// All other backups.
    Data,
    /// What is no backup.
    Other,
}

impl Class {
    /// In their order.
    pub(super) const ALL: [Self; 4] = [Self::Restore, Self::Log, Self::Data, Self::Other];
}

/// What a job takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    /// Which kind of seat.
    pub(super) class: Class,
    /// On which instance.
    pub(super) server: Option<ServerId>,
    /// Of which policy.
    pub(super) policy: Option<PolicyId>,
}

/// How many there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// In the vault.
    pub(super) vault: u32,
    /// On the instance.
    pub(super) server: u32,
    /// Of the policy, on the instance.
    pub(super) policy: u32,
}

/// Seats that are taken.
#[derive(Debug, Default)]
pub(super) struct Seats {
    of_vault: BTreeMap<Class, u32>,
    of_server: BTreeMap<(Option<ServerId>, Class), u32>,
    of_policy: BTreeMap<(Option<ServerId>, PolicyId, Class), u32>,
}

impl Seats {
    /// Takes one.
    pub(super) fn take(&mut self, seat: Seat) {
        self.add(seat, 1);
    }

    /// Gives one back.
    pub(super) fn free(&mut self, seat: Seat) {
        self.add(seat, -1);
    }

    fn add(&mut self, seat: Seat, by: i32) {
        let change = |taken: &mut u32| *taken = taken.saturating_add_signed(by);
        change(self.of_vault.entry(seat.class).or_default());
        change(self.of_server.entry((seat.server, seat.class)).or_default());
        if let Some(policy) = seat.policy {
            change(
                self.of_policy
                    .entry((seat.server, policy, seat.class))
                    .or_default(),
            );
        }
    }

    /// Whether one more fits.
    pub(super) fn fits(&self, seat: Seat, room: Room) -> bool {
        let of_vault = |class| self.of_vault.get(&class).copied().unwrap_or(0);
        let of_server = |class| self.of_server.get(&(seat.server, class)).copied().unwrap_or(0);
        let apart = match seat.class {
            Class::Restore => Some((RESTORES_OF_SERVER, RESTORES_AT_ONCE)),
            Class::Other => Some((OTHERS_OF_SERVER, OTHERS_AT_ONCE)),
            Class::Log | Class::Data => None,
        };
        if let Some((on_server, at_once)) = apart {
            let is_room = seat.server.is_none() || of_server(seat.class) < on_server;
            return is_room && of_vault(seat.class) < at_once;
        }
        let of_policy = |class| {
            let policy = seat.policy?;
            self.of_policy.get(&(seat.server, policy, class)).copied()
        };
        has_room(seat.class, room.vault, of_vault)
            && (seat.server.is_none() || has_room(seat.class, room.server, of_server))
            && (seat.policy.is_none()
                || has_room(seat.class, room.policy, |class| of_policy(class).unwrap_or(0)))
    }
}

fn has_room(class: Class, most: u32, taken: impl Fn(Class) -> u32) -> bool {
    let (logs, data) = (taken(Class::Log), taken(Class::Data));
    logs + data < most && (class == Class::Log || data < most - most / LOGS_SHARE)
}

#[cfg(test)]
mod tests {
    use catalog::record::{PolicyId, ServerId};
    use uuid::Uuid;

    use super::{Class, Room, Seat, Seats};

    fn seat(class: Class, server: u128, policy: u128) -> Seat {
        Seat {
            class,
            server: Some(ServerId(Uuid::from_u128(server))),
            policy: Some(PolicyId(Uuid::from_u128(policy))),
        }
    }

    /// How many of these fit, one after the other.
    fn filled(seats: &mut Seats, seat: Seat, room: Room) -> u32 {
        (0..1_000)
            .take_while(|_| {
                let fits = seats.fits(seat, room);
                if fits {
                    seats.take(seat);
                }
                fits
            })
            .fold(0, |count, _| count + 1)
    }

    #[test]
    fn fulls_leave_a_fifth_of_each_limit_to_logs() {
        for (vault, server, policy, data, logs) in [
            (64, 20, 20, 16, 4),
            (10, 20, 20, 8, 2),
            (64, 20, 5, 4, 1),
            (64, 4, 20, 4, 0),
            (64, 1, 20, 1, 0),
        ] {
            let room = Room {
                vault,
                server,
                policy,
            };
            let mut seats = Seats::default();
            assert_eq!(
                filled(&mut seats, seat(Class::Data, 1, 1), room),
                data,
                "{room:?}"
            );
            assert_eq!(filled(&mut seats, seat(Class::Log, 1, 1), room), logs, "{room:?}");
        }
    }

    #[test]
    fn logs_alone_take_all_seats_and_what_is_freed_is_free() {
        let room = Room {
            vault: 30,
            server: 20,
            policy: 20,
        };
        let mut seats = Seats::default();
        let (one, two) = (seat(Class::Log, 1, 1), seat(Class::Log, 2, 1));
        assert_eq!(filled(&mut seats, one, room), 20);
        assert_eq!(filled(&mut seats, two, room), 10, "the vault's limit");
        assert!(!seats.fits(one, room));
        seats.free(two);
        assert!(!seats.fits(one, room), "its instance is full still");
        assert!(seats.fits(two, room));
    }

    #[test]
    fn a_policy_that_is_full_leaves_its_instance_to_others() {
        let room = Room {
            vault: 64,
            server: 20,
            policy: 2,
        };
        let mut seats = Seats::default();
        assert_eq!(filled(&mut seats, seat(Class::Log, 1, 1), room), 2);
        assert_eq!(filled(&mut seats, seat(Class::Log, 1, 2), room), 2);
        assert_eq!(filled(&mut seats, seat(Class::Log, 2, 1), room), 2, "by instance");
    }

    #[test]
    fn what_is_no_backup_never_waits_for_backups() {
        let room = Room {
            vault: 1,
            server: 1,
            policy: 1,
        };
        let mut seats = Seats::default();
        assert_eq!(filled(&mut seats, seat(Class::Data, 1, 1), room), 1);
        assert_eq!(filled(&mut seats, seat(Class::Other, 1, 1), room), 2);
        assert!(seats.fits(seat(Class::Other, 2, 1), room));
    }
}
