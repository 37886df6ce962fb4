//! The codes as a type: the same list as in the catalogue, held together by a test.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::entry::Entry;

/// Declares the type and what goes with it from one list, so that none of it can leave a code out.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// A code of the catalogue. Its name never changes, and never means something else.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// All codes, in the order of the catalogue.
            pub const ALL: [Self; [$(Self::$name),+].len()] = [$(Self::$name),+];

            /// The name, as people search for it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }
    };
}

codes! {
    /// The vault's login lacks rights on this instance.
    UserErrorSQLNoSysadminMembership,
    /// The policy asks for a type of backup that this database cannot have.
    BackupTypeUnsupported,
    /// This database cannot have the type of backup that was asked for.
    UserErrorSQLPODoesNotSupportBackupType,
    /// A backup of the same type runs on this database already, so this one did not start.
    OperationCancelledBecauseConflictingOperationRunningUserError,
    /// Something else holds this database that cannot go on at the same time as a backup of it.
    UserErrorFileManipulationIsNotAllowedDuringBackup,
    /// There is no database of this name on the instance any more.
    UserErrorSQLPODoesNotExist,
    /// The log chain is broken: this log or differential does not continue what the vault has.
    UserErrorSQLLSNValidationFailure,
    /// The vault cannot open a session on the SQL Server instance.
    UserErrorOpeningSQLConnection,
    /// There is no full backup yet that this differential or log could build on.
    UserErrorParentFullBackupMissing,
    /// The database's transaction log, or the room for it, is used up.
    UserErrorBackupFailedAsTransactionLogIsFull,
    /// The target already has a database, or files, of that name, and overwriting was not asked for.
    UserErrorCannotRestoreExistingDBWithoutForceOverwrite,
    /// The restore needs the target database for itself, and others hold it.
    UserErrorRestoreFailedDatabaseCannotBeOfflined,
    /// Reading or writing failed on a file, a share or a disk of the SQL Server machine.
    WlExtGenericIOFaultUserError,
    /// The instance lacks the certificate or key that this backup is encrypted with.
    UserErrorCannotFindServerCertificateWithThumbprint,
    /// The moment lies inside a log backup with bulk-logged changes, which can be restored as a whole or not at all.
    UserErrorRestoreNotPossibleBecauseLogBackupContainsBulkLoggedChanges,
    /// The availability group's preference for backups cannot be kept: no replica that it allows is ready for the vault.
    FabricSvcBackupPreferenceCheckFailedUserError,
    /// The machine of the SQL Server instance does not answer at all.
    VMNotInRunningStateUserError,
    /// Azure's guest agent on the machine does not report, so Azure Backup cannot act there.
    GuestAgentStatusUnavailableUserError,
    /// Automatic protection was switched off or changed while it was setting up this database.
    AutoProtectionCancelledOrNotValid,
    /// This operation has been asked for as often as the vault allows within 24 hours.
    CloudDosAbsoluteLimitReached,
    /// A change to many items has used up what the vault allows of such operations within 24 hours; the rest follows.
    CloudDosAbsoluteLimitReachedWithRetry,
    /// The instance has not been reached for longer than is allowed.
    WorkloadExtensionNotReachable,
    /// The SQL Server machine cannot reach the vault's store, or does not trust it.
    UserErrorVMInternetConnectivityIssue,
    /// The database takes part in database mirroring, where this operation is not possible.
    UserErrorOperationNotAllowedDatabaseMirroringEnabled,
    /// Azure Backup's plug-in service cannot start on the machine, because its account lacks rights.
    UserErrorWindowsWLExtFailedToStartPluginService,
    /// The instance lacks what registration sets up on it: the vault's marker, credential or trust.
    UserErrorWorkloadExtensionNotInstalled,
    /// The instance answers, but does not carry this vault's marker any more.
    WorkloadExtensionNotPresent,
    /// The instance took a job but did not begin with it in time.
    WorkloadExtensionDidntDequeueMsg,
    /// The machine is between two states and cannot be worked with now.
    UserErrorVmNotInDesirableState,
    /// The machine is between two states; an older name of UserErrorVmNotInDesirableState.
    VmNotInDesirableState,
    /// An Azure extension on the machine failed, so Azure Backup could not act there.
    ExtensionFailedInVMAccessExtension,
    /// This database was protected on its own and belongs to an availability group now.
    UserErrorBackupFailedStandaloneDatabaseMovedInToAG,
    /// This database was protected in its availability group and stands on its own now.
    UserErrorBackupFailedDatabaseMovedOutOfAG,
    /// The recovery point that was asked for is not there in that form any more.
    UserErrorInstantRpNotFound,
    /// A governance policy of the subscription forbids what Azure Backup wanted to create.
    UserErrorRequestDisallowedByPolicy,
    /// The size of machine that was chosen for the restore is not to be had in that region.
    UserErrorSkuNotAvailable,
    /// Data moves between store and machine much slower than it should.
    CopyingVHDsFromBackUpVaultTakingLongTime,
    /// The machine that was protected does not exist any more.
    ResourceNotFound,
    /// The machine that was protected cannot be found; another name of ResourceNotFound.
    BCMV2VMNotFound,
    /// The file systems of a Linux machine could not be held still for a snapshot.
    UserErrorFsFreezeFailed,
    /// A shadow-copy writer on the machine is in a failed state, so no consistent snapshot could be taken.
    ExtensionFailedVssWriterInBadState,
    /// The network of the machine did not answer in time during a snapshot.
    ExtensionFailedTimeoutVMNetworkUnresponsive,
    /// An Azure extension on the machine is being removed and does not come to an end.
    ExtensionStuckInDeletionState,
    /// Azure's guest agent on the machine does not report; the name for whole machines of
    /// GuestAgentStatusUnavailableUserError.
    UserErrorGuestAgentStatusUnavailable,
    /// The name of the server cannot be resolved to an address.
    Bac2ServerNameNotResolved,
    /// The port of the named instance could not be found out.
    Bac2NamedInstanceNotFound,
    /// The certificate of the SQL Server instance is not trusted by the vault.
    Bac2ServerCertificateNotTrusted,
    /// The kind of login that was chosen cannot be used from the vault's machine.
    Bac2AuthenticationUnavailable,
    /// The session with SQL Server broke off in the middle of the operation.
    Bac2SessionLost,
    /// This version or edition of SQL Server cannot do what was asked for.
    Bac2UnsupportedVersionOrEdition,
    /// This build of SQL Server has a known defect in backups of this kind, so they are taken another way or not at all.
    Bac2KnownBadBuild,
    /// The instance carries the marker of another vault; one instance belongs to one vault.
    Bac2InstanceOfAnotherVault,
    /// Another instance answers at the address that was registered.
    Bac2InstanceChanged,
    /// The instance or database is not ready for backups: at least one probe failed.
    Bac2NotReady,
    /// A replica of an availability group was found that has no login, credential or trust for the vault yet.
    Bac2ReplicaNotReady,
    /// Another instance on the same machine is faulty; the healthy ones stay usable.
    Bac2FaultyInstanceOnHost,
    /// The server cannot be removed while databases of it are protected or soft-deleted.
    Bac2UnregisterRefused,
    /// A credential for the vault's URL exists on the instance that the vault did not make; it is never altered.
    Bac2ForeignCredential,
    /// The store refused the credential that SQL Server showed, or SQL Server found none for the URL.
    Bac2CredentialRefused,
    /// There is a blob at this URL already, and the vault never overwrites one.
    Bac2UrlTaken,
    /// The blob at this URL is leased: a backup or restore that broke off, or one that still runs, holds it.
    Bac2UrlLeased,
    /// The backup is larger than one blob can take in the blocks that SQL Server writes.
    Bac2UrlBlockLimit,
    /// The database is in a state in which it cannot be backed up.
    Bac2DatabaseNotAvailable,
    /// SQL Server itself found damage in the database or its log, which stops this backup.
    Bac2DatabaseDamaged,
    /// SQL Server reported success, but the vault's reader found damage in the backup.
    Bac2StreamDisputed,
    /// It is not known yet whether SQL Server finished this operation.
    Bac2OutcomeUnknown,
    /// The backup succeeded, but SQL Server could not write it into its own history.
    Bac2HistoryNotWritten,
    /// The operation was stopped on the SQL Server side.
    Bac2StoppedOnServer,
    /// The instance has too little memory or too few workers for this operation.
    Bac2InstanceOutOfResources,
    /// Another tool takes this database's log backups or is the base of its differentials, so the vault takes none.
    Bac2ForeignChainOwner,
    /// Somebody else backed this database up.
    Bac2ForeignBackupSeen,
    /// The database is older than its last backup: its machine or its files were put back to an earlier state.
    Bac2SnapshotPutBack,
    /// A log backup that SQL Server finished is not in the vault, so the chain was anchored anew.
    Bac2LogReanchored,
    /// A full backup was taken in place of the one that was planned.
    Bac2BackupConverted,
    /// The chain needs a full backup, and healing is switched off for this database.
    Bac2HealingDisabled,
    /// The job was stopped because it took longer than its time limit.
    Bac2JobTimedOut,
    /// The job has been in progress for long, without any progress to be seen.
    Bac2JobStuck,
    /// The job was cancelled because somebody asked for it.
    Bac2JobCancelled,
    /// The job is not in a state in which it can be cancelled.
    Bac2JobNotCancellable,
    /// The vault was restarted in the middle of this job.
    Bac2JobInterrupted,
    /// Somebody else changed the same thing in the meantime, so this change was not made.
    Bac2VersionConflict,
    /// The vault has nothing of that name.
    Bac2NotFound,
    /// What was given cannot be understood, so nothing was done.
    Bac2InputInvalid,
    /// The vault has something of that name already.
    Bac2NameTaken,
    /// A limit of the vault is reached.
    Bac2LimitReached,
    /// The vault's store takes no more writes: a write or a sync failed, and it is never retried over.
    Bac2StoreReadOnly,
    /// The vault's disk is running full: fulls and differentials wait, logs go on.
    Bac2StoreDiskFilling,
    /// The vault's disk is full, and backups are refused before they begin.
    Bac2StoreDiskFull,
    /// Log backups lie on the server's own disk, since the vault's has no room for them; moments in them cannot be restored yet.
    Bac2LogOnServerDisk,
    /// SQL Server could not write a log backup into the folder that is set for it while the vault's disk is full.
    Bac2LogOverflowRefused,
    /// A log backup on the server's disk could not be brought into the vault.
    Bac2ServerLogNotAdopted,
    /// Bytes in the vault's store are not the ones that were written; they are never handed out as data.
    Bac2StoreDamaged,
    /// The vault's catalog cannot be written, so no job begins.
    Bac2CatalogUnavailable,
    /// The catalog was written by a newer version of bac2.
    Bac2CatalogTooNew,
    /// Another process of bac2 holds this vault; only one may.
    Bac2VaultInUse,
    /// Catalog and store told different things about a backup; the store was believed.
    Bac2CatalogDisagrees,
    /// The stored passwords cannot be read: the key for them is missing or is another one.
    Bac2SecretsLocked,
    /// A clock went back or jumped; schedules were aligned anew.
    Bac2ClockJumped,
    /// A scheduled backup did not start in its slot.
    Bac2ScheduleMissed,
    /// The newest moment that can be restored is older than the recovery point objective allows.
    Bac2RpoMissed,
    /// No backup of this database has been restored for a test within the time that was set for it.
    Bac2TestRestoreOverdue,
    /// The database is encrypted by a certificate that was never backed up: without it no backup can be restored elsewhere.
    Bac2CertificateNotBackedUp,
    /// The policy cannot be kept as it is written.
    Bac2PolicyInvalid,
    /// The policy cannot be deleted while items use it.
    Bac2PolicyInUse,
    /// Some items still follow an older version of their policy.
    Bac2PolicyInconsistent,
    /// The database is protected already, by another policy or through its instance.
    Bac2AlreadyProtected,
    /// The database is not protected, so this cannot be done with it.
    Bac2NotProtected,
    /// The backups of this database are deleted softly; they must be taken back before they can be used.
    Bac2SoftDeleted,
    /// Soft deletion is always on in this vault and can be neither switched off nor shortened.
    Bac2SoftDeleteLocked,
    /// The backup cannot be deleted: recovery points that are still kept need it, or it is the newest way back.
    Bac2PointNeeded,
    /// A protected database has another name now; it is the same database.
    Bac2DatabaseRenamed,
    /// Under the name of a protected database there is another one now.
    Bac2DatabaseRecreated,
    /// There is no set of backups that leads to this moment.
    Bac2MomentNotRestorable,
    /// The only way to this moment leads over a backup in which damage was found.
    Bac2DamagedSetInPlan,
    /// SQL Server cannot read a backup of the plan.
    Bac2BackupUnreadable,
    /// The restore could not stop at the moment that was asked for, and the database was left restoring.
    Bac2StopPointNotReached,
    /// SQL Server refused a step of the restore, because the target is not where the plan expects it.
    Bac2RestoreStepRefused,
    /// A file of the database cannot be put at the path that was chosen for it.
    Bac2RestorePathUnusable,
    /// The list of the database's files is longer than Azure Backup keeps; there its files would go to default paths.
    Bac2FileListTooLong,
    /// The backup comes from a newer version of SQL Server than the target instance.
    Bac2TargetTooOld,
    /// The target takes part in something that a restore over it would break.
    Bac2TargetRefused,
    /// This system database is not restored over a running instance; it comes as files with the steps to take.
    Bac2SystemDatabaseAsFiles,
    /// The end of the target's log could not be backed up, so the restore over it did not begin.
    Bac2TailLogFailed,
    /// The target database was left in the restoring state.
    Bac2LeftRestoring,
    /// After the restore the database is not at the point that the plan promised.
    Bac2RestoredPointDiffers,
    /// SQL Server refused the operation for a reason that the catalogue has no code for.
    Bac2UnexpectedSqlError,
    /// The vault met a state that should not exist, and stopped this operation.
    Bac2InternalError,
}

impl Code {
    /// What the catalogue says of it.
    pub fn entry(self) -> &'static Entry {
        Entry::of(self)
    }

    /// The code of Azure Backup for it: itself, or the wider one that a code of bac2's own refines. None where Azure
    /// Backup has no such failure.
    pub fn azure(self) -> Option<Self> {
        if self.is_own() {
            return self.entry().refines;
        }
        Some(self)
    }

    /// It is a code of bac2's own: its name begins with `Bac2`.
    pub fn is_own(self) -> bool {
        self.as_str().starts_with("Bac2")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no code of that name")]
pub struct UnknownCode;

impl FromStr for Code {
    type Err = UnknownCode;

    /// To the letter; [`similar::find`](crate::similar::find) is for what people type.
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL
            .into_iter()
            .find(|code| code.as_str() == text)
            .ok_or(UnknownCode)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| serde::de::Error::custom(format_args!("{text:?} is no code of the catalogue")))
    }
}
