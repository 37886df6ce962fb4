//! Packets: the frames that messages travel in. [MS-TDS] 2.2.3.
//!
//! A message is cut into packets of at most the negotiated size; the last one says so. The reader keeps what it has read
//! between calls, so that a wait for the next message may be given up at any moment without losing a byte.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of a packet's header.
pub(super) const HEADER: usize = 8;
/// The packet size before and without negotiation.
pub(super) const SIZE_DEFAULT: usize = 4096;
/// The sizes that may be negotiated.
pub(super) const SIZES: std::ops::RangeInclusive<usize> = 512..=32_767;

const END_OF_MESSAGE: u8 = 0x01;
const IGNORE: u8 = 0x02;
const RESET: u8 = 0x08;
const RESET_KEEP_TRANSACTION: u8 = 0x10;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text of a batch.
    Batch,
    /// Procedure calls.
    Call,
    /// Cancels what runs.
    Attention,
    /// Rows of BULK INSERT.
    BulkLoad,
    /// A request about transactions.
    Transaction,
    /// LOGIN7.
    Login,
    /// The first message of all, and the TLS handshake.
    Prelogin,
    /// Anything else: logins of TDS 4.2, tokens of other ways to log in.
    Other,
}

impl Kind {
    fn of(byte: u8) -> Self {
        match byte {
            0x01 => Self::Batch,
            0x03 => Self::Call,
            0x06 => Self::Attention,
            0x07 => Self::BulkLoad,
            0x0E => Self::Transaction,
            0x10 => Self::Login,
            0x12 => Self::Prelogin,
            _ => Self::Other,
        }
    }
}

/// What a client asked for before its request runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reset {
    /// Nothing.
    No,
    /// As if it had just logged in.
    All,
    /// The same, but its transaction stays open.
    KeepTransaction,
}

/// Bytes of each message that count for nothing in a [`Room`].
const SMALL: usize = 1 << 20;
/// Bytes in which a room is measured.
const UNIT: usize = 64 * 1024;

/// The memory that the large messages of all connections share, from their first packets until they are answered.
#[derive(Clone)]
pub(super) struct Room {
    units: Arc<Semaphore>,
}

impl Room {
    /// For so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            units: Arc::new(Semaphore::new(bytes / UNIT)),
        }
    }
}

/// A message's part of a room; let go with it.
#[derive(Debug, Default)]
pub(super) struct Held(Option<OwnedSemaphorePermit>);

impl Held {
    /// Takes what a message of so many bytes needs; `false` where there is no room for it.
    fn grow(&mut self, room: &Room, bytes: usize) -> bool {
        let needed = bytes.saturating_sub(SMALL).div_ceil(UNIT);
        let held = self.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = needed.saturating_sub(held);
        if more == 0 {
            return true;
        }
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&room.units).try_acquire_many_owned(more) else {
            return false;
        };
        match &mut self.0 {
            Some(own) => own.merge(permit),
            none => *none = Some(permit),
        }
        true
    }
}

/// A whole message.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) kind: Kind,
    pub(super) reset: Reset,
    /// The client gave it up while it sent it: it is not to be run.
    pub(super) given_up: bool,
    pub(super) payload: Vec<u8>,
    held: Held,
}

/// Why the next message could not be read; the connection is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("the connection was closed in the middle of a message")]
    Cut,
    #[error("a packet's header contradicts itself")]
    Header,
    #[error("the message is longer than {0} bytes")]
    TooLong(usize),
    #[error("the messages of all connections together are too long")]
    Crowded,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Reads messages.
pub(super) struct Reader<R> {
    io: R,
    received: BytesMut,
    begun: Option<Incoming>,
    longest: usize,
    room: Option<Room>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Of messages up to `longest` bytes.
    pub(super) fn new(io: R, longest: usize) -> Self {
        Self {
            io,
            received: BytesMut::new(),
            begun: None,
            longest,
            room: None,
        }
    }

