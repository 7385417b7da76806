//! `median` and `quantile`, exactly, of the values of each group (`held.rs`): the wanted ones are selected, not sorted.
//!
//! pandas has two quantiles that differ in their last bits and where infinities meet: NumPy's for whole columns and
//! its own within groups. Both are here; `Params::grouped` says which.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, Float64Array, PrimitiveArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Int64Type};

use super::extreme::Ranked;
use super::held::{Held, Sorted, one_list};
use super::kernel::{Number, argument, retype, with_number};
use super::select::{MANY, select};
use super::{Aggregate, Batch, Reduce, one_argument};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::node::{Interpolation, Params};

/// `median`, or `quantile`.
pub struct Quantile {
    pub median: bool,
}

impl Aggregate for Quantile {
    fn name(&self) -> &'static str {
        if self.median { "median" } else { "quantile" }
    }

    fn infer(&self, args: &[DType], params: &Params) -> Result<DType> {
        let name = self.name();
        let dtype = one_argument(self, args)?;
        let between =
            self.median || matches!(params.interpolation, Interpolation::Linear | Interpolation::Midpoint);
        let refused = || {
            not_decomposable(format!("`{name}` over a column of type {dtype} is not supported"))
                .hint("Convert the column to numbers with `astype` first")
        };
        Ok(match dtype {
            DType::Timestamp(..) | DType::Duration(_) => dtype.clone(),
            DType::Float32 if self.median => DType::Float32,
            DType::Float32 | DType::Float64 | DType::Null => DType::Float64,
            DType::Bool if self.median => DType::Float64,
            DType::Bool if !between && !params.grouped => DType::Bool,
            dtype if dtype.is_integer() && between => DType::Float64,
            DType::UInt64 if params.grouped => DType::UInt64,
            dtype if dtype.is_integer() && params.grouped => DType::Int64,
            dtype if dtype.is_integer() => dtype.clone(),
            _ => return Err(refused()),
        })
    }

    fn state_types(&self, args: &[DType], params: &Params) -> Result<Vec<DataType>> {
        super::state_types_of(self, args, params)
    }

    fn create(&self, args: &[DType], params: &Params) -> Result<Box<dyn Reduce>> {
        several(&[(self.name(), params)], args)
    }
}

/// Quantiles of one column as one `Reduce`, which holds the values once. It finishes as a struct with one field for
/// each where there are several.
pub fn several(members: &[(&str, &Params)], args: &[DType]) -> Result<Box<dyn Reduce>> {
    let mut targets = Vec::with_capacity(members.len());
    for (name, params) in members {
        let median = *name == "median";
        let result = super::arrow_type(&Quantile { median }.infer(args, params)?)?;
        let target = Target {
            median,
            // NumPy takes percentages, and divides by 100 again.
            q: if params.grouped { params.q } else { params.q * 100.0 / 100.0 },
            interpolation: params.interpolation,
            grouped: params.grouped,
            result,
        };
        targets.push(target);
    }
    let time = |result: &DataType| matches!(result, DataType::Timestamp(..) | DataType::Duration(_));
    Ok(match &args[0] {
        _ if targets.iter().any(|target| time(&target.result)) => Quantiles::<Int64Type>::boxed(targets),
        dtype => with_number!(
            dtype,
            T => Quantiles::<T>::boxed(targets),
            _ => return Err(Error::internal("a quantile was created for a type it refuses"))
        ),
    })
}

/// One quantile that is asked for.
struct Target {
    median: bool,
    q: f64,
    interpolation: Interpolation,
    grouped: bool,
    result: DataType,
}

/// Where a quantile lies: at a value, or between it and the next one.
enum Place {
    At(usize),
    Between(usize, f64),
}

impl Target {
    /// Among `count` sorted values, of which there is at least one.
    fn place(&self, count: usize) -> Place {
        if self.median {
            return if count % 2 == 1 { Place::At(count / 2) } else { Place::Between(count / 2 - 1, 0.5) };
        }
        let exact = self.q * (count - 1) as f64;
        let below = (exact.floor() as usize).min(count - 1);
        let part = exact - exact.floor();
        if part == 0.0 || below + 1 >= count {
            // NumPy interpolates here as well, and finds that infinity times 0 is no number.
            let between = matches!(self.interpolation, Interpolation::Linear | Interpolation::Midpoint);
            return if between && !self.grouped { Place::Between(below, 0.0) } else { Place::At(below) };
        }
        match self.interpolation {
            Interpolation::Linear => Place::Between(below, part),
            Interpolation::Midpoint => Place::Between(below, 0.5),
            Interpolation::Lower => Place::At(below),
            Interpolation::Higher => Place::At(below + 1),
            // Halfway to the even one.
            Interpolation::Nearest => {
                let up = part > 0.5 || part == 0.5 && below % 2 == 1;
                Place::At(if up { below + 1 } else { below })
            }
        }
    }

    fn between<N: Number>(&self, low: N, high: N, part: f64) -> f64 {
        let (a, b) = (low.float(), high.float());
        if self.median || self.grouped && self.interpolation == Interpolation::Midpoint {
            return (a + b) / 2.0;
        }
        let apart = high.minus(low);
        if self.grouped || part < 0.5 { a + apart * part } else { b - apart * (1.0 - part) }
    }
}

/// The distance of two values, taken before they are rounded to floats.
trait Minus: Number {
    fn minus(self, low: Self) -> f64;
}

