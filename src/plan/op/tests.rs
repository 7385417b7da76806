//! Operators against values taken from pandas 3.1 and NumPy 2.4, and the laws they obey.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::{Field, Schema};
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;

use super::operand::{arrow_type, constant};
use super::{OPERATORS, promote};
use crate::error::{Code, Result};
use crate::plan::dtype::Unit;
use crate::plan::eval::Program;
use crate::plan::{DType, Expr, Literal};

const NAN: Literal = Literal::Float(f64::NAN);

trait Lit {
    fn lit(self) -> Literal;
}
impl Lit for i32 {
    fn lit(self) -> Literal {
        Literal::Int(self.into())
    }
}
impl Lit for i64 {
    fn lit(self) -> Literal {
        Literal::Int(self)
    }
}
impl Lit for f64 {
    fn lit(self) -> Literal {
        Literal::Float(self)
    }
}
impl Lit for bool {
    fn lit(self) -> Literal {
        Literal::Bool(self)
    }
}
impl Lit for &str {
    fn lit(self) -> Literal {
        Literal::Str(self.to_owned())
    }
}
impl<T: Lit> Lit for Option<T> {
    fn lit(self) -> Literal {
        self.map_or(Literal::Null, T::lit)
    }
}

fn array(dtype: &DType, values: &[Literal]) -> ArrayRef {
    let ones: Vec<_> = values.iter().map(|v| constant(v, dtype, 1).unwrap()).collect();
    if ones.is_empty() {
        return arrow::array::new_empty_array(&arrow_type(dtype).unwrap());
    }
    concat(&ones.iter().map(|a| a.as_ref()).collect::<Vec<_>>()).unwrap()
}

fn series<T: Lit>(dtype: DType, values: impl IntoIterator<Item = T>) -> (DType, Vec<Literal>) {
    (dtype, values.into_iter().map(Lit::lit).collect())
}

/// Calls an operator on columns `a`, `b`, ... and constants after them.
fn call(name: &str, columns: &[(DType, Vec<Literal>)], constants: &[Literal]) -> Result<(DType, ArrayRef)> {
    let fields: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(i, (dtype, _))| Field::new(format!("c{i}"), dtype.arrow().unwrap(), true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let args = columns.iter().enumerate().map(|(i, (dtype, _))| Expr::column(format!("c{i}"), dtype.clone()));
    let args = args.chain(constants.iter().cloned().map(Expr::Literal)).collect();
    let expr = Expr::call(name, args)?;
    let arrays = columns.iter().map(|(dtype, values)| array(dtype, values)).collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays).unwrap();
    let result = Program::new(&expr, &schema)?.eval(&batch)?;
    assert_eq!(result.len(), batch.num_rows());
    assert_eq!(Some(result.data_type().clone()), expr.dtype().arrow(), "{name}");
    Ok((expr.dtype(), result))
}

fn shown(result: Result<(DType, ArrayRef)>) -> String {
    match result {
        Ok((dtype, array)) => {
            let value = |row| match array.is_null(row) {
                true => "-".to_owned(),
                false => array_value_to_string(&array, row).unwrap(),
            };
            format!("{dtype}: {}", (0..array.len()).map(value).collect::<Vec<_>>().join(" "))
        }
        Err(error) => format!("{}", error.code()),
    }
}

fn one<T: Lit>(
    name: &str,
    dtype: DType,
    values: impl IntoIterator<Item = T>,
    constants: &[Literal],
) -> String {
    shown(call(name, &[series(dtype, values)], constants))
}

// Every expected value below was printed by pandas 3.1.1 with NumPy 2.4.6 for the same data.

