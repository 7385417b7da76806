//! The types a plan speaks of, and the one Arrow type in which each is computed.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use serde::{Deserialize, Serialize};

/// A column's type as the plan knows it; missing values are possible in every type.
///
/// One `DType` has exactly one Arrow type during computation ([`DType::arrow`]); scans convert to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DType {
    /// A column of nothing but missing values.
    Null,
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float32,
    Float64,
    Str,
    Binary,
    Date,
    Timestamp(Unit, Option<String>),
    Duration(Unit),
    Decimal(u8, i8),
    /// Lists of values of one type.
    List(Arc<DType>),
    /// Values with named fields.
    Struct(Arc<[(Arc<str>, DType)]>),
    /// Carried along and returned, never computed with (maps, times, intervals, and what has these within).
    Opaque(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Unit {
    Second,
    Milli,
    Micro,
    Nano,
}

impl Unit {
    pub fn arrow(self) -> TimeUnit {
        match self {
            Unit::Second => TimeUnit::Second,
            Unit::Milli => TimeUnit::Millisecond,
            Unit::Micro => TimeUnit::Microsecond,
            Unit::Nano => TimeUnit::Nanosecond,
        }
    }

    pub fn from_arrow(unit: TimeUnit) -> Self {
        match unit {
            TimeUnit::Second => Unit::Second,
            TimeUnit::Millisecond => Unit::Milli,
            TimeUnit::Microsecond => Unit::Micro,
            TimeUnit::Nanosecond => Unit::Nano,
        }
    }

    fn short(self) -> &'static str {
        match self {
            Unit::Second => "s",
            Unit::Milli => "ms",
            Unit::Micro => "us",
            Unit::Nano => "ns",
        }
    }
}

