//! How a backup holds its blob: made, leased for ever under an id of its own, let go; and deleted where the backup fails.
//!
//! What was not made by this backup, or is somebody else's meanwhile, is never deleted.

use azblob::lease::LeaseId;
use http::Method;

use super::exchange::{Ask, Client};
use super::failure::Trouble;

/// How the client writes the actions of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// `Acquire`: an emulator that satisfies the block blob client compares them so.
    Capital,
    /// `acquire`, as the storage library of .NET has it.
    Small,
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is nothing of ours.
    Nothing,
    /// The blob is made; whether its lease is ours is not known.
    Made,
    /// Under our lease.
    Leased,
    /// Complete, and free again.
    Released,
}

/// A blob that a backup writes.
pub(super) struct Hold {
    client: Client,
    lease: String,
    spelling: Spelling,
    state: State,
}

impl Hold {
    pub(super) fn new(client: Client, lease: LeaseId, spelling: Spelling) -> Self {
        Self {
            client,
            lease: lease.to_string(),
            spelling,
            state: State::Nothing,
        }
    }

    /// The lease's id, for `x-ms-lease-id`.
    pub(super) fn lease(&self) -> &str {
        &self.lease
    }

    /// Makes the blob with `create` and takes its lease.
    ///
    /// # Errors
    /// Either was refused or not answered.
    pub(super) async fn take(&mut self, create: Ask) -> Result<(), Trouble> {
        self.client.send(create).await?;
        self.state = State::Made;
        let acquire = self
            .ask("Acquire")
            .header("x-ms-lease-duration", "-1")
            .header("x-ms-proposed-lease-id", self.lease.as_str());
        match self.client.send(acquire).await {
            Ok(_) => {
                self.state = State::Leased;
                Ok(())
            }
            Err(trouble) => {
                if let Trouble::Refused(refusal) = &trouble
                    && matches!(refusal.status, 404 | 409 | 412)
                {
                    // Another backup to the same blob was faster: it is that one's now.
                    self.state = State::Nothing;
                }
                Err(trouble)
            }
        }
    }

    /// Lets the complete blob go.
    ///
    /// # Errors
    /// It was refused or not answered.
    pub(super) async fn release(&mut self) -> Result<(), Trouble> {
        let release = self.ask("Release").header("x-ms-lease-id", self.lease.as_str());
        self.client.send(release).await?;
        self.state = State::Released;
        Ok(())
    }

    /// The backup failed: deletes the blob, as SQL Server does. What cannot be deleted stays as it is.
    pub(super) async fn delete(&mut self) {
        let delete = || Ask::new(Method::DELETE, "");
        let with_lease = || delete().header("x-ms-lease-id", self.lease.as_str());
        let deleted = match self.state {
            State::Nothing => return,
            State::Leased => self.client.send(with_lease()).await,
            State::Released => self.client.send(delete()).await,
            State::Made => match self.client.send(with_lease()).await {
                Err(Trouble::Refused(refusal)) if refusal.status == 412 => self.client.send(delete()).await,
                other => other,
            },
        };
        drop(deleted);
        self.state = State::Nothing;
    }

    fn ask(&self, action: &'static str) -> Ask {
        let action = match self.spelling {
            Spelling::Capital => action.to_owned(),
            Spelling::Small => action.to_ascii_lowercase(),
        };
        Ask::new(Method::PUT, "comp=lease").header("x-ms-lease-action", action)
    }
}
