//! What stands in a script for what is in a plan.

use chain::tsql::{Broker, Device, End, Move, Recovery};
use chain::{Families, Grade, Kind, Moment, Stop, Target};
use proptest::prelude::*;
use uuid::Uuid;

use crate::reader::{Statement, Token, restores, statements};
use crate::story::{DIFFERENTIAL, Story, at, lsn};

fn moved(file_id: u32, name: &str) -> Move {
    Move {
        file_id,
        unique_id: Some(Uuid::from_u128(u128::from(file_id))),
        logical_name: name.to_owned(),
        path: format!("/data/{name}"),
    }
}

#[test]
fn a_plan_is_restored_without_recovery_and_then_recovered_once() {
    let story = Story::of(&[Kind::Full, DIFFERENTIAL, Kind::Log, Kind::Log]);
    let script = story.text();
    let restores = restores(&script);
    let (last, steps) = restores.split_last().unwrap();
    assert_eq!(
        steps.iter().map(|step| step.is_log).collect::<Vec<_>>(),
        [false, false, true, true]
    );
    for step in steps {
        assert!(step.option("NORECOVERY").is_some() && step.option("RECOVERY").is_none());
        assert_eq!(step.database, "Sales");
    }
    assert_eq!(last.options, [[Token::Word("RECOVERY".to_owned())]]);
    assert!(last.devices.is_empty());
    assert!(
        script.ends_with("RESTORE DATABASE [Sales] WITH RECOVERY;\n"),
        "{script}"
    );
}

#[test]
fn nothing_runs_after_a_step_that_failed() {
    let statements = statements(&Story::of(&[Kind::Full, Kind::Log]).text());
    for pair in statements.windows(2) {
        let [Statement::Restore(step), next] = pair else {
            continue;
        };
        assert!(!step.devices.is_empty());
        assert_eq!(*next, Statement::Guard);
    }
    assert_eq!(statements.len(), 6, "USE, two steps with their checks, recovery");
}

#[test]
fn devices_are_in_the_order_of_their_families() {
    let mut story = Story::of(&[Kind::Full]);
    let names: Vec<String> = (1..=64).map(|n| format!("https://v/c/{n}.bak")).collect();
    story.places[0].devices = names.iter().cloned().map(Device::Url).collect();
    story.sets[0].families = Families {
        count: 64,
        missing: Box::default(),
    };
    let restores = restores(&story.text());
    let expected: Vec<(String, String)> = names.into_iter().map(|name| ("URL".to_owned(), name)).collect();
    assert_eq!(restores[0].devices, expected);
}

#[test]
fn the_position_in_the_file_is_named() {
    let mut story = Story::of(&[Kind::Full, Kind::Log]);
    story.places[0].position = 3;
    story.places[1].devices = vec![Device::Url("https://v/c/l.trn".to_owned())];
    let restores = restores(&story.text());
    assert_eq!(restores[0].value("FILE"), Some("3"));
    // FILE is documented as unsupported for Azure URLs, and 1 is the default.
    assert_eq!(restores[1].value("FILE"), None);
    // A file of several sets that somebody copied there: without FILE it would be another set.
    story.places[1].position = 2;
    let script = story.text();
    assert_eq!(crate::reader::restores(&script)[1].value("FILE"), Some("2"));
    assert!(script.contains("-- WARNING: SQL Server documents FILE as unsupported for Azure URLs."));
}

#[test]
fn only_steps_with_a_stop_carry_one() {
    let words = ["STOPAT", "STOPATMARK", "STOPBEFOREMARK"];
    let stops = [
        (
            Stop::At(at(23, 59, 1, 500_000_000)),
            "STOPAT",
            "2026-03-04T23:59:01.500",
        ),
        (Stop::AtLsn(lsn(250)), "STOPATMARK", "lsn:37000000025000001"),
        (
            Stop::BeforeLsn(lsn(250)),
            "STOPBEFOREMARK",
            "lsn:37000000025000001",
        ),
        (
            Stop::AtMark {
                name: "Tuesday's".to_owned(),
                after: None,
            },
            "STOPATMARK",
            "Tuesday's",
        ),
    ];
    for (stop, word, value) in stops {
        let restores = restores(
            &Story::of(&[Kind::Full, Kind::Log, Kind::Log])
                .stop(2, stop)
                .text(),
        );
        for (step, restore) in restores.iter().enumerate() {
            let found: Vec<&str> = words
                .into_iter()
                .filter(|w| restore.option(w).is_some())
                .collect();
            if step == 2 {
                assert_eq!(found, [word]);
                assert_eq!(restore.value(word), Some(value));
                assert_eq!(restore.option(word).unwrap().len(), 3, "no AFTER");
            } else {
                assert!(found.is_empty());
            }
        }
    }
}

