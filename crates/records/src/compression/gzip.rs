//! Gzip: one member is written, any number is read. Compressors are kept, one for each thread.

use std::cell::RefCell;
use std::io::Read;
use std::ops::RangeInclusive;

use flate2::bufread::MultiGzDecoder;
use flate2::{Compress, FlushCompress, Status};

use super::{PieceError, Pieces};

pub(super) const LEVELS: RangeInclusive<i32> = 1..=9;
/// The library's own choice, which is 6.
pub(super) const DEFAULT_LEVEL: i32 = -1;

/// Deflate, no name, no time, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
const PIECE: usize = 32 * 1024;

thread_local! {
    /// The last compressor used, with its level.
    static COMPRESSOR: RefCell<Option<(i32, Compress)>> = const { RefCell::new(None) };
}

pub(super) fn compress(plain: &[u8], level: i32, out: &mut Vec<u8>) -> Result<(), String> {
    out.extend_from_slice(&HEADER);
    COMPRESSOR.with_borrow_mut(|kept| {
        let mut compressor = match kept.take() {
            Some((kept_level, mut compressor)) if kept_level == level => {
                compressor.reset();
                compressor
            }
            _ => Compress::new(compression(level), false),
        };
        deflate(&mut compressor, plain, out)?;
        *kept = Some((level, compressor));
        Ok::<_, String>(())
    })?;
    out.extend_from_slice(&crc32(plain).to_le_bytes());
    out.extend_from_slice(&(plain.len() as u32).to_le_bytes());
    Ok(())
}

fn compression(level: i32) -> flate2::Compression {
    u32::try_from(level).map_or_else(|_| flate2::Compression::default(), flate2::Compression::new)
}

fn deflate(compressor: &mut Compress, plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    loop {
        let rest = &plain[compressor.total_in() as usize..];
        out.reserve(rest.len() / 4 + 256);
        let status =
            compressor.compress_vec(rest, out, FlushCompress::Finish).map_err(|error| error.to_string())?;
        if status == Status::StreamEnd {
            return Ok(());
        }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, bytes) as u32
}

/// The members of a run of bytes.
pub(super) struct GzipPieces<'a>(MultiGzDecoder<&'a [u8]>);

impl<'a> GzipPieces<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self(MultiGzDecoder::new(body))
    }
}

impl Pieces for GzipPieces<'_> {
    fn read_piece(&mut self, out: &mut Vec<u8>, _budget: usize) -> Result<bool, PieceError> {
        let start = out.len();
        out.resize(start + PIECE, 0);
        let read = self.0.read(&mut out[start..]);
        out.truncate(start + *read.as_ref().unwrap_or(&0));
        read.map(|read| read > 0).map_err(PieceError::malformed)
    }
}