#[test]
fn arithmetic_is_that_of_numpy() {
    use DType::*;
    let floats = [1.0, -1.0, 0.0, f64::INFINITY, 7.5, -7.5];
    for (name, divisor, expected) in [
        ("floordiv", 2.0, "float64: 0.0 -1.0 0.0 NaN 3.0 -4.0"),
        ("mod", 2.0, "float64: 1.0 1.0 0.0 NaN 1.5 0.5"),
        ("floordiv", -2.0, "float64: -1.0 0.0 -0.0 NaN -4.0 3.0"),
        ("mod", -2.0, "float64: -1.0 -1.0 -0.0 NaN -0.5 -1.5"),
        ("floordiv", 0.0, "float64: inf -inf NaN inf inf -inf"),
        ("truediv", 0.0, "float64: inf -inf NaN inf inf -inf"),
        ("mod", f64::INFINITY, "float64: 1.0 inf 0.0 NaN 7.5 inf"),
        ("floordiv", f64::INFINITY, "float64: 0.0 -1.0 0.0 NaN 0.0 -1.0"),
    ] {
        assert_eq!(one(name, Float64, floats, &[divisor.lit()]), expected, "{name} {divisor}");
    }
    assert_eq!(one("floordiv", Int64, [7, -7, 8], &[2.lit()]), "int64: 3 -4 4");
    assert_eq!(one("mod", Int64, [7, -7, 8], &[(-3).lit()]), "int64: -2 -1 -1");
    assert_eq!(one("floordiv", Int64, [i64::MIN], &[(-1).lit()]), "int64: -9223372036854775808");
    assert_eq!(one("mod", Int64, [i64::MIN], &[(-1).lit()]), "int64: 0");
    assert_eq!(one("add", Int8, [100, -100], &[100.lit()]), "int8: -56 0");
    assert_eq!(one("add", Int8, [1], &[300.lit()]), "NOT_DECOMPOSABLE");
    assert_eq!(one("add", Int8, [1], &[1.5.lit()]), "float64: 2.5");
    assert_eq!(one("add", Float32, [1.5], &[1.0.lit()]), "float32: 2.5");
    assert_eq!(one("add", Bool, [true, false], &[true.lit()]), "bool: true true");
    assert_eq!(one("add", Bool, [true, false], &[1.lit()]), "int64: 2 1");
    assert_eq!(one("sub", Bool, [true], &[true.lit()]), "SCHEMA_MISMATCH");
    assert_eq!(one("truediv", Int8, [1], &[2.lit()]), "float64: 0.5");
    assert_eq!(one("truediv", Bool, [true], &[2.lit()]), "float64: 0.5");
    assert_eq!(one("floordiv", Int64, [1], &[0.lit()]), "NOT_DECOMPOSABLE");
    assert_eq!(one("pow", Int64, [3], &[(-1).lit()]), "SCHEMA_MISMATCH");
    assert_eq!(one("pow", Float64, [Some(2.0), None], &[0.lit()]), "float64: 1.0 1.0");
    assert_eq!(one("neg", UInt8, [1, 0], &[]), "uint8: 255 0");
    assert_eq!(one("abs", Int8, [-128, -3], &[]), "int8: -128 3");
    assert_eq!(one("neg", Bool, [true], &[]), "bool: false");
    assert_eq!(one("add", Str, [Some("a"), None], &["x".lit()]), "str: ax -");
    assert_eq!(one("add", Int64, [1], &[Literal::Null]), "SCHEMA_MISMATCH");
    let zero = call("floordiv", &[series(Int64, [1]), series(Int64, [0])], &[]).unwrap_err();
    assert_eq!(zero.code(), Code::OperationFailed);
    let wide = call("add", &[series(Int64, [1]), series(UInt64, [2])], &[]);
    assert_eq!(shown(wide), "float64: 3.0");
}

#[test]
fn rounding_is_half_to_even() {
    let halves = [0.5, 1.5, 2.5, -0.5, 1.005, 2.675];
    assert_eq!(one("round", DType::Float64, halves, &[2.lit()]), "float64: 0.5 1.5 2.5 -0.5 1.0 2.68");
    assert_eq!(one("round", DType::Float64, halves, &[0.lit()]), "float64: 0.0 2.0 2.0 -0.0 1.0 3.0");
    assert_eq!(one("round", DType::Int64, [5, 15, 25, -15], &[(-1).lit()]), "int64: 0 20 20 -20");
    assert_eq!(one("round", DType::Int8, [127], &[(-1).lit()]), "int8: -126");
}

#[test]
fn comparisons_are_never_missing() {
    use DType::*;
    let text = [Some("a"), Some("b"), None];
    assert_eq!(one("eq", Str, text, &["a".lit()]), "bool: true false false");
    assert_eq!(one("ne", Str, text, &["a".lit()]), "bool: false true true");
    assert_eq!(one("eq", Str, text, &[1.lit()]), "bool: false false false");
    assert_eq!(one("ne", Int64, [1, 2], &["a".lit()]), "bool: true true");
    assert_eq!(one("lt", Str, text, &[1.lit()]), "SCHEMA_MISMATCH");
    assert_eq!(one("ne", Float64, [1.0, f64::NAN], &[1.0.lit()]), "bool: false true");
    assert_eq!(one("eq", Float64, [-0.0, f64::NAN], &[0.lit()]), "bool: true false");
    assert_eq!(one("lt", Int8, [100, -100], &[300.lit()]), "bool: true true");
    let (exact, near) = ((1_i64 << 53) + 1, (1_i64 << 53) as f64);
    assert_eq!(one("eq", Int64, [exact], &[near.lit()]), "bool: true");
    assert_eq!(one("eq", Float32, [0.1], &[0.1.lit()]), "bool: true");
    let typed = Literal::Typed(Box::new(0.1.lit()), Float64);
    assert_eq!(one("eq", Float32, [0.1], &[typed]), "bool: false");
    let signed = series(Int64, [-1, (1_i64 << 62) + 1]);
    let unsigned = (UInt64, vec![Literal::UInt(u64::MAX), ((1_i64 << 62) + 1).lit()]);
    assert_eq!(shown(call("eq", &[signed.clone(), unsigned.clone()], &[])), "bool: false true");
    assert_eq!(shown(call("lt", &[signed, unsigned], &[])), "bool: true false");
    assert_eq!(one("lt", Int64, [1, 2], &[Literal::Null]), "bool: false false");
    assert_eq!(one("between", Int64, [0, 1, 2], &[0.lit(), 2.lit(), "left".lit()]), "bool: true true false");
    let day = Literal::Timestamp(1_577_836_800, Unit::Second, None);
    let times = (Timestamp(Unit::Micro, None), vec![day, Literal::Null]);
    assert_eq!(shown(call("eq", std::slice::from_ref(&times), &["2020-01-01".lit()])), "bool: true false");
    assert_eq!(shown(call("lt", std::slice::from_ref(&times), &["2020-06".lit()])), "bool: true false");
    assert_eq!(shown(call("sub", &[times.clone(), times], &[])).split(':').next(), Some("timedelta64[us]"));
}

