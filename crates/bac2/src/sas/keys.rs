//! Where the key of a new token comes from.

use std::path::{Path, PathBuf};

use azblob::names::AccountName;
use clap::Args;
use frontdoor::Account;

use crate::blob::accounts;
use crate::console::Console;
use crate::failure::Failure;

/// Which account's key, and where it is written.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Keys {
    /// The data directory; its file `accounts` has the keys
    #[arg(long, value_name = "DIR", required_unless_present = "accounts_file")]
    data: Option<PathBuf>,

    /// File with one NAME=BASE64KEY a line
    #[arg(long, value_name = "FILE")]
    accounts_file: Option<PathBuf>,

    /// The account; needed where the file has several
    #[arg(long, value_name = "NAME", value_parser = account_name)]
    account: Option<AccountName>,
}

/// An account and whether it is the only one, so that a URL need not name it.
pub(crate) struct Chosen {
    pub(crate) account: Account,
    pub(crate) alone: bool,
}

fn account_name(text: &str) -> Result<AccountName, String> {
    AccountName::new(text)
        .map_err(|_| "an account's name is 3 to 24 lower-case letters and digits".to_owned())
}

impl Keys {
    /// The data directory, if one was given.
    pub(crate) fn data(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    /// The file with the keys.
    pub(crate) fn file(&self) -> PathBuf {
        match (&self.accounts_file, &self.data) {
            (Some(file), _) => file.clone(),
            (None, data) => accounts::in_data(data.as_deref().unwrap_or(Path::new("."))),
        }
    }

    /// Reads the file and picks the account.
    pub(crate) fn choose(&self, console: &Console) -> Result<Chosen, Failure> {
        let file = self.file();
        let mut found = accounts::joined(accounts::from_file(&file, console)?)?;
        let alone = found.len() == 1;
        let names: Vec<String> = found.iter().map(|account| account.name.to_string()).collect();
        let index = match &self.account {
            None if alone => Some(0),
            None => None,
            Some(name) => found.iter().position(|account| account.name == *name),
        };
        match index {
            Some(index) => Ok(Chosen {
                account: found.swap_remove(index),
                alone,
            }),
            None => Err(Failure::unusable(
                "WhichAccount",
                match &self.account {
                    Some(name) => format!("{} has no account {name}", file.display()),
                    None => format!("{} has several accounts", file.display()),
                },
                format!("give --account with one of {}", names.join(", ")),
            )),
        }
    }
}
