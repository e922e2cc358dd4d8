//! The codec's side of the comparison with Kafka's own message classes: `compat-protocol IN OUT SEED`.
//!
//! Every entry of IN, encoded by Kafka, is decoded and encoded again: the same bytes. Then the bytes are damaged at random;
//! what still decodes is a value that Kafka never made, and its encoding goes to OUT, for Kafka to read and write back.
//! An entry: length of the name (2 bytes), name, version (2), length (4), bytes.

use bytes::{Buf, BufMut, Bytes};
use std::collections::{BTreeMap, BTreeSet};

/// Damaged copies made of each entry.
const DAMAGED: usize = 8;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, input, output, seed] = &arguments[..] else {
        eprintln!("compat-protocol IN OUT SEED");
        std::process::exit(2);
    };
    let input = std::fs::read(input).expect("IN can be read");
    let mut run = Run { dice: Dice(seed.parse().expect("SEED is a number")), ..Run::default() };
    let mut rest = Bytes::from(input);
    while rest.has_remaining() {
        let length = usize::from(rest.get_u16());
        let name = String::from_utf8(rest.split_to(length).to_vec()).expect("names are ASCII");
        let version = rest.get_i16();
        let length = rest.get_u32() as usize;
        run.entry(&name, version, rest.split_to(length));
    }
    std::fs::write(output, &run.out).expect("OUT can be written");
    run.report();
}

#[derive(Default)]
struct Run {
    dice: Dice,
    out: Vec<u8>,
    seen: BTreeSet<String>,
    failed: BTreeMap<String, String>,
    damaged: usize,
    accepted: usize,
}

impl Run {
    fn entry(&mut self, name: &str, version: i16, bytes: Bytes) {
        let what = format!("{name} v{version}");
        self.seen.insert(what.clone());
        let Some(codec) = protocol::registry::codec_for(name) else {
            self.failed.insert(what, "not known here".into());
            return;
        };
        match (codec.recode)(bytes.clone(), version) {
            Ok((back, 0)) if back == bytes => self.put(name, version, &back),
            Ok((back, left)) => {
                self.failed.insert(what, format!("{} came back as {}, {left} bytes left", hex(&bytes), hex(&back)));
            }
            Err(error) => {
                self.failed.insert(what, format!("{error} on {}", hex(&bytes)));
            }
        }
        for _ in 0..DAMAGED {
            self.damaged += 1;
            let damaged = self.dice.damage(&bytes);
            if let Ok((value, _)) = (codec.recode)(damaged, version) {
                self.accepted += 1;
                self.put(name, version, &value);
            }
        }
    }

    fn put(&mut self, name: &str, version: i16, bytes: &[u8]) {
        self.out.put_u16(name.len() as u16);
        self.out.put_slice(name.as_bytes());
        self.out.put_i16(version);
        self.out.put_u32(bytes.len() as u32);
        self.out.put_slice(bytes);
    }

    fn report(&self) {
        for (what, why) in &self.failed {
            println!("FAIL {what}: {why}");
        }
        println!("of {} damaged encodings {} were still values", self.damaged, self.accepted);
        println!("{} passed, {} failed", self.seen.len() - self.failed.len(), self.failed.len());
        if !self.failed.is_empty() {
            std::process::exit(1);
        }
    }
}

/// Random numbers (splitmix64): the same for the same seed.
#[derive(Default)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    /// The bytes with a few of them changed, so that lengths mostly stay right.
    fn damage(&mut self, bytes: &[u8]) -> Bytes {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.roll(2) {
            if !bytes.is_empty() {
                let at = self.roll(bytes.len());
                bytes[at] = match self.roll(3) {
                    0 => self.roll(256) as u8,
                    1 => bytes[at] ^ (1 << self.roll(8)),
                    _ => [0, 1, 2, 0x7f, 0x80, 0xff][self.roll(6)],
                };
            }
        }
        bytes.into()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(200).map(|byte| format!("{byte:02x}")).collect()
}
