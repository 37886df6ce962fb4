//! Every limit of the front door, in one place, with Azure's own number beside it where Azure has one.
//!
//! A limit exists so that no client, honest or not, can make the server grow: what is over a limit waits (back-pressure
//! by not reading the socket) or is refused before its body is read. Sizes are bytes, durations are spelled out.
//!
//! What the protocol itself limits (blocks, block lists, metadata, listings) is in `azblob::limits`.

use std::time::Duration;

/// Connections served at once. One more waits in the kernel's accept queue until another closes. SQL Server opens a
/// handful per stripe and at most 64 stripes per backup. Azure: not published.
pub const CONNECTIONS: usize = 1024;

/// How long a connection may take to send a request head, counted from the moment the server is ready for it; so it is
/// also how long a kept-alive connection may idle, but for [`HOLDER_IDLE`]. Azure closes idle connections after a few
/// minutes.
pub const HEAD_TIME: Duration = Duration::from_secs(120);

/// How long a connection may idle whose latest request was about a blob that a lease locks. SQL Server that waits for its
/// own disk, or for somebody to answer a prompt of its, sends nothing for hours, and its open connection is what shows
/// that it lives. No backup pauses for a day.
pub const HOLDER_IDLE: Duration = Duration::from_secs(24 * 3600);

/// Connections that may idle for longer than [`HEAD_TIME`]; the other half of the seats stays with those who ask.
pub const HOLDERS_IDLE: usize = CONNECTIONS / 2;

/// The kernel asks a connection that was silent for so long whether its other side lives; ...
pub const PEER_SILENT: Duration = Duration::from_secs(60);
/// ... asks again after so long without an answer; ...
pub const PEER_ASKED: Duration = Duration::from_secs(10);
/// ... and ends the connection after so many: two minutes after a machine lost its power, no connection of it is left.
pub const PEER_PROBES: u32 = 6;

/// Blobs that are locked, and not used at this moment, whose latest uses are remembered; a few hundred bytes each. A blob
/// is locked while somebody backs up to it or restores from it, or was interrupted.
pub const USES: usize = 100_000;

/// How often blobs are looked for whose lease ran out by itself, so that their uses need not be remembered.
pub const USES_SWEEP: Duration = Duration::from_secs(60);

/// How long a TLS handshake may take. It is over in two round trips; what takes longer speaks no TLS or wants a seat.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How often certificates are looked at: whether our own end soon, and whether the user's files have changed.
pub const CERTIFICATE_POLL: Duration = Duration::from_secs(30);

/// How long the body of a request may make no progress before the client counts as gone.
pub const BODY_STALL: Duration = Duration::from_secs(60);

/// How long a client may take no byte of an answer before its connection is closed.
pub const ANSWER_STALL: Duration = Duration::from_secs(60);

/// How long the server waits after an accept that failed, for want of file descriptors say.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections of the health listener served at once, and how long one may last: a scrape is over in milliseconds.
pub const WATCHERS: usize = 32;
/// See [`WATCHERS`].
pub const WATCH_TIME: Duration = Duration::from_secs(600);

/// With fewer bytes than this free beside the data directory the server counts as unhealthy: what is left takes the
/// blocks of a few parallel stripes, and deletes have their own reserve.
pub const DISK_LOW: u64 = 1024 * 1024 * 1024;

/// With less than this left of its certificate the server counts as unhealthy: one of our own would have been renewed a
/// week before.
pub const CERTIFICATE_LOW: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long a graceful stop waits for requests that are being served.
pub const GRACE: Duration = Duration::from_secs(10);

/// Request line and header fields together, bytes. Azure: 8 KiB of metadata and URLs of some kilobytes.
pub const HEAD_BYTES: usize = 64 * 1024;

/// Header fields of one request.
pub const HEADERS: usize = 128;

/// The connection's read buffer, and so the largest body frame, bytes. Larger frames mean fewer wake-ups, smaller ones
/// stay in the processor's cache between the socket, the checksum and the file.
pub const FRAME: usize = 256 * 1024;

/// Body bytes gathered before a blocking thread is asked to write them.
pub const BATCH: usize = 1024 * 1024;

/// How long a batch that is not full waits for its next frame before it is written as it is, so that slow clients hold
/// no share of [`BYTES_IN_FLIGHT`].
pub const GATHER_PAUSE: Duration = Duration::from_millis(200);

/// Body bytes received and not yet handed to the file, over all connections.
pub const BYTES_IN_FLIGHT: usize = 64 * 1024 * 1024;

