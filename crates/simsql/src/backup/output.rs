//! Where the bytes of one media family gather until they go out, transfer by transfer, to its device and the devices that mirror
//! it.
//!
//! Pages are read right into the buffer that goes out; a device that is done with it gives it back, so that a backup to `NUL`
//! touches each byte once.

use bak::compressed::Encoder;
use bak::writer::{Buffer, Piece, Sink};
use bytes::Bytes;

use crate::media::MediaSink;
use crate::message::Failure;
use crate::session::Session;

/// What stands before and behind pages and log goes out in writes of this size, as block lists of real backups to URLs show.
pub(super) const FRAME_TRANSFER: usize = 65_536;

/// Bytes of a family that wait to go out.
pub(super) enum Output {
    /// As they are.
    Plain(Vec<u8>),
    /// Into the compressed container.
    Packed(Box<Encoder>),
}

impl Sink for Output {
    fn write(&mut self, piece: Piece, bytes: &[u8]) {
        match self {
            Self::Plain(buffer) => buffer.extend_from_slice(bytes),
            Self::Packed(encoder) => encoder.write(piece, bytes),
        }
    }

    fn filemark_offset(&mut self, block_size: usize) -> Option<u64> {
        match self {
            Self::Plain(_) => None,
            Self::Packed(encoder) => encoder.filemark_offset(block_size),
        }
    }
}

impl Buffer for Output {
    fn buffer(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Plain(buffer) => buffer,
            Self::Packed(encoder) => encoder.buffer(),
        }
    }
}

impl Output {
    /// The next write of at most `most` bytes; `None` where nothing waits. Without `whole` only full blocks go, so that what
    /// follows stays on their bounds, and compressed bytes wait until they fill a write.
    fn take(&mut self, most: usize, block: usize, whole: bool) -> Option<Vec<u8>> {
        match self {
            Self::Plain(buffer) => {
                let ready = if whole {
                    buffer.len()
                } else {
                    buffer.len() / block * block
                };
                match ready.min(most) {
                    0 => None,
                    now if now == buffer.len() => Some(std::mem::take(buffer)),
                    now => {
                        let rest = buffer.split_off(now);
                        Some(std::mem::replace(buffer, rest))
                    }
                }
            }
            Self::Packed(encoder) => {
                encoder.pack();
                let made = encoder.made().len();
                let enough = made >= most || (whole && made > 0);
                enough.then(|| encoder.take(made.min(most)))
            }
        }
    }
}

/// The devices of one family: its own and its mirrors'.
pub(super) struct Devices {
    sinks: Vec<Box<dyn MediaSink>>,
    /// Bytes of a physical block.
    block: usize,
    /// The last transfer, kept for its memory.
    last: Bytes,
    /// Bytes sent.
    pub(super) sent: u64,
}

impl Devices {
    pub(super) fn new(sinks: Vec<Box<dyn MediaSink>>, block: usize) -> Self {
        Self {
            sinks,
            block,
            last: Bytes::new(),
            sent: 0,
        }
    }

    /// Sends what waits, in transfers of at most `most` bytes.
    ///
    /// # Errors
    /// Those of the devices; [`Failure::cancelled`] where the session was told to stop.
    pub(super) async fn send(
        &mut self,
        session: &Session,
        output: &mut Output,
        most: usize,
        whole: bool,
    ) -> Result<(), Failure> {
        while let Some(transfer) = output.take(most, self.block, whole) {
            let transfer = Bytes::from(transfer);
            self.sent += transfer.len() as u64;
            for sink in &mut self.sinks {
                session
                    .canceller
                    .unless_cancelled(sink.write(transfer.clone()))
                    .await??;
            }
            self.last = transfer;
            self.give_back(output);
        }
        Ok(())
    }

    /// Gives the memory of the last transfer back, where no device still has it.
    fn give_back(&mut self, output: &mut Output) {
        if let Output::Plain(buffer) = output
            && buffer.capacity() == 0
            && let Ok(mut memory) = std::mem::take(&mut self.last).try_into_mut()
        {
            memory.clear();
            *buffer = Vec::from(memory);
        }
    }

    /// Ends the media; from here on they are a backup.
    ///
    /// # Errors
    /// Those of the devices.
    pub(super) async fn finish(&mut self) -> Result<(), Failure> {
        for sink in &mut self.sinks {
            sink.finish().await?;
        }
        Ok(())
    }

    /// The backup failed.
    pub(super) async fn abandon(&mut self) {
        for sink in &mut self.sinks {
            sink.abandon().await;
        }
    }
}
