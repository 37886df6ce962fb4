//! From an accepted socket to a session: PRELOGIN, TLS, LOGIN7 and the answer to it.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;

use crate::message::{Failure, Message};
use crate::tds::answering::Manner;
use crate::tds::backend::{Backend, Greeting, Guest};
use crate::tds::dialect::{Dialect, collation};
use crate::tds::encode::Speech;
use crate::tds::handshake;
use crate::tds::input::Misread;
use crate::tds::login::{self, Login};
use crate::tds::packet::{Framing, Kind, ReadError, Reader, SIZE_DEFAULT};
use crate::tds::prelogin::{self, Cover, Offer, Prelogin, Wish};
use crate::tds::prepared::Prepared;
use crate::tds::request::Seat;
use crate::tds::token::{self, Change, Done, done};
use crate::tds::{Encryption, Limits};

/// Bytes of a message before somebody is logged in.
const LONGEST: usize = 128 * 1024;
/// The largest packet where everything is encrypted: what a TLS record has room for.
const ENCRYPTED_PACKET: usize = 16_383;
/// What the server calls itself; clients look whether it begins with Microsoft, and with it choose how to speak.
const PRODUCT: &str = "Microsoft SQL Server (simulated by bac2)";
const LANGUAGE: &str = "us_english";

/// A socket, in clear or encrypted.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// Somebody logged in.
pub(super) struct Arrival {
    pub(super) socket: Box<dyn Duplex>,
    /// What was received already of the next message.
    pub(super) received: BytesMut,
    pub(super) seat: Seat,
    pub(super) manner: Manner,
}

/// Why nobody did.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the client left before it logged in")]
    Left,
    #[error("the client's first messages were not understood")]
    Misread,
    #[error("client and server cannot agree on encryption")]
    Encryption,
    #[error("the login was refused")]
    Login,
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Receives a client.
pub(super) async fn receive(
    socket: TcpStream,
    backend: &Arc<dyn Backend>,
    encryption: &Encryption,
    limits: &Limits,
) -> Result<Arrival, Refusal> {
    let greeting = backend.greeting();
    let (socket, cover) = agree(socket, &greeting, encryption).await?;
    let identity = match encryption {
        Encryption::Off => None,
        Encryption::Offered(identity) | Encryption::Required(identity) => Some(Arc::clone(identity)),
    };
    let mut socket: Box<dyn Duplex> = match (cover, identity) {
        (Cover::All, Some(identity)) => Box::new(handshake::accept(socket, identity).await?),
        (Cover::Login, Some(identity)) => {
            let stream = handshake::accept(socket, identity).await?;
            let mut reader = Reader::new(stream, LONGEST);
            let login = read_login(&mut reader).await;
            let (stream, _) = reader.into_parts();
            let socket: Box<dyn Duplex> = Box::new(stream.into_inner().0.into_socket());
            return admit(socket, BytesMut::new(), login?, backend, &greeting, cover).await;
        }
        _ => Box::new(socket),
    };
    let mut reader = Reader::new(&mut socket, LONGEST.min(limits.message));
    let login = read_login(&mut reader).await?;
    let (_, received) = reader.into_parts();
    admit(socket, received, login, backend, &greeting, cover).await
}

/// The first messages of both sides.
async fn agree(
    mut socket: TcpStream,
    greeting: &Greeting,
    encryption: &Encryption,
) -> Result<(TcpStream, Cover), Refusal> {
    let offer = match encryption {
        Encryption::Off => Offer::Never,
        Encryption::Offered(_) => Offer::Possible,
        Encryption::Required(_) => Offer::Always,
    };
    let mut reader = Reader::new(&mut socket, LONGEST);
    let first = reader.next().await?.ok_or(Refusal::Left)?;
    if first.kind != Kind::Prelogin {
        return Err(Refusal::Misread);
    }
    let prelogin: Prelogin = prelogin::read(&first.payload).map_err(|_| Refusal::Misread)?;
    let (answer, cover): (Wish, Option<Cover>) = prelogin::agree(offer, prelogin.wish);
    let framing = Framing {
        size: SIZE_DEFAULT,
        session: 0,
    };
    let message = framing.message(&prelogin::answer(greeting.version, answer, &prelogin));
    socket.write_all(&message).await?;
    Ok((socket, cover.ok_or(Refusal::Encryption)?))
}

