//! PRELOGIN: versions and encryption are agreed before anything else. [MS-TDS] 2.2.6.5.
//!
//! Multiple active result sets are refused by answering that there are none: clients then open further connections.

use bak::SoftwareVersion;

use crate::tds::input::Misread;

const VERSION: u8 = 0x00;
const ENCRYPTION: u8 = 0x01;
const INSTANCE: u8 = 0x02;
const MARS: u8 = 0x04;
const FEDERATED: u8 = 0x06;
const TERMINATOR: u8 = 0xFF;

/// What a client or a server says about encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Only the login.
    Off = 0,
    /// All.
    On = 1,
    /// It cannot.
    NotSupported = 2,
    /// All or nothing.
    Required = 3,
}

/// What a client said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Prelogin {
    pub(super) wish: Wish,
    /// It asked whether federated authentication is needed.
    pub(super) asks_federated: bool,
}

/// What is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cover {
    /// Nothing.
    Nothing,
    /// The login message.
    Login,
    /// Everything.
    All,
}

/// What the server has to offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    Never,
    Possible,
    Always,
}

/// Reads the client's message: a table of options, each with offset and length, big-endian.
pub(super) fn read(payload: &[u8]) -> Result<Prelogin, Misread> {
    let mut prelogin = Prelogin {
        wish: Wish::NotSupported,
        asks_federated: false,
    };
    let mut table = payload;
    loop {
        let [option, rest @ ..] = table else {
            return Err(Misread::Broken);
        };
        if *option == TERMINATOR {
            return Ok(prelogin);
        }
        let [o1, o2, l1, l2, rest @ ..] = rest else {
            return Err(Misread::Broken);
        };
        let offset = usize::from(u16::from_be_bytes([*o1, *o2]));
        let length = usize::from(u16::from_be_bytes([*l1, *l2]));
        let data = payload.get(offset..offset + length).ok_or(Misread::Broken)?;
        match (*option, data) {
            // The high bit offers a client certificate, for which there is no use.
            (ENCRYPTION, [wish, ..]) => prelogin.wish = wish_of(wish & 0x7F)?,
            (FEDERATED, _) => prelogin.asks_federated = true,
            _ => {}
        }
        table = rest;
    }
}

fn wish_of(byte: u8) -> Result<Wish, Misread> {
    Ok(match byte {
        0 => Wish::Off,
        1 => Wish::On,
        2 => Wish::NotSupported,
        3 => Wish::Required,
        _ => return Err(Misread::Broken),
    })
}

/// The answer to a wish and what is encrypted then; `None` where the two cannot agree, and the client is to be let go after the
/// answer. The table of [MS-TDS] 2.2.6.5.
pub(super) fn agree(offer: Offer, wish: Wish) -> (Wish, Option<Cover>) {
    match (offer, wish) {
        (Offer::Never, Wish::Off | Wish::NotSupported) => (Wish::NotSupported, Some(Cover::Nothing)),
        (Offer::Never, Wish::On | Wish::Required) => (Wish::NotSupported, None),
        (Offer::Possible, Wish::Off) => (Wish::Off, Some(Cover::Login)),
        (Offer::Possible, Wish::NotSupported) => (Wish::NotSupported, Some(Cover::Nothing)),
        (_, Wish::On | Wish::Required) => (Wish::On, Some(Cover::All)),
        (Offer::Always, Wish::Off) => (Wish::Required, Some(Cover::All)),
        (Offer::Always, Wish::NotSupported) => (Wish::Required, None),
    }
}

/// The server's message.
pub(super) fn answer(version: SoftwareVersion, wish: Wish, prelogin: &Prelogin) -> Vec<u8> {
    let [build_high, build_low] = version.build.to_be_bytes();
    let mut options = vec![
        (
            VERSION,
            vec![version.major, version.minor, build_high, build_low, 0, 0],
        ),
        (ENCRYPTION, vec![wish as u8]),
        (INSTANCE, vec![0]),
        (MARS, vec![0]),
    ];
    if prelogin.asks_federated {
        options.push((FEDERATED, vec![0]));
    }
    let mut offset = u16::try_from(options.len() * 5 + 1).expect("few options");
    let mut table = Vec::new();
    let mut data = Vec::new();
    for (option, bytes) in options {
        let length = u16::try_from(bytes.len()).expect("short options");
        table.push(option);
        table.extend(offset.to_be_bytes());
        table.extend(length.to_be_bytes());
        data.extend(bytes);
        offset += length;
    }
    table.push(TERMINATOR);
    table.extend(data);
    table
}

#[cfg(test)]
mod tests {
    use bak::SoftwareVersion;

    use super::{Cover, Offer, Prelogin, Wish, agree, answer, read};

    #[test]
    fn a_clients_message() {
        // Version at 11, encryption "on" at 17: the layout of the example in [MS-TDS] 4.1, shortened.
        let payload = [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF, 9, 0, 0, 0, 0, 0, 1];
        let expected = Prelogin {
            wish: Wish::On,
            asks_federated: false,
        };
        assert_eq!(read(&payload).unwrap(), expected);
        for length in 0..payload.len() {
            assert!(read(&payload[..length]).is_err(), "cut to {length} bytes");
        }
    }

    #[test]
    fn the_servers_message() {
        let version = SoftwareVersion {
            major: 16,
            minor: 0,
            build: 4175,
        };
        let prelogin = Prelogin {
            wish: Wish::Off,
            asks_federated: false,
        };
        // Four entries of five bytes and the terminator: data begin at 21. 4175 is 0x104F.
        let expected = [
            0, 0, 21, 0, 6, 1, 0, 27, 0, 1, 2, 0, 28, 0, 1, 4, 0, 29, 0, 1, 0xFF, 16, 0, 0x10, 0x4F, 0, 0, 0,
            0, 0,
        ];
        assert_eq!(answer(version, Wish::Off, &prelogin), expected);
    }

    #[test]
    fn encryption_as_the_documents_table_has_it() {
        let table = [
            (Offer::Possible, Wish::Off, Wish::Off, Some(Cover::Login)),
            (Offer::Possible, Wish::On, Wish::On, Some(Cover::All)),
            (
                Offer::Possible,
                Wish::NotSupported,
                Wish::NotSupported,
                Some(Cover::Nothing),
            ),
            (Offer::Always, Wish::Off, Wish::Required, Some(Cover::All)),
            (Offer::Always, Wish::NotSupported, Wish::Required, None),
            (Offer::Never, Wish::Off, Wish::NotSupported, Some(Cover::Nothing)),
            (Offer::Never, Wish::Required, Wish::NotSupported, None),
        ];
        for (offer, wish, answer, cover) in table {
            assert_eq!(agree(offer, wish), (answer, cover), "{offer:?} {wish:?}");
        }
    }
}
