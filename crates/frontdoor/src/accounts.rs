//! The accounts of a running server, which may be replaced while it serves.
//!
//! Keys are rotated without a restart: a request takes the accounts as they are when it comes and keeps them to its end,
//! so that one under way is not affected by what happens meanwhile.

use std::sync::{Arc, PoisonError, RwLock};

use azblob::names::AccountName;

use crate::config::Account;

/// The accounts as they are now. Clones share them.
#[derive(Debug, Clone)]
pub struct Accounts(Arc<RwLock<Arc<AccountSet>>>);

/// The accounts at one moment.
#[derive(Debug)]
pub(crate) struct AccountSet {
    names: Vec<AccountName>,
    accounts: Vec<Account>,
}

impl Accounts {
    /// Takes them as configured.
    pub(crate) fn new(accounts: Vec<Account>) -> Self {
        Accounts(Arc::new(RwLock::new(Arc::new(AccountSet::new(accounts)))))
    }

    /// From now on, requests are judged by these accounts and keys.
    pub fn replace(&self, accounts: Vec<Account>) {
        let set = Arc::new(AccountSet::new(accounts));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = set;
    }

    /// As they are now.
    pub(crate) fn current(&self) -> Arc<AccountSet> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AccountSet {
    fn new(accounts: Vec<Account>) -> Self {
        AccountSet {
            names: accounts.iter().map(|account| account.name.clone()).collect(),
            accounts,
        }
    }

    /// Their names.
    pub(crate) fn names(&self) -> &[AccountName] {
        &self.names
    }

    /// Whether an account has this name.
    pub(crate) fn is_account(&self, name: &str) -> bool {
        self.names.iter().any(|account| account.as_str() == name)
    }

    /// The account of one of [`AccountSet::names`].
    pub(crate) fn get(&self, name: &AccountName) -> &Account {
        let found = self.accounts.iter().find(|account| account.name == *name);
        found.expect("an account is looked up by a name of this list")
    }
}
