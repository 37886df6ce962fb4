//! The catalogue against the documents that the codes come from.
//!
//! The documents are not part of this project. The names of their codes are facts, and stand here as a list; where the
//! documents themselves lie beside the checkout, the list, the sections that entries point to, and the wording are held
//! against them. `BAC2_SEEDS` names the folder with the troubleshooting page (001) and the runbook (002), `BAC2_FACTS`
//! the one with `sql-server.md`; without them they are looked for beside `BAC2_REAL_BACKUPS`. What is absent is counted as
//! ignored, not as passed.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::PathBuf;

use faults::Code;
use faults::catalogue::catalogue;
use faults::entry::Origin;
use libtest_mimic::{Arguments, Trial};

/// Codes of the troubleshooting page for SQL Server, its running text included.
const AZURE_SQL: [&str; 27] = [
    "UserErrorSQLNoSysadminMembership",
    "UserErrorSQLPODoesNotSupportBackupType",
    "OperationCancelledBecauseConflictingOperationRunningUserError",
    "UserErrorFileManipulationIsNotAllowedDuringBackup",
    "UserErrorSQLPODoesNotExist",
    "UserErrorSQLLSNValidationFailure",
    "UserErrorOpeningSQLConnection",
    "UserErrorParentFullBackupMissing",
    "UserErrorBackupFailedAsTransactionLogIsFull",
    "UserErrorCannotRestoreExistingDBWithoutForceOverwrite",
    "UserErrorRestoreFailedDatabaseCannotBeOfflined",
    "WlExtGenericIOFaultUserError",
    "UserErrorCannotFindServerCertificateWithThumbprint",
    "UserErrorRestoreNotPossibleBecauseLogBackupContainsBulkLoggedChanges",
    "FabricSvcBackupPreferenceCheckFailedUserError",
    "VMNotInRunningStateUserError",
    "GuestAgentStatusUnavailableUserError",
    "AutoProtectionCancelledOrNotValid",
    "CloudDosAbsoluteLimitReached",
    "CloudDosAbsoluteLimitReachedWithRetry",
    "WorkloadExtensionNotReachable",
    "UserErrorVMInternetConnectivityIssue",
    "UserErrorOperationNotAllowedDatabaseMirroringEnabled",
    "UserErrorWindowsWLExtFailedToStartPluginService",
    "UserErrorWorkloadExtensionNotInstalled",
    "WorkloadExtensionNotPresent",
    "WorkloadExtensionDidntDequeueMsg",
];

/// What that page has a heading for that is no name: here it has one.
const HEADINGS: [(&str, &str); 1] = [("Backup type unsupported", "BackupTypeUnsupported")];

/// Codes of its sister page on availability groups.
const ALWAYS_ON: [&str; 2] = [
    "UserErrorBackupFailedStandaloneDatabaseMovedInToAG",
    "UserErrorBackupFailedDatabaseMovedOutOfAG",
];

/// Codes of the runbook.
const RUNBOOK: [&str; 2] = [
    "UserErrorVmNotInDesirableState",
    "ExtensionFailedInVMAccessExtension",
];

/// Codes of Azure Backup's pages on whole machines.
const AZURE: [&str; 12] = [
    "VmNotInDesirableState",
    "UserErrorInstantRpNotFound",
    "UserErrorRequestDisallowedByPolicy",
    "UserErrorSkuNotAvailable",
    "CopyingVHDsFromBackUpVaultTakingLongTime",
    "ResourceNotFound",
    "BCMV2VMNotFound",
    "UserErrorFsFreezeFailed",
    "ExtensionFailedVssWriterInBadState",
    "ExtensionFailedTimeoutVMNetworkUnresponsive",
    "ExtensionStuckInDeletionState",
    "UserErrorGuestAgentStatusUnavailable",
];

/// Bold names on the troubleshooting page that are no codes.
const NO_CODES: [&str; 1] = ["AzureBackupWindowsWorkload"];

/// As many words in a row are nobody's by chance.
const RUN: usize = 8;

fn of_origin(origin: Origin) -> BTreeSet<&'static str> {
    let entries = catalogue().entries().iter();
    entries
        .filter(|entry| entry.origin == origin)
        .map(|entry| entry.code.as_str())
        .collect()
}

fn every_code_of_azure_backup_has_its_entry() {
    let mut sql: BTreeSet<&str> = AZURE_SQL.into_iter().chain(ALWAYS_ON).collect();
    sql.extend(HEADINGS.map(|(_, name)| name));
    assert_eq!(of_origin(Origin::AzureSql), sql);
    assert_eq!(of_origin(Origin::Runbook), RUNBOOK.into_iter().collect());
    assert_eq!(of_origin(Origin::Azure), AZURE.into_iter().collect());
}

