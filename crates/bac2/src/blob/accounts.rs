//! Accounts and their keys, as the command line and the accounts file name them.
//!
//! A key on the command line is seen by everybody who can list processes, so it is for tests: it warns, and `serve`
//! refuses it on an address that is not loopback. A file has one `NAME=BASE64KEY` a line, `#` starts a comment.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use azblob::names::AccountName;
use azblob::shared_key::Secret;

use crate::console::Console;
use crate::failure::Failure;

/// Keys of one account that are taken at the same time, as at Azure.
const KEYS_MAX: usize = 2;

/// One account: what signs requests. `Debug` never shows the key.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// The name in URLs.
    pub(crate) name: AccountName,
    /// The key.
    pub(crate) secret: Secret,
}

impl FromStr for Account {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Base64 may end in '=', a name cannot hold one: the first '=' parts them.
        let (name, key) = text.split_once('=').ok_or("expected NAME=BASE64KEY")?;
        let name = AccountName::new(name)
            .map_err(|_| "an account's name is 3 to 24 lower-case letters and digits".to_owned())?;
        let secret =
            Secret::from_base64(key).map_err(|why| format!("{} has no key: {why}", name.as_str()))?;
        Ok(Self { name, secret })
    }
}

/// Where the accounts of a data directory are looked for when no other file is named.
pub(crate) fn in_data(data: &Path) -> PathBuf {
    data.join("accounts")
}

/// The accounts in a file.
pub(crate) fn from_file(path: &Path, console: &Console) -> Result<Vec<Account>, Failure> {
    warn_if_others_read(path, console);
    read(path)
}

/// The accounts in a file, without a word about who else may read it.
pub(super) fn read(path: &Path) -> Result<Vec<Account>, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::reading(path, &error))?;
    let mut accounts = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let account = line.parse().map_err(|error| {
            Failure::unusable(
                "AccountsFileInvalid",
                format!("{} line {}: {error}", path.display(), number + 1),
                "write one NAME=BASE64KEY a line; `openssl rand -base64 64 | tr -d '\\n'` makes a key",
            )
        })?;
        accounts.push(account);
    }
    Ok(accounts)
}

/// The first key of an account as it is written in a file, for the one who must paste it into SQL Server.
pub(crate) fn key_text(path: &Path, name: &AccountName) -> Result<String, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::reading(path, &error))?;
    let key = text.lines().find_map(|line| {
        let (account, key) = line.split('#').next()?.trim().split_once('=')?;
        (account == name.as_str()).then(|| key.to_owned())
    });
    key.ok_or_else(|| {
        Failure::unusable(
            "WhichAccount",
            format!("{} has no account {name} any more", path.display()),
            "run it again",
        )
    })
}

/// One account a name. A name that is given again brings a second key, for the days while keys are changed.
pub(crate) fn joined(given: Vec<Account>) -> Result<Vec<frontdoor::Account>, Failure> {
    let mut accounts: Vec<frontdoor::Account> = Vec::new();
    for Account { name, secret } in given {
        match accounts.iter_mut().find(|account| account.name == name) {
            Some(account) => account.keys.push(secret),
            None => accounts.push(frontdoor::Account {
                name,
                keys: vec![secret],
            }),
        }
    }
    if let Some(account) = accounts.iter().find(|account| account.keys.len() > KEYS_MAX) {
        return Err(Failure::unusable(
            "TooManyKeys",
            format!(
                "the account {} has {} keys",
                account.name.as_str(),
                account.keys.len()
            ),
            "keep two at most: the old one and the new one while clients change over",
        ));
    }
    if accounts.is_empty() {
        return Err(Failure::unusable(
            "NoAccount",
            "there is no account, so nobody could sign a request",
            "give --accounts-file FILE with one NAME=BASE64KEY a line",
        ));
    }
    Ok(accounts)
}

#[cfg(unix)]
fn warn_if_others_read(path: &Path, console: &Console) {
    use std::os::unix::fs::PermissionsExt;
    if fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        console.warn(format!(
            "{} holds keys and other users may read it; chmod 600 it",
            path.display()
        ));
    }
}

#[cfg(not(unix))]
fn warn_if_others_read(_path: &Path, _console: &Console) {}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Account, from_file, joined};
    use crate::console::{Console, Format};

    /// 16 bytes, the shortest key that is taken.
    const KEY: &str = "AAECAwQFBgcICQoLDA0ODw==";

    #[test]
    fn a_key_may_end_in_equals_signs() {
        let account: Account = format!("vault01={KEY}").parse().unwrap();
        assert_eq!(account.name.as_str(), "vault01");
        assert!(!format!("{account:?}").contains("AAEC"), "the key is not shown");
    }

    #[test]
    fn what_is_wrong_is_named_without_the_key() {
        for (text, word) in [
            ("vault", "NAME=BASE64KEY"),
            ("Va=AAECAwQFBgcICQoLDA0ODw==", "lower-case"),
            ("vault=secret??", "Base64"),
            ("vault=", "Base64"),
        ] {
            let error = text.parse::<Account>().unwrap_err();
            assert!(
                error.contains(word) && !error.contains("secret"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn a_file_names_the_line_that_is_wrong() {
        let console = Console::new(Some(Format::Json), false);
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(
            &file,
            format!("# keys\n\nvault01={KEY} # the first\nvault02={KEY}\n"),
        )
        .unwrap();
        let accounts = from_file(file.path(), &console).unwrap();
        assert_eq!(accounts.len(), 2);
        assert_eq!(joined(accounts.clone()).unwrap().len(), 2);
        let again = |times: usize| joined(vec![accounts[0].clone(); times]);
        assert_eq!(
            again(2).unwrap()[0].keys.len(),
            2,
            "a second line brings a second key"
        );
        assert_eq!(again(3).unwrap_err().code(), "TooManyKeys");
        assert_eq!(joined(vec![]).unwrap_err().code(), "NoAccount");
        fs::write(&file, format!("vault01={KEY}\nnonsense\n")).unwrap();
        assert!(
            from_file(file.path(), &console)
                .unwrap_err()
                .to_string()
                .contains("line 2")
        );
    }
}