#[test]
fn membership_is_exact() {
    use DType::*;
    let list = |values: &[Literal]| [Literal::List(values.to_vec())];
    let floats = [1.5, f64::NAN, -0.0];
    assert_eq!(one("isin", Float64, floats, &list(&[1.5.lit(), NAN])), "bool: true true false");
    assert_eq!(one("isin", Float64, floats, &list(&[Literal::Null])), "bool: false false false");
    assert_eq!(one("isin", Float64, floats, &list(&[0.lit()])), "bool: false false true");
    assert_eq!(one("isin", Float64, floats, &list(&["1.5".lit()])), "bool: false false false");
    assert_eq!(one("isin", Str, [Some("a"), None], &list(&[Literal::Null])), "bool: false true");
    assert_eq!(one("isin", Int8, [100, 3], &list(&[300.lit(), 100.lit()])), "bool: true false");
    assert_eq!(one("isin", Int64, [(1_i64 << 53) + 1], &list(&[9007199254740992.0.lit()])), "bool: false");
    assert_eq!(one("isin", Float32, [0.1], &list(&[0.1.lit()])), "bool: false");
    assert_eq!(one("isin", Bool, [true, false], &list(&[1.lit()])), "bool: true false");
}

#[test]
fn missing_values_are_found_and_filled() {
    use DType::*;
    assert_eq!(one("isna", Float64, [Some(f64::NAN), Some(1.0), None], &[]), "bool: true false true");
    assert_eq!(one("fillna", Float64, [Some(f64::NAN), Some(1.0), None], &[0.lit()]), "float64: 0.0 1.0 0.0");
    assert_eq!(one("fillna", Int64, [Some(1), None], &[1.5.lit()]), "float64: 1.0 1.5");
    assert_eq!(one("fillna", Float64, [1.0], &["a".lit()]), "NOT_DECOMPOSABLE");
    assert_eq!(one("not", Bool, [Some(true), None], &[]), "OPERATION_FAILED");
    let (a, b) = (series(Bool, [Some(true), None, None]), series(Bool, [true, true, false]));
    assert_eq!(shown(call("and", &[a.clone(), b.clone()], &[])), "bool: true false false");
    assert_eq!(shown(call("or", &[a.clone(), b], &[])), "bool: true true false");
    assert_eq!(shown(call("where", &[a, series(Int64, [1, 2, 3])], &[1.5.lit()])), "float64: 1.0 1.5 1.5");
}

#[test]
fn conversions_write_and_read_as_python() {
    use DType::*;
    let to = |name: &str| [name.lit()];
    let floats = [1.0, 1e16, 1e-5, 1.5e300, 123456789.123, 0.0001, 1e15, -0.0, f64::NEG_INFINITY, f64::NAN];
    assert_eq!(
        one("astype", Float64, floats, &to("str")),
        "str: 1.0 1e+16 1e-05 1.5e+300 123456789.123 0.0001 1000000000000000.0 -0.0 -inf -"
    );
    let narrow = [0.1, 1e6, 999999.9, 0.0001, 0.00012, 16777216.0];
    assert_eq!(
        one("astype", Float32, narrow, &to("str")),
        "str: 0.1 1e+06 999999.9 1e-04 0.00012 1.6777216e+07"
    );
    assert_eq!(one("astype", Bool, [true, false], &to("str")), "str: True False");
    assert_eq!(one("astype", Float64, [1.5, -1.5], &to("int")), "int64: 1 -1");
    assert_eq!(one("astype", Float64, [1.5, f64::NAN], &to("int")), "OPERATION_FAILED");
    assert_eq!(one("astype", Float64, [2.0, f64::NAN], &to("Int64")), "int64: 2 -");
    assert_eq!(one("astype", Float64, [1.5], &to("Int64")), "OPERATION_FAILED");
    assert_eq!(one("astype", Int64, [300, -1], &to("int8")), "int8: 44 -1");
    assert_eq!(one("astype", Float64, [1.5, f64::NAN, 0.0], &to("bool")), "bool: true true false");
    assert_eq!(one("astype", Str, [Some(""), Some("x"), None], &to("bool")), "bool: false true true");
    assert_eq!(one("astype", Str, [" 1", "1_000", "+1"], &to("int64")), "int64: 1 1000 1");
    assert_eq!(one("astype", Str, ["1.0"], &to("int64")), "OPERATION_FAILED");
    assert_eq!(one("astype", Str, ["300"], &to("int8")), "OPERATION_FAILED");
    assert_eq!(one("astype", Str, [Some("1e3"), Some("inf"), None], &to("float")), "float64: 1000.0 inf -");
    assert_eq!(one("astype", Int64, [1], &to("category")), "NOT_DECOMPOSABLE");
}

