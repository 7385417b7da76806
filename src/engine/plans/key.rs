//! The key of a plan: the whole of it as bytes, two of which are the same only if the plans are.
//!
//! Every value is written with its length, every variant with its number, floating numbers by their bits: NaN is NaN,
//! and 0.0 is not -0.0. Only what a plan calls its sources is written as their order of appearance: the same source
//! opened again has another id. What the columns of a source are is in the plan. Rows that values are looked up in are not.

use std::fmt;
use std::sync::Arc;

use serde::ser::{self, Serialize, Serializer};

use super::{LARGEST, found};
use crate::io::source::SourceId;
use crate::plan::Node;
use crate::plan::lookup::{Finds, Found};

/// A plan without what belongs to one run of it; and that.
pub struct Key {
    pub bytes: Box<[u8]>,
    /// The sources that the plan reads, in their order of appearance.
    pub sources: Vec<SourceId>,
    /// The tables that it looks values up in, in their order.
    pub tables: Vec<Arc<dyn Finds>>,
}

impl Key {
    /// None of a plan that is too large.
    pub fn of(node: &Node) -> Option<Self> {
        let bytes = Vec::with_capacity(1024);
        let mut writer = Writer { bytes, sources: Vec::new(), tables: 0, at: At::Elsewhere };
        node.serialize(&mut writer).ok()?;
        let mut tables = Vec::new();
        if writer.tables > 0 {
            tables = found::tables(node);
            // Those within plans of others are not looked for.
            if tables.len() != writer.tables {
                return None;
            }
            // Which of them are the same one.
            for table in &tables {
                writer.length(found::place_of(table, &tables)?).ok()?;
            }
        }
        Some(Self { bytes: writer.bytes.into(), sources: writer.sources, tables })
    }
}

/// Why a plan has no key.
#[derive(Debug)]
struct NoKey;

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this plan has no key")
    }
}

impl std::error::Error for NoKey {}

impl ser::Error for NoKey {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Written = Result<(), NoKey>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Elsewhere,
    /// Among the fields of a scan.
    Scan,
    /// The next number is a source's id.
    Source,
}

struct Writer {
    bytes: Vec<u8>,
    sources: Vec<SourceId>,
    /// How many tables have rows to look values up in.
    tables: usize,
    at: At,
}

impl Writer {
    fn put(&mut self, bytes: &[u8]) -> Written {
        if self.bytes.len() + bytes.len() > LARGEST {
            return Err(NoKey);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// A length or a number of a variant: one byte where it is small.
    fn length(&mut self, length: usize) -> Written {
        match u8::try_from(length) {
            Ok(short) if short < u8::MAX => self.put(&[short]),
            _ => {
                self.put(&[u8::MAX])?;
                self.put(&(length as u64).to_le_bytes())
            }
        }
    }

    fn source(&mut self, id: u64) -> Written {
        let id = SourceId::try_from(id).map_err(|_| NoKey)?;
        let place = self.sources.iter().position(|known| *known == id);
        let place = place.unwrap_or_else(|| {
            self.sources.push(id);
            self.sources.len() - 1
        });
        self.length(place)
    }
}

macro_rules! numbers {
    ($($method:ident: $kind:ty),*) => {
        $(fn $method(self, value: $kind) -> Written {
            self.put(&value.to_le_bytes())
        })*
    };
}

impl Serializer for &mut Writer {
    type Ok = ();
    type Error = NoKey;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    numbers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128);
    numbers!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u128: u128);

    fn serialize_u64(self, value: u64) -> Written {
        if self.at == At::Source {
            self.at = At::Elsewhere;
            return self.source(value);
        }
        self.put(&value.to_le_bytes())
    }

    fn serialize_bool(self, value: bool) -> Written {
        self.put(&[u8::from(value)])
    }

    fn serialize_f32(self, value: f32) -> Written {
        self.put(&value.to_bits().to_le_bytes())
    }

    fn serialize_f64(self, value: f64) -> Written {
        self.put(&value.to_bits().to_le_bytes())
    }

    fn serialize_char(self, value: char) -> Written {
        self.put(&u32::from(value).to_le_bytes())
    }

    fn serialize_str(self, value: &str) -> Written {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.length(value.len())?;
        self.put(value)
    }

    fn serialize_none(self) -> Written {
        self.put(&[0])
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        self.put(&[1])?;
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        Ok(())
    }

