//! T-SQL, quoted so that no name of a database, container or host can end what it stands in.
//!
//! Sources: Microsoft's "SQL Server backup to URL for Azure Blob Storage" (block mode from 2016 on, page mode for 2012
//! SP1 CU2 and 2014), "CREATE CREDENTIAL", "BACKUP".

/// Characters of a device name, and so of a whole URL.
pub(super) const DEVICE_MAX: usize = 259;

/// UTF-16 units of a credential's name (sysname), and of a database's.
pub(super) const NAME_MAX: usize = 128;

/// How SQL Server writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Mode {
    /// Block blobs and an access signature: SQL Server 2016 and later, Windows and Linux
    Block,
    /// Page blobs and the account's key: SQL Server 2012 SP1 CU2 and 2014
    Page,
}

/// Everything the statements say.
pub(super) struct Facts<'a> {
    pub(super) mode: Mode,
    /// Without a slash at its end.
    pub(super) container_url: &'a str,
    /// Name of the credential.
    pub(super) credential: &'a str,
    /// Who the credential is: fixed words for an access signature, the account for a key.
    pub(super) identity: &'a str,
    /// The access signature or the key.
    pub(super) secret: &'a str,
    pub(super) database: &'a str,
    /// What tells this backup from others, such as `20261121T090000Z`.
    pub(super) moment: &'a str,
}

/// The statements, each ready to paste.
pub(super) struct Statements {
    pub(super) credential: String,
    pub(super) backup: String,
    pub(super) backup_log: String,
    pub(super) verify: String,
    pub(super) restore: String,
    /// Length of the longest URL in them, characters.
    pub(super) longest: usize,
}

impl Statements {
    /// Writes them.
    pub(super) fn of(facts: &Facts<'_>) -> Self {
        let place = slug(facts.database);
        let url =
            |kind: &str, end: &str| format!("{}/{place}/{kind}-{}.{end}", facts.container_url, facts.moment);
        let (full, log) = (url("full", "bak"), url("log", "trn"));
        let database = bracketed(facts.database);
        let (with_for_write, with_for_read) = match facts.mode {
            Mode::Block => (
                "MAXTRANSFERSIZE = 4194304, BLOCKSIZE = 65536, ".to_owned(),
                String::new(),
            ),
            Mode::Page => {
                let with = format!("CREDENTIAL = {}, ", literal(facts.credential));
                (with.clone(), with)
            }
        };
        let write = |what: &str, url: &str| {
            format!(
                "BACKUP {what} {database}\n    TO URL = {}\n    WITH {with_for_write}COMPRESSION, CHECKSUM, STATS = 10;\n",
                literal(url)
            )
        };
        let from = literal(&full);
        Statements {
            credential: format!(
                "CREATE CREDENTIAL {}\n    WITH IDENTITY = {},\n    SECRET = {};\n",
                bracketed(facts.credential),
                plain(facts.identity),
                plain(facts.secret)
            ),
            backup: write("DATABASE", &full),
            backup_log: write("LOG", &log),
            verify: format!("RESTORE VERIFYONLY\n    FROM URL = {from}\n    WITH {with_for_read}CHECKSUM;\n"),
            restore: format!(
                "RESTORE DATABASE {database}\n    FROM URL = {from}\n    WITH {with_for_read}RECOVERY, STATS = 10;\n"
            ),
            longest: full.chars().count().max(log.chars().count()),
        }
    }
}

/// A name between brackets.
pub(super) fn bracketed(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// A literal of Unicode.
pub(super) fn literal(text: &str) -> String {
    format!("N{}", plain(text))
}

fn plain(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A folder's name for a database: ASCII, short, and never anything that a URL would need to encode.
fn slug(database: &str) -> String {
    let ascii = database
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    let joined: String = ascii.take(40).collect();
    let trimmed = joined.trim_matches('-');
    if trimmed.is_empty() {
        "database".to_owned()
    } else {
        trimmed.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(mode: Mode, database: &str, secret: &str) -> Statements {
        Statements::of(&Facts {
            mode,
            container_url: "https://backup.example/backups",
            credential: if mode == Mode::Block {
                "https://backup.example/backups"
            } else {
                "bac2 vault01"
            },
            identity: if mode == Mode::Block {
                "SHARED ACCESS SIGNATURE"
            } else {
                "vault01"
            },
            secret,
            database,
            moment: "20261121T090000Z",
        })
    }

    #[test]
    fn block_mode_as_microsoft_documents_it() {
        let made = statements(Mode::Block, "Sales", "sv=1&sig=abc%3D");
        assert_eq!(
            made.credential,
            "CREATE CREDENTIAL [https://backup.example/backups]\n    WITH IDENTITY = 'SHARED ACCESS SIGNATURE',\n    \
             SECRET = 'sv=1&sig=abc%3D';\n"
        );
        assert_eq!(
            made.backup,
            "BACKUP DATABASE [Sales]\n    TO URL = N'https://backup.example/backups/Sales/full-20261121T090000Z.bak'\n    \
             WITH MAXTRANSFERSIZE = 4194304, BLOCKSIZE = 65536, COMPRESSION, CHECKSUM, STATS = 10;\n"
        );
        assert!(!made.restore.contains("CREDENTIAL") && !made.restore.contains("MAXTRANSFERSIZE"));
        assert_eq!(
            made.longest,
            "https://backup.example/backups/Sales/full-20261121T090000Z.bak".len()
        );
    }

    #[test]
    fn page_mode_names_its_credential_and_no_sizes() {
        let made = statements(Mode::Page, "Sales", "a2V5");
        assert_eq!(
            made.credential,
            "CREATE CREDENTIAL [bac2 vault01]\n    WITH IDENTITY = 'vault01',\n    SECRET = 'a2V5';\n"
        );
        for statement in [&made.backup, &made.backup_log, &made.verify, &made.restore] {
            assert!(statement.contains("CREDENTIAL = N'bac2 vault01'"), "{statement}");
            assert!(!statement.contains("BLOCKSIZE") && !statement.contains("MAXTRANSFERSIZE"));
        }
    }

    #[test]
    fn names_cannot_break_out() {
        let made = statements(Mode::Block, "a]; DROP DATABASE b;-- 'x' ümlaut", "it's");
        assert!(
            made.backup
                .starts_with("BACKUP DATABASE [a]]; DROP DATABASE b;-- 'x' ümlaut]\n")
        );
        assert!(
            made.backup.contains("/a---DROP-DATABASE-b-----x---mlaut/full-"),
            "{}",
            made.backup
        );
        assert!(made.credential.contains("SECRET = 'it''s'"));
        assert_eq!(slug("数据库"), "database");
    }
}