const TYPES: [DType; 12] = {
    use DType::*;
    [Bool, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Float32, Float64, Str]
};

fn values(dtype: DType, rows: usize) -> impl Strategy<Value = (DType, Vec<Literal>)> {
    let value = match &dtype {
        DType::Bool => any::<Option<bool>>().prop_map(Lit::lit).boxed(),
        DType::Str => "[ab1.é]{0,3}".prop_map(Literal::Str).boxed(),
        dtype if dtype.is_float() => prop_oneof![
            any::<f64>().prop_map(Lit::lit),
            (-3..4).prop_map(|v| f64::from(v).lit()),
            Just(NAN),
            Just(Literal::Null)
        ]
        .boxed(),
        dtype => {
            let low = if dtype.is_signed() { -100_i64 } else { 0 };
            prop_oneof![4 => (low..100).prop_map(Lit::lit), 1 => Just(Literal::Null)].boxed()
        }
    };
    prop::collection::vec(value, rows).prop_map(move |values| (dtype.clone(), values))
}

fn pair() -> impl Strategy<Value = [(DType, Vec<Literal>); 2]> {
    (prop::sample::select(&TYPES[..]), prop::sample::select(&TYPES[..]), 0_usize..70)
        .prop_flat_map(|(a, b, rows)| (values(a, rows), values(b, rows)))
        .prop_map(|(a, b)| [a, b])
}

proptest! {
    #[test]
    fn promotion_is_commutative(a in prop::sample::select(&TYPES[..]), b in prop::sample::select(&TYPES[..])) {
        prop_assert_eq!(promote(&a, &b), promote(&b, &a));
    }

    /// `call` checks the number of rows and the type of what comes out.
    #[test]
    fn nothing_panics(columns in pair(), constant in prop::sample::select(vec![0.lit(), 2.lit(), (-3).lit(), 2.5.lit(), true.lit(), "a".lit(), NAN, Literal::Null])) {
        // Those of the accessors are told how by constants that only the tracing layer gives: without them they may call
        // themselves misused.
        for (operator, told) in OPERATORS.iter().enumerate().flat_map(|(n, group)| group.iter().map(move |op| (op, n > 0))) {
            for error in [
                call(operator.name(), &columns[..1], &[]),
                call(operator.name(), &columns, &[]),
                call(operator.name(), &columns[..1], std::slice::from_ref(&constant)),
            ].into_iter().filter_map(Result::err) {
                prop_assert!(told || error.code() != Code::Internal, "{}: {}", operator.name(), error);
            }
        }
    }

    #[test]
    fn comparisons_negate(columns in pair()) {
        let result = |name| call(name, &columns, &[]).map(|(_, array)| array.as_boolean().values().clone());
        prop_assert_eq!(result("eq").unwrap(), !&result("ne").unwrap());
        if let (Ok(lt), Ok(ge)) = (result("lt"), result("ge")) {
            prop_assert_eq!((&lt & &ge).count_set_bits(), 0);
            let le = &result("lt").unwrap() | &result("eq").unwrap();
            prop_assert_eq!(result("le").unwrap(), le);
        }
    }

    #[test]
    fn text_brings_numbers_back(numbers in prop::collection::vec(any::<f64>(), 0..50)) {
        let (_, text) = call("astype", &[series(DType::Float64, numbers.clone())], &["str".lit()]).unwrap();
        let text: Vec<_> = text.as_string_view().iter().map(Lit::lit).collect();
        let (_, back) = call("astype", &[(DType::Str, text)], &["float64".lit()]).unwrap();
        for (number, back) in numbers.iter().zip(back.as_primitive::<arrow::datatypes::Float64Type>()) {
            prop_assert_eq!(back.map(f64::to_bits), Some(number.to_bits()).filter(|_| !number.is_nan()));
        }
    }
}
