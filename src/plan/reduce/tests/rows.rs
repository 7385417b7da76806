//! Random rows of every type, and the two ways they are put through an aggregate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::*;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Int64Type};
use proptest::prelude::*;

use crate::plan::DType;
use crate::plan::dtype::Unit;
use crate::plan::node::Params;
use crate::plan::reduce::{Aggregate, Batch, Reduce, create, state_types};

/// A row before it has a type: 0 is missing, 1 to 7 a special value of the type, the rest by `bits`.
#[derive(Debug, Clone)]
pub struct Seed {
    kind: u8,
    bits: u64,
    group: u32,
}

pub fn seeds() -> impl Strategy<Value = Vec<Seed>> {
    let seed =
        (0..24_u8, any::<u64>(), any::<u32>()).prop_map(|(kind, bits, group)| Seed { kind, bits, group });
    (prop_oneof![Just(1_u32), Just(3), Just(40)], prop::collection::vec(seed, 0..300)).prop_map(
        |(groups, mut seeds)| {
            seeds.iter_mut().for_each(|seed| seed.group %= groups);
            seeds
        },
    )
}

pub fn dtypes() -> Vec<DType> {
    use DType::*;
    vec![
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
        Timestamp(Unit::Micro, Some("UTC".to_owned())),
        Duration(Unit::Nano),
        Decimal(10, 2),
        List(Arc::new(Int64)),
        Opaque(DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true))).to_string()),
    ]
}

/// Finite floats are whole multiples of 2^-20 below 2^73, so that their exact sums fit 128 bits.
fn float(seed: &Seed) -> f64 {
    let specials = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e16, -1e16];
    match seed.kind {
        // Infinities are rare enough that many groups have none.
        kind @ 1..=7 if !(2..=3).contains(&kind) || seed.bits.is_multiple_of(16) => {
            specials[kind as usize - 1]
        }
        kind => (seed.bits as i64 >> 11) as f64 * 2_f64.powi([-20, 0, 20][kind as usize % 3]),
    }
}

fn whole(seed: &Seed) -> i128 {
    let specials = [0, 1, -1, i64::MAX.into(), i64::MIN.into(), u64::MAX.into(), 127];
    match seed.kind {
        kind @ 1..=7 => specials[kind as usize - 1],
        _ => i128::from(seed.bits as i64),
    }
}

fn text(seed: &Seed) -> String {
    match seed.kind {
        1..=7 => {
            ["", "a", "ä", "😀", "twelve bytes", "thirteen byte", "a\0"][seed.kind as usize - 1].to_owned()
        }
        _ => format!("{:.*}", seed.bits as usize % 20, (seed.bits % 64) as f64),
    }
}

pub fn array(dtype: &DType, seeds: &[Seed]) -> ArrayRef {
    let of = |seed: &Seed| (seed.kind > 0).then(|| whole(seed));
    macro_rules! integers {
        ($array:ident, $native:ty) => {
            Arc::new(seeds.iter().map(|seed| of(seed).map(|value| value as $native)).collect::<$array>())
                as ArrayRef
        };
    }
    let present = |seed: &&Seed| seed.kind > 0;
    match dtype {
        DType::Null => Arc::new(NullArray::new(seeds.len())),
        DType::Bool => Arc::new(seeds.iter().map(|s| of(s).map(|v| v % 2 == 0)).collect::<BooleanArray>()),
        DType::Int8 => integers!(Int8Array, i8),
        DType::Int16 => integers!(Int16Array, i16),
        DType::Int32 => integers!(Int32Array, i32),
        DType::Int64 => integers!(Int64Array, i64),
        DType::UInt8 => integers!(UInt8Array, u8),
        DType::UInt16 => integers!(UInt16Array, u16),
        DType::UInt32 => integers!(UInt32Array, u32),
        DType::UInt64 => integers!(UInt64Array, u64),
        DType::Float32 => Arc::new(
            seeds.iter().map(|s| Some(s).filter(present).map(|s| float(s) as f32)).collect::<Float32Array>(),
        ),
        DType::Float64 => {
            Arc::new(seeds.iter().map(|s| Some(s).filter(present).map(float)).collect::<Float64Array>())
        }
        DType::Str => {
            Arc::new(seeds.iter().map(|s| Some(s).filter(present).map(text)).collect::<StringViewArray>())
        }
        DType::Binary => cast(&array(&DType::Str, seeds), &DataType::BinaryView).unwrap(),
        DType::Date => cast(&integers!(Int32Array, i32), &DataType::Date32).unwrap(),
        DType::Timestamp(..) | DType::Duration(_) => {
            cast(&integers!(Int64Array, i64), &dtype.arrow().unwrap()).unwrap()
        }
        DType::Decimal(precision, scale) => Arc::new(
            seeds
                .iter()
                .map(|seed| of(seed).map(|value| value % 10_i128.pow(10)))
                .collect::<Decimal128Array>()
                .with_precision_and_scale(*precision, *scale)
                .unwrap(),
        ),
        DType::List(_) | DType::Struct(_) => {
            let wanted = DType::List(Arc::new(DType::Int64)).arrow().unwrap();
            cast(&array(&DType::Opaque(String::new()), seeds), &wanted).unwrap()
        }
        DType::Opaque(_) => Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
            seeds.iter().map(|s| of(s).map(|v| (0..v % 3).map(|i| Some(i as i64)).collect::<Vec<_>>())),
        )),
    }
}

