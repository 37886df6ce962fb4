//! A login as a client lays it out, and what may be wrong with it.

use super::{Login, read};
use crate::tds::dialect::{Dialect, wide};
use crate::tds::input::Misread;

/// A LOGIN7 of TDS 7.4 with the texts at offsets 36, 40, 44, 48 and 68 of its header.
fn login(flags: [u8; 4], texts: &[(usize, Vec<u8>)], extension: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 94];
    bytes[4..8].copy_from_slice(&[4, 0, 0, 0x74]);
    bytes[8..12].copy_from_slice(&8000_u32.to_le_bytes());
    bytes[16] = 77;
    bytes[24..28].copy_from_slice(&flags);
    for (at, text) in texts {
        let offset = u16::try_from(bytes.len()).unwrap();
        bytes[*at..at + 2].copy_from_slice(&offset.to_le_bytes());
        bytes[at + 2] = u8::try_from(text.len() / 2).unwrap();
        bytes.extend(text);
    }
    let pointer = u16::try_from(bytes.len()).unwrap();
    bytes[56..58].copy_from_slice(&pointer.to_le_bytes());
    bytes[58] = 4;
    bytes.extend(u32::from(pointer + 4).to_le_bytes());
    bytes.extend(extension);
    let length = u32::try_from(bytes.len()).unwrap();
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

fn usual() -> Vec<u8> {
    // "abc" scrambled: 0x61 has its halves exchanged (0x16) and is XORed with 0xA5 (0xB3); 0 becomes 0xA5.
    let password = vec![0xB3, 0xA5, 0x83, 0xA5, 0x93, 0xA5];
    let texts = [
        (36, wide("host")),
        (40, wide("sa")),
        (44, password),
        (48, wide("app")),
        (68, wide("żółw")),
    ];
    login([0; 4], &texts, &[])
}

fn refusal(result: Result<Login, Misread>) -> Option<i32> {
    match result {
        Err(Misread::Refused(message)) => Some(message.number),
        _ => None,
    }
}

#[test]
fn fields() {
    let Ok(login) = read(&usual()) else {
        panic!("a usual login is understood");
    };
    let request = &login.request;
    assert_eq!(
        (login.dialect, login.packet_size, login.has_extensions),
        (Dialect::V74, 8000, false)
    );
    assert_eq!((request.user.as_str(), request.password.as_str()), ("sa", "abc"));
    assert_eq!((request.host.as_str(), request.program.as_str()), ("host", "app"));
    assert_eq!((request.database.as_str(), request.process), ("żółw", 77));
}

#[test]
fn packet_sizes_are_kept_within_bounds() {
    for (asked, given) in [(0_u32, 4096), (1, 512), (100_000, 32_767)] {
        let mut bytes = usual();
        bytes[8..12].copy_from_slice(&asked.to_le_bytes());
        assert_eq!(read(&bytes).ok().map(|login| login.packet_size), Some(given));
    }
}

#[test]
fn other_ways_to_log_in_are_refused_by_name() {
    assert_eq!(refusal(read(&login([0, 0x80, 0, 0], &[], &[]))), Some(18452));
    // UTF-8 support (1 byte), then federated authentication.
    let extension = [0x0A, 1, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 0xFF];
    assert_eq!(
        refusal(read(&login([0, 0, 0, 0x10], &[], &extension))),
        Some(40510)
    );
    let extension = [0x0A, 1, 0, 0, 0, 1, 0xFF];
    assert!(read(&login([0, 0, 0, 0x10], &[], &extension)).is_ok_and(|login| login.has_extensions));
    let endless = [0x0A, 255, 255, 255, 255, 1, 0xFF];
    assert_eq!(
        read(&login([0, 0, 0, 0x10], &[], &endless)).err(),
        Some(Misread::Broken)
    );
}

#[test]
fn every_cut_and_every_changed_byte_is_survived() {
    let whole = usual();
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_err(), "cut to {length} bytes");
    }
    for at in 0..whole.len() {
        for byte in [0, 1, 0x7F, 0x80, 0xFF] {
            let mut changed = whole.clone();
            changed[at] = byte;
            read(&changed).ok();
        }
    }
}