/// A folder of documents: named by `variable`, or `beside` the real backups.
fn folder(variable: &str, beside: &str) -> Option<PathBuf> {
    let named = env::var_os(variable).map(PathBuf::from);
    let found = named.or_else(|| {
        let backups = PathBuf::from(env::var_os("BAC2_REAL_BACKUPS")?);
        Some(backups.join("../..").join(beside))
    });
    found.filter(|folder| folder.is_dir())
}

/// The document of the seeds whose file name begins with `number`.
fn seed(number: &str) -> Option<String> {
    let entries = fs::read_dir(folder("BAC2_SEEDS", "seeds")?).expect("a readable folder");
    let file = entries
        .map(|entry| entry.expect("a readable folder").path())
        .find(|path| {
            path.file_name()
                .is_some_and(|n| n.to_string_lossy().starts_with(number))
        })?;
    Some(fs::read_to_string(file).expect("UTF-8"))
}

fn error_map() -> Option<String> {
    let file = folder("BAC2_FACTS", "facts")?.join("sql-server.md");
    let text = fs::read_to_string(file).expect("UTF-8");
    let from = text.find("## 4. ERROR MAP").expect("the error map is section 4");
    let to = text[from..]
        .find("\n### 4.1")
        .expect("section 4.1 follows the map");
    Some(text[from..from + to].to_owned())
}

/// A name of several words written as one: letters and digits alone, the case changing upwards at least twice.
fn is_name(word: &str) -> bool {
    let letters = word.as_bytes();
    let humps = letters
        .windows(2)
        .filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    word.len() >= 12 && letters.iter().all(u8::is_ascii_alphanumeric) && humps.count() >= 2
}

/// All names in a text.
fn names(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| is_name(word))
        .collect()
}

fn the_troubleshooting_page_has_no_other_codes(page: &str) {
    let mut found: BTreeSet<&str> = BTreeSet::new();
    for (at, _) in page.match_indices("**") {
        let rest = &page[at + 2..];
        let word = &rest[..rest.find("**").unwrap_or(0)];
        let word = word.trim_start_matches('[').split(']').next().unwrap_or_default();
        if is_name(word) && !NO_CODES.contains(&word) {
            found.insert(word);
        }
    }
    let messages = page.find("## Error messages").expect("the page has this part");
    for line in page[messages..]
        .lines()
        .take_while(|line| !line.starts_with("## Re-"))
    {
        let Some(heading) = line.strip_prefix("### ") else {
            continue;
        };
        let named = HEADINGS.iter().find(|(words, _)| *words == heading);
        found.insert(named.map_or(heading, |(_, name)| name));
    }
    let mut expected: BTreeSet<&str> = AZURE_SQL.into_iter().collect();
    expected.extend(HEADINGS.map(|(_, name)| name));
    assert_eq!(found, expected);
}

fn the_runbook_has_no_other_codes(page: &str) {
    let codes: BTreeSet<&str> = names(page)
        .into_iter()
        .filter(|name| {
            name.starts_with("UserError")
                || name.ends_with("UserError")
                || name.starts_with("ExtensionFailed")
        })
        .collect();
    assert_eq!(codes, RUNBOOK.into_iter().collect());
}

fn the_error_map_has_no_other_codes(map: &str) {
    let known: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let mut rows = 0;
    let mut listed = String::new();
    for line in map.lines() {
        if let Some(cell) = line.strip_prefix("| ").and_then(|line| line.split('|').next()) {
            rows += 1;
            listed.push_str(cell);
        } else if let Some(others) = line.strip_prefix("Other Microsoft codes") {
            listed.push_str(others.split("Jobs:").next().unwrap_or_default());
        }
        listed.push('\n');
    }
    assert!(rows > 30, "{rows} rows of the map were found");
    let found = names(&listed);
    assert!(found.len() > 40, "{found:?}");
    for name in found {
        // A name that is cut short with dots stands for all that begin, or end, like it.
        let cut = format!("{name}…");
        let tail = format!("…{name}");
        let there = if listed.contains(&cut) {
            known.iter().any(|code| code.starts_with(name))
        } else if listed.contains(&tail) {
            known.iter().any(|code| code.ends_with(name))
        } else {
            known.contains(&name)
        };
        assert!(there, "{name}");
    }
}

