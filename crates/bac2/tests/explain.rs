//! `bac2 explain` as a user meets it: every code has its page, a slip gets a suggestion, JSON is whole.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn explain(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bac2"))
        .arg("explain")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn a_code_has_a_page_with_causes_and_what_to_do() {
    let output = explain(&["UserErrorSQLLSNValidationFailure", "-o", "table"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let page = text(&output.stdout);
    assert!(
        page.starts_with("UserErrorSQLLSNValidationFailure  error\n"),
        "{page}"
    );
    for heading in [
        "Possible causes",
        "What to do",
        "What the vault does by itself",
        "Also",
    ] {
        assert!(page.contains(&format!("\n{heading}\n")), "{page}");
    }
    assert!(page.contains("bac2 backup SERVER/DB --type full"), "{page}");
    assert!(page.contains("4305"), "{page}");
    assert!(!page.contains('\u{1b}'), "no colour in a pipe");
}

#[test]
fn json_is_an_array_with_one_object_a_code() {
    let output = explain(&["bac2urlleased", "UserErrorSQLPODoesNotExist"]);
    assert_eq!(output.status.code(), Some(0));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("a pipe gets JSON");
    let codes: Vec<&str> = answer
        .as_array()
        .expect("an array")
        .iter()
        .filter_map(|one| one["code"].as_str())
        .collect();
    assert_eq!(codes, ["Bac2UrlLeased", "UserErrorSQLPODoesNotExist"]);
    assert_eq!(answer[0]["azureCode"], "WlExtGenericIOFaultUserError");
    assert_eq!(answer[0]["heal"], "leaseGuard");
    assert_eq!(answer[0]["severity"], "error");
    assert!(
        answer[0]["recommendedActions"][0]
            .as_str()
            .is_some_and(|action| action.contains("bac2 leases list"))
    );
}

#[test]
fn a_number_is_a_message_of_sql_server() {
    let output = explain(&["3023"]);
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        answer[0]["code"],
        "UserErrorFileManipulationIsNotAllowedDuringBackup"
    );
    let unknown = explain(&["49999"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("[UnknownCode]"));
}

#[test]
fn a_slip_is_exit_code_2_with_what_may_have_been_meant() {
    let output = explain(&["UserErrorSQLPODoesntExist"]);
    assert_eq!(output.status.code(), Some(2));
    let complaint = text(&output.stderr);
    assert!(
        complaint.contains("[UnknownCode]") && complaint.contains("next: "),
        "{complaint}"
    );
    assert!(complaint.contains("UserErrorSQLPODoesNotExist"), "{complaint}");
    assert_eq!(
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON"),
        Value::Array(vec![])
    );
    // One bad word keeps no other from its answer.
    let output = explain(&["qwertyuiop", "Bac2RpoMissed"]);
    assert_eq!(output.status.code(), Some(2));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer[0]["code"], "Bac2RpoMissed");
}

#[test]
fn without_a_code_all_are_listed() {
    let listed = explain(&["-o", "table"]);
    assert_eq!(listed.status.code(), Some(0));
    let listed = text(&listed.stdout);
    let all: Value = serde_json::from_slice(&explain(&["--all", "-o", "json"]).stdout).expect("JSON");
    let all = all.as_array().expect("an array");
    assert!(all.len() > 100, "{}", all.len());
    for one in all {
        let code = one["code"].as_str().expect("a name");
        assert!(listed.contains(code), "{code}");
        let page = explain(&[code, "-o", "table"]);
        assert_eq!(page.status.code(), Some(0), "{code}");
    }
    assert_eq!(explain(&["--all", "Bac2RpoMissed"]).status.code(), Some(2));
}
