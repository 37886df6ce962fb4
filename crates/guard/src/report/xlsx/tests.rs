//! The workbook opened again as what it is, a zip archive of XML.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::time::Duration;

use super::*;
use crate::fault::{Cause, Fault, Operation};
use crate::holder::Holder;
use crate::place::Place;
use crate::report::samples::{ACCOUNT, NOON, entry, finding};
use crate::report::{Did, Entry};
use crate::ruling::{Grounds, Ruling, Terms, Why};
use crate::scope::Scope;

/// Nobody's code: a name as an attacker would choose it.
const HOSTILE: [&str; 6] = [
    "=HYPERLINK(\"http://evil.example\",\"Click\")",
    "{=1+1}",
    "http://evil.example/a.bak",
    "@SUM(A1:A9)",
    "00123",
    "a<b>&\"c\"\u{1}_x0041_.bak",
];

fn heading() -> Heading {
    Heading {
        account: ACCOUNT.to_owned(),
        command: "break".to_owned(),
        dry_run: false,
        scope: Scope::default(),
        terms: Terms {
            min_quiet: Duration::from_secs(3_600),
            include_restore: false,
            named: std::collections::BTreeSet::new(),
        },
        asked: Vec::new(),
        at: NOON,
    }
}

fn row(blob: &str, ruling: Ruling, did: Did) -> Row {
    let mut finding = finding();
    blob.clone_into(&mut finding.place.blob);
    Row::of(&entry(finding, ruling, did), ACCOUNT)
}

fn broken(blob: &str) -> Row {
    row(blob, Ruling::Break(Grounds::QuietBackup), Did::Broke)
}

fn unread() -> Row {
    let fault = Fault {
        operation: Operation::ListBlobs,
        target: "secret".to_owned(),
        cause: Cause::NotAllowed,
        status: Some(403),
        code: Some("AuthorizationPermissionMismatch".to_owned()),
    };
    Row::of(&Entry::Unread { fault, at: NOON }, ACCOUNT)
}

/// Every part of the package by its name.
fn parts(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut parts = BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        parts.insert(file.name().unwrap().into_owned(), text);
    }
    parts
}

struct Sheet {
    xml: String,
    strings: Vec<String>,
}

impl Sheet {
    /// Sheet `number` of the workbook, from 1, with the strings that its cells point at.
    fn open(bytes: &[u8], number: usize) -> Self {
        let parts = parts(bytes);
        let strings = parts["xl/sharedStrings.xml"].split("<si>").skip(1);
        let inner = |si: &str| {
            let text = si.split_once('>').unwrap().1;
            text.split("</t>").next().unwrap().to_owned()
        };
        Self {
            xml: parts[&format!("xl/worksheets/sheet{number}.xml")].clone(),
            strings: strings.map(inner).collect(),
        }
    }

    /// The element of the cell under this header, as it stands in the XML.
    fn raw(&self, key: &str, line: usize) -> Option<&str> {
        let at = ORDER.iter().position(|one| *one == key).unwrap();
        let letter = |n: usize| char::from(b'A' + u8::try_from(n).unwrap());
        let column = match at {
            0..26 => letter(at).to_string(),
            _ => format!("A{}", letter(at - 26)),
        };
        self.at(&format!("{column}{line}"))
    }

    fn at(&self, address: &str) -> Option<&str> {
        let begin = self.xml.find(&format!("<c r=\"{address}\""))?;
        let rest = &self.xml[begin..];
        Some(&rest[..rest.find("</c>")?])
    }

    fn value(cell: &str) -> &str {
        cell.split("<v>").nth(1).unwrap().split("</v>").next().unwrap()
    }

    fn text(&self, cell: &str) -> &str {
        assert!(cell.contains("t=\"s\""), "no text: {cell}");
        &self.strings[Self::value(cell).parse::<usize>().unwrap()]
    }

    fn cell_text(&self, key: &str, line: usize) -> &str {
        self.text(self.raw(key, line).unwrap())
    }

    /// What stands beside a label in the summary.
    fn beside(&self, label: &str) -> String {
        for line in 1..200 {
            let Some(cell) = self.at(&format!("A{line}")) else {
                continue;
            };
            if self.text(cell) == label {
                let value = self.at(&format!("B{line}")).unwrap();
                return if value.contains("t=\"s\"") {
                    self.text(value).to_owned()
                } else {
                    Self::value(value).to_owned()
                };
            }
        }
        panic!("no label {label}")
    }
}

#[test]
fn every_column_of_the_contract_stands_in_the_sheet_once() {
    let mut keys = ORDER;
    keys.sort_unstable();
    let mut contract = COLUMNS.map(|column| column.key);
    contract.sort_unstable();
    assert_eq!(keys, contract);
}

