//! Faults as they are kept and shown: JSON there and back, limits, no secrets, one sentence.

use faults::fault::{DETAIL_MAX, SAID_MAX, TARGET_MAX};
use faults::said::TEXT_MAX;
use faults::{Code, Fault, Operation, Report, Said};
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use serde_json::{Value, json};

fn busy() -> Vec<Said> {
    vec![
        Said::new(
            3023,
            2,
            16,
            1,
            "Backup, file manipulation operations (such as ALTER DATABASE ADD FILE) and encryption changes on a database \
             must be serialized.",
        ),
        Said::new(3013, 1, 16, 1, "BACKUP DATABASE is terminating abnormally."),
    ]
}

#[test]
fn a_fault_reads_as_one_sentence_with_code_and_next_step() {
    let fault = Fault::of(Operation::Backup, &busy()).at("SQL1/shop");
    assert_eq!(
        fault.code(),
        Code::UserErrorFileManipulationIsNotAllowedDuringBackup
    );
    let shown = fault.to_string();
    assert!(
        shown.starts_with(
            "SQL1/shop: Something else holds this database that cannot go on at the same time as a backup of it (SQL Server \
             said: message 3023: Backup, file manipulation"
        ),
        "{shown}"
    );
    assert!(
        shown.contains(" [UserErrorFileManipulationIsNotAllowedDuringBackup]; next: Look for"),
        "{shown}"
    );
    assert!(!shown.contains("3013"), "{shown}");
}

#[test]
fn the_message_that_decides_is_the_one_that_is_shown() {
    let said = [
        Said::new(50_000, 1, 16, 1, "First, and unknown."),
        Said::new(
            3202,
            1,
            16,
            1,
            "Write on \"https://h/c/a.bak\" failed: 1117(I/O device error)",
        ),
    ];
    let fault = Fault::of(Operation::Backup, &said);
    assert_eq!(fault.code(), Code::Bac2UrlBlockLimit);
    assert_eq!(fault.decisive().map(Said::number), Some(3202));
    let fault = Fault::of(Operation::Backup, &said[..1]);
    assert_eq!(fault.code(), Code::Bac2UnexpectedSqlError);
    assert!(
        fault.to_string().contains("message 50000: First, and unknown"),
        "{fault}"
    );
    // The vault may know better than the messages tell.
    let fault = Fault::new(Code::Bac2JobCancelled).with_said(Operation::Backup, &said);
    assert_eq!(fault.code(), Code::Bac2JobCancelled);
}

#[test]
fn a_detail_stands_behind_the_sentence() {
    let fault = Fault::new(Code::Bac2PolicyInvalid)
        .at("policy nightly")
        .because("log.every: 20 s is below 1 min.");
    assert_eq!(
        fault.happened(),
        "policy nightly: The policy cannot be kept as it is written: log.every: 20 s is below 1 min"
    );
}

#[test]
fn the_record_is_what_it_was() {
    let fault = Fault::of(Operation::Backup, &busy())
        .at("SQL1/shop")
        .because("waited 60 s");
    let record = json!({
        "code": "UserErrorFileManipulationIsNotAllowedDuringBackup",
        "operation": "backup",
        "target": "SQL1/shop",
        "detail": "waited 60 s",
        "said": [
            {"number": 3023, "state": 2, "class": 16, "line": 1, "text": busy()[0].text()},
            {"number": 3013, "state": 1, "class": 16, "line": 1, "text": "BACKUP DATABASE is terminating abnormally."},
        ],
    });
    assert_eq!(serde_json::to_value(&fault).expect("it has a form"), record);
    assert_eq!(
        serde_json::from_value::<Fault>(record).expect("it reads its own"),
        fault
    );
    assert_eq!(
        serde_json::to_value(Fault::new(Code::Bac2VersionConflict)).expect("it has a form"),
        json!({"code": "Bac2VersionConflict"})
    );
    assert!(serde_json::from_value::<Fault>(json!({"code": "NoSuchCode"})).is_err());
}

