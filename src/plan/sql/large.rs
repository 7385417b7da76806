//! Functions of SQL whose values can be far larger than their arguments: what they would make is counted before.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type, IntervalMonthDayNanoType, TimeUnit};
use datafusion::common::config::{ConfigEntry, ConfigExtension, ExtensionOptions};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use crate::error::{Code, Error};

/// What one batch of values may take where no run says how much it may hold: while a query is planned.
const UNLESS_SAID: u64 = 1 << 30;

/// What one batch of values may take: the memory limit of a run.
#[derive(Debug, Clone)]
pub struct Room(pub u64);

impl ConfigExtension for Room {
    const PREFIX: &'static str = "room";
}

impl ExtensionOptions for Room {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        exec_err!("`{key}` is not set by name")
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

/// The bytes that a row of arguments makes.
type Bytes = fn(&[ArrayRef], usize) -> u64;

/// The function, with a count before it if it is one of those.
pub fn counted(function: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    let bytes: Bytes = match function.name() {
        "range" | "generate_series" => ranged,
        "repeat" => repeated,
        "lpad" | "rpad" => padded,
        "array_repeat" => copied,
        "array_resize" => resized,
        _ => return function,
    };
    Arc::new(ScalarUDF::new_from_impl(Counted { function, bytes: Counter(bytes) }))
}

#[derive(Clone, Copy)]
struct Counter(Bytes);

#[derive(PartialEq, Eq, Hash)]
struct Counted {
    function: Arc<ScalarUDF>,
    bytes: Counter,
}

// Of a function there is one counter only: the function tells counters apart.
impl PartialEq for Counter {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Counter {}

impl std::hash::Hash for Counter {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

impl std::fmt::Debug for Counted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.function.fmt(out)
    }
}

impl ScalarUDFImpl for Counted {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn aliases(&self) -> &[String] {
        self.function.aliases()
    }

    fn signature(&self) -> &Signature {
        self.function.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.function.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.function.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.function.coerce_types(types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.function.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let room = args.config_options.extensions.get::<Room>().map_or(UNLESS_SAID, |room| room.0);
        let alike = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if alike { 1 } else { args.number_rows };
        let arrays = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let given = |row: &usize| arrays.iter().all(|array| array.is_valid(*row));
        let bytes =
            (0..rows).filter(given).fold(0_u64, |all, row| all.saturating_add((self.bytes.0)(&arrays, row)));
        if bytes > room {
            let name = self.name();
            let error = Error::new(
                Code::OutOfMemory,
                format!("`{name}` would make {bytes} bytes at once, and {room} are allowed"),
            );
            return Err(error
                .hint(format!("Give `{name}` a smaller number, or raise the memory limit"))
                .into());
        }
        let mut args = args;
        if let ("lpad" | "rpad", [text, length, ..]) = (self.name(), &*arrays) {
            args.args[1] = match &args.args[1] {
                ColumnarValue::Array(_) => ColumnarValue::Array(lengths(text, length)),
                scalar @ ColumnarValue::Scalar(_) => scalar.clone(),
            };
        }
        self.function.invoke_with_args(args)
    }
}

/// Lengths that mean the same. DataFusion 55 asks for the room of all of them, where nothing is padded too, and takes
/// those below zero for large ones: a panic.
fn lengths(text: &ArrayRef, length: &ArrayRef) -> ArrayRef {
    let Some(numbers) = length.as_primitive_opt::<Int64Type>() else { return length.clone() };
    let numbers = numbers.iter().enumerate();
    let numbers =
        numbers.map(|(row, number)| number.filter(|_| text.is_valid(row)).map(|number| number.max(0)));
    Arc::new(numbers.collect::<Int64Array>())
}

/// A whole number among the arguments; nothing where it is below zero.
fn number(array: &ArrayRef, row: usize) -> u64 {
    let found = array.as_primitive_opt::<Int64Type>().map_or(0, |numbers| numbers.value(row));
    u64::try_from(found).unwrap_or(0)
}

/// What a text, or any other value, takes.
fn size(array: &ArrayRef, row: usize) -> u64 {
    let bytes = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).len(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).len(),
        DataType::Utf8View => array.as_string_view().value(row).len(),
        _ => array.slice(row, 1).to_data().get_slice_memory_size().unwrap_or(0),
    };
    bytes as u64
}

