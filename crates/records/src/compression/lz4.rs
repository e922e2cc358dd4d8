//! LZ4 frames as Kafka writes them: blocks of 64 KiB, independent, no checksums but the header's.
//!
//! Level 9, the default, is the fast compressor, as in Kafka; any other level is the high compressor of the C library.
//! Frames read may have block checksums, a content size and other block sizes; the content checksum is not looked at.
//! Blocks that depend on earlier ones are refused, as Kafka refuses them.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use lz4::block::decompress_to_buffer;
use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};
use twox_hash::XxHash32;

use super::{PieceError, Pieces};

pub(super) const LEVELS: RangeInclusive<i32> = 1..=17;
pub(super) const DEFAULT_LEVEL: i32 = 9;

const MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();
/// Version 1, independent blocks; blocks of 64 KiB; the checksum of both.
const DESCRIPTOR: [u8; 3] = [0x60, 0x40, 0x82];
const BLOCK: usize = 64 * 1024;
/// Set in a block's length when its bytes are plain.
const PLAIN_BLOCK: u32 = 0x8000_0000;
/// No byte of a block makes more than 255, so a block is never given more room than this multiple and a bit.
const MOST_EXPANSION: usize = 255;

const PREMATURE_END: &str = "Stream ended prematurely";

thread_local! {
    static TABLE: RefCell<CompressTable> = RefCell::new(CompressTable::large());
    /// Room for a block of the usual size: filling as much with zeros for each takes longer than a small one's decompression.
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn compress(plain: &[u8], level: i32, out: &mut Vec<u8>) -> Result<(), String> {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&DESCRIPTOR);
    for block in plain.chunks(BLOCK) {
        compress_block(block, level, out)?;
    }
    out.extend_from_slice(&[0; 4]);
    Ok(())
}

fn compress_block(block: &[u8], level: i32, out: &mut Vec<u8>) -> Result<(), String> {
    let start = out.len();
    let data = start + 4;
    out.resize(data + get_maximum_output_size(block.len()), 0);
    let length = match level {
        DEFAULT_LEVEL => compress_fast(block, &mut out[data..])?,
        _ => compress_high(block, level, &mut out[data..])?,
    };
    let stored = if length < block.len() {
        out.truncate(data + length);
        length as u32
    } else {
        out.truncate(data);
        out.extend_from_slice(block);
        block.len() as u32 | PLAIN_BLOCK
    };
    out[start..data].copy_from_slice(&stored.to_le_bytes());
    Ok(())
}

fn compress_fast(block: &[u8], out: &mut [u8]) -> Result<usize, String> {
    TABLE
        .with_borrow_mut(|table| compress_into_with_table(block, out, table))
        .map_err(|error| error.to_string())
}

fn compress_high(block: &[u8], level: i32, out: &mut [u8]) -> Result<usize, String> {
    let mode = lz4::block::CompressionMode::HIGHCOMPRESSION(level);
    lz4::block::compress_to_buffer(block, Some(mode), false, out).map_err(|error| error.to_string())
}

/// The blocks of a frame.
pub(super) struct Lz4Pieces<'a> {
    rest: &'a [u8],
    block_size: usize,
    block_checksums: bool,
    finished: bool,
}

impl<'a> Lz4Pieces<'a> {
    /// Reads the frame's header. Kafka: `Lz4BlockInputStream.readHeader`.
    pub(super) fn new(body: &'a [u8]) -> Result<Self, PieceError> {
        let cut = || PieceError::malformed(PREMATURE_END);
        let rest = match body.strip_prefix(&MAGIC) {
            Some(rest) => rest,
            None if body.len() < 6 => return Err(cut()),
            None => return Err(PieceError::malformed("Stream unsupported (invalid magic bytes)")),
        };
        let [flags, block, ..] = *rest else { return Err(cut()) };
        let block_size = check_descriptor(flags, block)?;
        let (descriptor, rest) =
            rest.split_at_checked(if flags & 0x08 == 0 { 2 } else { 10 }).ok_or_else(cut)?;
        let (&checksum, rest) = rest.split_first().ok_or_else(cut)?;
        if checksum != (XxHash32::oneshot(0, descriptor) >> 8) as u8 {
            return Err(PieceError::malformed("Stream frame descriptor corrupted"));
        }
        Ok(Self { rest, block_size, block_checksums: flags & 0x10 != 0, finished: false })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], PieceError> {
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or_else(|| PieceError::malformed(PREMATURE_END))?;
        self.rest = rest;
        Ok(taken)
    }

    fn take_u32(&mut self) -> Result<u32, PieceError> {
        self.take(4).map(|bytes| u32::from_le_bytes(bytes.try_into().expect("four bytes were taken")))
    }

    fn check_block(&mut self, block: &[u8]) -> Result<(), PieceError> {
        if self.block_checksums && self.take_u32()? != XxHash32::oneshot(0, block) {
            return Err(PieceError::malformed("Block checksum mismatch"));
        }
        Ok(())
    }
}

/// Checks flags and block descriptor, and returns the most bytes that a block holds.
fn check_descriptor(flags: u8, block: u8) -> Result<usize, PieceError> {
    if flags & 0x03 != 0 {
        return Err(PieceError::malformed("Reserved bits must be 0"));
    }
    if flags & 0x20 == 0 {
        return Err(PieceError::malformed("Dependent block stream is unsupported"));
    }
    if flags >> 6 != 1 {
        return Err(PieceError::malformed(format!("Version {} is unsupported", flags >> 6)));
    }
    if block & 0x8f != 0 {
        return Err(PieceError::malformed("Reserved bits must be 0"));
    }
    match block >> 4 {
        code @ 4..=7 => Ok(1 << (2 * u32::from(code) + 8)),
        code => Err(PieceError::malformed(format!("Block size value must be between 4 and 7, not {code}"))),
    }
}

impl Pieces for Lz4Pieces<'_> {
    fn read_piece(&mut self, out: &mut Vec<u8>, _budget: usize) -> Result<bool, PieceError> {
        if self.finished {
            return Ok(false);
        }
        let stored = self.take_u32()?;
        let length = (stored & !PLAIN_BLOCK) as usize;
        if length == 0 {
            self.finished = true;
            return Ok(false);
        }
        if length > self.block_size {
            let max = self.block_size;
            return Err(PieceError::malformed(format!("Block size {length} exceeded max: {max}")));
        }
        let block = self.take(length)?;
        self.check_block(block)?;
        if stored & PLAIN_BLOCK != 0 {
            out.extend_from_slice(block);
            return Ok(true);
        }
        let room = self.block_size.min(length * MOST_EXPANSION + 64);
        if room <= BLOCK {
            ROOM.with_borrow_mut(|kept| {
                kept.resize(BLOCK, 0);
                let plain = &mut kept[..room];
                decompress(block, plain).map(|read| out.extend_from_slice(&plain[..read]))
            })?;
        } else {
            let start = out.len();
            out.resize(start + room, 0);
            let read = decompress(block, &mut out[start..])?;
            out.truncate(start + read);
        }
        Ok(true)
    }
}

fn decompress(block: &[u8], room: &mut [u8]) -> Result<usize, PieceError> {
    decompress_to_buffer(block, Some(room.len() as i32), room).map_err(PieceError::malformed)
}