#[test]
fn the_report_has_all_that_people_need() {
    let fault = Fault::of(
        Operation::Restore,
        &[Said::new(3156, 3, 16, 1, "File 'a' cannot be restored to 'x'.")],
    );
    let report = serde_json::to_value(Report::from(&fault)).expect("it has a form");
    assert_eq!(report["code"], "Bac2RestorePathUnusable");
    assert_eq!(report["azureCode"], "WlExtGenericIOFaultUserError");
    assert_eq!(report["severity"], "error");
    assert_eq!(report["origin"], "bac2");
    assert_eq!(report["blame"], "user");
    assert_eq!(report["heal"], "none");
    assert_eq!(report["who"], json!(["user", "dba"]));
    assert_eq!(report["messages"], json!([3156]));
    assert_eq!(report["said"][0]["number"], 3156);
    assert_eq!(report["vault"], Value::Null);
    assert!(
        report["possibleCauses"]
            .as_array()
            .is_some_and(|causes| causes.len() >= 2)
    );
    assert!(
        report["recommendedActions"]
            .as_array()
            .is_some_and(|actions| actions.len() >= 2)
    );
    for code in Code::ALL {
        let report = serde_json::to_value(Report::from(code.entry())).expect("it has a form");
        assert_eq!(report["code"], code.as_str());
        assert!(
            report.get("said").is_none(),
            "an explanation without a fault has no messages"
        );
    }
}

#[test]
fn nothing_grows_without_limit() {
    let long = "word ".repeat(10_000);
    let many: Vec<Said> = (0..100).map(|n| Said::new(n, 1, 16, 1, &long)).collect();
    let fault = Fault::of(Operation::Restore, &many).at(&long).because(&long);
    let numbers: Vec<i32> = fault.said().iter().map(Said::number).collect();
    assert_eq!(numbers.len(), SAID_MAX);
    assert_eq!((numbers[0], numbers[SAID_MAX - 1]), (0, 99));
    assert!(
        fault
            .said()
            .iter()
            .all(|said| said.text().chars().count() <= TEXT_MAX)
    );
    assert!(fault.detail().chars().count() <= DETAIL_MAX);
    assert!(fault.target().chars().count() <= TARGET_MAX);
}

#[test]
fn a_control_character_never_reaches_a_terminal() {
    let fault = Fault::new(Code::Bac2InternalError)
        .at("a\u{1b}[31mb")
        .because("one\r\ntwo\0");
    assert!(!fault.to_string().contains(char::is_control), "{fault}");
}

fn said() -> impl Strategy<Value = Said> {
    let number = prop_oneof![any::<i32>(), Just(3013), Just(3201), Just(3202), Just(0)];
    (number, any::<u8>(), any::<u8>(), any::<u32>(), ".{0,60}")
        .prop_map(|(number, state, class, line, text)| Said::new(number, state, class, line, &text))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn there_and_back(
        code in prop::sample::select(Code::ALL.to_vec()),
        operation in prop::sample::select(Operation::ALL.to_vec()),
        said in prop::collection::vec(said(), 0..40),
        target in ".{0,600}",
        detail in ".{0,1200}",
    ) {
        let fault = Fault::new(code).at(&target).because(&detail).with_said(operation, &said);
        let text = serde_json::to_string(&fault).expect("it has a form");
        let back: Fault = serde_json::from_str(&text).expect("it reads its own");
        prop_assert_eq!(&back, &fault);
        prop_assert!(!fault.to_string().contains(char::is_control));
    }

    #[test]
    fn no_secret_enters_by_any_door(secret in "[A-Za-z0-9+/]{20,60}", form in 0..4_usize) {
        let text = [
            format!("https://h/c/a.bak?sv=1&sig={secret}"),
            format!("SECRET = 'sv=1&sig={secret}'"),
            format!("Server=h;Password={secret};"),
            format!("Authorization: SharedKey a:{secret}"),
        ][form].clone();
        let fault = Fault::of(Operation::Backup, &[Said::new(3201, 1, 16, 1, &text), Said::client(&text)])
            .at(&text)
            .because(&text);
        let record = json!({
            "code": "Bac2InternalError", "operation": "backup", "target": text, "detail": text,
            "said": [{"number": 1, "state": 1, "class": 16, "line": 1, "text": text}],
        });
        let read: Fault = serde_json::from_value(record).expect("it is a record");
        for fault in [fault, read] {
            let report = serde_json::to_string(&Report::from(&fault)).expect("it has a form");
            for shown in [format!("{fault}"), format!("{fault:?}"), report] {
                prop_assert!(!shown.contains(&secret), "{shown}");
            }
        }
    }
}
