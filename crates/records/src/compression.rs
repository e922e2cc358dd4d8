//! Codecs with their levels; bounded decompression.

use bytes::Bytes;

use crate::{Codec, RecordsError};

/// A codec with its level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Compression {
    codec: Codec,
}

impl Compression {
    /// A codec at its default level.
    pub fn new(codec: Codec) -> Self {
        Self { codec }
    }

    /// Returns the codec.
    pub fn codec(self) -> Codec {
        self.codec
    }

    /// Appends `plain`, compressed, to `out`.
    pub fn compress(self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), RecordsError> {
        match self.codec {
            Codec::None => out.extend_from_slice(plain),
            codec => return Err(RecordsError::Compression { codec, detail: "not built in".to_owned() }),
        }
        Ok(())
    }
}

/// Returns `body` without compression.
pub(crate) fn decompress(codec: Codec, body: Bytes, _max_bytes: usize) -> Result<Bytes, RecordsError> {
    match codec {
        Codec::None => Ok(body),
        codec => Err(RecordsError::Decompression { codec, detail: "not built in".to_owned() }),
    }
}
