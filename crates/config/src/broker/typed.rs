//! The macro that writes a typed struct from a list of keys.

/// Writes a struct with a field for each key, and `read`, which takes the fields from parsed values.
macro_rules! typed_config {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $getter:ident $key:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $(
                #[doc = concat!("`", $key, "`.")]
                pub $field: $crate::broker::typed::typed_config!(@type $getter),
            )*
        }

        impl $name {
            pub(super) fn read(values: &$crate::Values) -> Self {
                Self { $($field: values.$getter($key),)* }
            }
        }
    };
    (@type int) => { i32 };
    (@type optional_int) => { Option<i32> };
    (@type long) => { i64 };
    (@type optional_long) => { Option<i64> };
    (@type short) => { i16 };
    (@type double) => { f64 };
    (@type boolean) => { bool };
    (@type text) => { String };
    (@type string) => { Option<String> };
    (@type list) => { Vec<String> };
}

pub(super) use typed_config;
