//! The whole lease table, cell by cell, transcribed from Microsoft's "Lease Blob" and "Lease Container"
//! reference tables ("outcomes of use attempts" by lease state) and "Blob service error codes".
//!
//! A is the remembered id, B and C are others. Each cell reads `status [code] [-> state(id)]`. The walk over
//! HTTP in `conformance/` asserts the same cells against a running server.

#![allow(clippy::unwrap_used)] // A table that does not parse shall fail loudly.

use azblob::error::ErrorCode;
use azblob::lease::{Lease, LeaseAction, LeaseDuration, LeaseId, LeaseState};
use azblob::time::UnixMillis;

const A: u128 = 0xA;
const B: u128 = 0xB;
const C: u128 = 0xC;
const FRESH: u128 = 0xF;

/// Every lease starts here; the state under test is looked at 10 s later.
const START: UnixMillis = UnixMillis(1_700_000_000_000);
const NOW: UnixMillis = UnixMillis(START.0 + 10_000);

fn id(value: u128) -> LeaseId {
    LeaseId::from_u128(value)
}

/// The columns: every way into each state that the protocol has.
fn columns() -> Vec<(&'static str, Lease)> {
    let infinite = Lease::Infinite { id: id(A) };
    let fixed = Lease::Fixed {
        id: id(A),
        seconds: 60,
        until: UnixMillis(START.0 + 60_000),
    };
    // Acquired 5 s or more before START, so that it has just run out at NOW.
    let expired = Lease::Fixed {
        id: id(A),
        seconds: 15,
        until: NOW,
    };
    let broken_from = |lease: Lease, period, at| {
        lease
            .apply(&LeaseAction::Break { period }, at, id(FRESH))
            .expect("a held lease breaks")
            .0
    };
    vec![
        ("available", Lease::Available),
        (
            "available",
            infinite
                .apply(&LeaseAction::Release { id: id(A) }, START, id(FRESH))
                .unwrap()
                .0,
        ),
        ("leased infinite", infinite),
        ("leased fixed", fixed),
        ("breaking", broken_from(infinite, Some(40), START)),
        ("breaking", broken_from(fixed, Some(40), START)),
        ("broken", broken_from(infinite, None, START)),
        ("broken", broken_from(fixed, Some(0), START)),
        // Breaking whose period has passed: broken by time alone.
        ("broken", broken_from(infinite, Some(10), START)),
        ("expired", expired),
    ]
}

/// Operation, then the cells: available, leased (infinite | fixed where they differ), breaking, broken, expired.
/// In `columns`, a fixed lease has 50 s left and a breaking one 30 s.
const OPERATIONS: &[(&str, [&str; 5])] = &[
    (
        "acquire -",
        [
            "201 F leased(F)",
            "409 LeaseAlreadyPresent",
            "409 LeaseAlreadyPresent",
            "201 F leased(F)",
            "201 F leased(F)",
        ],
    ),
    (
        "acquire A",
        [
            "201 A leased(A)",
            "201 A leased(A)",
            "409 LeaseIsBreakingAndCannotBeAcquired",
            "201 A leased(A)",
            "201 A leased(A)",
        ],
    ),
    (
        "acquire B",
        [
            "201 B leased(B)",
            "409 LeaseAlreadyPresent",
            "409 LeaseAlreadyPresent",
            "201 B leased(B)",
            "201 B leased(B)",
        ],
    ),
    (
        "renew A",
        [
            "409 LeaseIdMismatchWithLeaseOperation",
            "200 A leased(A)",
            "409 LeaseIsBrokenAndCannotBeRenewed",
            "409 LeaseIsBrokenAndCannotBeRenewed",
            "200 A leased(A)",
        ],
    ),
    (
        "renew B",
        [
            "409 LeaseIdMismatchWithLeaseOperation",
            "409 LeaseIdMismatchWithLeaseOperation",
            "409 LeaseIdMismatchWithLeaseOperation",
            "409 LeaseIdMismatchWithLeaseOperation",
            "409 LeaseIdMismatchWithLeaseOperation",
        ],
    ),
    (
        "change A B",
        [
            "409 LeaseNotPresentWithLeaseOperation",
            "200 B leased(B)",
            "409 LeaseIsBreakingAndCannotBeChanged",
            "409 LeaseNotPresentWithLeaseOperation",
            "409 LeaseNotPresentWithLeaseOperation",
        ],
    ),
    (
        "change B A",
        [
            "409 LeaseNotPresentWithLeaseOperation",
            "200 A leased(A)",
            "409 LeaseIdMismatchWithLeaseOperation",
            "409 LeaseNotPresentWithLeaseOperation",
            "409 LeaseNotPresentWithLeaseOperation",
        ],
    ),
    (
        "change B C",
        [
            "409 LeaseNotPresentWithLeaseOperation",
            "409 LeaseIdMismatchWithLeaseOperation",
            "409 LeaseIdMismatchWithLeaseOperation",
            "409 LeaseNotPresentWithLeaseOperation",
            "409 LeaseNotPresentWithLeaseOperation",
        ],
    ),
    (
        "release A",
        [
            "409 LeaseIdMismatchWithLeaseOperation",
            "200 available",
            "200 available",
            "200 available",
            "200 available",
        ],
    ),
    (
        "release B",
        [
            "409 LeaseIdMismatchWithLeaseOperation",
            "409 LeaseIdMismatchWithLeaseOperation",
            "409 LeaseIdMismatchWithLeaseOperation",
            "409 LeaseIdMismatchWithLeaseOperation",
            "409 LeaseIdMismatchWithLeaseOperation",
        ],
    ),
    (
        "break -",
        [
            "409 LeaseNotPresentWithLeaseOperation",
            "202 time=0 broken(A) | 202 time=50 breaking(A)",
            "202 time=30 breaking(A)",
            "202 time=0 broken(A)",
            "202 time=0 broken(A)",
        ],
    ),
    (
        "break 0",
        [
            "409 LeaseNotPresentWithLeaseOperation",
            "202 time=0 broken(A)",
            "202 time=0 broken(A)",
            "202 time=0 broken(A)",
            "202 time=0 broken(A)",
        ],
    ),
    (
        "break 20",
        [
            "409 LeaseNotPresentWithLeaseOperation",
            "202 time=20 breaking(A)",
            "202 time=20 breaking(A)",
            "202 time=0 broken(A)",
            "202 time=0 broken(A)",
        ],
    ),
    // Longer than what remains: a break can only shorten, except that an infinite lease has no end.
    (
        "break 60",
        [
            "409 LeaseNotPresentWithLeaseOperation",
            "202 time=60 breaking(A) | 202 time=50 breaking(A)",
            "202 time=30 breaking(A)",
            "202 time=0 broken(A)",
            "202 time=0 broken(A)",
        ],
    ),
];

