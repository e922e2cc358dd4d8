//! The records of a group's kind, told as one table: what each says, and the messages of its key and value.
//!
//! Invariant: a record is written in version 0, as 4.3 does; its type is that of its key's schema.

/// Makes the enum of what records say of a kind of group, one variant for each row, with what writes and reads them. The rows
/// `Member`, `Target` and `Current` are there, by member id.
macro_rules! group_entries {
    (
        $(#[$about:meta])*
        $entry:ident of $kind:ident {
            $($(#[$says:meta])* $name:ident $(($id:ident: $type:ty))? = $key:ident, $value:ident;)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $entry {
            $($(#[$says])* $name($($type,)? Option<$value>),)*
        }

        impl $entry {
            /// Tells whether the entry takes something back.
            pub(in crate::group) fn is_tombstone(&self) -> bool {
                match self {
                    $(Self::$name(.., value) => value.is_none(),)*
                }
            }

            /// Makes the record of this entry.
            pub(in crate::group) fn of(self, group: &str) -> GroupRecord {
                GroupRecord::$kind { id: group.into(), entry: self }
            }

            /// Writes the key and value of the entry's record.
            pub(in crate::group) fn encode(&self, group: &str) -> Result<KeyValue, RecordError> {
                let group_id = group.to_owned();
                match self {
                    $(Self::$name($($id,)? value) => {
                        let key = $key { group_id, $($id: $id.clone(),)? ..Default::default() };
                        written($key::RECORD_TYPE, &key, value)
                    })*
                }
            }

            /// Reads a record of type `kind`, whose `key` begins after the type; none if it is of another kind of group.
            pub(in crate::group) fn decode(
                kind: i16,
                key: Bytes,
                value: Option<Bytes>,
            ) -> Result<Option<GroupRecord>, RecordError> {
                Ok(Some(match kind {
                    $($key::RECORD_TYPE => {
                        let key: $key = decode(kind, key, 0)?;
                        Self::$name($(key.$id,)? decode_value(kind, value)?).of(&key.group_id)
                    })*
                    _ => return Ok(None),
                }))
            }

            /// Makes the tombstones of a member: its assignment, its target, then itself, the order in which Kafka
            /// replays them.
            pub(in crate::group) fn member_tombstones(group: &str, member: &str) -> [GroupRecord; 3] {
                [
                    Self::Current(member.into(), None).of(group),
                    Self::Target(member.into(), None).of(group),
                    Self::Member(member.into(), None).of(group),
                ]
            }
        }
    };
}

pub(in crate::group) use group_entries;