#[test]
fn cells_have_types() {
    let rows = [broken("full.bak")];
    let bytes = xlsx(&rows, &Summary::default(), &heading()).unwrap();
    let sheet = Sheet::open(&bytes, 1);
    assert_eq!(sheet.cell_text("blob", 2), "full.bak");
    assert_eq!(sheet.cell_text("action", 2), "broken");
    let number = sheet.raw("size", 2).unwrap();
    assert!(
        !number.contains(" t=") && Sheet::value(number) == "1099511627776",
        "{number}"
    );
    // 2000-01-01 is 36526; 26 years with 7 leap days later 46023 is 2026-01-01, and 324 days on is 21 November.
    let date = sheet.raw("time", 2).unwrap();
    assert!(!date.contains(" t=") && Sheet::value(date) == "46347.5", "{date}");
    let styled = |cell: &str| cell.contains(" s=\"");
    assert!(styled(date) && styled(number));
    // On the server's clock: 11:30 is 23 of the 48 half hours of a day.
    let local: f64 = Sheet::value(sheet.raw("backupStartDate", 2).unwrap())
        .parse()
        .unwrap();
    assert!((local - (46_347.0 + 23.0 / 48.0)).abs() < 1e-9);
    let truth = sheet.raw("complete", 2).unwrap();
    assert!(truth.contains("t=\"b\"") && Sheet::value(truth) == "0", "{truth}");
    assert_eq!(sheet.raw("uncommittedBlocks", 2), None);
    let styles = &parts(&bytes)["xl/styles.xml"];
    assert!(styles.contains("yyyy\\-mm\\-dd hh:mm:ss") || styles.contains("yyyy-mm-dd hh:mm:ss"));
}

#[test]
fn the_header_is_frozen_bold_and_filters() {
    let rows = [broken("a"), broken("b")];
    let bytes = xlsx(&rows, &Summary::default(), &heading()).unwrap();
    let sheet = Sheet::open(&bytes, 1);
    assert!(sheet.xml.contains("state=\"frozen\"") && sheet.xml.contains("ySplit=\"1\""));
    assert!(
        sheet.xml.contains("<autoFilter ref=\"A1:AC3\""),
        "29 columns, 3 lines"
    );
    assert_eq!(sheet.cell_text("container", 1), "Container");
    assert_eq!(sheet.cell_text("lastModified", 1), "Last modified (UTC)");
    let book = &parts(&bytes)["xl/workbook.xml"];
    assert!(book.contains("name=\"Locked blobs\"") && book.contains("name=\"Summary\""));
}

#[test]
fn hostile_names_stay_text() {
    let rows: Vec<Row> = HOSTILE.iter().map(|name| broken(name)).collect();
    let bytes = xlsx(&rows, &Summary::default(), &heading()).unwrap();
    let sheet = Sheet::open(&bytes, 1);
    for (line, name) in (2..).zip(HOSTILE) {
        // XML's own escapes, and Excel's for what XML cannot hold and for what looks like such an escape.
        let plain = sheet
            .cell_text("blob", line)
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&amp;", "&")
            .replace("_x0001_", "\u{1}")
            .replace("_x005F_", "_");
        assert_eq!(plain, name);
    }
    for (name, xml) in parts(&bytes) {
        let active = [
            "<f>",
            "<f ",
            "<hyperlink",
            "relationships/hyperlink",
            "vbaProject",
        ];
        assert!(active.iter().all(|word| !xml.contains(word)), "{name}");
    }
}

#[test]
fn failures_are_rows_and_stand_in_the_summary() {
    let rows = [broken("a"), unread()];
    let bytes = xlsx(&rows, &Summary::default(), &heading()).unwrap();
    let sheet = Sheet::open(&bytes, 1);
    assert_eq!(sheet.cell_text("container", 3), "secret");
    assert_eq!(sheet.raw("blob", 3), None);
    assert_eq!(sheet.cell_text("action", 3), "failed");
    assert_eq!(sheet.cell_text("reason", 3), "AuthorizationPermissionMismatch");
    assert_ne!(sheet.cell_text("detail", 3), "");
    let summary = Sheet::open(&bytes, 2);
    assert_eq!(summary.beside("secret"), sheet.cell_text("detail", 3));
}

