//! Codecs with their levels, and decompression in pieces that never runs past a bound.
//!
//! Each codec has one file. A piece is at most what one block of the codec holds; nothing is allocated for lengths
//! that the compressed bytes merely claim.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

use bytes::Bytes;

use crate::{Codec, RecordsError};

/// A codec with its level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Compression {
    codec: Codec,
    level: i32,
}

impl Compression {
    /// Returns a codec at its default level: gzip -1 (which is 6), lz4 9, zstd 3.
    pub fn new(codec: Codec) -> Self {
        let level = match codec {
            Codec::None | Codec::Snappy => 0,
            Codec::Gzip => gzip::DEFAULT_LEVEL,
            Codec::Lz4 => lz4::DEFAULT_LEVEL,
            Codec::Zstd => zstd::DEFAULT_LEVEL,
        };
        Self { codec, level }
    }

    /// Returns a codec at a level in Kafka's range: gzip 1 to 9 or -1, lz4 1 to 17, zstd -131072 to 22.
    ///
    /// Codecs without levels take any. Fails with [`RecordsError::InvalidLevel`].
    pub fn with_level(codec: Codec, level: i32) -> Result<Self, RecordsError> {
        let valid = match codec {
            Codec::None | Codec::Snappy => return Ok(Self::new(codec)),
            Codec::Gzip => gzip::LEVELS.contains(&level) || level == gzip::DEFAULT_LEVEL,
            Codec::Lz4 => lz4::LEVELS.contains(&level),
            Codec::Zstd => zstd::LEVELS.contains(&level),
        };
        if valid { Ok(Self { codec, level }) } else { Err(RecordsError::InvalidLevel { codec, level }) }
    }

    /// Returns the codec.
    pub fn codec(self) -> Codec {
        self.codec
    }

    /// Returns the level; 0 for codecs without.
    pub fn level(self) -> i32 {
        self.level
    }

    /// Appends `plain`, compressed, to `out`. Fails only if the codec's library does.
    pub fn compress(self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), RecordsError> {
        let result = match self.codec {
            Codec::None => {
                out.extend_from_slice(plain);
                Ok(())
            }
            Codec::Gzip => gzip::compress(plain, self.level, out),
            Codec::Snappy => snappy::compress(plain, out),
            Codec::Lz4 => lz4::compress(plain, self.level, out),
            Codec::Zstd => zstd::compress(plain, self.level, out),
        };
        result.map_err(|detail| RecordsError::Compression { codec: self.codec, detail })
    }
}

/// Returns `body` without compression; a plain body is returned as it is.
///
/// Fails with [`RecordsError::DecompressedTooLarge`] past `max_bytes`, and with bytes that the codec did not write.
pub fn decompress(codec: Codec, body: Bytes, max_bytes: usize) -> Result<Bytes, RecordsError> {
    if codec == Codec::None {
        return Ok(body);
    }
    let mut decompressor = Decompressor::new(codec, &body, max_bytes)?;
    let mut out = Vec::with_capacity(body.len().saturating_mul(2).min(max_bytes));
    while decompressor.read_piece(&mut out)? {}
    Ok(out.into())
}

/// What the pieces of a compressed run of bytes come from. `Err` is the codec's own text.
trait Pieces {
    /// Appends the next piece to `out`; `false` at the end. A piece above `budget` bytes is not begun.
    fn read_piece(&mut self, out: &mut Vec<u8>, budget: usize) -> Result<bool, PieceError>;
}

/// Why there is no next piece.
enum PieceError {
    /// The bytes are not what the codec writes.
    Malformed(String),
    /// The next piece says that it is above the budget.
    OverBudget,
}

impl PieceError {
    fn malformed(detail: impl ToString) -> Self {
        Self::Malformed(detail.to_string())
    }
}

/// Decompresses piece by piece, up to a bound.
pub(crate) struct Decompressor<'a> {
    codec: Codec,
    pieces: Box<dyn Pieces + 'a>,
    max_bytes: usize,
    /// Bytes that may still be produced.
    budget: usize,
}

impl<'a> Decompressor<'a> {
    /// Begins to decompress `body`, of which at most `max_bytes` may come. Fails if the first bytes are malformed.
    pub(crate) fn new(codec: Codec, body: &'a [u8], max_bytes: usize) -> Result<Self, RecordsError> {
        let pieces: Box<dyn Pieces + 'a> = match codec {
            Codec::None => Box::new(PlainPieces(body)),
            Codec::Gzip => Box::new(gzip::GzipPieces::new(body)),
            Codec::Snappy => Box::new(snappy::SnappyPieces::new(body)),
            Codec::Lz4 => {
                Box::new(lz4::Lz4Pieces::new(body).map_err(|error| failed(codec, max_bytes, error))?)
            }
            Codec::Zstd => Box::new(zstd::ZstdPieces::new(body)),
        };
        Ok(Self { codec, pieces, max_bytes, budget: max_bytes })
    }

    /// Returns how many bytes came out so far.
    pub(crate) fn produced(&self) -> usize {
        self.max_bytes - self.budget
    }

    /// Appends the next piece to `out`; `false` at the end.
    pub(crate) fn read_piece(&mut self, out: &mut Vec<u8>) -> Result<bool, RecordsError> {
        let before = out.len();
        let more = self
            .pieces
            .read_piece(out, self.budget)
            .map_err(|error| failed(self.codec, self.max_bytes, error))?;
        let produced = out.len() - before;
        self.budget =
            self.budget.checked_sub(produced).ok_or(RecordsError::DecompressedTooLarge(self.max_bytes))?;
        Ok(more)
    }
}

fn failed(codec: Codec, max_bytes: usize, error: PieceError) -> RecordsError {
    match error {
        PieceError::Malformed(detail) => RecordsError::Decompression { codec, detail },
        PieceError::OverBudget => RecordsError::DecompressedTooLarge(max_bytes),
    }
}

struct PlainPieces<'a>(&'a [u8]);

impl Pieces for PlainPieces<'_> {
    fn read_piece(&mut self, out: &mut Vec<u8>, _budget: usize) -> Result<bool, PieceError> {
        out.extend_from_slice(self.0);
        Ok(!std::mem::take(&mut self.0).is_empty())
    }
}

#[cfg(test)]
mod tests;
