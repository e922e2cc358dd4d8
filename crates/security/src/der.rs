//! DER, as far as certificates and key stores need it read: tags and lengths, no BER.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// A whole value under tag 0.
pub(crate) const EXPLICIT_0: u8 = 0xa0;
/// The contents of a primitive value under tag 0.
pub(crate) const IMPLICIT_0: u8 = 0x80;

/// The bytes are not the DER that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The rest of a run of DER values.
#[derive(Clone, Copy)]
pub(crate) struct Der<'a>(pub &'a [u8]);

impl<'a> Der<'a> {
    /// Reads a value with `tag`, and returns its contents.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Der<'a>, Malformed> {
        self.next().and_then(|(found, value)| if found == tag { Ok(value) } else { Err(Malformed) })
    }

    /// Reads a value, and returns its tag and contents.
    pub(crate) fn next(&mut self) -> Result<(u8, Der<'a>), Malformed> {
        let [tag, first, rest @ ..] = self.0 else { return Err(Malformed) };
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f)).ok_or(Malformed)?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return Err(Malformed),
        };
        let (value, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok((*tag, Der(value)))
    }
}

impl Der<'_> {
    /// Tells whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads an integer that is not negative and fits.
    pub(crate) fn integer(&mut self) -> Result<u32, Malformed> {
        let bytes = self.expect(INTEGER)?.0;
        let value = bytes.iter().try_fold(0u64, |value, byte| {
            Some(value << 8 | u64::from(*byte)).filter(|value| *value <= u64::from(u32::MAX))
        });
        value.and_then(|value| u32::try_from(value).ok()).ok_or(Malformed)
    }
}
