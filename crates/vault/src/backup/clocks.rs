//! Whether the clock of an instance is why the store refuses it.
//!
//! An instance of before SQL Server 2016 signs each request with the key of the account and with its own time, and a store refuses a
//! signature that is more than a quarter of an hour away from its clock. SQL Server says of that no more than of a wrong key. A SAS
//! bears no time of its holder, so later instances are not concerned.

use azblob::limits::MAX_CLOCK_SKEW_SECONDS;
use faults::{Fault, Operation};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use mssql::value::DateTime;

use super::facts::civil;
use super::ground::release;
use crate::jobs::Doing;
use crate::registration::{Purpose, failed};
use crate::vault::Vault;

/// The first major version that logs in by a SAS: SQL Server 2016.
const FIRST_WITH_SAS: u16 = 13;

impl Vault {
    /// What is wrong with the clock of the instance that a backup was refused for, for people; none where it is not the reason.
    ///
    /// # Errors
    /// The instance cannot be asked.
    pub(super) async fn what_its_clock_says(&self, doing: &Doing<'_>) -> Result<Option<String>, Fault> {
        let ground = self.ground(doing).await?;
        let (build, _) = release(&ground.server)?;
        if build.major >= FIRST_WITH_SAS {
            return Ok(None);
        }
        let fault = |error| failed(Operation::Backup, &ground.server.name, error);
        let mut session = self.session(&ground.server, Purpose::Backup).await?;
        let rows = session.query("SELECT GETUTCDATE() AS now;").await;
        session.close().await;
        let rows = rows.map_err(fault)?;
        let now = rows
            .first()
            .map(|row| row.get::<DateTime>("now"))
            .transpose()
            .map_err(fault)?;
        let there = now
            .and_then(civil)
            .and_then(|now| now.to_zoned(TimeZone::UTC).ok())
            .map(|now| now.timestamp());
        Ok(there.and_then(|there| wrong(there.duration_since(self.now()))))
    }
}

/// The sentence for a clock that is so far ahead; none for one that a store puts up with.
fn wrong(ahead: SignedDuration) -> Option<String> {
    if ahead.abs().as_secs() <= MAX_CLOCK_SKEW_SECONDS {
        return None;
    }
    let way = if ahead.is_positive() { "ahead of" } else { "behind" };
    Some(format!(
        "its clock is {} minutes {way} the vault's, and a signature by an account's key is refused that is more than {} minutes off: \
         set the clock of the host right",
        ahead.abs().as_mins(),
        MAX_CLOCK_SKEW_SECONDS / 60
    ))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::wrong;

    #[test]
    fn a_quarter_of_an_hour_is_put_up_with() {
        for minutes in [0, 15, -15] {
            assert_eq!(wrong(SignedDuration::from_mins(minutes)), None);
        }
        let ahead = wrong(SignedDuration::from_mins(120)).unwrap();
        assert!(ahead.contains("120 minutes ahead of"), "{ahead}");
        let behind = wrong(SignedDuration::from_mins(-16)).unwrap();
        assert!(behind.contains("16 minutes behind"), "{behind}");
    }
}
