//! RESTORE as parsed, in full.

use super::device::DeviceName;
use super::statement::Word;

/// What RESTORE does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreWhat {
    /// RESTORE DATABASE.
    Database,
    /// RESTORE LOG.
    Log,
    /// RESTORE HEADERONLY.
    HeaderOnly,
    /// RESTORE FILELISTONLY.
    FileListOnly,
    /// RESTORE LABELONLY.
    LabelOnly,
    /// RESTORE VERIFYONLY.
    VerifyOnly,
}

/// RESTORE.
#[derive(Clone, Debug, PartialEq)]
pub struct RestoreStatement {
    /// Which.
    pub what: RestoreWhat,
    /// Name, of DATABASE and LOG.
    pub database: Option<Word>,
    /// FILE =, FILEGROUP = behind the name.
    pub files: Vec<Word>,
    /// PAGE = 'file:page, ...'.
    pub pages: Option<Word>,
    /// FROM; empty for `RESTORE DATABASE x WITH RECOVERY`.
    pub devices: Vec<DeviceName>,
    /// FROM DATABASE_SNAPSHOT.
    pub snapshot: Option<Word>,
    /// WITH.
    pub options: RestoreOptions,
}

/// Where a restore stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopOption {
    /// STOPAT = time.
    At(Word),
    /// STOPATMARK = mark [AFTER time].
    AtMark(Word, Option<Word>),
    /// STOPBEFOREMARK = mark [AFTER time].
    BeforeMark(Word, Option<Word>),
}

/// WITH options of RESTORE.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RestoreOptions {
    /// RECOVERY.
    pub recovery: bool,
    /// NORECOVERY.
    pub norecovery: bool,
    /// STANDBY = undo file.
    pub standby: Option<Word>,
    /// MOVE logical TO path.
    pub moves: Vec<(Word, Word)>,
    /// REPLACE.
    pub replace: bool,
    /// RESTART.
    pub restart: bool,
    /// RESTRICTED_USER.
    pub restricted_user: bool,
    /// PARTIAL.
    pub partial: bool,
    /// FILE = position in the media.
    pub file: Option<Word>,
    /// CREDENTIAL.
    pub credential: Option<Word>,
    /// MEDIANAME.
    pub media_name: Option<Word>,
    /// CHECKSUM (true), NO_CHECKSUM (false).
    pub checksum: Option<bool>,
    /// CONTINUE_AFTER_ERROR.
    pub continue_after_error: bool,
    /// STATS.
    pub stats: Option<u8>,
    /// BLOCKSIZE.
    pub block_size: Option<u64>,
    /// MAXTRANSFERSIZE.
    pub max_transfer_size: Option<u64>,
    /// BUFFERCOUNT.
    pub buffer_count: Option<u64>,
    /// STOPAT, STOPATMARK, STOPBEFOREMARK.
    pub stop: Option<StopOption>,
    /// LOADHISTORY.
    pub load_history: bool,
    /// KEEP_REPLICATION, KEEP_CDC, ENABLE_BROKER, NEW_BROKER, ERROR_BROKER_CONVERSATIONS, as written.
    pub others: Vec<String>,
}
