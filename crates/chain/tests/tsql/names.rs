//! Names that anybody may have chosen come back unchanged, and change nothing else.

use chain::tsql::{Device, End, Move};
use chain::{Kind, Stop, Target};
use proptest::prelude::*;

use crate::reader::{Restore, Statement, Token, assert_no_tool_acts_on, statements};
use crate::story::{DIFFERENTIAL, Story, at, lsn};

/// What means something to SQL Server, `sqlcmd`, Management Studio or a terminal.
const BARBS: [&str; 34] = [
    "'",
    "''",
    "]",
    "]]",
    "[",
    "\n",
    "\r\n",
    "\r",
    "\nGO\n",
    "\ngo 2\n",
    "GO",
    "--",
    "/*",
    "*/",
    "$(",
    "$",
    "(",
    "$(x)",
    "\n:r x\n",
    "\n!!dir\n",
    ";",
    "\0",
    "N'",
    "\\",
    "\\\n",
    "\u{85}",
    "\u{2028}GO\u{2029}",
    "\u{202e}",
    "😀",
    "\u{feff}",
    "DROP DATABASE x;",
    "\u{b}",
    "\u{1b}[2J",
    " ",
];

/// Texts of 1 to 128 UTF-16 units.
fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => proptest::sample::select(&BARBS[..]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[a-z]{1,9}",
    ];
    proptest::collection::vec(part, 1..24).prop_map(|parts| {
        let mut text = String::new();
        for c in parts.concat().chars() {
            if text.encode_utf16().count() + c.len_utf16() > 128 {
                break;
            }
            text.push(c);
        }
        text
    })
}

/// Every place for a foreign text, filled.
fn story(texts: &[String; 10]) -> Story {
    let [
        database,
        device,
        logical,
        path,
        mark,
        undo,
        remark,
        second,
        third,
        target,
    ] = texts;
    let mut story = Story::of(&[Kind::Full, DIFFERENTIAL, Kind::Log]).stop(
        2,
        Stop::AtMark {
            name: mark.clone(),
            after: Some(at(9, 8, 7, 3_000_000)),
        },
    );
    story.database.clone_from(database);
    story.remarks = vec![remark.clone()];
    story.target = Target::Mark {
        name: target.clone(),
        after: None,
    };
    story.options.end = End::Standby { undo: undo.clone() };
    story.places[0].devices = vec![Device::Disk(device.clone())];
    story.places[0].moves = vec![Move {
        file_id: 1,
        unique_id: None,
        logical_name: logical.clone(),
        path: path.clone(),
    }];
    story.places[1].devices = vec![Device::Url(second.replace('?', "x"))];
    story.places[2].devices = vec![Device::Disk(third.clone())];
    story
}

fn word(text: &str) -> Token {
    Token::Word(text.to_owned())
}

fn text(text: &str) -> Token {
    Token::Text(text.to_owned())
}

fn is(name: &str, value: Token) -> Vec<Token> {
    vec![word(name), Token::Mark('='), value]
}

/// What the script of [`story`] has to mean.
fn meaning(texts: &[String; 10]) -> Vec<Statement> {
    let [database, device, logical, path, mark, undo, _, second, third, _] = texts;
    let restore = |is_log, devices: &[(&str, &str)], options: Vec<Vec<Token>>| {
        Statement::Restore(Restore {
            is_log,
            database: database.clone(),
            devices: devices
                .iter()
                .map(|(kind, name)| ((*kind).to_owned(), (*name).to_owned()))
                .collect(),
            options,
        })
    };
    let file = || is("FILE", word("1"));
    let stats = || is("STATS", word("10"));
    let moved = vec![word("MOVE"), text(logical), word("TO"), text(path)];
    let mut stop = is("STOPATMARK", text(mark));
    stop.extend([word("AFTER"), text("2026-03-04T09:08:07.003")]);
    vec![
        Statement::Use("master".to_owned()),
        restore(
            false,
            &[("DISK", device)],
            vec![file(), moved, stats(), vec![word("NORECOVERY")]],
        ),
        Statement::Guard,
        restore(
            false,
            &[("URL", &second.replace('?', "x"))],
            vec![stats(), vec![word("NORECOVERY")]],
        ),
        Statement::Guard,
        restore(
            true,
            &[("DISK", third)],
            vec![file(), stop, stats(), vec![word("NORECOVERY")]],
        ),
        Statement::Guard,
        restore(false, &[], vec![is("STANDBY", text(undo))]),
    ]
}

fn check(texts: &[String; 10]) {
    let script = story(texts).text();
    assert_no_tool_acts_on(&script);
    assert_eq!(statements(&script), meaning(texts), "{script}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_names_come_back_and_change_nothing(texts in proptest::array::uniform10(hostile())) {
        check(&texts);
    }
}

#[test]
fn each_barb_alone_and_doubled_in_every_place() {
    for barb in BARBS {
        for name in [
            barb.to_owned(),
            barb.repeat(2),
            format!("a{barb}b"),
            format!("GO\n{barb}\nGO"),
        ] {
            check(&std::array::from_fn(|_| name.clone()));
        }
    }
}

#[test]
fn names_of_ordinary_life_are_written_as_a_person_would() {
    let mut story = Story::of(&[Kind::Full]);
    story.database = "Vertrieb [alt] für O'Brien".to_owned();
    story.places[0].devices = vec![Device::Disk(r"\\srv\b$\O'Brien (1).bak".to_owned())];
    let script = story.text();
    assert!(
        script.contains("RESTORE DATABASE [Vertrieb [alt]] für O'Brien]\n"),
        "{script}"
    );
    assert!(
        script.contains(r"DISK = N'\\srv\b$\O''Brien (1).bak'"),
        "{script}"
    );
    assert!(!script.contains("DECLARE"), "{script}");
    // sqlcmd takes a file for the console's code page otherwise.
    assert!(script.contains("-- It names things beyond ASCII"), "{script}");
    assert!(!Story::of(&[Kind::Full]).text().contains("beyond ASCII"));
}

#[test]
fn a_comment_shows_no_more_of_a_text_than_a_reader_can_take() {
    let mut story = Story::of(&[Kind::Full]);
    story.remarks = vec!["x".repeat(100_000), "\u{202e}*/ $(a) \u{7}".to_owned()];
    let script = story.text();
    assert!(script.len() < 3_000);
    assert!(script.contains("-- \\u{202e}* / $ (a) \\u{7}\n"), "{script}");
}

#[test]
fn a_text_used_twice_is_one_variable() {
    let mut story = Story::of(&[Kind::Full, Kind::Log]).stop(1, Stop::BeforeLsn(lsn(250)));
    for place in &mut story.places {
        place.devices = vec![Device::Disk("a\nb".to_owned())];
    }
    assert_eq!(story.text().matches("DECLARE").count(), 1);
}
