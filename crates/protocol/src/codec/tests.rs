//! Tests of the primitive types, and of all messages on bytes made at random.

use bytes::Bytes;

use super::*;
use crate::registry::CODECS;
use crate::{ApiVersionsRequest, ErrorCode, FetchRequest, Message, MetadataRequest, ProduceResponse};

fn reader(bytes: &[u8]) -> Reader {
    Reader::new(Bytes::copy_from_slice(bytes))
}

#[test]
fn a_varint_of_32_bits_reads_back_and_a_longer_one_is_refused() {
    for value in [0, 1, 127, 128, 16_384, u32::MAX] {
        let mut out = Writer::new();
        out.put_unsigned_varint(value);
        assert_eq!(Reader::new(out.into_bytes().expect("no regions")).get_unsigned_varint(), Ok(value));
    }
    assert_eq!(
        reader(&[0xff, 0xff, 0xff, 0xff, 0x1f]).get_unsigned_varint(),
        Err(DecodeError::VarintTooLong)
    );
    assert_eq!(
        reader(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x01]).get_unsigned_varint(),
        Err(DecodeError::VarintTooLong)
    );
}

#[test]
fn a_count_above_the_bytes_that_follow_is_refused_before_anything_is_allocated() {
    let mut request = 0x7fff_fff0_i32.to_be_bytes().to_vec();
    request.push(0);
    let error =
        crate::from_bytes::<MetadataRequest>(request.into(), 4).expect_err("two billion topics in one byte");
    assert_eq!(error, DecodeError::LengthTooLarge(0x7fff_fff0, 1));
}

#[test]
fn any_negative_count_is_null() {
    let bytes = Bytes::copy_from_slice(&[0xff, 0xff, 0xff, 0xfb, 0]);
    let request: MetadataRequest = crate::from_bytes(bytes, 4).expect("null topics mean all topics");
    assert_eq!(request.topics, None);
}

#[test]
fn an_unknown_tagged_field_is_written_again_in_its_place() {
    let mut request = ApiVersionsRequest::default();
    request.unknown_tagged_fields.push(TaggedField { tag: 7, value: Bytes::from_static(b"later") });
    let bytes = crate::to_bytes(&request, 3).expect("a flexible version");
    let again: ApiVersionsRequest = crate::from_bytes(bytes, 3).expect("what was just written");
    assert_eq!(again, request);
    assert!(crate::to_bytes(&request, 2).is_err(), "version 2 has no tags");
}

#[test]
fn a_field_that_a_version_cannot_carry_is_refused_unless_it_may_be_dropped() {
    let mut response = ProduceResponse::default();
    response.responses.push(Default::default());
    response.responses[0].partition_responses.push(crate::produce_response::PartitionProduceResponse {
        error_code: ErrorCode::INVALID_RECORD,
        error_message: Some("dropped below version 8".to_owned()),
        ..Default::default()
    });
    assert!(crate::to_bytes(&response, 3).is_ok());
    let request = FetchRequest { forgotten_topics_data: vec![Default::default()], ..Default::default() };
    assert!(matches!(crate::to_bytes(&request, 6), Err(EncodeError::Field { version: 6, .. })));
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Random bytes with many zeros and small numbers, which get further into a message than noise does.
fn random_bytes(state: &mut u64) -> Vec<u8> {
    let length = next(state) % 200;
    let byte = |state: &mut u64| match next(state) % 4 {
        0 => 0,
        1 => (next(state) % 4) as u8,
        2 => 0xff,
        _ => next(state) as u8,
    };
    // Zeros at the end are empty values, which complete many a message.
    (0..length).map(|_| byte(state)).chain([0; 100]).collect()
}

#[test]
fn no_bytes_make_any_decoder_panic_and_what_is_decoded_encodes_to_a_fixed_point() {
    let mut state = 1;
    let mut decoded = 0;
    for codec in CODECS {
        for version in codec.versions.clone() {
            for _ in 0..50 {
                let bytes = Bytes::from(random_bytes(&mut state));
                let Ok((once, _)) = (codec.recode)(bytes, version) else { continue };
                let twice = (codec.recode)(once.clone(), version);
                assert_eq!(twice, Ok((once, 0)), "{} v{version}", codec.name);
                decoded += 1;
            }
        }
    }
    assert!(decoded > 1000, "only {decoded} inputs were messages");
}

#[test]
fn every_message_is_known_by_name() {
    assert_eq!(CODECS.len(), 278);
    assert!(CODECS.is_sorted_by(|a, b| a.name < b.name));
    assert_eq!(<FetchRequest as Message>::NAME, "FetchRequest");
}
