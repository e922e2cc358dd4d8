//! Zstandard: one frame is written, any number is read. Contexts are kept, one of each kind for each thread.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, compress_bound, get_error_name,
};

use super::{PieceError, Pieces};

pub(super) const LEVELS: RangeInclusive<i32> = -131_072..=22;
pub(super) const DEFAULT_LEVEL: i32 = 3;

/// Contexts of higher levels take tens of megabytes and are not kept.
const HIGHEST_KEPT_LEVEL: i32 = 12;
const PIECE: usize = 64 * 1024;
/// The window of the highest level, 128 MiB. Java's frames claim all of it however few bytes they hold, so it cannot
/// be refused; of the memory only what is decompressed is ever touched.
const LARGEST_WINDOW_LOG: u32 = 27;
/// Contexts above this many bytes are not kept: windows up to that of level 19 are.
const LARGEST_KEPT_CONTEXT: usize = 10 << 20;

thread_local! {
    static COMPRESSOR: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

fn name(code: usize) -> String {
    get_error_name(code).to_owned()
}

pub(super) fn compress(plain: &[u8], level: i32, out: &mut Vec<u8>) -> Result<(), String> {
    let mut context = COMPRESSOR.take().unwrap_or_else(CCtx::create);
    let start = out.len();
    out.reserve(compress_bound(plain.len()));
    context.reset(ResetDirective::SessionAndParameters).map_err(name)?;
    context.set_parameter(CParameter::CompressionLevel(level)).map_err(name)?;
    context.set_pledged_src_size(Some(plain.len() as u64)).map_err(name)?;
    let mut target = OutBuffer::around_pos(out, start);
    let written =
        context.compress_stream2(&mut target, &mut InBuffer::around(plain), ZSTD_EndDirective::ZSTD_e_end);
    match written.map_err(name)? {
        0 if level <= HIGHEST_KEPT_LEVEL => COMPRESSOR.set(Some(context)),
        0 => {}
        _ => return Err("the frame did not fit its bound".to_owned()),
    }
    Ok(())
}

/// The frames of a run of bytes.
pub(super) struct ZstdPieces<'a> {
    context: Option<DCtx<'static>>,
    input: InBuffer<'a>,
    /// Whether a frame has begun and not ended.
    in_frame: bool,
    /// Whether the last call filled its piece, so that more may come without input.
    filled: bool,
}

impl<'a> ZstdPieces<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        let mut context = DECOMPRESSOR.take().unwrap_or_else(DCtx::create);
        // Neither can fail: the context is not in a frame after the reset, and the bounds of the parameter are wider.
        let _ = context.reset(ResetDirective::SessionAndParameters);
        let _ = context.set_parameter(DParameter::WindowLogMax(LARGEST_WINDOW_LOG));
        Self { context: Some(context), input: InBuffer::around(body), in_frame: false, filled: false }
    }
}

impl Pieces for ZstdPieces<'_> {
    fn read_piece(&mut self, out: &mut Vec<u8>, _budget: usize) -> Result<bool, PieceError> {
        let context = self.context.as_mut().expect("the context is there until the drop");
        loop {
            let at_end = self.input.pos() == self.input.src.len();
            if at_end && !self.filled {
                return match self.in_frame {
                    true => Err(PieceError::malformed("Truncated source")),
                    false => Ok(false),
                };
            }
            let start = out.len();
            out.resize(start + PIECE, 0);
            let mut piece = OutBuffer::around(&mut out[start..]);
            let hint = context.decompress_stream(&mut piece, &mut self.input);
            let written = piece.pos();
            out.truncate(start + written);
            let hint = hint.map_err(|code| PieceError::malformed(name(code)))?;
            self.in_frame = hint != 0;
            self.filled = self.in_frame && written == PIECE;
            if written > 0 {
                return Ok(true);
            }
        }
    }
}

impl Drop for ZstdPieces<'_> {
    fn drop(&mut self) {
        DECOMPRESSOR.set(self.context.take().filter(|context| context.sizeof() <= LARGEST_KEPT_CONTEXT));
    }
}
