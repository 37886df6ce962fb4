//! The selection grammar that DBAs know from Ola Hallengren's scripts: `USER_DATABASES,-%test%`.
//!
//! Parts are parted by commas; a minus before a part takes away; `%` stands for any characters. `SYSTEM_DATABASES`,
//! `USER_DATABASES`, `ALL_DATABASES` and `AVAILABILITY_GROUP_DATABASES` are sets; anything else is a name, in brackets where it
//! has a comma, a minus at its beginning or spaces around it. What is taken away is away, in whatever order the parts come. Case
//! does not count.

use catalog::record::Database;
use faults::{Code, Fault};

/// The longest selection, in bytes.
const TEXT_MAX: usize = 32_768;

/// A selection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    takes_away: bool,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    System,
    User,
    All,
    Group,
    Like(String),
}

impl Selection {
    /// Reads a selection.
    ///
    /// # Errors
    /// It is empty, too long, has an empty part, or a bracket that is not closed.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let wrong = |why: &str| Fault::new(Code::Bac2InputInvalid).at("selection").because(why);
        if text.len() > TEXT_MAX {
            return Err(wrong("it is longer than 32,768 bytes"));
        }
        let mut parts = Vec::new();
        let mut rest = text.trim();
        loop {
            let takes_away = rest.starts_with('-');
            rest = rest.strip_prefix('-').unwrap_or(rest).trim_start();
            let (name, after) = if let Some(inner) = rest.strip_prefix('[') {
                let (name, after) = bracketed(inner).ok_or_else(|| wrong("a bracket is not closed"))?;
                (What::Like(name), after.trim_start())
            } else {
                let end = rest.find(',').unwrap_or(rest.len());
                (named(rest[..end].trim_end()), &rest[end..])
            };
            if name == What::Like(String::new()) {
                return Err(wrong("a part of it is empty"));
            }
            parts.push(Part {
                takes_away,
                what: name,
            });
            match after.strip_prefix(',') {
                Some(next) => rest = next.trim_start(),
                None if after.is_empty() => return Ok(Self { parts }),
                None => return Err(wrong("a comma is missing behind a bracket")),
            }
        }
    }

    /// Whether a database is selected.
    #[must_use]
    pub fn selects(&self, database: &Database) -> bool {
        let has = |takes_away: bool| {
            self.parts
                .iter()
                .any(|part| part.takes_away == takes_away && part.what.covers(database))
        };
        has(false) && !has(true)
    }
}

impl What {
    fn covers(&self, database: &Database) -> bool {
        match self {
            Self::System => database.state.is_system,
            Self::User => !database.state.is_system,
            Self::All => true,
            Self::Group => database.group.is_some(),
            Self::Like(pattern) => matches(pattern, &database.name),
        }
    }
}

fn named(word: &str) -> What {
    match word.to_ascii_uppercase().as_str() {
        "SYSTEM_DATABASES" => What::System,
        "USER_DATABASES" => What::User,
        "ALL_DATABASES" => What::All,
        "AVAILABILITY_GROUP_DATABASES" => What::Group,
        _ => What::Like(word.to_owned()),
    }
}

/// The name up to the closing bracket, where `]]` stands for `]`, and what follows.
fn bracketed(text: &str) -> Option<(String, &str)> {
    let (mut name, mut rest) = (String::new(), text);
    loop {
        let at = rest.find(']')?;
        name.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix(']') {
            Some(next) => {
                name.push(']');
                rest = next;
            }
            None => return Some((name, rest)),
        }
    }
}

/// Whether a name is like a pattern in which `%` stands for any characters. In time that grows with the product of both at worst.
#[must_use]
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let name: Vec<char> = name.to_lowercase().chars().collect();
    let (mut at, mut from) = (0, 0);
    let mut behind_percent: Option<(usize, usize)> = None;
    while from < name.len() {
        match pattern.get(at) {
            Some('%') => {
                at += 1;
                behind_percent = Some((at, from));
            }
            Some(letter) if *letter == name[from] => {
                at += 1;
                from += 1;
            }
            _ => match behind_percent {
                Some((back, start)) => {
                    at = back;
                    from = start + 1;
                    behind_percent = Some((back, start + 1));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == '%')
}

#[cfg(test)]
mod tests {
    use super::{Selection, matches};

    #[test]
    fn a_percent_sign_stands_for_any_characters() {
        for (pattern, name, expected) in [
            ("%test%", "MyTestDb", true),
            ("%test", "MyTestDb", false),
            ("a%b%c", "aXXbYYbZZc", true),
            ("a%b%c", "aXXbYYbZZ", false),
            ("%", "", true),
            ("", "", true),
            ("", "a", false),
            ("Straße", "STRASSE", false),
            ("sales_1", "salesX1", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn sets_and_names_select_and_what_is_taken_away_is_away_in_any_order() {
        use crate::staged::Stage;
        let stage = Stage::new();
        let databases = stage.run(async {
            let vault = stage.vault().await;
            let server = vault.enrol("sql1").await;
            for (name, is_system, group) in [
                ("master", true, None),
                ("Shop", false, None),
                ("ShopTest", false, None),
                ("a,b", false, None),
                ("-x", false, Some(uuid::Uuid::from_u128(1))),
            ] {
                let change = |database: &mut catalog::record::Database| {
                    database.state.is_system = is_system;
                    database.group = group;
                };
                vault.add_database(server, name, change).await;
            }
            let found = vault.list::<catalog::record::Database>(catalog::Slot::A, catalog::Range::ALL);
            found.await.unwrap()
        });
        for (text, expected) in [
            ("ALL_DATABASES", vec!["-x", "a,b", "master", "Shop", "ShopTest"]),
            ("system_databases", vec!["master"]),
            ("USER_DATABASES,-%test%", vec!["-x", "a,b", "Shop"]),
            ("-%test%, USER_DATABASES", vec!["-x", "a,b", "Shop"]),
            ("AVAILABILITY_GROUP_DATABASES", vec!["-x"]),
            ("[a,b], [-x]", vec!["-x", "a,b"]),
            ("shop", vec!["Shop"]),
            ("-Shop", vec![]),
        ] {
            let selection = Selection::parse(text).unwrap();
            let mut names: Vec<_> = databases
                .iter()
                .map(|one| &one.record)
                .filter(|one| selection.selects(one))
                .map(|one| one.name.as_str())
                .collect();
            names.sort_by_key(|name| name.to_lowercase());
            assert_eq!(names, expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_selection_is_said() {
        for (text, why) in [
            ("", "empty"),
            ("a,,b", "empty"),
            ("-", "empty"),
            ("[a", "not closed"),
            ("[a]b", "comma"),
        ] {
            let fault = Selection::parse(text).unwrap_err().to_string();
            assert!(fault.contains(why), "{text}: {fault}");
        }
        assert!(Selection::parse("USER_DATABASES, -%test%, [a,]]b]").is_ok());
    }
}