impl DType {
    /// The plan's type for an Arrow type as it is found in a source. Dictionaries count as their values.
    pub fn from_arrow(data_type: &DataType) -> Self {
        match data_type {
            DataType::Null => DType::Null,
            DataType::Boolean => DType::Bool,
            DataType::Int8 => DType::Int8,
            DataType::Int16 => DType::Int16,
            DataType::Int32 => DType::Int32,
            DataType::Int64 => DType::Int64,
            DataType::UInt8 => DType::UInt8,
            DataType::UInt16 => DType::UInt16,
            DataType::UInt32 => DType::UInt32,
            DataType::UInt64 => DType::UInt64,
            DataType::Float16 | DataType::Float32 => DType::Float32,
            DataType::Float64 => DType::Float64,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DType::Str,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DType::Binary,
            DataType::Date32 | DataType::Date64 => DType::Date,
            DataType::Timestamp(unit, tz) => {
                DType::Timestamp(Unit::from_arrow(*unit), tz.as_ref().map(|tz| tz.to_string()))
            }
            DataType::Duration(unit) => DType::Duration(Unit::from_arrow(*unit)),
            DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => {
                DType::Decimal(*p, *s)
            }
            DataType::Dictionary(_, values) => DType::from_arrow(values),
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                DType::List(Arc::new(DType::from_arrow(item.data_type()))).or_opaque(data_type)
            }
            DataType::Struct(fields) if !fields.is_empty() => {
                let fields = fields
                    .iter()
                    .map(|field| (Arc::from(field.name().as_str()), DType::from_arrow(field.data_type())));
                DType::Struct(fields.collect()).or_opaque(data_type)
            }
            DataType::Interval(IntervalUnit::YearMonth) => DType::Opaque("interval".to_owned()),
            other => DType::Opaque(other.to_string()),
        }
    }

    /// Itself, if it can be computed with.
    fn or_opaque(self, found: &DataType) -> Self {
        if self.arrow().is_some() { self } else { DType::Opaque(found.to_string()) }
    }

    /// The Arrow type in which columns of this type are computed; `None` for what is only carried along.
    pub fn arrow(&self) -> Option<DataType> {
        Some(match self {
            DType::Null => DataType::Null,
            DType::Bool => DataType::Boolean,
            DType::Int8 => DataType::Int8,
            DType::Int16 => DataType::Int16,
            DType::Int32 => DataType::Int32,
            DType::Int64 => DataType::Int64,
            DType::UInt8 => DataType::UInt8,
            DType::UInt16 => DataType::UInt16,
            DType::UInt32 => DataType::UInt32,
            DType::UInt64 => DataType::UInt64,
            DType::Float32 => DataType::Float32,
            DType::Float64 => DataType::Float64,
            DType::Str => DataType::Utf8View,
            DType::Binary => DataType::BinaryView,
            DType::Date => DataType::Date32,
            DType::Timestamp(unit, tz) => DataType::Timestamp(unit.arrow(), tz.as_deref().map(Arc::from)),
            DType::Duration(unit) => DataType::Duration(unit.arrow()),
            DType::Decimal(p, s) => DataType::Decimal128(*p, *s),
            DType::List(item) => DataType::LargeList(Arc::new(Field::new_list_field(item.arrow()?, true))),
            DType::Struct(fields) => {
                let fields =
                    fields.iter().map(|(name, dtype)| Some(Field::new(&**name, dtype.arrow()?, true)));
                DataType::Struct(fields.collect::<Option<Vec<_>>>()?.into())
            }
            DType::Opaque(_) => return None,
        })
    }

    /// Has values that can be told apart and put in order: neither nested nor opaque.
    pub fn is_simple(&self) -> bool {
        !matches!(self, DType::List(_) | DType::Struct(_) | DType::Opaque(_))
    }

    pub fn is_signed(&self) -> bool {
        matches!(self, DType::Int8 | DType::Int16 | DType::Int32 | DType::Int64)
    }

    pub fn is_unsigned(&self) -> bool {
        matches!(self, DType::UInt8 | DType::UInt16 | DType::UInt32 | DType::UInt64)
    }

    pub fn is_integer(&self) -> bool {
        self.is_signed() || self.is_unsigned()
    }

    pub fn is_float(&self) -> bool {
        matches!(self, DType::Float32 | DType::Float64)
    }

    pub fn is_numeric(&self) -> bool {
        self.is_integer() || self.is_float()
    }

    pub fn is_temporal(&self) -> bool {
        matches!(self, DType::Date | DType::Timestamp(..) | DType::Duration(_))
    }

    /// Width in bits of an integer or float type.
    pub fn bits(&self) -> Option<u32> {
        Some(match self {
            DType::Int8 | DType::UInt8 => 8,
            DType::Int16 | DType::UInt16 => 16,
            DType::Int32 | DType::UInt32 | DType::Float32 => 32,
            DType::Int64 | DType::UInt64 | DType::Float64 => 64,
            _ => return None,
        })
    }
}

/// As pandas writes it.
impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            DType::Null => "object",
            DType::Bool => "bool",
            DType::Int8 => "int8",
            DType::Int16 => "int16",
            DType::Int32 => "int32",
            DType::Int64 => "int64",
            DType::UInt8 => "uint8",
            DType::UInt16 => "uint16",
            DType::UInt32 => "uint32",
            DType::UInt64 => "uint64",
            DType::Float32 => "float32",
            DType::Float64 => "float64",
            DType::Str => "str",
            DType::Binary => "binary",
            DType::Date => "date",
            DType::Timestamp(unit, None) => return write!(f, "datetime64[{}]", unit.short()),
            DType::Timestamp(unit, Some(tz)) => return write!(f, "datetime64[{}, {tz}]", unit.short()),
            DType::Duration(unit) => return write!(f, "timedelta64[{}]", unit.short()),
            DType::Decimal(p, s) => return write!(f, "decimal({p}, {s})"),
            DType::List(item) => return write!(f, "list<{item}>"),
            DType::Struct(fields) => {
                for (number, (name, dtype)) in fields.iter().enumerate() {
                    let before = if number == 0 { "struct<" } else { ", " };
                    write!(f, "{before}{name}: {dtype}")?;
                }
                ">"
            }
            DType::Opaque(name) => name,
        };
        f.write_str(name)
    }
}
