//! Many registrations from one csv file (RFC 4180), by the names in its header. Each row that is wrong is named; the others are
//! registrations all the same.
//!
//! | column | |
//! |---|---|
//! | `name`, `address` | of each row |
//! | `auth` | `sql` (also where it is empty), `windows`, `entra` |
//! | `user`, `password_file` | for `sql` |
//! | `client`, `tenant`, `secret_file` | for `entra` |
//! | `restore_user`, `restore_password_file` | another login of SQL Server for restores |
//! | `certificate` | `verify` (also where it is empty), `trust`, or the SHA-256 of the certificate to pin |
//! | `take_over` | `yes` replaces the marker of a dead vault |
//!
//! A secret is never in the file: it is read from the file that a column names. Deliberately absent: the reading of files itself.

use std::collections::{BTreeMap, BTreeSet};

use catalog::record::{ServerId, ServerSettings, Trust};
use faults::{Code, Fault};
use mssql::{Address, Fingerprint, Secret};

use super::adding::check;
use super::{NewLogin, NewServer};
use crate::vault::Vault;

/// The largest file, in bytes.
const TEXT_MAX: usize = 1 << 20;

/// The most rows.
const ROWS_MAX: usize = 1_000;

const COLUMNS: [&str; 12] = [
    "name",
    "address",
    "auth",
    "user",
    "password_file",
    "client",
    "tenant",
    "secret_file",
    "restore_user",
    "restore_password_file",
    "certificate",
    "take_over",
];

/// One row: the line it begins on, from 1, and what it says.
#[derive(Debug)]
pub struct Row {
    /// The line.
    pub line: u64,
    /// The registration, or what is wrong with it.
    pub server: Result<NewServer, Fault>,
}

/// Reads a file. `secret` gives what is in the file of a name: without the end of its line.
///
/// # Errors
/// What is wrong with the file as a whole: its size, its header, what is no csv.
pub fn read(text: &str, secret: &dyn Fn(&str) -> Result<Secret, String>) -> Result<Vec<Row>, Fault> {
    if text.len() > TEXT_MAX {
        return Err(wrong(
            "file",
            &format!("{} bytes; at most {TEXT_MAX}", text.len()),
        ));
    }
    // What spreadsheets put before the first character.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let broken = |error: csv::Error| {
        // The message of the reader may quote the file; its place is enough.
        let line = line_at(text, error.position());
        wrong(
            &format!("line {line}"),
            "it is no csv with as many fields as the header",
        )
    };
    let header: Vec<String> = reader
        .headers()
        .map_err(broken)?
        .iter()
        .map(str::to_lowercase)
        .collect();
    check_header(&header)?;
    let mut rows = Vec::new();
    let mut names = BTreeSet::new();
    for record in reader.records() {
        if rows.len() == ROWS_MAX {
            return Err(wrong("file", &format!("more than {ROWS_MAX} rows")));
        }
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = line_at(text, error.position());
                let server = Err(broken(error));
                rows.push(Row { line, server });
                continue;
            }
        };
        let line = line_at(text, record.position());
        let fields: BTreeMap<&str, &str> = header.iter().map(String::as_str).zip(record.iter()).collect();
        let server = row(&fields, secret).and_then(|new| {
            if names.insert(new.name.to_lowercase()) {
                Ok(new)
            } else {
                Err(wrong("name", "a row before has this name"))
            }
        });
        rows.push(Row {
            line,
            server: server.map_err(|fault| fault.at(&format!("line {line}"))),
        });
    }
    Ok(rows)
}

/// The line that a record begins on, from 1. The reader's own count is behind by one where lines end in CR and LF.
fn line_at(text: &str, position: Option<&csv::Position>) -> u64 {
    let bytes = text.as_bytes();
    let place = position
        .and_then(|position| usize::try_from(position.byte()).ok())
        .unwrap_or(0)
        .min(bytes.len());
    let ends = bytes[place..]
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    let before = bytes[..place + ends]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count();
    u64::try_from(before).unwrap_or(u64::MAX).saturating_add(1)
}

