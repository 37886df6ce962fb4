//! What SQL Server would refuse, or what would do harm, is never written.

use chain::tsql::{Device, End, Move, Unwritable};
use chain::{Families, Grade, Kind, SetId, Stop};
use jiff::civil::date;

use crate::story::{DIFFERENTIAL, Story, lsn};

const SET: SetId = SetId(1);

fn refusal(change: impl FnOnce(&mut Story)) -> Unwritable {
    let mut story = Story::of(&[Kind::Full, Kind::Log]);
    change(&mut story);
    story.write().expect_err("it cannot be written")
}

fn striped(story: &mut Story, devices: Vec<Device>) {
    story.sets[0].families = Families {
        count: u16::try_from(devices.len()).expect("few devices"),
        missing: Box::default(),
    };
    story.places[0].devices = devices;
}

fn disk(name: &str) -> Device {
    Device::Disk(name.to_owned())
}

fn url(name: &str) -> Device {
    Device::Url(name.to_owned())
}

#[test]
fn disk_and_url_in_one_step() {
    let error = refusal(|story| striped(story, vec![disk("/a"), url("https://a/b")]));
    assert_eq!(error, Unwritable::MixedDevices(SET));
}

#[test]
fn more_than_64_devices() {
    let error = refusal(|story| striped(story, vec![disk("/a"); 65]));
    assert_eq!(
        error,
        Unwritable::TooManyDevices {
            set: SET,
            devices: 65
        }
    );
}

#[test]
fn fewer_devices_than_families() {
    let error = refusal(|story| story.sets[0].families.count = 2);
    let expected = Unwritable::WrongDevices {
        set: SET,
        families: 2,
        devices: 1,
    };
    assert_eq!(error, expected);
    let none = refusal(|story| striped(story, Vec::new()));
    assert!(matches!(none, Unwritable::WrongDevices { devices: 0, .. }));
}

#[test]
fn a_signature_in_a_url() {
    let error = refusal(|story| striped(story, vec![url("https://a/b/c.bak?sv=2020&sig=secret")]));
    assert_eq!(error, Unwritable::UrlWithQuery(SET));
    assert!(!error.to_string().contains("secret"));
}

#[test]
fn a_credential_over_several_urls_or_with_line_breaks() {
    let error = refusal(|story| {
        striped(story, vec![url("https://a/1"), url("https://a/2")]);
        story.options.credential = Some("c".to_owned());
    });
    assert_eq!(error, Unwritable::StripedWithCredential(SET));
    let error = refusal(|story| story.options.credential = Some("c\nGO".to_owned()));
    assert_eq!(error, Unwritable::Credential);
}

#[test]
fn what_is_no_plan() {
    for kinds in [
        &[][..],
        &[Kind::Log],
        &[DIFFERENTIAL, Kind::Log],
        &[Kind::Full, Kind::Log, Kind::Full],
    ] {
        assert_eq!(Story::of(kinds).write(), Err(Unwritable::NotAPlan), "{kinds:?}");
    }
}

#[test]
fn sources_that_are_not_the_steps() {
    assert_eq!(refusal(|story| story.sets.swap(0, 1)), Unwritable::WrongSource(1));
    assert_eq!(
        refusal(|story| story.sets.truncate(1)),
        Unwritable::WrongSource(2)
    );
    assert_eq!(
        refusal(|story| story.sets[1].kind = DIFFERENTIAL),
        Unwritable::WrongSource(2)
    );
}

#[test]
fn a_set_that_never_succeeded() {
    let error = refusal(|story| story.plan.steps[0].grade = Grade::None);
    assert_eq!(error, Unwritable::NeverPlanned(SET));
}

#[test]
fn a_stop_where_none_can_be() {
    let error = refusal(|story| story.plan.steps[0].stop = Some(Stop::AtLsn(lsn(150))));
    assert_eq!(error, Unwritable::StopOutsideLog(SET));
    let early = date(1752, 12, 31).at(23, 59, 59, 0);
    let error = refusal(|story| story.plan.steps[1].stop = Some(Stop::At(early)));
    let expected = Unwritable::StopTooEarly {
        set: SetId(2),
        year: 1752,
    };
    assert_eq!(error, expected);
}

#[test]
fn names_that_are_too_long_or_empty() {
    let length = |change: fn(&mut Story, String), most: usize| {
        let of = |units: usize| {
            let mut story = Story::of(&[Kind::Full, Kind::Log]);
            // Each takes two UTF-16 units.
            change(&mut story, "😀".repeat(units / 2));
            story.write()
        };
        assert!(matches!(of(0), Err(Unwritable::Length { units: 0, .. })));
        assert!(of(most).is_ok());
        assert!(matches!(of(most + 2), Err(Unwritable::Length { units, .. }) if units == most + 2));
    };
    length(|story, name| story.database = name, 128);
    length(|story, name| story.options.credential = Some(name), 128);
    length(|story, undo| story.options.end = End::Standby { undo }, 4000);
    length(
        |story, name| story.places[0].devices = vec![Device::Disk(name)],
        4000,
    );
    length(
        |story, name| story.plan.steps[1].stop = Some(Stop::AtMark { name, after: None }),
        128,
    );
    length(
        |story, logical_name| {
            story.places[0].moves = vec![Move {
                file_id: 1,
                unique_id: None,
                logical_name,
                path: "/x".to_owned(),
            }];
        },
        128,
    );
}

#[test]
fn two_files_at_one_path() {
    let file = |file_id: u32| Move {
        file_id,
        unique_id: None,
        logical_name: format!("f{file_id}"),
        path: "/data/x".to_owned(),
    };
    let error = refusal(|story| story.places[0].moves = vec![file(1), file(2)]);
    let expected = Unwritable::SamePath {
        set: SET,
        path: "/data/x".to_owned(),
    };
    assert_eq!(error, expected);
}

#[test]
fn a_percentage_or_position_that_is_none() {
    assert_eq!(
        refusal(|story| story.options.stats = Some(0)),
        Unwritable::Stats(0)
    );
    assert_eq!(
        refusal(|story| story.options.stats = Some(101)),
        Unwritable::Stats(101)
    );
    assert_eq!(
        refusal(|story| story.places[0].position = 0),
        Unwritable::NoPosition(SET)
    );
}
