//! The attribute bits of a batch: codec, timestamp type, transactional, control, delete horizon.

use std::fmt;
use std::str::FromStr;

use crate::RecordsError;

/// How the records of a batch are compressed. Kafka: `CompressionType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Codec {
    /// As they are.
    #[default]
    None = 0,
    /// Gzip members.
    Gzip = 1,
    /// Snappy, in the framing of the Java library.
    Snappy = 2,
    /// LZ4 frames.
    Lz4 = 3,
    /// Zstandard frames.
    Zstd = 4,
}

impl Codec {
    /// All codecs, by id.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// Finds the codec with number `id`. Fails with [`RecordsError::UnknownCodec`] for 5 and more.
    pub fn from_id(id: u8) -> Result<Self, RecordsError> {
        Self::ALL.get(usize::from(id)).copied().ok_or(RecordsError::UnknownCodec(id))
    }

    /// Returns the number in the attribute bits.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// Returns the name in configs: `none`, `gzip`, `snappy`, `lz4`, `zstd`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Codec {
    type Err = RecordsError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name() == name)
            .ok_or_else(|| RecordsError::UnknownCodecName(name.to_owned()))
    }
}

/// Who set the timestamps of a batch. Displayed and parsed as in `message.timestamp.type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer, for each record.
    #[default]
    CreateTime,
    /// The broker, for the batch as a whole: its max timestamp is that of every record.
    LogAppendTime,
}

impl TimestampType {
    /// Returns the name in configs.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateTime => "CreateTime",
            Self::LogAppendTime => "LogAppendTime",
        }
    }
}

impl fmt::Display for TimestampType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The 16 attribute bits of a batch, as they stand in its header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes(pub i16);

const CODEC_MASK: i16 = 0x07;
const TIMESTAMP_TYPE: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const DELETE_HORIZON: i16 = 0x40;

impl Attributes {
    /// Returns the codec. Fails with [`RecordsError::UnknownCodec`] for 5 to 7.
    pub fn codec(self) -> Result<Codec, RecordsError> {
        Codec::from_id((self.0 & CODEC_MASK) as u8)
    }

    /// Tells who set the timestamps.
    pub fn timestamp_type(self) -> TimestampType {
        if self.has(TIMESTAMP_TYPE) { TimestampType::LogAppendTime } else { TimestampType::CreateTime }
    }

    /// Tells whether the batch belongs to a transaction.
    pub fn is_transactional(self) -> bool {
        self.has(TRANSACTIONAL)
    }

    /// Tells whether the records are control records, which no consumer sees.
    pub fn is_control(self) -> bool {
        self.has(CONTROL)
    }

    /// Tells whether the base timestamp is the time after which the cleaner may drop tombstones.
    pub fn has_delete_horizon(self) -> bool {
        self.has(DELETE_HORIZON)
    }

    /// Returns the same bits with another codec.
    #[must_use]
    pub fn with_codec(self, codec: Codec) -> Self {
        Self(self.0 & !CODEC_MASK | i16::from(codec.id()))
    }

    /// Returns the same bits with another timestamp type.
    #[must_use]
    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        self.with(TIMESTAMP_TYPE, timestamp_type == TimestampType::LogAppendTime)
    }

    /// Returns the same bits with the transactional bit set or not.
    #[must_use]
    pub fn with_transactional(self, set: bool) -> Self {
        self.with(TRANSACTIONAL, set)
    }

    /// Returns the same bits with the control bit set or not.
    #[must_use]
    pub fn with_control(self, set: bool) -> Self {
        self.with(CONTROL, set)
    }

    /// Returns the same bits with the delete horizon bit set or not.
    #[must_use]
    pub fn with_delete_horizon(self, set: bool) -> Self {
        self.with(DELETE_HORIZON, set)
    }

    fn has(self, bit: i16) -> bool {
        self.0 & bit != 0
    }

    fn with(self, bit: i16, set: bool) -> Self {
        Self(if set { self.0 | bit } else { self.0 & !bit })
    }
}
