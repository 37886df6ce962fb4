//! A PostgreSQL database as a catalog.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use url::Url;

use super::Shared;
use super::errors::Place;
use super::location::Location;
use crate::catalog::Engine;
use crate::error::CatalogError;

/// How long a transaction waits for a connection.
const WAIT: Duration = Duration::from_secs(5);

/// Connections at most.
const CONNECTIONS: u32 = 10;

/// A commit is on the disk when it is answered, whatever the server's default; a lock that is not had in time is a
/// conflict; a transaction whose client is gone without a word does not hold its locks for ever.
const CONNECTION: &str = "SET synchronous_commit = on; SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '5min'";

/// Prepares connections; the first is made when it is needed.
pub(super) async fn open(url: &Url) -> Result<Shared, CatalogError> {
    let place = Place {
        engine: Engine::Postgres,
        name: Location::Postgres(url.clone()).name(),
    };
    let options = AnyConnectOptions::from_url(url)
        .map_err(|error| place.name(&error, super::errors::Phase::Begin))?
        .disable_statement_logging();
    let pool = AnyPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(WAIT)
        .test_before_acquire(true)
        .after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(CONNECTION).execute(&mut *connection).await?;
                Ok(())
            })
        })
        .connect_lazy_with(options);
    Ok(Shared {
        writers: pool.clone(),
        readers: pool,
        place,
        broken: AtomicBool::new(false),
        _lock: None,
    })
}
