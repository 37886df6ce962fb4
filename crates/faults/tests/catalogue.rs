//! The catalogue as data: whole, consistent, and of use to the person who reads it.

use std::collections::{BTreeMap, BTreeSet};

use faults::catalogue::{Catalogue, SOURCE, catalogue};
use faults::entry::{Actor, Origin, Severity};
use faults::rule::Strength;
use faults::{Code, Heal, Operation};

/// No sentence is longer, commands and T-SQL left out: people read these at night.
const SENTENCE_MAX: usize = 160;

/// What an action begins with.
const VERBS: &str = "Add Allow Ask Back Bring Change Check Choose Clean Close Compare Create Give Install Keep Leave Look Lower \
    Make Move Name Open Pin Protect Put Raise Read Reinstall Remove Rename Repair Report Restart Restore Retry Run Set Start \
    Stop Switch Take Update Use Wait Widen";

/// The commands that an action may name.
const COMMANDS: &str = "adopt; backup; blob connect; blob export; blob list; ca export; coverage; database list; doctor; \
    explain; job cancel; job list; job show; job watch; leases break; leases list; point list; policy list; policy set; \
    policy show; protect; restore; resume; serve; server add; server list; server rediscover; server remove; \
    server reregister; server show; undelete; unprotect; verify";

/// The text without what stands in backquotes.
fn prose(text: &str) -> String {
    text.split('`').step_by(2).collect::<Vec<_>>().join("")
}

/// What stands in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_file_is_read_strictly() {
    assert!(Catalogue::parse(SOURCE).is_ok());
    for (old, new) in [
        ("severity = \"error\"", "severity = \"bad\""),
        ("blame = \"user\"", "blame = \"user\"\ncolour = \"red\""),
        ("heal = \"probe\"", "heal = \"prayer\""),
        (
            "name = \"UserErrorSQLPODoesNotExist\"",
            "name = \"UserErrorSQLPODoesNotExists\"",
        ),
        (
            "name = \"UserErrorSQLPODoesNotExist\"",
            "name = \"BackupTypeUnsupported\"",
        ),
        ("messages = [3204]", "messages = [\"3204\"]"),
        ("in = [\"backup\"]", "in = [\"lunch\"]"),
    ] {
        assert!(SOURCE.contains(old), "{old}");
        assert!(Catalogue::parse(&SOURCE.replacen(old, new, 1)).is_err(), "{new}");
    }
    let last = SOURCE.rfind("[[code]]").expect("there are entries");
    assert!(
        Catalogue::parse(&SOURCE[..last]).is_err(),
        "a code without an entry"
    );
    let twice = format!("{SOURCE}\n{}", &SOURCE[last..]);
    assert!(Catalogue::parse(&twice).is_err(), "two entries of one code");
}

#[test]
fn the_type_and_the_file_are_the_same_list() {
    let names: Vec<&str> = catalogue().entries().iter().map(|e| e.code.as_str()).collect();
    let all: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names, all);
    for code in Code::ALL {
        assert_eq!(code.as_str().parse(), Ok(code));
        assert_eq!(code.entry().code, code);
        assert_eq!(format!("{code:?}"), code.as_str());
    }
    assert!("usererrorsqlpodoesnotexist".parse::<Code>().is_err());
}

#[test]
fn names_and_origins_agree() {
    for entry in catalogue().entries() {
        let code = entry.code;
        assert_eq!(entry.origin == Origin::Bac2, code.is_own(), "{code}");
        assert!(code.as_str().bytes().all(|b| b.is_ascii_alphanumeric()), "{code}");
        if let Some(wider) = entry.refines {
            assert!(code.is_own() && !wider.is_own(), "{code} refines {wider}");
            assert_eq!(code.azure(), Some(wider));
        } else {
            assert_eq!(code.azure(), (!code.is_own()).then_some(code));
        }
        if entry.known_only {
            assert!(!code.is_own() && entry.raised.is_empty(), "{code}");
        }
        for place in &entry.see {
            let document = place.split('#').next().unwrap_or_default();
            assert!(catalogue().documents.contains_key(document), "{code}: {place}");
        }
        assert!(
            code.is_own() || !entry.see.is_empty(),
            "{code} comes from nowhere"
        );
    }
}