    fn serialize_unit_variant(self, name: &'static str, number: u32, _: &'static str) -> Written {
        self.tables += usize::from((name, number) == (Found::NAME, Found::KNOWN));
        self.length(number as usize)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        number: u32,
        _: &'static str,
        value: &T,
    ) -> Written {
        self.length(number as usize)?;
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self, NoKey> {
        self.length(length.ok_or(NoKey)?)?;
        Ok(self)
    }

    fn serialize_tuple(self, length: usize) -> Result<Self, NoKey> {
        self.length(length)?;
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Self, NoKey> {
        self.serialize_tuple(length)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        number: u32,
        _: &'static str,
        length: usize,
    ) -> Result<Self, NoKey> {
        self.length(number as usize)?;
        self.serialize_tuple(length)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self, NoKey> {
        self.serialize_seq(length)
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Self, NoKey> {
        self.serialize_tuple(length)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        number: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self, NoKey> {
        self.length(number as usize)?;
        self.length(length)?;
        if (name, variant) == ("Node", "Scan") {
            self.at = At::Scan;
        }
        Ok(self)
    }
}

macro_rules! elements {
    ($($kind:ident: $method:ident),*) => {
        $(impl ser::$kind for &mut Writer {
            type Ok = ();
            type Error = NoKey;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
                value.serialize(&mut **self)
            }

            fn end(self) -> Written {
                Ok(())
            }
        })*
    };
}

elements!(
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
);

impl ser::SerializeMap for &mut Writer {
    type Ok = ();
    type Error = NoKey;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        value.serialize(&mut **self)
    }

    fn end(self) -> Written {
        Ok(())
    }
}

impl ser::SerializeStruct for &mut Writer {
    type Ok = ();
    type Error = NoKey;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Written {
        value.serialize(&mut **self)
    }

    fn end(self) -> Written {
        Ok(())
    }
}

impl ser::SerializeStructVariant for &mut Writer {
    type Ok = ();
    type Error = NoKey;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, field: &'static str, value: &T) -> Written {
        if self.at == At::Scan && field == "source" {
            self.at = At::Source;
        }
        value.serialize(&mut **self)
    }

    fn end(self) -> Written {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::ArrayRef;
    use proptest::prelude::*;

    use super::*;
    use crate::error::Result;
    use crate::plan::dtype::Unit;
    use crate::plan::lookup::Table;
    use crate::plan::node::Field;
    use crate::plan::{DType, Expr, Literal};

    fn scan(source: SourceId, columns: &[(&str, DType)]) -> Arc<Node> {
        let field = |(name, dtype): &(&str, DType)| Field { name: (*name).into(), dtype: dtype.clone() };
        Arc::new(Node::Scan { source, fields: columns.iter().map(field).collect() })
    }

    fn numbers(source: SourceId) -> Arc<Node> {
        scan(source, &[("x", DType::Float64)])
    }

    fn bytes(node: &Node) -> Vec<u8> {
        Key::of(node).unwrap().bytes.to_vec()
    }

    fn above(literal: &Literal) -> Vec<u8> {
        let args = vec![Expr::column("x", DType::Float64), Expr::Literal(literal.clone())];
        let predicate = Expr::Call { op: "gt".into(), args, dtype: DType::Bool };
        bytes(&Node::Filter { input: numbers(0), predicate })
    }

    fn literals() -> impl Strategy<Value = Literal> {
        let floats =
            [0.0, -0.0, f64::NAN, -f64::NAN, f64::from_bits(0x7ff8_0000_0000_0001), 1.0, f64::INFINITY];
        let leaf = prop_oneof![
            Just(Literal::Null),
            any::<bool>().prop_map(Literal::Bool),
            (-2_i64..3).prop_map(Literal::Int),
            (0_u64..3).prop_map(Literal::UInt),
            proptest::sample::select(floats.to_vec()).prop_map(Literal::Float),
            "[a1]{0,2}".prop_map(Literal::Str),
            (-2_i32..3).prop_map(Literal::Date),
            proptest::collection::vec(0_u8..3, 0..3).prop_map(Literal::Bytes),
            (-1_i128..2, 1_u8..3, 0_i8..2).prop_map(|(value, p, s)| Literal::Decimal(value, p, s)),
            (0_i64..2, proptest::option::of("[uz]"))
                .prop_map(|(at, zone)| { Literal::Timestamp(at, Unit::Micro, zone) }),
            (0_i64..2).prop_map(|span| Literal::Duration(span, Unit::Nano)),
        ];
        leaf.prop_recursive(2, 6, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Literal::List),
                (inner, proptest::sample::select(vec![DType::Int8, DType::Int64, DType::Float32]))
                    .prop_map(|(value, dtype)| Literal::Typed(Box::new(value), dtype)),
            ]
        })
    }

