//! Any bytes into the LZ77+Huffman decoder; what it decodes, the encoder codes again and it decodes to the same.

#![no_main]

use bak::compressed::{Lz77Huffman, encode_chunk};

libfuzzer_sys::fuzz_target!(|chunk: &[u8]| {
    let sectors = 1 + chunk.last().map_or(0, |byte| usize::from(byte % 128));
    let mut decoder = Lz77Huffman::new();
    let mut out = vec![0; sectors * 512 + Lz77Huffman::SLACK];
    if decoder.decode(chunk, &mut out).is_ok() {
        let size = out.len() - Lz77Huffman::SLACK;
        let mut again = vec![0; out.len()];
        decoder.decode(&encode_chunk(&out[..size]), &mut again).expect("what the encoder wrote decodes");
        assert_eq!(out[..size], again[..size]);
    }
});
