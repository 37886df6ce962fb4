//! Makes the checksums of block and stream headers right again, for mutated backups.

/// Follows blocks and streams as far as they go and makes the checksums of their headers right, so that what a mutation did to
/// a header is not turned away at the door.
pub(crate) fn mend(bytes: &mut [u8]) {
    let mut at = 0;
    while mend_words(bytes, at, 52) {
        let events = usize::from(u16::from_le_bytes([bytes[at + 8], bytes[at + 9]])).max(52);
        let is_filemark = bytes[at..].starts_with(b"SFMB");
        at += events;
        while !is_filemark && mend_words(bytes, at, 22) {
            let header = &bytes[at..at + 22];
            let is_last = header.starts_with(b"SPAD");
            let length = u64::from_le_bytes(header[8..16].try_into().expect("eight bytes"));
            let Some(end) = usize::try_from(length)
                .ok()
                .and_then(|length| (at + 22).checked_add(length))
            else {
                return;
            };
            at = if is_last { end } else { end.saturating_add(3) & !3 };
            if is_last {
                break;
            }
        }
    }
}

/// Makes the XOR of the words at `at` zero through the last one; `false` where the bytes end.
fn mend_words(bytes: &mut [u8], at: usize, length: usize) -> bool {
    let Some(header) = at.checked_add(length).and_then(|end| bytes.get_mut(at..end)) else {
        return false;
    };
    let (words, last) = header.split_at_mut(length - 2);
    let sum = words
        .chunks(2)
        .fold(0, |acc, word| acc ^ u16::from_le_bytes([word[0], word[1]]));
    last.copy_from_slice(&sum.to_le_bytes());
    true
}