/// Use of the blob or container itself, same columns. A refused use leaves the lease as it was.
const USES: &[(&str, [&str; 5])] = &[
    (
        "write A",
        [
            "412 LeaseNotPresentWithBlobOperation",
            "ok leased(A)",
            "ok breaking(A)",
            "412 LeaseNotPresentWithBlobOperation",
            "412 LeaseNotPresentWithBlobOperation",
        ],
    ),
    (
        "write B",
        [
            "412 LeaseNotPresentWithBlobOperation",
            "412 LeaseIdMismatchWithBlobOperation",
            "412 LeaseIdMismatchWithBlobOperation",
            "412 LeaseNotPresentWithBlobOperation",
            "412 LeaseNotPresentWithBlobOperation",
        ],
    ),
    (
        "write -",
        [
            "ok available",
            "412 LeaseIdMissing",
            "412 LeaseIdMissing",
            "ok available",
            "ok available",
        ],
    ),
    (
        "read A",
        [
            "412 LeaseNotPresentWithBlobOperation",
            "ok leased(A)",
            "ok breaking(A)",
            "412 LeaseNotPresentWithBlobOperation",
            "412 LeaseNotPresentWithBlobOperation",
        ],
    ),
    (
        "read B",
        [
            "412 LeaseNotPresentWithBlobOperation",
            "412 LeaseIdMismatchWithBlobOperation",
            "412 LeaseIdMismatchWithBlobOperation",
            "412 LeaseNotPresentWithBlobOperation",
            "412 LeaseNotPresentWithBlobOperation",
        ],
    ),
    (
        "read -",
        [
            "ok available",
            "ok leased(A)",
            "ok breaking(A)",
            "ok broken(A)",
            "ok expired(A)",
        ],
    ),
    (
        "delete-container -",
        ["ok", "412 LeaseIdMissing", "412 LeaseIdMissing", "ok", "ok"],
    ),
    (
        "delete-container A",
        [
            "412 LeaseNotPresentWithContainerOperation",
            "ok",
            "ok",
            "412 LeaseNotPresentWithContainerOperation",
            "412 LeaseNotPresentWithContainerOperation",
        ],
    ),
    (
        "delete-container B",
        [
            "412 LeaseNotPresentWithContainerOperation",
            "412 LeaseIdMismatchWithContainerOperation",
            "412 LeaseIdMismatchWithContainerOperation",
            "412 LeaseNotPresentWithContainerOperation",
            "412 LeaseNotPresentWithContainerOperation",
        ],
    ),
    ("use-container -", ["ok", "ok", "ok", "ok", "ok"]),
    (
        "use-container A",
        [
            "412 LeaseNotPresentWithContainerOperation",
            "ok",
            "ok",
            "412 LeaseNotPresentWithContainerOperation",
            "412 LeaseNotPresentWithContainerOperation",
        ],
    ),
    (
        "use-container B",
        [
            "412 LeaseNotPresentWithContainerOperation",
            "412 LeaseIdMismatchWithContainerOperation",
            "412 LeaseIdMismatchWithContainerOperation",
            "412 LeaseNotPresentWithContainerOperation",
            "412 LeaseNotPresentWithContainerOperation",
        ],
    ),
];

