//! Every codec at every level both ways; bombs, lies and mutations.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const MAX: usize = 16 << 20;
const COMPRESSED: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

fn compressed(compression: Compression, plain: &[u8]) -> Bytes {
    let mut out = b"in front".to_vec();
    compression.compress(plain, &mut out).expect("compresses");
    assert!(out.starts_with(b"in front"));
    Bytes::from(out).slice(8..)
}

/// Text with repetitions, `len` bytes.
fn text(len: usize) -> Vec<u8> {
    (0..)
        .flat_map(|n: usize| format!("{{\"id\":{n},\"name\":\"jackdaw {}\"}}", n * n % 97).into_bytes())
        .take(len)
        .collect()
}

#[test]
fn every_codec_reads_what_it_writes_at_every_level() {
    let levels = |codec| match codec {
        Codec::Gzip => vec![-1, 1, 5, 9],
        Codec::Lz4 => (1..=17).collect(),
        Codec::Zstd => vec![-131_072, -5, 1, 3, 9, 19, 22],
        _ => vec![0],
    };
    let plain = text(200_000);
    for codec in Codec::ALL {
        for level in levels(codec) {
            let compression = Compression::with_level(codec, level).expect("in range");
            let bytes = compressed(compression, &plain);
            let copies = codec == Codec::None || level == -131_072;
            assert!(copies || bytes.len() < plain.len(), "{codec} {level}");
            assert_eq!(decompress(codec, bytes, MAX).expect("reads back"), plain, "{codec} {level}");
        }
    }
}

#[test]
fn levels_out_of_kafkas_ranges_are_refused() {
    for (codec, level) in
        [(Codec::Gzip, 0), (Codec::Gzip, 10), (Codec::Lz4, 0), (Codec::Lz4, 18), (Codec::Zstd, 23)]
    {
        assert_eq!(Compression::with_level(codec, level), Err(RecordsError::InvalidLevel { codec, level }));
    }
}

#[test]
fn empty_and_incompressible_bytes_go_through() {
    let noise: Vec<u8> = (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for codec in COMPRESSED {
        for plain in [&b""[..], b"x", &noise] {
            let bytes = compressed(Compression::new(codec), plain);
            assert_eq!(decompress(codec, bytes, MAX).expect("reads back"), plain, "{codec}");
        }
    }
}

#[test]
fn snappy_without_framing_is_read() {
    let plain = text(100_000);
    let bare = snap::raw::Encoder::new().compress_vec(&plain).expect("compresses");
    assert_eq!(decompress(Codec::Snappy, bare.into(), MAX).expect("reads"), plain);
}

#[test]
fn joined_streams_are_read_where_java_reads_them() {
    let plain = text(1000);
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Zstd] {
        let one = compressed(Compression::new(codec), &plain);
        let two = Bytes::from([&one[..], &one].concat());
        assert_eq!(decompress(codec, two, MAX).expect("reads"), plain.repeat(2), "{codec}");
    }
}

#[test]
fn lz4_frames_with_checksums_and_large_blocks_are_read() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    let plain = text(300_000);
    let frame = |mode| {
        let info = FrameInfo::new()
            .block_size(BlockSize::Max256KB)
            .block_mode(mode)
            .block_checksums(true)
            .content_checksum(true)
            .content_size(Some(plain.len() as u64));
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        std::io::Write::write_all(&mut encoder, &plain).expect("writes to memory");
        Bytes::from(encoder.finish().expect("writes to memory"))
    };
    assert_eq!(decompress(Codec::Lz4, frame(BlockMode::Independent), MAX).expect("reads"), plain);
    let error = decompress(Codec::Lz4, frame(BlockMode::Linked), MAX).expect_err("refused");
    assert!(error.to_string().contains("Dependent block stream is unsupported"), "{error}");
}

#[test]
fn a_bomb_ends_at_the_bound_and_takes_little_more_memory() {
    let plain = vec![0; 64 << 20];
    for codec in COMPRESSED {
        let bomb = compressed(Compression::new(codec), &plain);
        let mut decompressor = Decompressor::new(codec, &bomb, 1 << 20).expect("begins well");
        let mut out = Vec::new();
        let error = loop {
            match decompressor.read_piece(&mut out) {
                Ok(more) => assert!(more),
                Err(error) => break error,
            }
        };
        assert_eq!(error, RecordsError::DecompressedTooLarge(1 << 20), "{codec}");
        assert!(out.capacity() <= 4 << 20, "{codec} took {}", out.capacity());
    }
}

#[test]
fn a_snappy_length_that_cannot_be_true_allocates_nothing() {
    let claim = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]);
    let error = decompress(Codec::Snappy, claim, usize::MAX).expect_err("refused");
    assert!(matches!(error, RecordsError::Decompression { codec: Codec::Snappy, .. }));
}

#[test]
fn a_stream_that_is_cut_is_an_error() {
    for codec in COMPRESSED {
        let bytes = compressed(Compression::new(codec), &text(100_000));
        for cut in [1, 5, bytes.len() / 2, bytes.len() - 1] {
            let result = decompress(codec, bytes.slice(..cut), MAX);
            assert!(matches!(result, Err(RecordsError::Decompression { .. })), "{codec} cut to {cut}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_read_back(plain: Vec<u8>, repeat in 1..2000usize) {
        let plain = plain.repeat(repeat);
        for codec in COMPRESSED {
            let bytes = compressed(Compression::new(codec), &plain);
            prop_assert_eq!(&decompress(codec, bytes, MAX).expect("reads back"), &plain);
        }
    }

    #[test]
    fn mutated_streams_never_panic_nor_pass_the_bound(
        len in 0..5000usize,
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
    ) {
        for codec in COMPRESSED {
            let mut bytes = compressed(Compression::new(codec), &text(len)).to_vec();
            for (at, flip) in &flips {
                let at = at.index(bytes.len());
                bytes[at] ^= flip;
            }
            if let Ok(out) = decompress(codec, bytes.into(), 1 << 20) {
                prop_assert!(out.len() <= 1 << 20);
            }
        }
    }
}
