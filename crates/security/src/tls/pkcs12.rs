//! PKCS12 key stores (RFC 7292): keytool's default, also in files that are called JKS.

use aws_lc_rs::{digest, hmac};

use super::key_store::{Entries, StoreError, order_chain};
use super::pbes2;
use crate::der::{
    Der, EXPLICIT_0, IMPLICIT_0, INTEGER, Malformed, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET,
};

const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6];
/// The last arc tells the kind of bag.
const BAG_PREFIX: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1];
const LOCAL_KEY_ID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 21];
/// What keytool marks trusted certificates with.
const TRUSTED_KEY_USAGE: &[u8] = &[0x60, 0x86, 0x48, 1, 0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 1, 1];
const SHA1: &[u8] = &[0x2b, 14, 3, 2, 26];
/// The last arc tells the size.
const SHA2_PREFIX: &[u8] = &[0x60, 0x86, 0x48, 1, 101, 3, 4, 2];

/// Reads a store.
pub(super) fn read(bytes: &[u8], password: &str, key_password: &str) -> Result<Entries, StoreError> {
    let mut store = Der(bytes).expect(SEQUENCE)?;
    store.expect(INTEGER)?;
    let mut content = store.expect(SEQUENCE)?;
    if content.expect(OBJECT_IDENTIFIER)?.0 != DATA {
        return Err(StoreError::Unsupported("a store that is signed"));
    }
    let contents = content.expect(EXPLICIT_0)?.expect(OCTET_STRING)?.0;
    if !store.is_empty() {
        check_mac(store.expect(SEQUENCE)?, contents, password)?;
    }
    let mut bags = Bags::default();
    let mut safes = Der(contents).expect(SEQUENCE)?;
    while !safes.is_empty() {
        let safe = open_safe(safes.expect(SEQUENCE)?, password)?;
        bags.read(&safe, key_password)?;
    }
    bags.into_entries()
}

/// Returns the contents of a safe, decrypted if need be.
fn open_safe(mut safe: Der<'_>, password: &str) -> Result<Vec<u8>, StoreError> {
    let kind = safe.expect(OBJECT_IDENTIFIER)?.0;
    let mut content = safe.expect(EXPLICIT_0)?;
    if kind == DATA {
        return Ok(content.expect(OCTET_STRING)?.0.to_vec());
    }
    if kind != ENCRYPTED_DATA {
        return Err(StoreError::Unsupported("a safe for public keys"));
    }
    let mut encrypted = content.expect(SEQUENCE)?;
    encrypted.expect(INTEGER)?;
    let mut info = encrypted.expect(SEQUENCE)?;
    info.expect(OBJECT_IDENTIFIER)?;
    let algorithm = info.expect(SEQUENCE)?;
    pbes2::decrypt(algorithm, info.expect(IMPLICIT_0)?.0, password)
}

#[derive(Default)]
struct Bags {
    /// The first key, with its id.
    key: Option<(Vec<u8>, Option<Vec<u8>>)>,
    certificates: Vec<Certificate>,
}

struct Certificate {
    der: Vec<u8>,
    /// The id of its key, if that is in the store.
    id: Option<Vec<u8>>,
    trusted: bool,
}

impl Bags {
    fn read(&mut self, safe: &[u8], key_password: &str) -> Result<(), StoreError> {
        let mut safe = Der(safe).expect(SEQUENCE)?;
        while !safe.is_empty() {
            let mut bag = safe.expect(SEQUENCE)?;
            let kind = bag.expect(OBJECT_IDENTIFIER)?.0;
            let value = bag.expect(EXPLICIT_0)?;
            let (id, trusted) = attributes(bag)?;
            match kind.strip_prefix(BAG_PREFIX) {
                Some([1]) if self.key.is_none() => self.key = Some((value.0.to_vec(), id)),
                Some([2]) if self.key.is_none() => {
                    self.key = Some((pbes2::decrypt_key(value.0, key_password)?, id));
                }
                Some([3]) => self.certificates.push(Certificate { der: certificate(value)?, id, trusted }),
                // More keys, secrets, revocation lists.
                _ => {}
            }
        }
        Ok(())
    }