/// Bodies gathered in memory (block lists, batches, properties) that are longer than [`SMALL_DOCUMENT`], over all
/// connections, bytes. More than the longest one, so that each finds room in the end.
pub const DOCUMENTS_IN_FLIGHT: usize = 64 * 1024 * 1024;

/// Bodies gathered in memory that are no longer than this wait for no room: all connections together hold at most 64 MiB
/// of them.
pub const SMALL_DOCUMENT: u64 = 64 * 1024;

/// How long a body that is gathered in memory may take from its first byte to its last; the longest one needs 56 KB/s.
pub const DOCUMENT_TIME: Duration = Duration::from_secs(300);

/// Bytes of one read chunk of a download; each is verified whole before it is sent.
pub const READ_CHUNK: usize = 256 * 1024;

/// Chunks one blocking call reads at most, and so how far a download reads ahead of its client.
pub const READ_AHEAD: usize = 4;

/// Bytes read and not yet taken by clients, over all downloads, up to which downloads read ahead; beyond it each has one
/// chunk, so that all together never hold more than this and [`CONNECTIONS`] chunks.
pub const READ_BYTES: usize = 64 * 1024 * 1024;

/// Idle read buffers kept for reuse.
pub const IDLE_BUFFERS: usize = 64;

/// Bytes of a refused request's body that are read and dropped so that the client, which usually sends all before it
/// reads, sees the answer instead of a reset connection. Beyond it the connection is closed.
pub const DRAIN: u64 = 16 * 1024 * 1024;

/// How long such draining may take.
pub const DRAIN_TIME: Duration = Duration::from_secs(10);

/// Bytes of blocks kept in memory for the verifier, over all blobs; what does not fit is read back from page cache.
pub const PROOF_MEMORY: usize = 64 * 1024 * 1024;

/// Blobs that are verified while they arrive; beyond it the one untouched for longest is dropped and verified after its
/// commit instead. A run costs about 1 MiB.
pub const PROOF_RUNS: usize = 128;

/// Bytes of one blob that may wait in memory before its first block is known: other blobs need the room more.
pub const PROOF_WAITING: usize = 16 * 1024 * 1024;

/// Bytes the verifier reads at a time when it reads back from the store.
pub const PROOF_READ: usize = 1024 * 1024;

/// Bytes of one block or blob that the verifier reads back before other work gets its turn: some milliseconds.
pub const PROOF_SLICE: u64 = 16 * 1024 * 1024;

/// A page or append blob counts as finished when nothing was written to it for so long, even if its lease is held still
/// (a backup that was interrupted); the verdict is final only without a lease.
pub const PROOF_QUIET: Duration = Duration::from_secs(60);

/// Zeros in a hole of a page blob that the verifier is fed, bytes; where a larger hole begins, the backup ends for it.
pub const PROOF_HOLE: u64 = 1024 * 1024 * 1024;

/// How often leases of judged blobs are looked at: a lease that ran out by itself sends no request.
pub const PROOF_SWEEP: Duration = Duration::from_secs(15);

/// Copies inside the server that take longer than a request should are carried out by so many threads.
pub const COPY_THREADS: usize = 2;

/// Copies that may wait for one of them; beyond it 503 `ServerBusy`. Each holds two files open.
pub const COPIES_WAITING: usize = 64;

/// Largest source, bytes, that is copied before the answer: one or two seconds of work. Azure: Copy Blob From URL takes
/// no larger one; how long Copy Blob stays pending is not told.
pub const COPY_AT_ONCE: u64 = 256 << 20;

/// Copies carried out before their answer (Copy Blob up to [`COPY_AT_ONCE`], Put Blob, Put Block, Put Page and Append
/// Block From URL), over all connections. Each takes a blocking thread, which everybody needs, for up to some seconds, and
/// a few megabytes; the disk is busy with fewer.
pub const COPIES_AT_ONCE: usize = 8;

/// How long one may wait for its turn; then 503 `ServerBusy`.
pub const COPY_PATIENCE: Duration = Duration::from_secs(30);

/// How often the store is swept: uncommitted blocks a week old are dropped, deleted containers purged.
pub const SWEEP: Duration = Duration::from_secs(3600);

/// One command line on the control socket, bytes: a thousand names of blobs of the longest kind.
pub const CONTROL_LINE: usize = 1024 * 1024;

/// How long a client of the control socket may take to send its command.
pub const CONTROL_TIME: Duration = Duration::from_secs(10);