#[test]
fn the_summary_tells_runs_apart() {
    let seen = Summary {
        containers: 50,
        blobs: 10_000,
        locked: 3,
    };
    let mut restore = finding();
    restore.holder = Holder::Restore;
    let deleted = entry(restore, Ruling::Break(Grounds::IncludedRestore), Did::Deleted);
    let rows = [
        broken("a"),
        row("b", Ruling::Keep(Why::Disk), Did::Listed),
        Row::of(&deleted, ACCOUNT),
    ];
    let plain = Sheet::open(&xlsx(&rows, &seen, &heading()).unwrap(), 2);
    assert_eq!(plain.beside("Account"), ACCOUNT);
    assert_eq!(plain.beside("Command"), "bac2 leases break");
    assert_eq!(
        plain.beside("Changes"),
        "leases broken: 2; of these blobs deleted: 1"
    );
    assert_eq!(plain.beside("Made (UTC)"), "46347.5");
    assert_eq!(plain.beside("Least quiet time"), "1 h");
    assert_eq!(plain.beside("Restore leases"), "left alone");
    assert_eq!(
        plain.beside("Servers asked"),
        "none: quiet time is evidence, not proof"
    );
    assert_eq!(plain.beside("Blobs seen"), "10000");
    let counted =
        ["broken", "listed", "deleted", "backup", "restore", "quiet"].map(|word| plain.beside(word));
    assert_eq!(counted, ["1", "1", "1", "2", "1", "3"]);

    let mut other = heading();
    other.command = "delete".to_owned();
    other.dry_run = true;
    other.terms.include_restore = true;
    other.terms.named.insert(Place::new("sql", "x.bak"));
    other.asked = vec!["SQL01".to_owned(), "SQL02".to_owned()];
    let other = Sheet::open(&xlsx(&rows, &seen, &other).unwrap(), 2);
    assert_eq!(other.beside("Command"), "bac2 leases delete");
    assert!(other.beside("Changes").contains("dry run"));
    assert!(other.beside("Restore leases").contains("no trace"));
    assert_eq!(other.beside("Servers asked"), "SQL01, SQL02");
    assert_eq!(other.beside("Blob named by the user"), "sql/x.bak");
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let rows = [broken("a"), broken("b")];
    let make = || xlsx(&rows, &Summary::default(), &heading()).unwrap();
    assert_eq!(make(), make());
    let core = &parts(&make())["docProps/core.xml"];
    assert!(core.contains("2026-11-21T12:00:00Z"), "{core}");
}

#[test]
fn what_a_sheet_cannot_hold_goes_on_in_the_next() {
    let rows: Vec<Row> = (0..5).map(|number| broken(&number.to_string())).collect();
    let bytes = workbook(&rows, &Summary::default(), &heading(), 2).unwrap();
    let book = &parts(&bytes)["xl/workbook.xml"];
    for name in ["Locked blobs", "Locked blobs 2", "Locked blobs 3", "Summary"] {
        assert!(book.contains(&format!("name=\"{name}\"")), "{name}");
    }
    let third = Sheet::open(&bytes, 3);
    assert_eq!(third.cell_text("container", 1), "Container");
    assert_eq!(third.cell_text("blob", 2), "4");
    assert!(third.xml.contains("<autoFilter ref=\"A1:AC2\""));
}

#[test]
fn a_report_of_nothing_opens_too() {
    let bytes = xlsx(&[], &Summary::default(), &heading()).unwrap();
    let sheet = Sheet::open(&bytes, 1);
    assert_eq!(sheet.cell_text("blob", 1), "Blob");
    let summary = Sheet::open(&bytes, 2);
    assert_eq!(
        (summary.beside("Locked blobs"), summary.beside("Changes")),
        ("0".to_owned(), "none".to_owned())
    );
}

#[test]
fn a_text_too_long_is_cut_with_a_note() {
    let whole = "x".repeat(CELL_MAX);
    assert_eq!(cut(&whole), whole);
    let long = "x".repeat(CELL_MAX + 1);
    let kept = cut(&long);
    assert_eq!(kept.len(), CELL_MAX);
    assert!(kept.ends_with("x [cut; 32768 characters in all]"));
    // Letters beyond the first plane count twice; none is cut in half.
    let wide = "\u{1f600}".repeat(CELL_MAX);
    let kept = cut(&wide);
    assert!(kept.encode_utf16().count() <= CELL_MAX && kept.encode_utf16().count() > CELL_MAX - 2);
    xlsx(&[broken(&wide)], &Summary::default(), &heading()).unwrap();
}

#[test]
fn moments_that_excel_has_no_date_for_stay_text() {
    let mut old = broken("a");
    old.created = Some("1601-01-01T00:00:00Z".to_owned());
    let bytes = xlsx(&[old], &Summary::default(), &heading()).unwrap();
    assert_eq!(
        Sheet::open(&bytes, 1).cell_text("created", 2),
        "1601-01-01T00:00:00Z"
    );
}
