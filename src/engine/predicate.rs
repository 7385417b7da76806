//! What a scan's rows have to meet: the conditions of the plan, then what is known of the keys of other sides of joins.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{cast, prep_null_mask_filter};
use arrow::datatypes::{Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};

use super::group::limit;
use super::keep::kept;
use crate::error::Result;
use crate::io::source::parquet::ParquetFile;
use crate::io::source::{Source, SourceColumn};
use crate::plan::Expr;
use crate::plan::eval::Program;
use crate::plan::lookup::is_key_filter;

/// Where the plan's conditions keep fewer than one row in this many, keys are looked for among those only.
const FEW: usize = 4;
/// Where fewer than one row in this many is kept, the other columns are decoded for those only.
const RARE: usize = limit(128, 2);
/// After so many rows it is known how many are kept.
const TRIAL: usize = limit(64 * 1024, 8);

pub struct Predicate {
    plan: Option<Program>,
    keys: Vec<Program>,
}

impl Predicate {
    /// All of these conditions, over batches of this schema; `None` where there are none.
    pub fn new(conditions: &[Expr], schema: &Schema) -> Result<Option<Self>> {
        let (keys, plan): (Vec<&Expr>, Vec<&Expr>) = conditions.iter().partition(|expr| is_key_filter(expr));
        let mut plan = plan.into_iter().cloned();
        let all = match plan.next() {
            Some(first) => Some(plan.try_fold(first, |all, next| Expr::call("and", vec![all, next]))?),
            None => None,
        };
        if all.is_none() && keys.is_empty() {
            return Ok(None);
        }
        let plan = all.map(|all| Program::new(&all, schema)).transpose()?;
        let keys = keys.into_iter().map(|key| Program::new(key, schema)).collect::<Result<_>>()?;
        Ok(Some(Self { plan, keys }))
    }

    /// The rows that meet all conditions.
    pub fn keep(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let Some(plan) = &self.plan else { return self.with_keys(batch, None) };
        let mask = plan.eval(batch)?;
        let mask = mask.as_boolean();
        if self.keys.is_empty() {
            return kept(batch, mask);
        }
        if mask.true_count() * FEW < batch.num_rows() {
            return self.with_keys(&kept(batch, mask)?, None);
        }
        self.with_keys(batch, Some(mask.clone()))
    }

    fn with_keys(&self, batch: &RecordBatch, mask: Option<BooleanArray>) -> Result<RecordBatch> {
        match self.keys_mask(batch, mask)? {
            Some(mask) => kept(batch, &mask),
            None => Ok(batch.clone()),
        }
    }

    fn keys_mask(&self, batch: &RecordBatch, mask: Option<BooleanArray>) -> Result<Option<BooleanArray>> {
        let mut mask = mask;
        for key in &self.keys {
            let found = key.eval(batch)?;
            mask = Some(match mask {
                None => found.as_boolean().clone(),
                Some(mask) => both(&mask, found.as_boolean()),
            });
        }
        Ok(mask)
    }

    /// Which rows meet all conditions.
    fn mask(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let mask = match &self.plan {
            Some(plan) => Some(plan.eval(batch)?.as_boolean().clone()),
            None => None,
        };
        let all = || BooleanArray::from(vec![true; batch.num_rows()]);
        Ok(self.keys_mask(batch, mask)?.unwrap_or_else(all))
    }
}

fn both(a: &BooleanArray, b: &BooleanArray) -> BooleanArray {
    let a = if a.null_count() > 0 { prep_null_mask_filter(a) } else { a.clone() };
    let b = if b.null_count() > 0 { prep_null_mask_filter(b) } else { b.clone() };
    BooleanArray::new(a.values() & b.values(), None)
}

/// Conditions met before the other columns are decoded, where they turn out to keep few rows.
pub struct Early {
    predicate: Arc<Predicate>,
    /// The source's columns that it reads, which are its schema.
    columns: Vec<usize>,
    schema: SchemaRef,
    seen: AtomicUsize,
    kept: AtomicUsize,
}

impl Early {
    /// Conditions that cannot fail, over these columns of the source.
    pub fn new(conditions: &[Expr], source: &Source, columns: Vec<usize>) -> Result<Option<Self>> {
        let known = source.columns();
        let fields: Vec<_> = columns
            .iter()
            .map(|column| Field::new(&*known[*column].field.name, known[*column].arrow.clone(), true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let Some(predicate) = Predicate::new(conditions, &schema)? else { return Ok(None) };
        let (seen, kept) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Ok(Some(Self { predicate: Arc::new(predicate), columns, schema, seen, kept }))
    }

    /// Takes note of how many rows were kept of how many.
    pub fn note(&self, seen: usize, kept: usize) {
        self.seen.fetch_add(seen, Ordering::Relaxed);
        self.kept.fetch_add(kept, Ordering::Relaxed);
    }

    pub fn pays(&self) -> bool {
        let seen = self.seen.load(Ordering::Relaxed);
        seen >= TRIAL && self.kept.load(Ordering::Relaxed) * RARE < seen
    }

    /// Whether a file has all that the conditions read, in the source's own types: then its decoder can meet them.
    pub fn suits(&self, file: &ParquetFile, columns: &[SourceColumn]) -> bool {
        self.columns.iter().all(|column| file.found(*column).is_some() && !file.widens(columns, *column))
    }

    /// The conditions as the decoder of a file that suits takes them.
    pub fn filter(&self, file: &ParquetFile, columns: &[SourceColumn]) -> RowFilter {
        let leaves = file.leaves(&self.columns);
        let mask = ProjectionMask::leaves(file.footer.file_metadata().schema_descr(), leaves);
        let order: Vec<usize> = order(file, &self.columns).into_iter().flatten().collect();
        let types: Vec<_> = self.columns.iter().map(|column| columns[*column].arrow.clone()).collect();
        let (predicate, schema) = (self.predicate.clone(), self.schema.clone());
        let test = move |batch: RecordBatch| {
            let arrays = order.iter().zip(&types).map(|(position, arrow)| -> Result<ArrayRef> {
                let array = batch.column(*position);
                Ok(if array.data_type() == arrow { array.clone() } else { cast(array, arrow)? })
            });
            let tested = || -> Result<BooleanArray> {
                let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                let arrays = arrays.collect::<Result<_>>()?;
                predicate.mask(&RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?)
            };
            tested().map_err(|error| arrow::error::ArrowError::ComputeError(error.to_string()))
        };
        RowFilter::new(vec![Box::new(ArrowPredicateFn::new(mask, test))])
    }
}

/// Of each column its place among those that a file's decoder delivers, which are in the file's order; none for what the
/// file does not have.
pub fn order(file: &ParquetFile, columns: &[usize]) -> Vec<Option<usize>> {
    let place = |column: &usize| file.origins[*column].place();
    let mut places: Vec<usize> = columns.iter().filter_map(place).collect();
    places.sort_unstable();
    columns
        .iter()
        .map(|column| place(column).map(|place| places.partition_point(|other| *other < place)))
        .collect()
}
