//! The order in which Java's hash maps are gone through, on which the outcome of Kafka's assignors depends.
//!
//! A map's table has a power of two slots, at least 16 and at least 4/3 of its entries; entries are in order of their slots,
//! within one in order of insertion. (A slot with more than 8 entries becomes a tree there, whose order is not followed.)

use model::Uuid;

/// Orders keys that were put one by one into a map of default capacity.
pub(in crate::group) fn in_map_order<T>(
    keys: impl IntoIterator<Item = T>,
    hash: impl Fn(&T) -> i32,
) -> Vec<T> {
    in_order_of_slots(keys.into_iter().collect(), 16, hash)
}

/// Orders keys that were put one by one into a map that was made for `capacity` entries.
pub(in crate::group) fn in_sized_map_order<T>(
    keys: impl IntoIterator<Item = T>,
    capacity: usize,
    hash: impl Fn(&T) -> i32,
) -> Vec<T> {
    in_order_of_slots(keys.into_iter().collect(), capacity.max(1).next_power_of_two(), hash)
}

fn in_order_of_slots<T>(mut keys: Vec<T>, mut slots: usize, hash: impl Fn(&T) -> i32) -> Vec<T> {
    while keys.len() * 4 > slots * 3 {
        slots *= 2;
    }
    keys.sort_by_key(|key| slot(hash(key), slots));
    keys
}

/// Orders keys as `new HashSet<>(collection)` does, which makes room for one more entry than it needs.
pub(in crate::group) fn in_copied_set_order<T>(
    keys: impl IntoIterator<Item = T>,
    hash: impl Fn(&T) -> i32,
) -> Vec<T> {
    let mut keys: Vec<T> = keys.into_iter().collect();
    // As Java computes it, in single precision.
    let capacity = (keys.len() as f32 / 0.75) as usize + 1;
    let slots = capacity.max(16).next_power_of_two();
    keys.sort_by_key(|key| slot(hash(key), slots));
    keys
}

fn slot(hash: i32, slots: usize) -> usize {
    let hash = hash.cast_unsigned();
    (hash ^ (hash >> 16)) as usize & (slots - 1)
}

/// Kafka: `Uuid.hashCode`.
pub(in crate::group) fn hash_of_id(id: &Uuid) -> i32 {
    let words =
        id.0.chunks_exact(4).map(|word| word.iter().fold(0u32, |all, byte| all << 8 | u32::from(*byte)));
    words.fold(0u32, |hash, word| hash ^ word).cast_signed()
}

/// Java: `String.hashCode`.
pub(in crate::group) fn hash_of_text(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// Java: `Integer.hashCode`.
pub(in crate::group) fn hash_of_int(value: &i32) -> i32 {
    *value
}
