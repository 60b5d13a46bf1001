//! What every generated enum and every generated word of flags can do.

/// Makes an open enum of a newtype over an integer: an unknown number is kept and shown as a number.
#[macro_export]
#[doc(hidden)]
macro_rules! __msgr2_open_enum {
    ($name:ident, $base:ty, $info:expr) => {
        impl $name {
            /// The name of the number, if it has one.
            pub fn name(self) -> Option<&'static str> {
                $info.find(self.0 as i64).map(|v| v.name)
            }
        }
        $crate::__msgr2_newtype!($name, $base);
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match $info.find(self.0 as i64) {
                    Some(value) => f.write_str(value.text),
                    None => write!(f, "{}", self.0),
                }
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", self.name().unwrap_or("?"), self.0)
            }
        }
        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::wire::json::serialize_enum(self.0 as i64, &$info, serializer)
            }
        }
        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::wire::json::deserialize_enum(deserializer, &$info).map(|n| $name(n as $base))
            }
        }
    };
}

/// Makes a word of flags of a newtype over an integer: unknown bits are kept.
#[macro_export]
#[doc(hidden)]
macro_rules! __msgr2_flag_word {
    ($name:ident, $base:ty, $info:expr) => {
        impl $name {
            /// Whether all bits of `other` are set.
            pub fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }
        }
        impl std::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                $name(self.0 | other.0)
            }
        }
        impl std::ops::BitAnd for $name {
            type Output = Self;
            fn bitand(self, other: Self) -> Self {
                $name(self.0 & other.0)
            }
        }
        impl std::ops::Not for $name {
            type Output = Self;
            fn not(self) -> Self {
                $name(!self.0)
            }
        }
        $crate::__msgr2_newtype!($name, $base);
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::wire::show_flags(self.0 as u64, &$info, f)
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self}")
            }
        }
        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::wire::json::serialize_flags(self.0 as u64, &$info, serializer)
            }
        }
        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::wire::json::deserialize_flags(deserializer, &$info).map(|n| $name(n as $base))
            }
        }
    };
}

/// What both have in common: they stand on the wire as their integer does.
#[macro_export]
#[doc(hidden)]
macro_rules! __msgr2_newtype {
    ($name:ident, $base:ty) => {
        impl $crate::wire::Scalar<'_> for $name {
            #[inline]
            fn read(reader: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::Error> {
                <$base as $crate::wire::Scalar>::read(reader).map($name)
            }
            #[inline]
            fn write(&self, writer: &mut $crate::wire::Writer) {
                self.0.write(writer);
            }
            #[inline]
            fn value(&self) -> $crate::wire::Value<'_> {
                self.0.value()
            }
        }
        impl $crate::wire::Integer for $name {
            #[inline]
            fn to_u64(self) -> u64 {
                self.0.to_u64()
            }
            #[inline]
            fn from_u64(value: u64) -> Option<Self> {
                <$base as $crate::wire::Integer>::from_u64(value).map($name)
            }
        }
    };
}

pub use __msgr2_flag_word as flag_word;
pub use __msgr2_open_enum as open_enum;
