//! What can happen in a story.

use std::time::Duration;

use crate::step::Step;
use crate::world::End;

/// A kind of backup that somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Full,
    Differential,
    Log,
    CopyOnly,
}

/// What may change of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Days for which logs are kept.
    LogDays(u32),
    /// Minutes over which starts are spread.
    Jitter(i64),
    /// When the full is due.
    FullAt(u16),
    /// Minutes between logs.
    LogEvery(i64),
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Deed {
    /// Users work.
    Rows(usize, usize, u32),
    /// Somebody wants a backup.
    BackUp(usize, usize, Asked),
    /// Somebody cancels what runs.
    CancelSomething,
    /// Another product takes a backup to a file.
    Foreign(usize, usize, Asked),
    /// The vault's process dies.
    CrashVault,
    /// It will, after so many polls.
    CrashVaultSoon(u64),
    /// It starts, dead or not.
    StartVault,
    /// An instance ends.
    EndServer(usize, End),
    /// It starts where it is down.
    StartServer(usize),
    /// The network to an instance.
    CutOff(usize, bool),
    /// All connections of an instance are lost.
    LoseConnections(usize),
    /// The next backup loses its connection after so many milliseconds.
    LoseNextBackup(usize, u64),
    /// The front door does not answer, or does.
    DoorDown(bool),
    /// The store's process dies and starts again; its machine loses power.
    DoorRestart(bool),
    /// The store's disk has so many bytes left, or plenty.
    DoorFree(Option<u64>),
    /// Answers of the door are lost.
    AnswersLost(u32),
    /// Blocks arrive changed by a bit.
    BlocksDamaged(u32),
    /// The catalog has trouble: one in so many steps.
    CatalogTrouble(Option<u64>),
    /// The catalog has no space, or has.
    CatalogFull(bool),
    /// An instance is kept, or put back, as its machine's snapshot does.
    Snapshot(usize),
    Rollback(usize),
    /// Clocks jump, by seconds.
    VaultClock(i64),
    ServerClock(usize, i64),
    /// Somebody changes the recovery model.
    Recovery(usize, usize, bool),
    /// A line of `sim_fault`.
    Fault(usize, &'static str),
    /// Somebody drops a database, and makes another one under its name.
    Recreate(usize, usize),
    /// A database gets another name.
    Rename(usize, usize),
    /// The policy changes.
    ChangePolicy(Change),
    /// Schedules of a database rest, or run again.
    Suspend(usize, usize, bool),
    /// Protection of a database ends; its data are deleted, or stay.
    Unprotect(usize, usize, bool),
    /// A deletion is taken back, and protection begins again.
    Undelete(usize, usize),
    /// Somebody takes the chain of a database over from whoever has it.
    TakeOver(usize, usize),
    /// Somebody makes a database; whether by a name that auto-protection leaves out.
    NewDatabase(usize, bool),
    /// An instance is registered again as it is.
    Reregister(usize),
    /// An instance without protected databases is registered, or let go.
    Spare(bool),
    /// Another vault wants an instance.
    OtherVault(usize),
    /// The replica of the group has another role, or the group another preference.
    GroupRole(&'static str),
    GroupPreference(&'static str),
    /// A byte under a recovery point changes on the store's disk, and somebody reads it.
    Rot,
    /// The next time that a backup job comes to a step, and so long after it, something happens; not after a while.
    At(Step, Duration, Duration, Box<Deed>),
}

impl Deed {
    /// The word under which it is counted.
    pub(crate) fn word(&self) -> String {
        let text = format!("{self:?}");
        let word = text.split(['(', ' ']).next().unwrap_or_default();
        match self {
            Self::EndServer(_, end) => format!("{word} {end:?}"),
            Self::BackUp(.., asked) | Self::Foreign(.., asked) => format!("{word} {asked:?}"),
            Self::Fault(_, line) => line.split_whitespace().take(2).collect::<Vec<_>>().join(" "),
            Self::At(.., deed) => deed.word(),
            Self::ChangePolicy(change) => {
                let change = format!("{change:?}");
                format!("{word} {}", change.split('(').next().unwrap_or_default())
            }
            Self::Unprotect(.., true) => "UnprotectAndDelete".to_owned(),
            _ => word.to_owned(),
        }
    }

    /// Whether it is what people do every day, and not trouble.
    pub(crate) fn is_work(&self) -> bool {
        matches!(self, Self::Rows(..) | Self::BackUp(..) | Self::CancelSomething)
    }
}