fn cell<'t>(cells: &[&'t str; 5], column: &str) -> &'t str {
    let (state, variant) = column.split_once(' ').unwrap_or((column, ""));
    let index = ["available", "leased", "breaking", "broken", "expired"]
        .iter()
        .position(|s| *s == state);
    let text = cells[index.expect("a state of the table")];
    match (text.split_once(" | "), variant) {
        (Some((infinite, _)), "infinite") => infinite,
        (Some((_, fixed)), _) => fixed,
        (None, _) => text,
    }
}

fn given(word: &str) -> Option<LeaseId> {
    match word {
        "-" => None,
        "A" => Some(id(A)),
        "B" => Some(id(B)),
        "C" => Some(id(C)),
        other => panic!("no id {other}"),
    }
}

fn letter(of: LeaseId) -> &'static str {
    [(A, "A"), (B, "B"), (C, "C"), (FRESH, "F")]
        .into_iter()
        .find_map(|(value, name)| (of.as_u128() == value).then_some(name))
        .expect("an id of the table")
}

fn describe(lease: Lease) -> String {
    match (lease.state(NOW), lease.id()) {
        (LeaseState::Available, None) => "available".to_owned(),
        (state, Some(id)) => format!("{}({})", state.as_str(), letter(id)),
        (state, None) => panic!("{state:?} without an id"),
    }
}

fn refused(code: ErrorCode) -> String {
    format!("{} {}", code.status(), code.as_str())
}

fn action(words: &[&str], duration: LeaseDuration) -> LeaseAction {
    match words[..] {
        ["acquire", proposed] => LeaseAction::Acquire {
            proposed: given(proposed),
            duration,
        },
        ["renew", id] => LeaseAction::Renew {
            id: given(id).unwrap(),
        },
        ["change", id, to] => LeaseAction::Change {
            id: given(id).unwrap(),
            proposed: given(to).unwrap(),
        },
        ["release", id] => LeaseAction::Release {
            id: given(id).unwrap(),
        },
        ["break", "-"] => LeaseAction::Break { period: None },
        ["break", seconds] => LeaseAction::Break {
            period: Some(seconds.parse().unwrap()),
        },
        _ => panic!("no action {words:?}"),
    }
}

#[test]
fn every_cell_of_the_operations() {
    let mut walked = 0;
    for (row, cells) in OPERATIONS {
        for (column, before) in columns() {
            for duration in [
                LeaseDuration::Infinite,
                LeaseDuration::Seconds(15),
                LeaseDuration::Seconds(60),
            ] {
                let words: Vec<&str> = row.split(' ').collect();
                let got = match before.apply(&action(&words, duration), NOW, id(FRESH)) {
                    Err(code) => refused(code),
                    Ok((after, reply)) => {
                        let id = reply
                            .lease_id
                            .map_or(String::new(), |i| format!(" {}", letter(i)));
                        let time = reply.lease_time.map_or(String::new(), |t| format!(" time={t}"));
                        format!("{}{id}{time} {}", reply.status, describe(after))
                    }
                };
                assert_eq!(got, cell(cells, column), "{row} on {column} ({before:?})");
                walked += 1;
            }
        }
    }
    assert_eq!(walked, 14 * 10 * 3);
}

#[test]
fn every_cell_of_the_uses() {
    for (row, cells) in USES {
        for (column, before) in columns() {
            let (what, who) = row.split_once(' ').unwrap();
            let got = match what {
                "write" => before
                    .check_write(given(who), NOW)
                    .map(|after| format!("ok {}", describe(after))),
                "read" => before
                    .check_read(given(who), NOW)
                    .map(|()| format!("ok {}", describe(before))),
                "delete-container" => before
                    .check_container_delete(given(who), NOW)
                    .map(|()| "ok".to_owned()),
                _ => before
                    .check_container_use(given(who), NOW)
                    .map(|()| "ok".to_owned()),
            };
            assert_eq!(
                got.unwrap_or_else(refused),
                cell(cells, column),
                "{row} on {column} ({before:?})"
            );
        }
    }
}