    /// The same over another socket or a part of it, after what was received already.
    pub(super) fn after(io: R, received: BytesMut, longest: usize) -> Self {
        Self {
            received,
            ..Self::new(io, longest)
        }
    }

    /// The same with its large messages in a room.
    pub(super) fn within(mut self, room: Room) -> Self {
        self.room = Some(room);
        self
    }

    /// The socket back, with the bytes that were received and belong to nothing read yet.
    pub(super) fn into_parts(self) -> (R, BytesMut) {
        (self.io, self.received)
    }

    /// The next message; `None` where the client has closed the connection between two. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Result<Option<Incoming>, ReadError> {
        loop {
            if let Some(message) = self.take_packets()? {
                return Ok(Some(message));
            }
            self.received.reserve(SIZE_DEFAULT);
            if self.io.read_buf(&mut self.received).await? == 0 {
                let is_between = self.begun.is_none() && self.received.is_empty();
                return if is_between { Ok(None) } else { Err(ReadError::Cut) };
            }
        }
    }

    /// Moves the packets received into the message, until one ends it.
    fn take_packets(&mut self) -> Result<Option<Incoming>, ReadError> {
        while self.received.len() >= HEADER {
            let (kind, status) = (Kind::of(self.received[0]), self.received[1]);
            let length = usize::from(u16::from_be_bytes([self.received[2], self.received[3]]));
            if !(HEADER..=*SIZES.end()).contains(&length) {
                return Err(ReadError::Header);
            }
            if self.received.len() < length {
                return Ok(None);
            }
            let packet = self.received.split_to(length);
            let message = self.begun.get_or_insert_with(|| Incoming {
                kind,
                reset: reset(status),
                given_up: false,
                payload: Vec::new(),
                held: Held::default(),
            });
            if message.kind != kind {
                return Err(ReadError::Header);
            }
            if message.payload.len() + length - HEADER > self.longest {
                return Err(ReadError::TooLong(self.longest));
            }
            let bytes = message.payload.len() + length - HEADER;
            if let Some(room) = &self.room
                && !message.held.grow(room, bytes)
            {
                return Err(ReadError::Crowded);
            }
            message.payload.extend_from_slice(&packet[HEADER..]);
            if status & END_OF_MESSAGE != 0 {
                message.given_up = status & IGNORE != 0;
                return Ok(self.begun.take());
            }
        }
        Ok(None)
    }
}

fn reset(status: u8) -> Reset {
    if status & RESET_KEEP_TRANSACTION != 0 {
        Reset::KeepTransaction
    } else if status & RESET != 0 {
        Reset::All
    } else {
        Reset::No
    }
}

/// Cuts a message of the server into packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Framing {
    /// Bytes of a packet, header included.
    pub(super) size: usize,
    /// The session's number, shown in every packet.
    pub(super) session: u16,
}

/// Type of all messages from a server.
const TABULAR_RESULT: u8 = 0x04;

impl Framing {
    /// Moves `payload` into packets at the end of `packets`; `number` counts them within their message. A message's last
    /// packet must hold something: where the message goes on, a remainder of a packet is left in `payload` unless `flush`.
    pub(super) fn cut(&self, payload: &mut BytesMut, end: End, number: &mut u8, packets: &mut Vec<u8>) {
        let room = self.size - HEADER;
        loop {
            let is_last = payload.len() <= room;
            if payload.is_empty() || (is_last && end == End::No) {
                return;
            }
            let part = payload.len().min(room);
            let is_end = is_last && end == End::Message;
            let length = u16::try_from(part + HEADER).expect("a packet's size fits");
            *number = number.wrapping_add(1);
            packets.extend([TABULAR_RESULT, if is_end { END_OF_MESSAGE } else { 0 }]);
            packets.extend(length.to_be_bytes());
            packets.extend(self.session.to_be_bytes());
            packets.extend([*number, 0]);
            packets.extend_from_slice(&payload[..part]);
            payload.advance(part);
        }
    }

    /// A whole message.
    pub(super) fn message(&self, payload: &[u8]) -> Vec<u8> {
        let mut packets = Vec::new();
        self.cut(&mut payload.into(), End::Message, &mut 0, &mut packets);
        packets
    }
}