#[test]
fn no_zone_takes_part_in_what_is_run() {
    let story = Story::of(&[Kind::Full, Kind::Log]).stop(1, Stop::At(at(2, 30, 0, 0)));
    let in_zone = |minutes| {
        let mut story = story.clone();
        for set in &mut story.sets {
            set.clock.offset_minutes = minutes;
        }
        story.text()
    };
    let (east, west) = (in_zone(Some(120)), in_zone(Some(-300)));
    assert_eq!(statements(&east), statements(&west));
    assert_eq!(statements(&east), statements(&in_zone(None)));
    assert_eq!(
        restores(&east)[1].value("STOPAT"),
        Some("2026-03-04T02:30:00.000")
    );
    // The reader of the script is told which clock it was.
    assert!(east.contains("(UTC+02:00)") && west.contains("(UTC-05:00)"));
}

#[test]
fn moments_between_the_ticks_of_datetime_go_to_the_harmless_side() {
    let between = at(1, 2, 3, 5_000_000);
    let story = Story::of(&[Kind::Full, Kind::Log]).stop(1, Stop::At(between));
    assert_eq!(
        restores(&story.text())[1].value("STOPAT"),
        Some("2026-03-04T01:02:03.003")
    );
    let mark = Stop::AtMark {
        name: "m".to_owned(),
        after: Some(between),
    };
    let restores = restores(&Story::of(&[Kind::Full, Kind::Log]).stop(1, mark).text());
    let after = Token::Text("2026-03-04T01:02:03.007".to_owned());
    assert_eq!(restores[1].option("STOPATMARK").unwrap().last(), Some(&after));
}

#[test]
fn a_log_moves_only_files_that_are_new_in_it() {
    let mut story = Story::of(&[Kind::Full, DIFFERENTIAL, Kind::Log, Kind::Log]);
    let (data, log, more, late) = (moved(1, "d"), moved(2, "l"), moved(3, "m"), moved(4, "n"));
    story.places[0].moves = vec![data.clone(), log.clone()];
    story.places[1].moves = vec![data.clone(), log.clone(), more.clone()];
    // One was renamed, and is still the file that it was.
    let renamed = Move {
        logical_name: "d2".to_owned(),
        ..data.clone()
    };
    story.places[2].moves = vec![renamed.clone(), log.clone(), more.clone(), late.clone()];
    // The third was dropped, and another one got its number.
    let reused = Move {
        unique_id: Some(Uuid::from_u128(99)),
        ..more.clone()
    };
    story.places[3].moves = vec![renamed, log.clone(), reused.clone(), late.clone()];
    let restores = restores(&story.text());
    let names: Vec<Vec<&str>> = restores
        .iter()
        .map(|restore| restore.moves().into_iter().map(|(name, _)| name).collect())
        .collect();
    assert_eq!(
        names,
        [vec!["d", "l"], vec!["d", "l", "m"], vec!["n"], vec!["m"], vec![]]
    );
    assert_eq!(restores[2].moves(), [("n", "/data/n")]);
}

#[test]
fn checksums_are_asked_of_sets_that_have_them() {
    let mut story = Story::of(&[Kind::Full, Kind::Log]);
    story.places[0].has_checksums = true;
    let with = |story: &Story| {
        let restores = restores(&story.text());
        [0, 1].map(|step: usize| restores[step].option("CHECKSUM").is_some())
    };
    assert_eq!(with(&story), [true, false]);
    story.options.verify_checksums = false;
    assert_eq!(with(&story), [false, false]);
}

#[test]
fn a_damaged_set_goes_on_after_errors_and_says_so() {
    let mut story = Story::of(&[Kind::Full, Kind::Log]);
    story.plan.steps[1].grade = Grade::Disputed;
    let script = story.text();
    let restores = restores(&script);
    assert!(restores[0].option("CONTINUE_AFTER_ERROR").is_none());
    assert!(restores[1].option("CONTINUE_AFTER_ERROR").is_some());
    assert!(script.contains("WARNING: a backup in this script is damaged"));
    // The damage is reported as errors; only 3013 means that the step failed.
    let statements = statements(&script);
    assert_eq!(
        [&statements[2], &statements[4]],
        [&Statement::Guard, &Statement::GuardOfDamaged]
    );
}

#[test]
fn only_the_first_statement_replaces() {
    let mut story = Story::of(&[Kind::Full, DIFFERENTIAL, Kind::Log]);
    let replaces = |story: &Story| {
        let restores = restores(&story.text());
        let with = restores.iter().map(|restore| restore.option("REPLACE").is_some());
        with.collect::<Vec<_>>()
    };
    assert_eq!(replaces(&story), [false; 4]);
    story.options.replace = true;
    assert_eq!(replaces(&story), [true, false, false, false]);
    assert!(
        story
            .text()
            .contains("WARNING: it replaces the database of that name")
    );
}

