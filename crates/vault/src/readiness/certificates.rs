//! Certificates that encrypt databases: one that was never backed up makes every backup worthless elsewhere.

use std::collections::BTreeMap;

use catalog::record::Probe;
use faults::{Code, Fault, Operation};
use mssql::Session;
use mssql::quoting::{Identifier, Literal};
use mssql::statement::login::security_state;

use super::{Looked, login, missed, passed, rows_or_none};
use crate::discovery::seen::build;
use crate::registration::failed;

/// The most databases that a probe names.
const NAMED_MOST: usize = 20;

const QUESTION: &str = "SELECT c.name, CONVERT(varchar(100), c.thumbprint, 2) AS thumbprint, c.pvt_key_last_backup_date AS backed_up,
 d.name AS database_name FROM master.sys.certificates AS c
 JOIN sys.dm_database_encryption_keys AS k ON k.encryptor_thumbprint = c.thumbprint
 JOIN sys.databases AS d ON d.database_id = k.database_id ORDER BY c.name, d.name;";

/// A certificate that encrypts databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Its name in master.
    pub(crate) name: String,
    /// SHA-1 in hexadecimal digits.
    pub(crate) thumbprint: String,
    /// Its private key was backed up at least once.
    pub(crate) is_backed_up: bool,
    /// What it encrypts; tempdb follows the others and is left out.
    pub(crate) databases: Vec<String>,
}

/// Asks; `None` where the login may not see them.
///
/// # Errors
/// The instance cannot be asked.
pub(crate) async fn certificates(
    session: &mut Session,
    target: &str,
) -> Result<Option<Vec<Certificate>>, Fault> {
    let Some(rows) = rows_or_none(session, target, QUESTION).await? else {
        return Ok(None);
    };
    let mut found: BTreeMap<String, Certificate> = BTreeMap::new();
    for row in rows.iter() {
        let read = || -> Result<(String, String, bool, String), mssql::Error> {
            Ok((
                row.get("name")?,
                row.get("thumbprint")?,
                row.optional::<mssql::value::DateTime>("backed_up")?.is_some(),
                row.get("database_name")?,
            ))
        };
        let (name, thumbprint, is_backed_up, database) =
            read().map_err(|error| failed(Operation::Discovery, target, error))?;
        if database.eq_ignore_ascii_case("tempdb") {
            continue;
        }
        let one = found.entry(thumbprint.clone()).or_insert(Certificate {
            name,
            thumbprint,
            is_backed_up,
            databases: Vec::new(),
        });
        one.databases.push(database);
    }
    Ok(Some(found.into_values().collect()))
}

pub(super) fn probes(looked: &Looked<'_>) -> Vec<Probe> {
    match looked.certificates {
        Some(certificates) => certificates.iter().map(|one| probe(looked, one)).collect(),
        None => untold(looked).into_iter().collect(),
    }
}

/// What cannot be told is not well: databases are encrypted, and by what is not to be seen.
fn untold(looked: &Looked<'_>) -> Option<Probe> {
    let mut encrypted: Vec<&str> = looked
        .databases
        .iter()
        .filter(|one| one.state.is_encrypted && !one.name.eq_ignore_ascii_case("tempdb"))
        .map(|one| one.name.as_str())
        .collect();
    if encrypted.is_empty() {
        return None;
    }
    let more = encrypted.len().saturating_sub(NAMED_MOST);
    encrypted.truncate(NAMED_MOST);
    let mut found = format!(
        "the login may not see which certificates encrypt {}",
        encrypted.join(", ")
    );
    if more > 0 {
        found.push_str(&format!(" and {more} more"));
    }
    let right = security_state(build(looked.facts));
    let repair = format!("USE [master];\nGRANT {right} TO {};", login(looked.rights));
    let fault = Fault::new(Code::Bac2NotReady).at(looked.name).because(&found);
    Some(missed("certificates", &found, Some(repair), fault))
}

fn probe(looked: &Looked<'_>, one: &Certificate) -> Probe {
    let name = format!("certificate {}", one.name);
    if one.is_backed_up {
        return passed(&name, "its private key was backed up");
    }
    let found = format!("never backed up; it encrypts {}", one.databases.join(", "));
    let fault = not_backed_up(looked.name, one);
    missed(&name, &found, Some(backup(one)), fault)
}

pub(crate) fn not_backed_up(target: &str, one: &Certificate) -> Fault {
    Fault::new(Code::Bac2CertificateNotBackedUp)
        .at(target)
        .because(&format!("{} encrypts {}", one.name, one.databases.join(", ")))
}

fn backup(one: &Certificate) -> String {
    let name =
        Identifier::new(&one.name).map_or_else(|_| "[certificate]".to_owned(), |name| name.to_string());
    // Files are named by the thumbprint: the name may hold what no path may.
    let file =
        |ending: &str| Literal::new(&format!("{}.{ending}", one.thumbprint)).expect("a thumbprint is short");
    format!(
        "USE [master];\nBACKUP CERTIFICATE {name} TO FILE = {} WITH PRIVATE KEY (FILE = {}, ENCRYPTION BY PASSWORD = N'<put a strong password here>');",
        file("cer"),
        file("pvk")
    )
}
