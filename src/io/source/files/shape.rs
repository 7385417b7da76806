//! Which type the values of JSON objects have: noted value by value without building them, part by part.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};
use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Fault;
use super::json::scan::{Names, Scanner, Value};

/// What the values seen so far have in common.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Shape {
    /// Nothing but null.
    #[default]
    Null,
    Bool,
    Number(Number),
    Text,
    List(Box<Shape>),
    Object(Object),
    /// Whatever it is, nobody asks.
    Ignored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Number {
    float: bool,
    negative: bool,
    /// Beyond signed integers.
    large: bool,
}

/// The fields of an object, in the order in which they first appear.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object(IndexMap<String, Shape>, Option<Arc<[String]>>);

/// The names of an object's fields that lines are compared with.
#[derive(Default)]
pub struct Known {
    names: Names,
}

/// Why two values have no type together.
struct Mixed(&'static str, &'static str);

impl Shape {
    /// What nothing is known of yet; of objects only these fields matter.
    pub fn of(only: Option<Arc<[String]>>) -> Self {
        only.map_or(Shape::Null, |only| Shape::Object(Object(IndexMap::new(), Some(only))))
    }

    /// Notes the object that a line is.
    pub fn note(&mut self, line: &[u8]) -> Result<(), serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(line);
        (&mut *self).deserialize(&mut deserializer)?;
        deserializer.end()
    }

    /// Notes a line the quick way, if nothing about it is new but the signs of numbers; else it is to be noted.
    pub fn confirms(&mut self, line: &str, known: &mut Known) -> bool {
        let Shape::Object(object) = self else { return false };
        if known.names.len() != object.0.len() {
            known.names = Names::new(object.0.keys().map(String::as_str));
        }
        let mut scanner = Scanner::new(line, 0);
        let object = scanner.object(&known.names, false, |place, value| {
            let (_, shape) = object.0.get_index_mut(place)?;
            match (shape, value) {
                (_, Value::Null)
                | (Shape::Ignored, _)
                | (Shape::Bool, Value::Bool(_))
                | (Shape::Text, Value::Text(..)) => Some(()),
                (Shape::Number(number), Value::Number(text)) => {
                    *number = number.and(Number::plain(text)?);
                    Some(())
                }
                _ => None,
            }
        });
        object.and_then(|()| scanner.end_line()).is_some()
    }

    fn title(&self) -> &'static str {
        match self {
            Shape::Null => "nulls",
            Shape::Bool => "truth values",
            Shape::Number(_) => "numbers",
            Shape::Text => "texts",
            Shape::List(_) => "lists",
            Shape::Object(_) => "objects",
            Shape::Ignored => "values",
        }
    }

    /// What both have in common.
    pub fn and(&mut self, other: Shape) -> Result<(), Fault> {
        match (&mut *self, other) {
            (_, Shape::Null | Shape::Ignored)
            | (Shape::Ignored, _)
            | (Shape::Bool, Shape::Bool)
            | (Shape::Text, Shape::Text) => Ok(()),
            (Shape::Null, other) => {
                *self = other;
                Ok(())
            }
            (Shape::Number(known), Shape::Number(found)) => {
                *known = known.and(found);
                Ok(())
            }
            (Shape::List(known), Shape::List(found)) => known.and(*found),
            (Shape::Object(known), Shape::Object(found)) => {
                for (name, shape) in found.0 {
                    known
                        .field(&name, 0)
                        .1
                        .and(shape)
                        .map_err(|why| -> Fault { format!("field `{name}`: {why}").into() })?;
                }
                Ok(())
            }
            (known, found) => Err(Mixed(known.title(), found.title()).to_string().into()),
        }
    }

    pub fn data_type(&self) -> DataType {
        match self {
            Shape::Null | Shape::Ignored => DataType::Null,
            Shape::Bool => DataType::Boolean,
            Shape::Number(number) => number.data_type(),
            Shape::Text => DataType::Utf8,
            Shape::List(values) => DataType::new_list(values.data_type(), true),
            Shape::Object(object) => DataType::Struct(object.fields()),
        }
    }
}

