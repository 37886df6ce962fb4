//! Reading and verifying at the same time, with a fixed pair of buffers.
//!
//! One thread reads ahead into one buffer while the other is verified; memory is the two buffers whatever the file.
//! Order is kept, a read error arrives after all that was read before it.

use std::io;
use std::sync::mpsc;
use std::thread;

use crate::input::Opened;

/// Each buffer. Small enough for the pair to stay in a core's share of the cache, large enough that the hand-over
/// costs nothing.
const BUFFER_BYTES: usize = 512 * 1024;

/// How many buffers are on their way. Two is enough: one is filled while the other is emptied.
const BUFFERS: usize = 2;

struct Filled {
    buffer: Vec<u8>,
    bytes: usize,
}

/// Hands the whole of `opened` to `each`, piece by piece and in order.
pub(super) fn pump(opened: &mut Opened, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let (full_in, full_out) = mpsc::sync_channel::<io::Result<Filled>>(BUFFERS);
    let (empty_in, empty_out) = mpsc::sync_channel::<Vec<u8>>(BUFFERS);
    for _ in 0..BUFFERS {
        empty_in
            .send(vec![0; BUFFER_BYTES])
            .expect("the other end is in this function");
    }
    thread::scope(|scope| {
        scope.spawn(move || {
            // Ends when the input does, or when nobody takes the buffers any more.
            for mut buffer in empty_out {
                let filled = opened.fill(&mut buffer).map(|bytes| Filled { buffer, bytes });
                let last = !matches!(&filled, Ok(filled) if filled.bytes == BUFFER_BYTES);
                if full_in.send(filled).is_err() || last {
                    return;
                }
            }
        });
        for filled in full_out {
            let filled = filled?;
            each(&filled.buffer[..filled.bytes]);
            // The reader may have ended: nothing is left to fill then.
            let _ = empty_in.send(filled.buffer);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{BUFFER_BYTES, pump};
    use crate::input::Input;

    #[test]
    fn every_byte_comes_once_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes");
        for size in [
            0,
            1,
            BUFFER_BYTES - 1,
            BUFFER_BYTES,
            BUFFER_BYTES + 1,
            5 * BUFFER_BYTES,
            7 * BUFFER_BYTES + 13,
        ] {
            let content: Vec<u8> = (0..size).map(|at| (at / 7 % 251) as u8).collect();
            fs::write(&path, &content).unwrap();
            let mut seen = Vec::new();
            pump(&mut Input::File(path.clone()).open().unwrap(), |bytes| {
                seen.extend_from_slice(bytes);
            })
            .unwrap();
            assert!(seen == content, "{size} bytes");
        }
    }
}