fn repeated(args: &[ArrayRef], row: usize) -> u64 {
    let [text, times] = args else { return 0 };
    size(text, row).saturating_mul(number(times, row))
}

fn padded(args: &[ArrayRef], row: usize) -> u64 {
    let [text, length, ..] = args else { return 0 };
    // A character may take as many bytes as all that are filled with.
    let width = args.get(2).map_or(1, |fill| size(fill, row).clamp(1, 4));
    number(length, row).saturating_mul(width).saturating_add(size(text, row))
}

/// Each copy has its place in a list of places as well.
fn copied(args: &[ArrayRef], row: usize) -> u64 {
    let [value, times] = args else { return 0 };
    number(times, row).saturating_mul(size(value, row).saturating_add(8))
}

fn resized(args: &[ArrayRef], row: usize) -> u64 {
    let [_, length, ..] = args else { return 0 };
    let width = args.get(2).map_or(0, |fill| size(fill, row)).max(8);
    number(length, row).saturating_mul(width)
}

const DAY: i128 = 86_400_000_000_000;

fn ranged(args: &[ArrayRef], row: usize) -> u64 {
    let whole = |array: &ArrayRef| array.as_primitive_opt::<Int64Type>().map(|values| values.value(row));
    let (start, stop, step) = match args {
        [stop] => (Some(0), whole(stop), Some(1)),
        [start, stop] => (whole(start), whole(stop), Some(1)),
        [start, stop, step] => (whole(start), whole(stop), whole(step)),
        _ => return 0,
    };
    let (start, stop, step) = match (start, stop, step, args) {
        (Some(start), Some(stop), Some(step), _) => (start.into(), stop.into(), step.into()),
        (.., [start, stop, step]) => {
            let (Some(start), Some(stop)) = (instant(start, row), instant(stop, row)) else { return 0 };
            let Some(step) = step.as_primitive_opt::<IntervalMonthDayNanoType>() else { return 0 };
            let step = step.value(row);
            let (months, rest) =
                (i128::from(step.months), i128::from(step.days) * DAY + i128::from(step.nanoseconds));
            // The shortest that a step can be.
            let steps = [months * 28 * DAY + rest, months * 31 * DAY + rest];
            let step = match steps {
                [short, long] if short.signum() != long.signum() => 1,
                [short, long] if short.abs() < long.abs() => short,
                [_, long] => long,
            };
            (start, stop, step)
        }
        _ => return 0,
    };
    if step == 0 || (step > 0) != (stop >= start) {
        return 0;
    }
    u64::try_from(((stop - start) / step + 1) * 8).unwrap_or(u64::MAX)
}

/// A day or a time in nanoseconds.
fn instant(array: &ArrayRef, row: usize) -> Option<i128> {
    let unit = match array.data_type() {
        DataType::Date32 => DAY,
        DataType::Date64 | DataType::Timestamp(TimeUnit::Millisecond, _) => 1_000_000,
        DataType::Timestamp(TimeUnit::Second, _) => 1_000_000_000,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 1,
        _ => return None,
    };
    let value = array.slice(row, 1);
    let value = match value.data_type() {
        DataType::Date32 => cast(&cast(&value, &DataType::Int32).ok()?, &DataType::Int64),
        _ => cast(&value, &DataType::Int64),
    };
    let value: ArrayRef = value.ok()?;
    let value: &Int64Array = value.as_primitive_opt()?;
    Some(i128::from(value.value(0)) * unit)
}