    /// The same, floating numbers by their bits.
    fn same(a: &Literal, b: &Literal) -> bool {
        match (a, b) {
            (Literal::Float(a), Literal::Float(b)) => a.to_bits() == b.to_bits(),
            (Literal::List(a), Literal::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Literal::Typed(a, of_a), Literal::Typed(b, of_b)) => of_a == of_b && same(a, b),
            (a, b) => a == b,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn constants_are_told_apart_to_the_bit(a in literals(), b in literals()) {
            prop_assert_eq!(above(&a), above(&a.clone()));
            prop_assert_eq!(above(&a) == above(&b), same(&a, &b), "{:?} and {:?}", a, b);
        }
    }

    #[test]
    fn sources_are_told_apart_by_their_places_only() {
        let both = |a, b| Node::Concat { inputs: vec![numbers(a), numbers(b)], fields: Arc::new([]) };
        assert_eq!(bytes(&both(3, 5)), bytes(&both(900, 2)));
        assert_ne!(bytes(&both(3, 5)), bytes(&both(3, 3)));
        assert_eq!(Key::of(&both(9, 2)).unwrap().sources, [9, 2]);
        assert_eq!(Key::of(&both(9, 9)).unwrap().sources, [9]);
    }

    #[test]
    fn columns_and_their_types_are_in_the_key() {
        let found = [
            scan(1, &[("x", DType::Int64)]),
            scan(1, &[("x", DType::Float64)]),
            scan(1, &[("y", DType::Int64)]),
            scan(1, &[("x", DType::Int64), ("y", DType::Int64)]),
            scan(1, &[("x", DType::Timestamp(Unit::Micro, None))]),
            scan(1, &[("x", DType::Timestamp(Unit::Micro, Some("UTC".to_owned())))]),
        ];
        let keys: std::collections::HashSet<_> = found.iter().map(|node| bytes(node)).collect();
        assert_eq!(keys.len(), found.len());
    }

    /// It has a size, so that two of them are in two places.
    struct Nothing(u8);

    impl Finds for Nothing {
        fn find(&self, keys: &ArrayRef) -> Result<ArrayRef> {
            Ok(keys.slice(0, usize::from(self.0)))
        }
    }

    /// A scan of another table's rows that are found by `tables`.
    fn looked_up(tables: &[Found]) -> Node {
        let asked = |found: &Found| {
            let table = Table { node: numbers(4), contains: true, dtype: DType::Bool, found: found.clone() };
            let args = vec![Expr::column("x", DType::Float64), Expr::Table(Arc::new(table))];
            Expr::Call { op: "lookup".into(), args, dtype: DType::Bool }
        };
        let columns = tables.iter().map(|found| ("found".into(), asked(found))).collect();
        Node::Project { input: numbers(3), columns }
    }

    #[test]
    fn tables_are_in_the_key_by_their_places_only() {
        let found = || Found(Some(Arc::new(Nothing(1))));
        let (one, two) = (found(), found());
        let alone = |found: &Found| bytes(&looked_up(std::slice::from_ref(found)));
        assert_eq!(alone(&one), alone(&two));
        assert_ne!(alone(&one), alone(&Found(None)));
        let [same, others] = [[one.clone(), one.clone()], [one.clone(), two.clone()]];
        assert_ne!(bytes(&looked_up(&same)), bytes(&looked_up(&others)));
        assert_eq!(Key::of(&looked_up(&others)).unwrap().tables.len(), 2);
        assert_eq!(Key::of(&looked_up(&others)).unwrap().sources, [3, 4]);
    }

    #[test]
    fn tables_are_taken_out_and_put_in_again() {
        let found = || Found(Some(Arc::new(Nothing(1))));
        let (one, two, three) = (found(), found(), found());
        let node = Arc::new(looked_up(&[two.clone(), one.clone(), two.clone()]));
        let key = Key::of(&node).unwrap();
        let places = found::places(key.tables.len());
        let kept = found::replaced(&node, &key.tables, &places).unwrap();
        assert!(found::tables(&kept).iter().all(|table| found::place_of(table, &places).is_some()));
        assert_eq!(*found::replaced(&kept, &places, &key.tables).unwrap(), *node);
        let next = Key::of(&looked_up(&[three.clone(), one.clone(), three.clone()])).unwrap();
        assert_eq!(next.bytes, key.bytes);
        let again = found::replaced(&kept, &places, &next.tables).unwrap();
        assert_eq!(*again, looked_up(&[three.clone(), one, three]));
        assert!(found::replaced(&kept, &places, &[]).is_err());
    }

    #[test]
    fn a_plan_with_rows_deep_in_it_has_no_key_and_neither_has_a_large_one() {
        let within = looked_up(&[Found(Some(Arc::new(Nothing(1))))]);
        let table = Table { node: Arc::new(within), contains: true, dtype: DType::Bool, found: Found(None) };
        let args = vec![Expr::column("x", DType::Float64), Expr::Table(Arc::new(table))];
        let predicate = Expr::Call { op: "lookup".into(), args, dtype: DType::Bool };
        assert!(Key::of(&Node::Filter { input: numbers(3), predicate }).is_none());
        let predicate = Expr::Literal(Literal::List(vec![Literal::Int(1); LARGEST / 8]));
        assert!(Key::of(&Node::Filter { input: numbers(0), predicate }).is_none());
    }
}
