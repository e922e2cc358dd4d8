//! Password-based encryption of RFC 8018 (PBES2): PBKDF2 and AES in CBC mode, as keytool and OpenSSL use today.
//!
//! Not yet: the encryptions before it, RC2 and triple DES.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA384, PBKDF2_HMAC_SHA512};

use super::key_store::StoreError;
use crate::der::{Der, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
/// The last arc tells the hash.
const HMAC_PREFIX: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2];
/// The last arc tells the size and the mode.
const AES_PREFIX: &[u8] = &[0x60, 0x86, 0x48, 1, 101, 3, 4, 1];
/// More would take seconds; keytool makes 10,000.
const MOST_ITERATIONS: u32 = 2_000_000;

/// Decrypts the contents of an `EncryptedPrivateKeyInfo` into PKCS8.
pub(super) fn decrypt_key(info: &[u8], password: &str) -> Result<Vec<u8>, StoreError> {
    let mut info = Der(info).expect(SEQUENCE)?;
    let algorithm = info.expect(SEQUENCE)?;
    decrypt(algorithm, info.expect(OCTET_STRING)?.0, password)
}

/// Decrypts by the algorithm in the contents of an `AlgorithmIdentifier`.
pub(super) fn decrypt(
    mut algorithm: Der<'_>,
    encrypted: &[u8],
    password: &str,
) -> Result<Vec<u8>, StoreError> {
    if algorithm.expect(OBJECT_IDENTIFIER)?.0 != PBES2 {
        return Err(StoreError::Unsupported("the store's encryption (RC2 or triple DES, likely)"));
    }
    let mut parameters = algorithm.expect(SEQUENCE)?;
    let derivation = parameters.expect(SEQUENCE)?;
    let mut scheme = parameters.expect(SEQUENCE)?;
    let (cipher, key_len) = cipher(scheme.expect(OBJECT_IDENTIFIER)?.0)?;
    let iv = scheme.expect(OCTET_STRING)?.0;
    let key = derive(derivation, password, key_len)?;
    let wrong = |_| StoreError::WrongPassword;
    let key = UnboundCipherKey::new(cipher, &key).map_err(wrong)?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(wrong)?;
    let iv = FixedLength::try_from(iv).map_err(|_| StoreError::Malformed)?;
    let mut bytes = encrypted.to_vec();
    let plain = key.decrypt(&mut bytes, DecryptionContext::Iv128(iv)).map_err(wrong)?;
    Ok(plain.to_vec())
}

/// Returns the cipher and the length of its keys in bytes.
fn cipher(identifier: &[u8]) -> Result<(&'static Algorithm, usize), StoreError> {
    match identifier.strip_prefix(AES_PREFIX) {
        Some([2]) => Ok((&AES_128, 16)),
        Some([22]) => Ok((&AES_192, 24)),
        Some([42]) => Ok((&AES_256, 32)),
        _ => Err(StoreError::Unsupported("the store's cipher")),
    }
}

fn derive(mut derivation: Der<'_>, password: &str, key_len: usize) -> Result<Vec<u8>, StoreError> {
    if derivation.expect(OBJECT_IDENTIFIER)?.0 != PBKDF2 {
        return Err(StoreError::Unsupported("the store's key derivation"));
    }
    let mut parameters = derivation.expect(SEQUENCE)?;
    let salt = parameters.expect(OCTET_STRING)?.0;
    let iterations = iterations(parameters.integer()?)?;
    let mut hash = PBKDF2_HMAC_SHA1;
    while !parameters.is_empty() {
        // The key's length, which the cipher tells as well, or the hash.
        let (tag, mut value) = parameters.next()?;
        if tag == SEQUENCE {
            hash = match value.expect(OBJECT_IDENTIFIER)?.0.strip_prefix(HMAC_PREFIX) {
                Some([7]) => PBKDF2_HMAC_SHA1,
                Some([9]) => PBKDF2_HMAC_SHA256,
                Some([10]) => PBKDF2_HMAC_SHA384,
                Some([11]) => PBKDF2_HMAC_SHA512,
                _ => return Err(StoreError::Unsupported("the store's hash")),
            };
        }
    }
    let mut key = vec![0; key_len];
    pbkdf2::derive(hash, iterations, salt, password.as_bytes(), &mut key);
    Ok(key)
}

/// Checks a count of iterations.
pub(super) fn iterations(count: u32) -> Result<NonZeroU32, StoreError> {
    NonZeroU32::new(count).filter(|count| count.get() <= MOST_ITERATIONS).ok_or(StoreError::Malformed)
}
