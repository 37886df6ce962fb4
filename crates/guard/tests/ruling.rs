//! The decision, against the rules restated in other words, over every combination of what can be known.

use std::collections::BTreeSet;
use std::time::Duration;

use azblob::lease::{LeaseDurationKind, LeaseState, LeaseStatus, LeaseView, LeaseWitness};
use azblob::response::BlobType;
use azblob::time::UnixMillis;
use bak::Container;
use guard::account::{ETag, Properties};
use guard::ask::{Devices, Running, Unanswered};
use guard::content::{Contained, Ending};
use guard::holder::Evidence;
use guard::ruling::{Answer, Grounds, Terms, Why, rule};
use guard::{Activity, Content, Finding, Holder, Place, Ruling};

const HOUR: Duration = Duration::from_secs(3600);

fn place() -> Place {
    Place::new("backups", "srv/Sales.bak")
}

fn backup() -> Content {
    Content::Backup(Box::new(Contained {
        container: Container::Mtf,
        database_name: "Sales".to_owned(),
        server_name: "SRV".to_owned(),
        backup_type: None,
        backup_start_date: None,
        ending: Ending::CutShort,
        sets: 1,
    }))
}

fn finding() -> Finding {
    Finding {
        place: place(),
        properties: Properties {
            kind: BlobType::Page,
            size: 1 << 40,
            etag: Some(ETag("\"0x1\"".to_owned())),
            last_modified: Some(UnixMillis(0)),
            created: None,
            lease: LeaseView {
                status: LeaseStatus::Locked,
                state: LeaseState::Leased,
                duration: Some(LeaseDurationKind::Infinite),
            },
        },
        holder: Holder::Backup(Evidence::TapeHeader),
        activity: Activity::Unknown,
        content: backup(),
        uncommitted: None,
        witness: None,
    }
}

fn terms() -> Terms {
    Terms {
        min_quiet: HOUR,
        include_restore: false,
        named: BTreeSet::new(),
    }
}

fn running(urls: Devices) -> Running {
    Running {
        server: "SRV".to_owned(),
        session: 57,
        command: "BACKUP DATABASE".to_owned(),
        devices: urls,
    }
}

fn url(text: &str) -> Devices {
    Devices::Named(vec![text.to_owned()])
}

fn leases() -> Vec<LeaseView> {
    let mut all = Vec::new();
    for (status, state) in [
        (LeaseStatus::Locked, LeaseState::Leased),
        (LeaseStatus::Locked, LeaseState::Breaking),
        (LeaseStatus::Unlocked, LeaseState::Available),
        (LeaseStatus::Unlocked, LeaseState::Broken),
        (LeaseStatus::Unlocked, LeaseState::Expired),
    ] {
        for duration in [
            None,
            Some(LeaseDurationKind::Infinite),
            Some(LeaseDurationKind::Fixed),
        ] {
            all.push(LeaseView {
                status,
                state,
                duration,
            });
        }
    }
    all
}

fn witnesses() -> Vec<Option<LeaseWitness>> {
    let idle = LeaseWitness {
        connections: 0,
        jobs: 0,
        since_write: Some(2 * 3_600_000),
        since_read: None,
        watched: 86_400_000,
    };
    vec![
        None,
        Some(idle),
        Some(LeaseWitness {
            connections: 1,
            ..idle
        }),
        Some(LeaseWitness { jobs: 1, ..idle }),
        Some(LeaseWitness {
            since_read: Some(1000),
            ..idle
        }),
        Some(LeaseWitness {
            watched: 1000,
            ..idle
        }),
    ]
}

fn answers() -> Vec<Option<Answer>> {
    vec![
        None,
        Some(Ok(Vec::new())),
        Some(Ok(vec![running(url("https://x/backups/other.bak"))])),
        Some(Ok(vec![running(url("https://x/backups/srv/Sales.bak"))])),
        Some(Ok(vec![running(Devices::Hidden)])),
        Some(Err(Unanswered {
            server: "SRV".to_owned(),
            reason: "no route".to_owned(),
        })),
    ]
}

