//! Java's own key store format, JKS, versions 1 and 2, as `keytool -storetype JKS` writes it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;

use super::key_store::{Entries, StoreError};
use crate::der::{Der, Malformed, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};

/// What a store begins with.
pub(super) const MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];

const KEY_ENTRY: u32 = 1;
const CERTIFICATE_ENTRY: u32 = 2;
/// What the store's checksum is salted with, besides the password.
const PEPPER: &[u8] = b"Mighty Aphrodite";
const DIGEST_LEN: usize = 20;
/// 1.3.6.1.4.1.42.2.17.1.1
const KEY_PROTECTION: &[u8] = &[0x2b, 6, 1, 4, 1, 42, 2, 17, 1, 1];

/// Reads a store.
pub(super) fn read(bytes: &[u8], password: &str, key_password: &str) -> Result<Entries, StoreError> {
    let split = bytes.len().checked_sub(DIGEST_LEN).ok_or(StoreError::Malformed)?;
    let (body, checksum) = bytes.split_at(split);
    let computed = sha1(&[&utf16(password), PEPPER, body]);
    verify_slices_are_equal(&computed, checksum).map_err(|_| StoreError::WrongPassword)?;
    let mut body = Input(body);
    body.take(MAGIC.len())?;
    let version = body.u32()?;
    let count = body.u32()?;
    let mut entries = Entries::default();
    for _ in 0..count {
        let kind = body.u32()?;
        let _alias = body.text()?;
        let _created = body.take(8)?;
        match kind {
            KEY_ENTRY => {
                let key = body.sized()?;
                let chain = body.u32()?;
                let chain = (0..chain).map(|_| body.certificate(version)).collect::<Result<_, _>>()?;
                if entries.key.is_none() {
                    entries.key = Some((unprotect(key, key_password)?, chain));
                }
            }
            CERTIFICATE_ENTRY => entries.trusted.push(body.certificate(version)?),
            _ => return Err(StoreError::Malformed),
        }
    }
    Ok(entries)
}

/// Takes the protection off a key: a stream of hashes over password and salt, laid over it.
fn unprotect(key: &[u8], password: &str) -> Result<Vec<u8>, StoreError> {
    let mut info = Der(key).expect(SEQUENCE)?;
    if info.expect(SEQUENCE)?.expect(OBJECT_IDENTIFIER)?.0 != KEY_PROTECTION {
        return Err(StoreError::Unsupported("the key's protection"));
    }
    let protected = info.expect(OCTET_STRING)?.0;
    let (salt, rest) = protected.split_at_checked(DIGEST_LEN).ok_or(Malformed)?;
    let split = rest.len().checked_sub(DIGEST_LEN).ok_or(Malformed)?;
    let (encrypted, check) = rest.split_at(split);
    let password = utf16(password);
    let mut plain = Vec::with_capacity(encrypted.len());
    let mut mask = salt.to_vec();
    for block in encrypted.chunks(DIGEST_LEN) {
        mask = sha1(&[&password, &mask]);
        plain.extend(block.iter().zip(&mask).map(|(byte, mask)| byte ^ mask));
    }
    verify_slices_are_equal(&sha1(&[&password, &plain]), check).map_err(|_| StoreError::WrongPassword)?;
    Ok(plain)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn sha1(parts: &[&[u8]]) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().to_vec()
}

/// The rest of a store.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.take(4).map(|bytes| u32::from_be_bytes(bytes.try_into().expect("four bytes were taken")))
    }

    fn sized(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u32()?;
        self.take(length as usize)
    }

    /// Text with a length of two bytes.
    fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.take(2)?;
        self.take(usize::from(length[0]) << 8 | usize::from(length[1]))
    }

    fn certificate(&mut self, version: u32) -> Result<Vec<u8>, Malformed> {
        if version > 1 {
            let _type = self.text()?;
        }
        self.sized().map(<[u8]>::to_vec)
    }
}
