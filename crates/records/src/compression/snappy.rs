//! Snappy, in the framing of the Java library (xerial) when writing; in it or bare when reading.
//!
//! The framing is a header of 16 bytes, then blocks with a big-endian length before each. Headers may come again
//! where a block could: streams were joined.

use std::cell::RefCell;

use super::{PieceError, Pieces};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const HEADER_LEN: usize = 16;
/// Version 1, readable from version 1 on.
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
/// Plain bytes of a block: the Java library's default.
const BLOCK: usize = 32 * 1024;
/// No element makes more than 64 bytes of 2, so a length above this multiple is a lie.
const MOST_EXPANSION: usize = 32;

thread_local! {
    static ENCODER: RefCell<snap::raw::Encoder> = RefCell::new(snap::raw::Encoder::new());
}

pub(super) fn compress(plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSIONS);
    ENCODER.with_borrow_mut(|encoder| {
        plain.chunks(BLOCK).try_for_each(|block| compress_block(encoder, block, out))
    })
}

fn compress_block(encoder: &mut snap::raw::Encoder, block: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let start = out.len();
    out.resize(start + 4 + snap::raw::max_compress_len(block.len()), 0);
    let length = encoder.compress(block, &mut out[start + 4..]).map_err(|error| error.to_string())?;
    out[start..start + 4].copy_from_slice(&(length as u32).to_be_bytes());
    out.truncate(start + 4 + length);
    Ok(())
}

/// The blocks of a run of bytes.
pub(super) struct SnappyPieces<'a> {
    rest: &'a [u8],
    framed: bool,
}

impl<'a> SnappyPieces<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { rest: body, framed: body.len() >= HEADER_LEN && body.starts_with(&MAGIC) }
    }

    fn next_block(&mut self) -> Result<Option<&'a [u8]>, PieceError> {
        if !self.framed {
            let block = std::mem::take(&mut self.rest);
            return Ok((!block.is_empty()).then_some(block));
        }
        while self.rest.len() >= HEADER_LEN && self.rest.starts_with(&MAGIC) {
            self.rest = &self.rest[HEADER_LEN..];
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let cut = || PieceError::malformed("unexpected end of stream");
        let (length, rest) = self.rest.split_first_chunk().ok_or_else(cut)?;
        let (block, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or_else(cut)?;
        self.rest = rest;
        Ok(Some(block))
    }
}

impl Pieces for SnappyPieces<'_> {
    fn read_piece(&mut self, out: &mut Vec<u8>, budget: usize) -> Result<bool, PieceError> {
        let Some(block) = self.next_block()? else { return Ok(false) };
        let length = snap::raw::decompress_len(block).map_err(PieceError::malformed)?;
        if length / MOST_EXPANSION > block.len() {
            return Err(PieceError::malformed("block claims more than it can hold"));
        }
        if length > budget {
            return Err(PieceError::OverBudget);
        }
        let start = out.len();
        out.resize(start + length, 0);
        let read = snap::raw::Decoder::new().decompress(block, &mut out[start..]);
        read.map(|_| true).map_err(PieceError::malformed)
    }
}
