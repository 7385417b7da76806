//! `corr` and `cov` of two columns: running means and products of distances from them, updated as Welford does and
//! merged as Chan, Golub and LeVeque do (for covariances: Pébay 2008, equation 3.11).
//!
//! A row counts where both columns have a value.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};

use super::kernel::{State, argument, check, column, grow, primitive, run};
use super::{Aggregate, Batch, Reduce};
use crate::error::{Result, misused, not_decomposable};
use crate::plan::DType;
use crate::plan::node::Params;

/// `corr` (Pearson's), or `cov`. Those of a frame's matrix, `finite_corr` and `finite_cov`, leave infinities out.
pub struct Pairwise {
    pub correlation: bool,
    pub finite: bool,
}

impl Aggregate for Pairwise {
    fn name(&self) -> &'static str {
        match (self.correlation, self.finite) {
            (true, false) => "corr",
            (false, false) => "cov",
            (true, true) => "finite_corr",
            (false, true) => "finite_cov",
        }
    }

    fn infer(&self, args: &[DType], _params: &Params) -> Result<DType> {
        let name = self.name();
        let [one, other] = args else {
            return Err(misused(format!("`{name}` takes two columns, not {}", args.len())));
        };
        for dtype in [one, other] {
            if !(dtype.is_numeric() || matches!(dtype, DType::Bool | DType::Null)) {
                return Err(not_decomposable(format!(
                    "`{name}` over a column of type {dtype} is not supported"
                ))
                .hint("Convert the column to numbers with `astype` first"));
            }
        }
        Ok(DType::Float64)
    }

    fn keeps_missing(&self) -> bool {
        true
    }

    fn state_types(&self, _args: &[DType], _params: &Params) -> Result<Vec<DataType>> {
        Ok(vec![DataType::Float64; 6])
    }

    fn create(&self, args: &[DType], params: &Params) -> Result<Box<dyn Reduce>> {
        self.infer(args, params)?;
        Ok(Box::new(Pairs {
            correlation: self.correlation,
            finite: self.finite,
            ddof: f64::from(params.ddof),
            least: params.min_count.max(1) as f64,
            states: Vec::new(),
        }))
    }
}

/// One cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Joint {
    count: f64,
    means: [f64; 2],
    squares: [f64; 2],
    product: f64,
}

impl State for Joint {
    const EMPTY: Self = Self { count: 0.0, means: [0.0; 2], squares: [0.0; 2], product: 0.0 };

    #[inline(always)]
    fn merge(&mut self, other: Self) {
        if other.count == 0.0 {
            return;
        }
        if self.count == 0.0 {
            *self = other;
            return;
        }
        let count = self.count + other.count;
        let share = other.count / count;
        let (x, y) = (other.means[0] - self.means[0], other.means[1] - self.means[1]);
        let weight = self.count * share;
        self.means[0] += x * share;
        self.means[1] += y * share;
        self.squares[0] += other.squares[0] + x * x * weight;
        self.squares[1] += other.squares[1] + y * y * weight;
        self.product += other.product + x * y * weight;
        self.count = count;
    }
}

impl Joint {
    #[inline(always)]
    fn add(&mut self, [x, y]: [f64; 2]) {
        self.count += 1.0;
        let share = self.count.recip();
        let (dx, dy) = (x - self.means[0], y - self.means[1]);
        self.means[0] += dx * share;
        self.means[1] += dy * share;
        let (rx, ry) = (x - self.means[0], y - self.means[1]);
        self.squares[0] += dx * rx;
        self.squares[1] += dy * ry;
        self.product += dx * ry;
    }
}

struct Pairs {
    correlation: bool,
    finite: bool,
    ddof: f64,
    least: f64,
    states: Vec<Joint>,
}

/// An argument as floats.
fn floats(array: &ArrayRef) -> Result<PrimitiveArray<Float64Type>> {
    match array.data_type() {
        DataType::Float64 | DataType::Null => primitive::<Float64Type>(array),
        _ => primitive::<Float64Type>(&cast(array, &DataType::Float64)?),
    }
}

impl Reduce for Pairs {
    fn update(&mut self, batch: Batch<'_>) -> Result<()> {
        let (x, y) = (floats(argument(&batch, 0)?)?, floats(argument(&batch, 1)?)?);
        grow(&mut self.states, batch.num_groups, Joint::EMPTY);
        let pairs: Vec<[f64; 2]> = x.values().iter().zip(y.values()).map(|(&x, &y)| [x, y]).collect();
        let nulls = NullBuffer::union(x.nulls(), y.nulls());
        let largest = if self.finite { f64::MAX } else { f64::INFINITY };
        run(&mut self.states, batch.groups, &pairs, nulls.as_ref(), |state, pair, valid| {
            // Not true of NaN either.
            if valid & (pair[0].abs() <= largest) & (pair[1].abs() <= largest) {
                state.add(pair);
            }
        })
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let states = std::mem::take(&mut self.states);
        let of = |part: fn(&Joint) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(states.iter().map(part)))
        };
        Ok(vec![
            of(|state| state.count),
            of(|state| state.means[0]),
            of(|state| state.means[1]),
            of(|state| state.squares[0]),
            of(|state| state.squares[1]),
            of(|state| state.product),
        ])
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<()> {
        grow(&mut self.states, num_groups, Joint::EMPTY);
        let columns = (0..6).map(|place| primitive::<Float64Type>(column(state, place)?));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let rows = columns.iter().map(|column| column.len()).min().unwrap_or(0);
        check(groups, rows, self.states.len())?;
        for (row, &group) in groups.iter().enumerate() {
            let part = |place: usize| columns[place].value(row);
            self.states[group as usize].merge(Joint {
                count: part(0),
                means: [part(1), part(2)],
                squares: [part(3), part(4)],
                product: part(5),
            });
        }
        Ok(())
    }

    fn finish(&mut self, num_groups: usize) -> Result<ArrayRef> {
        let mut states = std::mem::take(&mut self.states);
        states.resize(num_groups.max(states.len()), Joint::EMPTY);
        let answer = |state: &Joint| {
            let value = if self.correlation {
                let value = state.product / (state.squares[0].sqrt() * state.squares[1].sqrt());
                value.clamp(-1.0, 1.0)
            } else {
                state.product / (state.count - self.ddof)
            };
            let enough = state.count >= self.least && (self.correlation || state.count > self.ddof);
            (enough && !value.is_nan()).then_some(value)
        };
        Ok(Arc::new(states[..num_groups].iter().map(answer).collect::<Float64Array>()))
    }

    fn size(&self) -> usize {
        self.states.capacity() * size_of::<Joint>()
    }

    fn is_flat(&self) -> bool {
        true
    }
}
