//! Doing a transaction again that met another one.
//!
//! The waits double from 1 ms to 256 ms and are spread by a seed, so that two who met do not meet again in step; a
//! simulation that repeats the seed repeats the waits. How time passes is the caller's [`Pause`].

use std::marker::PhantomData;

use async_trait::async_trait;
use futures::future::BoxFuture;

use crate::catalog::{Catalog, Transaction};
use crate::error::CatalogError;

/// How often a transaction is tried before its conflict is passed on.
pub const TRIES_MAX: u32 = 12;

/// The longest wait before the next try, in milliseconds.
const WAIT_MS_MAX: u64 = 256;

/// Lets time pass.
#[async_trait]
pub trait Pause: Send + Sync {
    /// Returns after so many milliseconds.
    async fn pause(&self, milliseconds: u64);
}

/// An error that may be, or hold, a [`CatalogError`].
pub trait Retryable: From<CatalogError> {
    /// What the catalog said, if it was the catalog.
    fn catalog_error(&self) -> Option<&CatalogError>;
}

impl Retryable for CatalogError {
    fn catalog_error(&self) -> Option<&CatalogError> {
        Some(self)
    }
}

/// Counts tries and waits between them; for loops that [`retry`] does not fit.
#[derive(Clone, Debug)]
pub struct Tries {
    done: u32,
    spread: u64,
}

impl Tries {
    /// No try yet. The seed spreads the waits.
    pub fn new(seed: u64) -> Self {
        Self {
            done: 0,
            spread: seed,
        }
    }

    /// After a failed try: waits and returns true when another one is worth it, else false.
    pub async fn again(&mut self, error: &CatalogError, pause: &dyn Pause) -> bool {
        self.done += 1;
        if !matches!(error, CatalogError::Conflict { .. }) || self.done >= TRIES_MAX {
            return false;
        }
        pause.pause(self.wait()).await;
        true
    }

    /// Between half and all of the doubled wait.
    fn wait(&mut self) -> u64 {
        let full = (1 << self.done.min(63)).min(WAIT_MS_MAX);
        // Knuth's multiplier for 64 bits; the high bits are the good ones.
        self.spread = self
            .spread
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        full - (self.spread >> 33) % (full / 2 + 1)
    }
}

/// A future that borrows a transaction for `'t` and its surroundings for `'a`; made by [`scoped`]. (A plain boxed
/// future could borrow nothing but the transaction, and an async closure could not be moved to another thread.)
pub struct Scoped<'a, 't, T> {
    future: BoxFuture<'t, T>,
    /// Says that `'a` outlives `'t`.
    surroundings: PhantomData<&'t &'a ()>,
}

/// The work of a transaction, for [`retry`]: `|tx| scoped(async move { ... })`.
pub fn scoped<'a, 't, T>(future: impl Future<Output = T> + Send + 't) -> Scoped<'a, 't, T> {
    Scoped {
        future: Box::pin(future),
        surroundings: PhantomData,
    }
}

/// Runs `work` in a writing transaction and commits it; does both again, [`TRIES_MAX`] times at most, when it met
/// another one. `work` must have no effect but through its transaction.
///
/// # Errors
/// What `work` failed with; the commit's error; `Conflict` when it still meets others after all tries.
/// `CommitUnknown` is never tried again: only the caller can see whether it was done.
pub async fn retry<'a, T, E, F>(
    catalog: &dyn Catalog,
    pause: &dyn Pause,
    seed: u64,
    mut work: F,
) -> Result<T, E>
where
    E: Retryable + Send,
    T: Send,
    F: for<'t> FnMut(&'t mut dyn Transaction) -> Scoped<'a, 't, Result<T, E>> + Send,
{
    let mut tries = Tries::new(seed);
    loop {
        let error = match attempt(catalog, &mut work).await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let again = match error.catalog_error() {
            Some(met) => tries.again(met, pause).await,
            None => false,
        };
        if !again {
            return Err(error);
        }
    }
}

async fn attempt<'a, T, E, F>(catalog: &dyn Catalog, work: &mut F) -> Result<T, E>
where
    E: Retryable + Send,
    T: Send,
    F: for<'t> FnMut(&'t mut dyn Transaction) -> Scoped<'a, 't, Result<T, E>> + Send,
{
    let mut tx = catalog.begin().await?;
    let done = work(tx.as_mut()).future.await?;
    tx.commit().await?;
    Ok(done)
}