impl Number {
    /// What a number is of which that is easily said.
    #[inline]
    fn plain(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() > 18 || bytes.iter().any(|byte| matches!(byte, b'e' | b'E')) {
            return None;
        }
        // A zero with a sign is none of an integer.
        let float = bytes.contains(&b'.') || bytes == b"-0";
        Some(Self { float, negative: !float && bytes[0] == b'-', large: false })
    }

    fn and(self, other: Self) -> Self {
        Self {
            float: self.float | other.float,
            negative: self.negative | other.negative,
            large: self.large | other.large,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Number { float: true, .. } | Number { negative: true, large: true, .. } => DataType::Float64,
            Number { large: true, .. } => DataType::UInt64,
            _ => DataType::Int64,
        }
    }
}

impl Object {
    pub fn fields(&self) -> Fields {
        self.0.iter().map(|(name, shape)| Arc::new(Field::new(name, shape.data_type(), true))).collect()
    }

    /// A field and its place; objects mostly have their fields in one order, so it is looked for at `place` first.
    fn field(&mut self, name: &str, place: usize) -> (usize, &mut Shape) {
        let known = match self.0.get_index(place) {
            Some((known, _)) if known == name => Some(place),
            _ => self.0.get_index_of(name),
        };
        let place = known.unwrap_or_else(|| {
            let matters = self.1.as_ref().is_none_or(|only| only.iter().any(|known| known == name));
            let shape = if matters { Shape::Null } else { Shape::Ignored };
            self.0.insert_full(name.to_owned(), shape).0
        });
        (place, &mut self.0[place])
    }
}

impl fmt::Display for Mixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there are both {} and {}", self.0, self.1)
    }
}

impl<'de> DeserializeSeed<'de> for &mut Shape {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self {
            Shape::Ignored => IgnoredAny::deserialize(deserializer).map(drop),
            shape => deserializer.deserialize_any(shape),
        }
    }
}

/// Notes a scalar: it has to be what the others are.
macro_rules! scalar {
    ($self:ident, $kind:pat, $found:expr) => {
        match $self {
            $kind => Ok(()),
            Shape::Null => {
                *$self = $found;
                Ok(())
            }
            known => Err(E::custom(Mixed(known.title(), $found.title()))),
        }
    };
}

impl<'de> Visitor<'de> for &mut Shape {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        scalar!(self, Shape::Bool, Shape::Bool)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        scalar!(self, Shape::Text, Shape::Text)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.number(Number { negative: value < 0, ..Number::default() })
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.number(Number { large: i64::try_from(value).is_err(), ..Number::default() })
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.number(Number { float: true, ..Number::default() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if *self == Shape::Null {
            *self = Shape::List(Box::default());
        }
        let Shape::List(values) = self else {
            return Err(A::Error::custom(Mixed(self.title(), "lists")));
        };
        while list.next_element_seed(&mut **values)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if *self == Shape::Null {
            *self = Shape::Object(Object::default());
        }
        let Shape::Object(object) = self else {
            return Err(A::Error::custom(Mixed(self.title(), "objects")));
        };
        let mut place = 0;
        while let Some(found) = map.next_key_seed(Name { object, place })? {
            let noted = map.next_value_seed(&mut object.0[found]);
            noted.map_err(|why| {
                let name = object.0.get_index(found).map_or("", |(name, _)| name);
                A::Error::custom(format_args!("field `{name}`: {why}"))
            })?;
            place = found + 1;
        }
        Ok(())
    }
}

impl Shape {
    fn number<E: Error>(&mut self, found: Number) -> Result<(), E> {
        match self {
            Shape::Number(known) => *known = known.and(found),
            Shape::Null => *self = Shape::Number(found),
            known => return Err(E::custom(Mixed(known.title(), "numbers"))),
        }
        Ok(())
    }
}

/// Finds the field that a name stands for.
struct Name<'a> {
    object: &'a mut Object,
    place: usize,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        Ok(self.object.field(name, self.place).0)
    }
}