/// The rules of the design, said once more without looking at how the guard orders them.
fn may_break(finding: &Finding, still: Option<Duration>, terms: &Terms, asked: Option<&Answer>) -> bool {
    let lease = finding.properties.lease;
    let named = terms.named.contains(&finding.place);
    let infinite = lease.state == LeaseState::Leased && lease.duration == Some(LeaseDurationKind::Infinite);
    let in_use = matches!(
        finding.content,
        Content::DataFile | Content::LogFile | Content::Disk
    );
    let read = !matches!(finding.content, Content::Unread(_));
    let ours = match finding.holder {
        Holder::Backup(_) => true,
        Holder::Restore => terms.include_restore,
        Holder::Unknown => named,
    };
    let quiet = match finding.witness {
        Some(witness) => {
            witness.connections == 0
                && witness.jobs == 0
                && witness.watched >= 3_600_000
                && witness.since_write.is_none_or(|time| time >= 3_600_000)
                && witness.since_read.is_none_or(|time| time >= 3_600_000)
        }
        None => still.is_some_and(|still| still >= HOUR),
    };
    let not_running = match asked {
        None => true,
        Some(Err(_)) => false,
        Some(Ok(running)) => running.iter().all(|one| match &one.devices {
            Devices::Hidden => false,
            Devices::Named(urls) => urls.iter().all(|url| !url.ends_with("/backups/srv/Sales.bak")),
        }),
    };
    infinite
        && !in_use
        && (read || named)
        && finding.properties.etag.is_some()
        && ours
        && quiet
        && not_running
        && finding.activity != Activity::Growing
}