    fn into_entries(self) -> Result<Entries, StoreError> {
        let Some((key, id)) = self.key else {
            let marked = self.certificates.iter().any(|certificate| certificate.trusted);
            let trusted = self.certificates.into_iter().filter(|certificate| certificate.trusted || !marked);
            return Ok(Entries { key: None, trusted: trusted.map(|certificate| certificate.der).collect() });
        };
        let is_leaf = |certificate: &Certificate| id.is_some() && certificate.id == id;
        let leaf = self.certificates.iter().position(is_leaf).unwrap_or(0);
        let leaf = self.certificates.get(leaf).ok_or(StoreError::Malformed)?.der.clone();
        let trusted = self.certificates.iter().filter(|certificate| certificate.trusted);
        let trusted = trusted.map(|certificate| certificate.der.clone()).collect();
        let all: Vec<_> = self.certificates.into_iter().map(|certificate| certificate.der).collect();
        Ok(Entries { key: Some((key, order_chain(leaf, &all)?)), trusted })
    }
}

fn certificate(mut value: Der<'_>) -> Result<Vec<u8>, Malformed> {
    let mut bag = value.expect(SEQUENCE)?;
    bag.expect(OBJECT_IDENTIFIER)?;
    Ok(bag.expect(EXPLICIT_0)?.expect(OCTET_STRING)?.0.to_vec())
}

/// Returns the local key id, and whether the bag is marked as trusted.
fn attributes(mut bag: Der<'_>) -> Result<(Option<Vec<u8>>, bool), Malformed> {
    let (mut id, mut trusted) = (None, false);
    if bag.is_empty() {
        return Ok((id, trusted));
    }
    let mut attributes = bag.expect(SET)?;
    while !attributes.is_empty() {
        let mut attribute = attributes.expect(SEQUENCE)?;
        let kind = attribute.expect(OBJECT_IDENTIFIER)?.0;
        if kind == LOCAL_KEY_ID {
            id = Some(attribute.expect(SET)?.0.to_vec());
        }
        trusted |= kind == TRUSTED_KEY_USAGE;
    }
    Ok((id, trusted))
}

/// Checks that the store was made with this password, and is whole.
fn check_mac(mut mac: Der<'_>, contents: &[u8], password: &str) -> Result<(), StoreError> {
    let mut info = mac.expect(SEQUENCE)?;
    let hash = info.expect(SEQUENCE)?.expect(OBJECT_IDENTIFIER)?.0;
    let expected = info.expect(OCTET_STRING)?.0;
    let salt = mac.expect(OCTET_STRING)?.0;
    let iterations = if mac.is_empty() { 1 } else { mac.integer()? };
    let (hash, algorithm) = match hash.strip_prefix(SHA2_PREFIX) {
        _ if hash == SHA1 => (&digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        Some([1]) => (&digest::SHA256, hmac::HMAC_SHA256),
        Some([2]) => (&digest::SHA384, hmac::HMAC_SHA384),
        Some([3]) => (&digest::SHA512, hmac::HMAC_SHA512),
        _ => return Err(StoreError::Unsupported("the store's integrity check")),
    };
    let key = mac_key(hash, password, salt, pbes2::iterations(iterations)?.get());
    hmac::verify(&hmac::Key::new(algorithm, &key), contents, expected).map_err(|_| StoreError::WrongPassword)
}

/// The key derivation of RFC 7292, appendix B.2, for one block of purpose 3.
fn mac_key(hash: &'static digest::Algorithm, password: &str, salt: &[u8], iterations: u32) -> Vec<u8> {
    let block = hash.block_len();
    let password: Vec<u8> = password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
    let fill = |bytes: &[u8]| -> Vec<u8> {
        let length = bytes.len().div_ceil(block) * block;
        bytes.iter().copied().cycle().take(length).collect()
    };
    let first = [vec![3; block], fill(salt), fill(&password)].concat();
    let mut key = digest::digest(hash, &first);
    for _ in 1..iterations {
        key = digest::digest(hash, key.as_ref());
    }
    key.as_ref().to_vec()
}