/// Numbers in a row of the map that are no message of that row: what is said by it, and why.
const OTHERWISE: [(&str, u32); 5] = [
    // It only ends the statement.
    ("UserErrorFileManipulationIsNotAllowedDuringBackup", 3013),
    // No room on the disk: an error of the operating system that the message's number alone covers.
    ("WlExtGenericIOFaultUserError", 112),
    // Two statuses of HTTP, found by their words.
    ("UserErrorVMInternetConnectivityIssue", 407),
    ("UserErrorVMInternetConnectivityIssue", 502),
    // It stands in the row on availability groups too, and is found there.
    ("UserErrorOperationNotAllowedDatabaseMirroringEnabled", 3059),
];

/// Each number of three to five digits in a text.
fn numbers(text: &str) -> impl Iterator<Item = u32> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter(|digits| (3..=5).contains(&digits.len()))
        .filter_map(|digits| digits.parse().ok())
}

fn the_error_map_has_no_other_messages(map: &str) {
    let mut seen = 0;
    for line in map.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let Ok(code) = cells[1].split(' ').next().unwrap_or_default().parse::<Code>() else {
            continue;
        };
        // "823–825" names the two ends.
        for number in numbers(cells[2]) {
            seen += 1;
            let raised = &code.entry().raised;
            let known = raised.iter().any(|rule| {
                rule.messages.iter().any(|m| i64::from(*m) == i64::from(number)) || rule.os.contains(&number)
            });
            assert!(
                known || OTHERWISE.contains(&(code.as_str(), number)),
                "{code} and {number}"
            );
        }
    }
    assert!(seen > 80, "{seen} numbers were found");
}

/// A heading as its link has it.
fn slug(heading: &str) -> String {
    let heading = heading.trim().trim_start_matches('#').trim().to_lowercase();
    heading
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' => Some(c),
            _ => None,
        })
        .collect()
}

fn the_sections_are_there(document: &str, text: &str) {
    for entry in catalogue().entries() {
        let places = entry.see.iter().filter_map(|place| place.split_once('#'));
        for (_, section) in places.filter(|(named, _)| *named == document) {
            assert!(
                text.lines().any(|line| slug(line) == section),
                "{}: {document}#{section}",
                entry.code
            );
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn the_words_are_our_own(document: &str) {
    let there = words(document);
    let runs: BTreeSet<&[String]> = there.windows(RUN).collect();
    for entry in catalogue().entries() {
        let texts = [&entry.message]
            .into_iter()
            .chain(&entry.causes)
            .chain(&entry.actions)
            .chain(&entry.vault);
        for text in texts {
            for run in words(text).windows(RUN) {
                assert!(!runs.contains(run), "{}: {}", entry.code, run.join(" "));
            }
        }
    }
}

/// A judgement on a document, or on nothing where it is absent.
fn trial(name: &str, document: Option<&String>, judge: impl Fn(&str) + Send + 'static) -> Trial {
    match document.cloned() {
        Some(text) => Trial::test(name, move || {
            judge(&text);
            Ok(())
        }),
        None => Trial::test(name, || Ok(())).with_ignored_flag(true),
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let (leases, page, runbook, map) = (seed("000"), seed("001"), seed("002"), error_map());
    if [&leases, &page, &runbook, &map]
        .iter()
        .any(|document| document.is_none())
    {
        eprintln!(
            "BAC2_SEEDS or BAC2_FACTS names no folder with the documents: nothing is held against those"
        );
    }
    let mut trials = vec![
        Trial::test("every_code_of_azure_backup_has_its_entry", || {
            every_code_of_azure_backup_has_its_entry();
            Ok(())
        }),
        trial(
            "the_troubleshooting_page_has_no_other_codes",
            page.as_ref(),
            the_troubleshooting_page_has_no_other_codes,
        ),
        trial(
            "the_runbook_has_no_other_codes",
            runbook.as_ref(),
            the_runbook_has_no_other_codes,
        ),
        trial(
            "the_error_map_has_no_other_codes",
            map.as_ref(),
            the_error_map_has_no_other_codes,
        ),
        trial(
            "the_error_map_has_no_other_messages",
            map.as_ref(),
            the_error_map_has_no_other_messages,
        ),
        trial("the_sections_of_the_page_are_there", page.as_ref(), |text| {
            the_sections_are_there("sql-troubleshooting", text);
        }),
        trial(
            "the_sections_of_the_runbook_are_there",
            runbook.as_ref(),
            |text| {
                the_sections_are_there("runbook", text);
            },
        ),
    ];
    for (name, document) in [
        ("leases", leases),
        ("page", page),
        ("runbook", runbook),
        ("error_map", map),
    ] {
        let name = format!("the_words_are_not_those_of_the_{name}");
        trials.push(trial(&name, document.as_ref(), the_words_are_our_own));
    }
    libtest_mimic::run(&arguments, trials).exit();
}