fn wrong(at: &str, why: &str) -> Fault {
    Fault::new(Code::Bac2InputInvalid).at(at).because(why)
}

fn check_header(header: &[String]) -> Result<(), Fault> {
    if header
        .iter()
        .any(|one| one == "password" || one == "secret" || one == "restore_password")
    {
        return Err(wrong(
            "header",
            "a secret is never in the file: name its file in password_file or secret_file",
        ));
    }
    let mut seen = BTreeSet::new();
    for one in header {
        if !COLUMNS.contains(&one.as_str()) || !seen.insert(one) {
            let why = format!(
                "the column {one:?} is not known or there twice; there are {}",
                COLUMNS.join(", ")
            );
            return Err(wrong("header", &why));
        }
    }
    for needed in ["name", "address"] {
        if !seen.iter().any(|one| *one == needed) {
            return Err(wrong("header", &format!("the column {needed} is missing")));
        }
    }
    Ok(())
}

fn row(
    fields: &BTreeMap<&str, &str>,
    secret: &dyn Fn(&str) -> Result<Secret, String>,
) -> Result<NewServer, Fault> {
    let field = |name: &str| fields.get(name).copied().unwrap_or_default();
    let needed = |name: &str| match field(name) {
        "" => Err(wrong(name, &format!("{name} is empty"))),
        value => Ok(value.to_owned()),
    };
    let from_file = |name: &str| {
        let file = needed(name)?;
        // Not what stands there: it may be the secret itself, by mistake.
        secret(&file).map_err(|why| wrong(name, &format!("the file that {name} names cannot be read: {why}")))
    };
    let login = match field("auth").to_lowercase().as_str() {
        "" | "sql" => NewLogin::Sql {
            user: needed("user")?,
            password: from_file("password_file")?,
        },
        "windows" => NewLogin::Windows,
        "entra" => NewLogin::Entra {
            client: needed("client")?,
            tenant: needed("tenant")?,
            secret: from_file("secret_file")?,
        },
        other => {
            return Err(wrong(
                "auth",
                &format!("{other:?} is none of sql, windows, entra"),
            ));
        }
    };
    let restore_login = match field("restore_user") {
        "" => None,
        user => Some(NewLogin::Sql {
            user: user.to_owned(),
            password: from_file("restore_password_file")?,
        }),
    };
    let trust = match field("certificate").to_lowercase().as_str() {
        "" | "verify" => Trust::Verify,
        "trust" => Trust::Any,
        pin => {
            let fingerprint: Fingerprint = pin
                .parse()
                .map_err(|error| wrong("certificate", &format!("neither verify nor trust, and {error}")))?;
            Trust::Pin {
                sha256: fingerprint.to_string(),
            }
        }
    };
    let take_over = match field("take_over").to_lowercase().as_str() {
        "" | "no" => false,
        "yes" => true,
        other => return Err(wrong("take_over", &format!("{other:?} is neither yes nor no"))),
    };
    let new = NewServer {
        name: needed("name")?,
        address: needed("address")?,
        login,
        restore_login,
        trust,
        take_over,
        settings: ServerSettings::default(),
    };
    check(&new)?;
    new.address
        .parse::<Address>()
        .map_err(|error| wrong("address", &error.to_string()))?;
    Ok(new)
}

impl Vault {
    /// Registers what a file says, one row after the other; gives what became of each, with its line.
    pub async fn add_servers(&self, rows: Vec<Row>) -> Vec<(u64, Result<ServerId, Fault>)> {
        let mut results = Vec::new();
        for Row { line, server } in rows {
            let result = match server {
                Ok(new) => self.add_server(new).await,
                Err(fault) => Err(fault),
            };
            results.push((line, result));
        }
        results
    }
}