/// What follows the bytes that are cut into packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// More soon: only full packets go out.
    No,
    /// More, but nobody knows when: all goes out.
    Flush,
    /// Nothing: the message is complete.
    Message,
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{End, Framing, Incoming, Kind, ReadError, Reader, Reset, Room, SMALL, UNIT};

    fn packet(kind: u8, status: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind, status];
        bytes.extend(u16::try_from(payload.len() + 8).unwrap().to_be_bytes());
        bytes.extend([0, 0, 1, 0]);
        bytes.extend(payload);
        bytes
    }

    async fn read(bytes: &[u8]) -> Result<Option<Incoming>, ReadError> {
        Reader::new(bytes, 10).next().await
    }

    #[tokio::test]
    async fn messages_span_packets() {
        let bytes = [packet(1, 0x08, b"abc"), packet(1, 1, b"def")].concat();
        let whole = read(&bytes).await.unwrap().unwrap();
        assert_eq!(
            (whole.kind, whole.reset, whole.given_up),
            (Kind::Batch, Reset::All, false)
        );
        assert_eq!(whole.payload, b"abcdef");
        assert!(read(&[]).await.unwrap().is_none());
        assert!(read(&packet(1, 3, b"")).await.unwrap().unwrap().given_up);
    }

    #[tokio::test]
    async fn large_messages_share_a_room() {
        let large = |bytes: usize| {
            let mut packets = packet(1, 0, &[7; 32_000]).repeat(bytes / 32_000);
            packets.extend(packet(1, 1, &[7; 1]));
            packets
        };
        let room = Room::new(16 * UNIT);
        let read = async |bytes: &[u8]| Reader::new(bytes, 1 << 30).within(room.clone()).next().await;
        let (small, twelve) = (large(SMALL - 32_000), large(SMALL + 12 * UNIT));
        let first = read(&twelve).await.unwrap().unwrap();
        assert!(matches!(read(&twelve).await, Err(ReadError::Crowded)));
        // Neither the one that was let go nor small ones take any of it.
        assert!(read(&small).await.unwrap().is_some());
        assert_eq!(room.units.available_permits(), 4);
        drop(first);
        assert_eq!(room.units.available_permits(), 16);
        assert!(read(&twelve).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn headers_that_lie() {
        assert!(matches!(
            read(&[1, 1, 0, 7, 0, 0, 1, 0]).await,
            Err(ReadError::Header)
        ));
        assert!(matches!(
            read(&[1, 1, 255, 255, 0, 0, 1, 0]).await,
            Err(ReadError::Header)
        ));
        assert!(matches!(
            read(&[1, 1, 0, 9, 0, 0, 1, 0]).await,
            Err(ReadError::Cut)
        ));
        assert!(matches!(
            read(&packet(1, 1, &[0; 11])).await,
            Err(ReadError::TooLong(10))
        ));
        let mixed = [packet(1, 0, b"a"), packet(3, 1, b"b")].concat();
        assert!(matches!(read(&mixed).await, Err(ReadError::Header)));
    }

    #[test]
    fn the_last_packet_is_never_empty() {
        let framing = Framing {
            size: 512,
            session: 51,
        };
        let mut payload = BytesMut::from(&[7; 504][..]);
        let (mut packets, mut number) = (Vec::new(), 0);
        framing.cut(&mut payload, End::No, &mut number, &mut packets);
        assert!(packets.is_empty(), "a full packet may be the last one");
        payload.extend_from_slice(&[8]);
        framing.cut(&mut payload, End::No, &mut number, &mut packets);
        assert_eq!(packets[..8], [4, 0, 2, 0, 0, 51, 1, 0]);
        assert_eq!(packets.len(), 512);
        framing.cut(&mut payload, End::Message, &mut number, &mut packets);
        assert_eq!(packets[512..], [4, 1, 0, 9, 0, 51, 2, 0, 8]);
    }
}
