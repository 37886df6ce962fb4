//! Clients that break the rules: changed, cut and made-up messages at every stage of a connection. Nothing panics, and the
//! server goes on serving those who keep to them.

#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)] // Real time and sockets here.

#[path = "wire_clients/served.rs"]
mod served;
#[path = "wire_clients/stand_in.rs"]
mod stand_in;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use simsql::tds::{Encryption, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::served::{Served, eventually, identity, plain, serve};
use crate::stand_in::PASSWORD;

/// How many panics there were in this process. Both tests count them and fail together.
static PANICS: AtomicU32 = AtomicU32::new(0);

fn count_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        before(info);
    }));
}

/// SplitMix64: the same run from the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % (end as u64)) as usize
    }
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn packet(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap();
    let mut bytes = vec![kind, 1];
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 0, 1, 0]);
    bytes.extend(payload);
    bytes
}

/// A client that does not encrypt.
fn prelogin() -> Vec<u8> {
    packet(0x12, &[0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF, 9, 0, 0, 0, 0, 0, 2])
}

/// `sa` with its password, TDS 7.4.
fn login() -> Vec<u8> {
    let mut bytes = vec![0; 94];
    bytes[4..8].copy_from_slice(&[4, 0, 0, 0x74]);
    let password: Vec<u8> = wide(PASSWORD)
        .iter()
        .map(|byte| byte.rotate_left(4) ^ 0xA5)
        .collect();
    for (at, text) in [(40, wide("sa")), (44, password), (68, wide("master"))] {
        let offset = u16::try_from(bytes.len()).unwrap();
        bytes[at..at + 2].copy_from_slice(&offset.to_le_bytes());
        bytes[at + 2] = u8::try_from(text.len() / 2).unwrap();
        bytes.extend(text);
    }
    let length = u32::try_from(bytes.len()).unwrap();
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    packet(0x10, &bytes)
}

const HEADERS: [u8; 22] = [22, 0, 0, 0, 18, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];

fn nvarchar(name: &str, text: &str) -> Vec<u8> {
    let (name, text) = (wide(name), wide(text));
    let mut bytes = vec![(name.len() / 2) as u8];
    bytes.extend(name);
    bytes.extend([0, 0xE7, 0x40, 0x1F, 9, 4, 0xD0, 0, 52]);
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text);
    bytes
}

/// A batch, a call with parameters of several types, a request about transactions, an attention.
fn requests() -> Vec<Vec<u8>> {
    let batch = [&HEADERS[..], &wide("rows 20")].concat();
    let call = [
        &HEADERS[..],
        &[0xFF, 0xFF, 10, 0, 0, 0],
        &nvarchar("", "echo"),
        &nvarchar("", "@a int, @b decimal(10,2), @c datetime2(7), @d varbinary(max)"),
        &[0, 1, 0x26, 4, 4, 5, 0, 0, 0],
        &[0, 0, 0x6C, 9, 10, 2, 9, 1, 1, 2, 3, 0, 0, 0, 0, 0],
        &[0, 0, 0x2A, 7, 8, 0, 0, 0, 0, 0, 7, 0x24, 0x0B],
        &[
            0, 0, 0xA5, 255, 255, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 2, 0, 0, 0, 0,
        ],
    ];
    let begin = [&HEADERS[..], &[5, 0, 0, 0]].concat();
    vec![
        packet(1, &batch),
        packet(3, &call.concat()),
        packet(14, &begin),
        packet(6, &[]),
    ]
}

/// Reads a message of the server; none where it closed the connection.
async fn answer(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let mut header = [0; 8];
        socket.read_exact(&mut header).await.ok()?;
        let mut payload = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]])) - 8];
        socket.read_exact(&mut payload).await.ok()?;
        message.extend(payload);
        if header[1] & 1 != 0 {
            return Some(message);
        }
    }
}

async fn connect(served: &Served) -> TcpStream {
    TcpStream::connect(("127.0.0.1", served.port)).await.unwrap()
}

async fn logged_in(served: &Served) -> TcpStream {
    let mut socket = connect(served).await;
    for message in [prelogin(), login()] {
        socket.write_all(&message).await.unwrap();
        answer(&mut socket).await.expect("a login by the rules");
    }
    socket
}

/// Some bytes changed, cut off, or added.
fn spoiled(message: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = message.to_vec();
    for _ in 0..=dice.below(3) {
        match dice.below(8) {
            0 if bytes.len() > 1 => bytes.truncate(1 + dice.below(bytes.len() - 1)),
            1 => bytes.insert(dice.below(bytes.len() + 1), dice.below(256) as u8),
            _ => {
                let at = dice.below(bytes.len());
                bytes[at] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF, dice.below(256) as u8][dice.below(7)];
            }
        }
    }
    // Mostly with the right length in front, so that what is in it is read.
    if dice.below(4) != 0 && bytes.len() >= 8 {
        let length = u16::try_from(bytes.len()).unwrap();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes[1] = 1;
    }
    bytes
}

/// Sends bytes, then nothing more, and waits until the server has had enough.
async fn provoke(socket: &mut TcpStream, bytes: &[u8]) {
    if socket.write_all(bytes).await.is_err() || socket.shutdown().await.is_err() {
        return;
    }
    let mut rest = Vec::new();
    let read = timeout(Duration::from_secs(300), socket.read_to_end(&mut rest)).await;
    assert!(
        read.is_ok(),
        "the server neither answers nor closes: {bytes:02X?}"
    );
}