impl<N: Number> Minus for N {
    fn minus(self, low: Self) -> f64 {
        if N::WHOLE { (self.exact() - low.exact()) as f64 } else { self.float() - low.float() }
    }
}

struct Quantiles<T: ArrowPrimitiveType> {
    targets: Vec<Target>,
    held: Held<T>,
}

impl<T: ArrowPrimitiveType<Native: Ranked + Number>> Quantiles<T> {
    fn boxed(targets: Vec<Target>) -> Box<dyn Reduce> {
        Box::new(Self { targets, held: Held::default() })
    }

    /// The answers of one target.
    fn answers(target: &Target, keys: &mut [Keys<T>], starts: &[usize]) -> Result<ArrayRef> {
        let found = starts.windows(2).map(|ends| {
            let keys = &mut keys[ends[0]..ends[1]];
            (!keys.is_empty()).then(|| match target.place(keys.len()) {
                Place::At(at) => (one_of(keys, at).0, None),
                Place::Between(at, part) => {
                    let (low, next) = one_of(keys, at);
                    (low, Some((next(), part)))
                }
            })
        });
        Self::written(target, found)
    }

    /// The answers of a single group of very many values; `None` where there are few.
    fn selected(&self) -> Result<Option<Vec<ArrayRef>>> {
        let Some(parts) = self.held.parts() else { return Ok(None) };
        let count: usize = parts.iter().map(|part| part.len()).sum();
        if count < MANY {
            return Ok(None);
        }
        let mut answers = Vec::with_capacity(self.targets.len());
        for target in &self.targets {
            let (at, part) = match target.place(count) {
                Place::At(at) => (at, None),
                Place::Between(at, part) => (at, Some(part)),
            };
            let Some((low, high)) = select(&parts, at) else { return Ok(None) };
            let found = Some((low, part.map(|part| (high, part))));
            answers.push(Self::written(target, std::iter::once(found))?);
        }
        Ok(Some(answers))
    }

    /// Found values as what they are in the answer: the one that is there, or how far on the way to the next one.
    fn written(target: &Target, found: impl Iterator<Item = Option<Found<T>>>) -> Result<ArrayRef> {
        if matches!(target.result, DataType::Float32 | DataType::Float64) {
            let answers = found.map(|found| {
                found.map(|(low, between)| match between {
                    None => T::Native::value(low).float(),
                    Some((high, part)) => target.between(T::Native::value(low), T::Native::value(high), part),
                })
            });
            return retype(Arc::new(answers.collect::<Float64Array>()), &target.result);
        }
        let answers = found.map(|found| {
            found.map(|(low, between)| match between {
                None => T::Native::value(low),
                Some((high, part)) => {
                    let (low, high) = (T::Native::value(low), T::Native::value(high));
                    T::Native::whole(target.between(low, high, part))
                }
            })
        });
        let answers: ArrayRef = Arc::new(answers.collect::<PrimitiveArray<T>>());
        match (&target.result, answers.data_type()) {
            (DataType::Int64 | DataType::UInt64, have) if have.is_integer() => {
                Ok(cast(&answers, &target.result)?)
            }
            _ => retype(answers, &target.result),
        }
    }
}

type Keys<T> = <<T as ArrowPrimitiveType>::Native as Ranked>::Key;
/// A value, and where the answer is between it and another one, that one and how far towards it.
type Found<T> = (Keys<T>, Option<(Keys<T>, f64)>);

/// The value that is at `at` in order, and how to find the one after it.
fn one_of<K: Ord + Copy>(keys: &mut [K], at: usize) -> (K, impl FnOnce() -> K) {
    let (_, found, above) = keys.select_nth_unstable(at);
    let found = *found;
    (found, move || above.iter().copied().min().unwrap_or(found))
}

/// One answer as it is, several as a struct.
fn joined(mut answers: Vec<ArrayRef>) -> Result<ArrayRef> {
    if answers.len() == 1 {
        return answers.pop().ok_or_else(|| Error::internal("a quantile without an answer"));
    }
    let fields = answers.iter().enumerate();
    let fields: Fields = fields
        .map(|(number, answer)| Field::new(number.to_string(), answer.data_type().clone(), true))
        .collect();
    Ok(Arc::new(StructArray::try_new(fields, answers, None)?))
}

impl<T: ArrowPrimitiveType<Native: Ranked + Number>> Reduce for Quantiles<T> {
    fn update(&mut self, batch: Batch<'_>) -> Result<()> {
        self.held.add(argument(&batch, 0)?, batch.groups, batch.num_groups)
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.held.state()?])
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<()> {
        self.held.merge(one_list(state)?, groups, num_groups)
    }

    fn finish(&mut self, num_groups: usize) -> Result<ArrayRef> {
        if num_groups == 1
            && let Some(answers) = self.selected()?
        {
            self.held = Held::default();
            return joined(answers);
        }
        let Sorted { mut starts, values } = self.held.sorted(num_groups);
        starts.truncate(num_groups + 1);
        let mut keys: Vec<Keys<T>> = values.into_iter().map(Ranked::key).collect();
        let answers = self.targets.iter().map(|target| Self::answers(target, &mut keys, &starts));
        joined(answers.collect::<Result<Vec<_>>>()?)
    }

    fn size(&self) -> usize {
        self.held.size()
    }
}