#[test]
fn a_lease_is_broken_if_and_only_if_every_rule_allows_it() {
    let contents = [
        backup(),
        Content::Empty,
        Content::DataFile,
        Content::LogFile,
        Content::Disk,
        Content::Other,
        Content::Unread("403".to_owned()),
    ];
    let holders = [
        Holder::Restore,
        Holder::Backup(Evidence::TapeHeader),
        Holder::Backup(Evidence::BlockIds),
        Holder::Unknown,
    ];
    let quiet = Activity::Quiet {
        lasting: HOUR,
        since: UnixMillis(0),
    };
    let stills = [
        None,
        Some(Duration::ZERO),
        Some(HOUR - Duration::from_millis(1)),
        Some(HOUR),
    ];
    let (mut broken, mut all) = (0u32, 0u32);
    let mut judge = |finding: &Finding, still: Option<Duration>, terms: &Terms, asked: Option<&Answer>| {
        let ruling = rule(finding, still, terms, asked);
        let expected = may_break(finding, still, terms, asked);
        assert_eq!(
            matches!(ruling, Ruling::Break(_)),
            expected,
            "{ruling:?} for {finding:?}, {still:?}, {terms:?}, {asked:?}"
        );
        all += 1;
        broken += u32::from(expected);
    };
    for lease in leases() {
        for content in &contents {
            for holder in holders {
                for activity in [Activity::Growing, Activity::Unknown, quiet] {
                    for witness in witnesses() {
                        for tagged in [true, false] {
                            let mut one = finding();
                            one.properties.lease = lease;
                            one.content = content.clone();
                            one.holder = holder;
                            one.activity = activity;
                            one.witness = witness;
                            if !tagged {
                                one.properties.etag = None;
                            }
                            for (named, include_restore) in
                                [(false, false), (true, false), (false, true), (true, true)]
                            {
                                let mut terms = terms();
                                terms.include_restore = include_restore;
                                if named {
                                    terms.named.insert(place());
                                }
                                for asked in answers() {
                                    for still in stills {
                                        judge(&one, still, &terms, asked.as_ref());
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(broken > 1000 && all > 100 * broken, "{broken} of {all}");
}

#[test]
fn the_reason_is_the_one_a_person_can_act_on() {
    let because = |change: &dyn Fn(&mut Finding)| {
        let mut one = finding();
        change(&mut one);
        rule(&one, Some(HOUR), &terms(), None)
    };
    assert_eq!(because(&|_| {}), Ruling::Break(Grounds::QuietBackup));
    assert_eq!(
        because(&|one| one.activity = Activity::Growing),
        Ruling::Keep(Why::Growing)
    );
    assert_eq!(
        because(&|one| one.content = Content::DataFile),
        Ruling::Keep(Why::DataFile)
    );
    assert_eq!(
        because(&|one| one.holder = Holder::Restore),
        Ruling::Keep(Why::Restore)
    );
    assert_eq!(
        because(&|one| {
            one.holder = Holder::Unknown;
            one.content = Content::Empty;
        }),
        Ruling::Keep(Why::UnknownHolder)
    );
    assert_eq!(
        because(&|one| {
            one.holder = Holder::Unknown;
            one.content = Content::Unread("403".to_owned());
        }),
        Ruling::Keep(Why::ContentUnread)
    );
    assert_eq!(
        because(&|one| one.properties.lease.duration = Some(LeaseDurationKind::Fixed)),
        Ruling::Keep(Why::FixedLease)
    );
    let asked = Some(Ok(vec![running(url("https://x/backups/srv/Sales.bak"))]));
    assert_eq!(
        rule(&finding(), Some(HOUR), &terms(), asked.as_ref()),
        Ruling::Keep(Why::Running {
            server: "SRV".to_owned(),
            session: 57
        })
    );
    let nothing_runs = Some(Ok(Vec::new()));
    assert_eq!(
        rule(&finding(), Some(HOUR), &terms(), nothing_runs.as_ref()),
        Ruling::Break(Grounds::QuietBackupNotRunning)
    );
}

#[test]
fn what_is_left_to_wait_is_told() {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    assert_eq!(rule(&finding(), None, &terms(), None), Ruling::Wait(HOUR));
    assert_eq!(
        rule(&finding(), Some(minutes(45)), &terms(), None),
        Ruling::Wait(minutes(15))
    );
    let mut at_our_door = finding();
    at_our_door.witness = Some(LeaseWitness {
        since_write: Some(50 * 60_000),
        watched: 86_400_000,
        ..LeaseWitness::default()
    });
    // The door has seen more than this run.
    assert_eq!(
        rule(&at_our_door, None, &terms(), None),
        Ruling::Wait(minutes(10))
    );
    // Even with no quiet asked for, one look is not enough to see that nothing moves.
    let hasty = Terms {
        min_quiet: Duration::ZERO,
        ..terms()
    };
    assert_eq!(rule(&finding(), None, &hasty, None), Ruling::Wait(Duration::ZERO));
}

#[test]
fn a_statement_names_a_blob_however_its_url_is_written() {
    let names = |text: &str| running(url(text)).may_use(&place());
    for same in [
        "https://acct.blob.core.windows.net/backups/srv/Sales.bak",
        "HTTPS://ACCT.BLOB.CORE.WINDOWS.NET/BACKUPS/SRV/SALES.BAK",
        "https://acct.privatelink.blob.core.windows.net/backups/srv%2FSales.bak",
        "http://127.0.0.1:10000/devstoreaccount1/backups/srv/Sales.bak",
        "https://vault/backups/srv/Sales.bak?sv=2024&sig=x",
    ] {
        assert!(names(same), "{same}");
    }
    for other in [
        "https://acct.blob.core.windows.net/backups/srv/Sales2.bak",
        "https://acct.blob.core.windows.net/backups/srv/xSales.bak",
        "https://acct.blob.core.windows.net/backups/Sales.bak",
        "https://acct.blob.core.windows.net/mybackups/srv/Sales.bak",
        "",
    ] {
        assert!(!names(other), "{other}");
    }
    assert!(running(Devices::Hidden).may_use(&place()));
    // The root container stands in no URL.
    let rooted = Place::new("$root", "Sales.bak");
    assert!(running(url("https://acct.blob.core.windows.net/Sales.bak")).may_use(&rooted));
    assert!(running(url("http://127.0.0.1:10000/devstoreaccount1/$root/Sales.bak")).may_use(&rooted));
    assert!(!running(url("https://acct.blob.core.windows.net/xSales.bak")).may_use(&rooted));
    // A name that holds a question mark or a number sign, written as it is or encoded; blanks around the URL.
    let odd = Place::new("c", "a#1?.bak");
    for text in [
        "https://x/c/a#1?.bak",
        "https://x/c/a%231%3F.bak",
        " https://x/c/a#1?.bak ",
    ] {
        assert!(running(url(text)).may_use(&odd), "{text}");
    }
    // A name that holds a percent sign of its own.
    let odd = Place::new("backups", "50%25.bak");
    assert!(running(url("https://x/backups/50%25.bak")).may_use(&odd));
    assert!(running(url("https://x/backups/50%2525.bak")).may_use(&odd));
}