#[test]
fn what_norecovery_forbids_stands_at_the_recovery() {
    let mut story = Story::of(&[Kind::Full, Kind::Log]);
    story.options.end = End::Recovered(Recovery {
        keep_replication: true,
        keep_cdc: true,
        restricted_user: true,
        broker: Broker::Enable,
    });
    let restores = restores(&story.text());
    let words = ["KEEP_REPLICATION", "KEEP_CDC", "RESTRICTED_USER", "ENABLE_BROKER"];
    for word in words {
        assert!(restores[2].option(word).is_some(), "{word}");
        assert!(
            restores[..2].iter().all(|step| step.option(word).is_none()),
            "{word}"
        );
    }
    assert!(restores[2].option("RECOVERY").is_some());
}

#[test]
fn a_database_can_be_left_readable_or_restoring() {
    let mut story = Story::of(&[Kind::Full, Kind::Log]);
    story.options.end = End::Standby {
        undo: "/data/undo.dat".to_owned(),
    };
    let standby = restores(&story.text());
    assert_eq!(standby.len(), 3);
    assert_eq!(standby[2].value("STANDBY"), Some("/data/undo.dat"));
    assert!(standby[2].option("RECOVERY").is_none());
    story.options.end = End::Restoring;
    let restoring = restores(&story.text());
    assert_eq!(restoring.len(), 2);
    assert!(restoring.iter().all(|step| step.option("RECOVERY").is_none()));
}

#[test]
fn a_credential_is_for_urls() {
    let mut story = Story::of(&[Kind::Full, Kind::Log]);
    story.places[0].devices = vec![Device::Url("https://a/b/c.bak".to_owned())];
    story.options.credential = Some("it's mine".to_owned());
    let restores = restores(&story.text());
    assert_eq!(restores[0].value("CREDENTIAL"), Some("it's mine"));
    assert_eq!(restores[1].option("CREDENTIAL"), None);
}

#[test]
fn each_statement_says_what_it_is() {
    let mut story = Story::of(&[Kind::Full, Kind::Log]).stop(1, Stop::At(at(10, 0, 30, 0)));
    story.target = Target::Moment(Moment::Local(at(10, 0, 30, 0)));
    story.plan.steps[1].grade = Grade::Accepted;
    let long = format!("/{}", "x".repeat(259));
    story.places[1].devices = vec![Device::Disk(long)];
    let script = story.text();
    for line in [
        "-- Written by bac2. Restores Sales.",
        "-- Target: the moment 2026-03-04T10:00:30 on the clock of the server that wrote the log.",
        "-- Step 1 of 2: full backup, 2026-03-04T10:00:00 to 2026-03-04T10:01:00, LSN 37000000010000001 to 37000000020000001.",
        "-- Step 2 of 2: log backup, 2026-03-04T10:00:00 to 2026-03-04T10:01:00, LSN 37000000020000001 to 37000000030000001.",
        "-- Stops at 2026-03-04T10:00:30.000 on the clock of the server that wrote this log.",
        "-- not proved: SQL Server reported success, its content could not be read",
    ] {
        assert!(script.lines().any(|l| l == line), "{line}\n{script}");
    }
    assert!(
        script.contains("-- WARNING: this name has 260 characters, SQL Server takes 259"),
        "{script}"
    );
}

proptest! {
    #[test]
    fn a_literal_is_never_after_its_moment(nanosecond in 0..1_000_000_000_i32) {
        let story = Story::of(&[Kind::Full, Kind::Log]).stop(1, Stop::At(at(1, 2, 3, nanosecond)));
        let restores = restores(&story.text());
        let literal: jiff::civil::DateTime = restores[1].value("STOPAT").unwrap().parse().unwrap();
        let behind = at(1, 2, 3, nanosecond).duration_since(literal);
        prop_assert!(!behind.is_negative() && behind.as_millis() < 4);
    }
}

#[test]
fn a_log_that_may_be_too_much_is_left_out_by_where_the_database_stands() {
    let mut story = Story::of(&[Kind::Full, Kind::Log, Kind::Log])
        .stop(1, Stop::At(at(10, 30, 0, 0)))
        .stop(2, Stop::At(at(10, 30, 0, 0)));
    story.database = "It's".to_owned();
    assert!(
        !story.text().contains("redo_start_lsn"),
        "what is certain is plain"
    );
    story.plan.steps[2].only_from = Some(lsn(300));
    let script = story.text();
    // 37, 300 in ten digits, 1 in five.
    let (before, block) = script
        .split_once(
            "IF NOT EXISTS (SELECT * FROM sys.master_files\n               \
             WHERE database_id = DB_ID(N'It''s') AND file_id = 1 AND redo_start_lsn < 37000000030000001)\nBEGIN\n",
        )
        .expect("a condition");
    assert!(before.contains("(message 4305)"));
    let (inside, behind) = block.split_once("END;\n").expect("the end of the block");
    let inside = statements(inside);
    let [Statement::Restore(restore), Statement::Guard] = inside.as_slice() else {
        panic!("{inside:?}");
    };
    assert!(restore.is_log);
    assert_eq!(restore.value("STOPAT"), Some("2026-03-04T10:30:00.000"));
    assert_eq!(restores(before).len(), 2);
    // What ends the restore is done in both cases.
    assert_eq!(restores(behind).len(), 1);
}