/// How many arguments an aggregate takes.
fn takes(aggregate: &dyn Aggregate) -> usize {
    match aggregate.name() {
        "size" => 0,
        "corr" | "cov" | "finite_corr" | "finite_cov" | "idxmin" | "idxmax" => 2,
        _ => 1,
    }
}

pub fn args_of(aggregate: &dyn Aggregate, dtype: &DType) -> Vec<DType> {
    vec![dtype.clone(); takes(aggregate)]
}

/// Rows on their way into a `Reduce`.
pub struct Rows {
    pub column: ArrayRef,
    pub groups: Vec<u32>,
    pub positions: Vec<i64>,
}

impl Rows {
    pub fn new(dtype: &DType, seeds: &[Seed]) -> Self {
        Self {
            column: array(dtype, seeds),
            groups: seeds.iter().map(|seed| seed.group).collect(),
            positions: (0..seeds.len() as i64).collect(),
        }
    }

    pub fn num_groups(&self) -> usize {
        self.groups.iter().max().map_or(0, |&highest| highest as usize + 1)
    }

    pub fn update(&self, aggregate: &dyn Aggregate, reduce: &mut dyn Reduce) {
        let args = &vec![self.column.clone(); takes(aggregate)];
        let positions = aggregate.ordered().then_some(self.positions.as_slice());
        reduce
            .update(Batch { args, groups: &self.groups, num_groups: self.num_groups(), positions })
            .unwrap();
    }

    fn pick(&self, rows: &[u32], groups: Vec<u32>) -> Self {
        let column = take(&self.column, &UInt32Array::from(rows.to_vec()), None).unwrap();
        Self { column, groups, positions: rows.iter().map(|&row| self.positions[row as usize]).collect() }
    }
}

pub fn direct(aggregate: &dyn Aggregate, dtype: &DType, params: &Params, rows: &Rows) -> ArrayRef {
    let mut reduce = create(aggregate, &args_of(aggregate, dtype), params).unwrap();
    rows.update(aggregate, reduce.as_mut());
    reduce.finish(rows.num_groups()).unwrap()
}

/// Deals the rows out to partial states in batches in a random order, each with group numbers of its own
/// (several for one group), and merges those in a random order.
pub fn scattered(
    aggregate: &dyn Aggregate,
    dtype: &DType,
    params: &Params,
    rows: &Rows,
    mut dice: u64,
) -> ArrayRef {
    let mut roll = move |sides: usize| {
        dice = dice.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (dice >> 33) as usize % sides
    };
    let args = args_of(aggregate, dtype);
    let mut batches: Vec<Vec<u32>> = vec![vec![]];
    for row in 0..rows.groups.len() as u32 {
        if roll(9) == 0 {
            batches.push(vec![]);
        }
        batches.last_mut().unwrap().push(row);
    }
    let mut partials: Vec<_> = (0..3)
        .map(|_| (create(aggregate, &args, params).unwrap(), HashMap::<(u32, u32), u32>::new()))
        .collect();
    while !batches.is_empty() {
        let batch = batches.swap_remove(roll(batches.len()));
        let (reduce, names) = &mut partials[roll(3)];
        let local = batch.iter().map(|&row| {
            let next = names.len() as u32;
            *names.entry((rows.groups[row as usize], row % 2)).or_insert(next)
        });
        let groups = local.collect();
        rows.pick(&batch, groups).update(aggregate, reduce.as_mut());
    }
    let mut total = create(aggregate, &args, params).unwrap();
    while !partials.is_empty() {
        let (mut reduce, names) = partials.swap_remove(roll(partials.len()));
        let state = reduce.state().unwrap();
        let types: Vec<_> = state.iter().map(|column| column.data_type().clone()).collect();
        assert_eq!(types, state_types(aggregate, &args, params).unwrap());
        let mut groups = vec![0; names.len()];
        names.iter().for_each(|(&(group, _), &local)| groups[local as usize] = group);
        total.merge(&state, &groups, rows.num_groups()).unwrap();
        assert_eq!(reduce.finish(0).unwrap().len(), 0, "state() leaves nothing behind");
    }
    total.finish(rows.num_groups()).unwrap()
}