async fn read_login<S: AsyncRead + Unpin>(reader: &mut Reader<S>) -> Result<Result<Login, Misread>, Refusal> {
    let message = reader.next().await?.ok_or(Refusal::Left)?;
    if message.kind != Kind::Login {
        return Err(Refusal::Misread);
    }
    Ok(login::read(&message.payload))
}

/// Logs in and answers.
async fn admit(
    mut socket: Box<dyn Duplex>,
    received: BytesMut,
    login: Result<Login, Misread>,
    backend: &Arc<dyn Backend>,
    greeting: &Greeting,
    cover: Cover,
) -> Result<Arrival, Refusal> {
    let (mut login, guest) = match login {
        Err(misread) => {
            let failure = misread.into_message().into();
            return refuse(socket, failure, greeting, Dialect::V74).await;
        }
        Ok(login) => {
            let (backend, request) = (Arc::clone(backend), login.request.clone());
            let connected = spawn_blocking(move || backend.connect(&request)).await;
            match connected.map_err(io::Error::other)? {
                Ok(guest) => (login, guest),
                Err(failure) => return refuse(socket, failure, greeting, login.dialect).await,
            }
        }
    };
    if cover == Cover::All {
        login.packet_size = login.packet_size.min(ENCRYPTED_PACKET);
    }
    let manner = Manner {
        speech: Speech {
            dialect: login.dialect,
            collation: collation(&greeting.collation),
        },
        framing: Framing {
            size: login.packet_size,
            session: guest.id(),
        },
        server: greeting.server.clone(),
    };
    // The answer itself still goes out in packets of the default size.
    let framing = Framing {
        size: SIZE_DEFAULT,
        ..manner.framing
    };
    let message = framing.message(&welcome(&login, greeting, &manner, &*guest));
    socket.write_all(&message).await?;
    socket.flush().await?;
    let seat = Seat {
        guest,
        prepared: Prepared::default(),
        transaction: 0,
        dialect: login.dialect,
    };
    Ok(Arrival {
        socket,
        received,
        seat,
        manner,
    })
}

/// The answer to a login, in the order of a real server's.
fn welcome(login: &Login, greeting: &Greeting, manner: &Manner, guest: &dyn Guest) -> Vec<u8> {
    let mut out = Vec::new();
    let (dialect, database) = (login.dialect, guest.database());
    let tell = |message: Message, out: &mut Vec<u8>| {
        token::message(&Message { line: 1, ..message }, &greeting.server, dialect, out);
    };
    token::change(Change::Database("master", &database), &mut out);
    tell(Message::new(5701, &[&database]).with_state(2), &mut out);
    token::change(Change::Collation(manner.speech.collation), &mut out);
    token::change(Change::Language(LANGUAGE), &mut out);
    tell(Message::new(5703, &[&LANGUAGE]), &mut out);
    let version = greeting.version;
    let [build_high, build_low] = version.build.to_be_bytes();
    let numbers = [version.major, version.minor, build_high, build_low];
    token::login_ack(dialect, PRODUCT, numbers, &mut out);
    token::change(Change::PacketSize(SIZE_DEFAULT, login.packet_size), &mut out);
    if login.has_extensions && dialect >= Dialect::V74 {
        token::no_features(&mut out);
    }
    token::done(Done::Statement, 0, 0, 0, dialect, &mut out);
    out
}

/// Says why not, and waits no longer.
async fn refuse(
    mut socket: Box<dyn Duplex>,
    failure: Failure,
    greeting: &Greeting,
    dialect: Dialect,
) -> Result<Arrival, Refusal> {
    let mut out = Vec::new();
    for message in failure.messages {
        let line = message.line.max(1);
        token::message(&Message { line, ..message }, &greeting.server, dialect, &mut out);
    }
    token::done(Done::Statement, done::ERROR, 0, 0, dialect, &mut out);
    let framing = Framing {
        size: SIZE_DEFAULT,
        session: 0,
    };
    socket.write_all(&framing.message(&out)).await?;
    socket.shutdown().await?;
    Err(Refusal::Login)
}