async fn is_well(served: &Served) {
    let mut socket = logged_in(served).await;
    socket.write_all(&requests()[0]).await.unwrap();
    let rows = answer(&mut socket).await.expect("a batch by the rules");
    assert_eq!(rows[0], 0x81, "COLMETADATA");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attention_is_acknowledged_by_a_message_of_its_own() {
    let served = plain().await;
    let mut socket = logged_in(&served).await;
    for _ in 0..3 {
        let batch = [&HEADERS[..], &wide("wait")].concat();
        socket.write_all(&packet(1, &batch)).await.unwrap();
        socket.write_all(&packet(6, &[])).await.unwrap();
        let cancelled = answer(&mut socket).await.expect("the end of the batch");
        // DONE with the error bit, then DONE with the attention bit.
        assert_eq!(cancelled[cancelled.len() - 13..][..3], [0xFD, 0x02, 0]);
        let acknowledged = answer(&mut socket).await.expect("the acknowledgement");
        assert_eq!(acknowledged[..3], [0xFD, 0x20, 0]);
    }
    socket.write_all(&requests()[0]).await.unwrap();
    assert_eq!(answer(&mut socket).await.expect("rows")[0], 0x81);
}

#[tokio::test(flavor = "multi_thread")]
async fn spoiled_messages_at_every_stage() {
    count_panics();
    let served = plain().await;
    let mut dice = Dice(20_261_121);
    for round in 0..600 {
        match round % 3 {
            0 => provoke(&mut connect(&served).await, &spoiled(&prelogin(), &mut dice)).await,
            1 => {
                let mut socket = connect(&served).await;
                socket.write_all(&prelogin()).await.unwrap();
                answer(&mut socket).await.unwrap();
                provoke(&mut socket, &spoiled(&login(), &mut dice)).await;
            }
            _ => {
                let requests = requests();
                let request = &requests[dice.below(requests.len())];
                provoke(&mut logged_in(&served).await, &spoiled(request, &mut dice)).await;
            }
        }
    }
    is_well(&served).await;
    let logins = u32::try_from(served.seen.lock().unwrap().logins.len()).unwrap();
    eventually(&served, |seen| seen.gone >= logins - 1).await;
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_are_none_and_messages_without_end() {
    let limits = Limits {
        message: 100_000,
        login: Duration::from_secs(2),
        ..Limits::default()
    };
    let served = serve(Encryption::Offered(identity()), limits).await;
    let mut dice = Dice(7);
    for _ in 0..50 {
        let mut socket = connect(&served).await;
        // The login is to be encrypted, and then no handshake comes.
        let mut wish = prelogin();
        wish[25] = 1;
        socket.write_all(&wish).await.unwrap();
        answer(&mut socket).await.unwrap();
        let noise: Vec<u8> = (0..dice.below(300)).map(|_| dice.below(256) as u8).collect();
        provoke(&mut socket, &packet(0x12, &noise)).await;
    }
    let mut socket = logged_in(&served).await;
    let mut part = packet(1, &[0; 4000]);
    part[1] = 0;
    for sent in 0.. {
        assert!(
            sent < 10_000,
            "a message of 40 MB is taken where 100 kB are the limit"
        );
        if socket.write_all(&part).await.is_err() {
            break;
        }
    }
    is_well(&served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_log_in_keeps_no_seat() {
    let limits = Limits {
        connections: 3,
        ..Limits::default()
    };
    let served = serve(Encryption::Off, limits).await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(connect(&served).await);
    }
    // Three seats for three guests, though three others sit there already.
    let mut guests = Vec::new();
    for _ in 0..3 {
        guests.push(logged_in(&served).await);
    }
    for mut socket in silent {
        assert_eq!(
            socket.read(&mut [0]).await.unwrap_or(0),
            0,
            "it was told to leave"
        );
    }
    // Who has logged in stays.
    let mut late = connect(&served).await;
    assert_eq!(late.read(&mut [0]).await.unwrap_or(0), 0);
    for mut guest in guests {
        guest.write_all(&requests()[0]).await.unwrap();
        assert_eq!(answer(&mut guest).await.expect("rows")[0], 0x81);
    }
}

/// The kinds of the changes at the beginning of an answer.
fn changes(answer: &[u8]) -> Vec<u8> {
    let (mut kinds, mut rest) = (Vec::new(), answer);
    while let [0xE3, low, high, kind, ..] = rest {
        kinds.push(*kind);
        rest = &rest[3 + usize::from(u16::from_le_bytes([*low, *high]))..];
    }
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_hears_of_each_transaction_and_of_its_database() {
    let served = plain().await;
    let mut socket = logged_in(&served).await;
    let mut request = async |kind: u8, status: u8, content: &[u8]| {
        let mut message = packet(kind, &[&HEADERS[..], content].concat());
        message[1] |= status;
        socket.write_all(&message).await.unwrap();
        answer(&mut socket).await.expect("an answer")
    };
    // TM_BEGIN_XACT; TM_COMMIT_XACT that begins the next one; TM_ROLLBACK_XACT likewise, then alone. 8 began, 9 committed, 10
    // rolled back.
    assert_eq!(changes(&request(14, 0, &[5, 0, 0, 0]).await), [8]);
    assert_eq!(changes(&request(14, 0, &[7, 0, 0, 1, 0, 0]).await), [9, 8]);
    assert_eq!(changes(&request(14, 0, &[8, 0, 0, 1, 0, 0]).await), [9, 8]);
    assert_eq!(changes(&request(14, 0, &[8, 0, 0, 0]).await), [9]);
    // RESETCONNECTION (8) is told (18) behind the database (1) that the session went back to.
    request(1, 0, &wide("use shop")).await;
    assert_eq!(changes(&request(1, 8, &wide("touch")).await), [1, 18]);
    assert_eq!(changes(&request(1, 8, &wide("touch")).await), [18]);
}