#[test]
fn who_acts_and_what_heals_agree() {
    for entry in catalogue().entries() {
        let code = entry.code;
        assert!(!entry.who.is_empty(), "{code}");
        assert_eq!(
            entry.who.iter().collect::<BTreeSet<_>>().len(),
            entry.who.len(),
            "{code}"
        );
        assert_eq!(entry.vault.is_some(), entry.heal != Heal::None, "{code}");
        assert!(
            entry.heal != Heal::None || !entry.who.contains(&Actor::Vault),
            "{code}"
        );
    }
    let used: BTreeSet<Heal> = catalogue().entries().iter().map(|entry| entry.heal).collect();
    assert_eq!(
        used,
        Heal::ALL.into_iter().collect(),
        "ways to heal that nothing uses"
    );
    for heal in Heal::ALL {
        assert_eq!(serde_json::to_value(heal).expect("it is a word"), heal.as_str());
    }
    for operation in Operation::ALL {
        assert_eq!(
            serde_json::to_value(operation).expect("it is a word"),
            operation.as_str()
        );
    }
}

#[test]
fn texts_are_sentences_that_help() {
    let verbs: BTreeSet<&str> = VERBS.split_whitespace().collect();
    let mut seen = BTreeMap::new();
    for entry in catalogue().entries() {
        let code = entry.code;
        let all = [&entry.message]
            .into_iter()
            .chain(&entry.causes)
            .chain(&entry.actions)
            .chain(&entry.vault);
        for text in all {
            assert!(text.ends_with('.') || text.ends_with('`'), "{code}: {text}");
            assert!(text.starts_with(char::is_uppercase), "{code}: {text}");
            let length = prose(text).chars().count();
            assert!(length <= SENTENCE_MAX, "{code}: {length} characters: {text}");
            assert_eq!(text.matches('`').count() % 2, 0, "{code}: {text}");
            assert!(!text.contains("  ") && text.is_ascii(), "{code}: {text}");
        }
        assert!(entry.causes.len() >= 2, "{code} has one cause only");
        assert!(entry.actions.len() >= 2, "{code} has one action only");
        for action in &entry.actions {
            let verb = action.split_whitespace().next().unwrap_or_default();
            assert!(verbs.contains(verb.trim_end_matches(':')), "{code}: {action}");
        }
        let commands = entry.actions.iter().flat_map(|action| quoted(action)).count();
        assert!(
            entry.severity == Severity::Info || commands > 0,
            "{code} names nothing to type"
        );
        assert_eq!(
            seen.insert(entry.message.clone(), code),
            None,
            "{code} says what another one says"
        );
    }
}

#[test]
fn commands_are_those_of_the_program() {
    let commands: Vec<&str> = COMMANDS.split(';').map(str::trim).collect();
    for entry in catalogue().entries() {
        let texts = entry.actions.iter().chain(&entry.causes).chain(&entry.vault);
        for command in texts.flat_map(|text| quoted(text)) {
            let Some(rest) = command.strip_prefix("bac2 ") else {
                continue;
            };
            assert!(
                commands
                    .iter()
                    .any(|known| rest == *known || rest.starts_with(&format!("{known} "))),
                "{}: {command}",
                entry.code
            );
        }
    }
    // What an action sends to `bac2 explain` is there.
    for entry in catalogue().entries() {
        for command in entry.actions.iter().flat_map(|action| quoted(action)) {
            if let Some(code) = command.strip_prefix("bac2 explain ") {
                assert!(code == "CODE" || code.parse::<Code>().is_ok(), "{command}");
            }
        }
    }
}

#[test]
fn no_two_codes_claim_a_message_with_equal_strength_alone() {
    let mut plain: BTreeMap<(Operation, i32), Code> = BTreeMap::new();
    for entry in catalogue().entries() {
        for rule in &entry.raised {
            assert!(!rule.operations.is_empty(), "{}", entry.code);
            assert!(
                !rule.messages.is_empty() || !rule.text.is_empty(),
                "{}",
                entry.code
            );
            assert!(
                rule.text.iter().all(|words| words.to_lowercase() == *words),
                "{}",
                entry.code
            );
            for number in &rule.messages {
                assert!(
                    !catalogue().carries_nothing.contains(number),
                    "{} is raised by {number}, which says nothing",
                    entry.code
                );
                if !matches!(rule.strength(), Strength::Plain | Strength::Weak) {
                    continue;
                }
                for operation in &rule.operations {
                    let other = plain.insert((*operation, *number), entry.code);
                    assert_eq!(other, None, "{} and {number} in {operation}", entry.code);
                }
            }
        }
    }
}