#[test]
fn what_onlookers_see() {
    // Status, state and duration as "Lease Blob" lists them.
    let shown = [
        ("available", "unlocked available -"),
        ("leased infinite", "locked leased infinite"),
        ("leased fixed", "locked leased fixed"),
        ("breaking", "locked breaking -"),
        ("broken", "unlocked broken -"),
        ("expired", "unlocked expired -"),
    ];
    for (column, lease) in columns() {
        let view = lease.view(NOW);
        let duration = view.duration.map_or("-", |d| d.as_str());
        let got = format!("{} {} {duration}", view.status.as_str(), view.state.as_str());
        let want = shown.iter().find(|(name, _)| *name == column).unwrap().1;
        assert_eq!(got, want, "{column} ({lease:?})");
    }
}

#[test]
fn renewing_after_expiry_only_while_unmodified() {
    let expired = Lease::Fixed {
        id: id(A),
        seconds: 15,
        until: NOW,
    };
    let renewed = expired
        .apply(&LeaseAction::Renew { id: id(A) }, NOW, id(FRESH))
        .unwrap()
        .0;
    assert_eq!(
        renewed,
        Lease::Fixed {
            id: id(A),
            seconds: 15,
            until: NOW.plus_seconds(15)
        }
    );

    let modified = expired.check_write(None, NOW).unwrap();
    let late = modified.apply(&LeaseAction::Renew { id: id(A) }, NOW, id(FRESH));
    assert_eq!(late, Err(ErrorCode::LeaseIdMismatchWithLeaseOperation));

    // A container has no such rule: using it leaves the lease alone.
    assert_eq!(expired.check_container_use(None, NOW), Ok(()));
}

#[test]
fn acquiring_again_switches_the_term() {
    let again = LeaseAction::Acquire {
        proposed: Some(LeaseId::RESTORE),
        duration: LeaseDuration::Seconds(30),
    };
    let infinite = Lease::Infinite { id: LeaseId::RESTORE };
    let fixed = infinite.apply(&again, NOW, id(FRESH)).unwrap().0;
    assert_eq!(
        fixed,
        Lease::Fixed {
            id: LeaseId::RESTORE,
            seconds: 30,
            until: NOW.plus_seconds(30)
        }
    );
    let back = LeaseAction::Acquire {
        proposed: Some(LeaseId::RESTORE),
        duration: LeaseDuration::Infinite,
    };
    assert_eq!(fixed.apply(&back, NOW, id(FRESH)).unwrap().0, infinite);
}

#[test]
fn a_change_keeps_the_term() {
    let fixed = Lease::Fixed {
        id: id(A),
        seconds: 60,
        until: UnixMillis(START.0 + 60_000),
    };
    let changed = fixed
        .apply(
            &LeaseAction::Change {
                id: id(A),
                proposed: id(B),
            },
            NOW,
            id(FRESH),
        )
        .unwrap()
        .0;
    assert_eq!(
        changed,
        Lease::Fixed {
            id: id(B),
            seconds: 60,
            until: UnixMillis(START.0 + 60_000)
        }
    );
}

#[test]
fn time_moves_a_lease_at_the_exact_moment() {
    let fixed = Lease::Fixed {
        id: id(A),
        seconds: 15,
        until: NOW,
    };
    assert_eq!(fixed.state(UnixMillis(NOW.0 - 1)), LeaseState::Leased);
    assert_eq!(fixed.state(NOW), LeaseState::Expired);
    let breaking = Lease::Breaking {
        id: id(A),
        until: NOW,
    };
    assert_eq!(breaking.state(UnixMillis(NOW.0 - 1)), LeaseState::Breaking);
    assert_eq!(breaking.state(NOW), LeaseState::Broken);
}

/// A clock set back by hours keeps a lease held: what is locked stays locked. It must not keep whoever breaks it waiting
/// for hours, though: no lease or break ever had more than its term left.
#[test]
fn a_clock_set_back_does_not_stretch_a_break() {
    let hours_ago = UnixMillis(NOW.0 - 5 * 3_600_000);
    let fixed = Lease::Fixed {
        id: id(A),
        seconds: 30,
        until: UnixMillis(NOW.0 + 30_000),
    };
    assert_eq!(fixed.state(hours_ago), LeaseState::Leased);
    let (broken, reply) = fixed
        .apply(&LeaseAction::Break { period: None }, hours_ago, id(FRESH))
        .unwrap();
    assert_eq!(reply.lease_time, Some(30));
    assert_eq!(broken.state(UnixMillis(hours_ago.0 + 30_000)), LeaseState::Broken);
    let breaking = Lease::Breaking {
        id: id(A),
        until: UnixMillis(NOW.0 + 10_000),
    };
    let (again, reply) = breaking
        .apply(&LeaseAction::Break { period: None }, hours_ago, id(FRESH))
        .unwrap();
    assert_eq!(reply.lease_time, Some(60));
    assert_eq!(again.state(UnixMillis(hours_ago.0 + 60_000)), LeaseState::Broken);
}
