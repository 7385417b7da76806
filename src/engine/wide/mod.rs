//! Long tables spread out into wide ones: a row for each key of rows, a column for each key of columns and value.

pub mod dummies;
mod keys;
mod share;

use std::rc::Rc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, UInt32Array};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type, SchemaRef};
use arrow::record_batch::RecordBatch;

use self::keys::{Level, NONE, Order, Tuples, plain};
use crate::engine::control::Control;
use crate::error::{Code, Error, Result};
use crate::plan::wide::{Fill, MissingKeys, Part, Wide};

/// More cells than this are refused: such a table is of no use to anybody, and may not fit any memory.
const MOST_CELLS: usize = 1 << 28;

/// More columns than this are refused.
const MOST_COLUMNS: usize = 1 << 18;

/// A wide table.
pub struct Spread {
    /// Levels of the index.
    pub index: Vec<ArrayRef>,
    /// Levels of the columns, a row for each column.
    pub header: Vec<ArrayRef>,
    /// Of each column which value it has.
    pub values: Vec<usize>,
    pub columns: Vec<ArrayRef>,
    /// Of each column whether it is a margin.
    pub margins: Vec<bool>,
    /// Whether the last row is one.
    pub last_row: bool,
}

/// A column on its way: which value, where its cells come from, and the row that has its key.
struct Plan {
    key: u32,
    cells: Vec<u32>,
}

pub fn spread(schema: &SchemaRef, batches: &[RecordBatch], wide: &Wide, control: &Control) -> Result<Spread> {
    let long = Long::new(schema, batches, wide)?;
    let own = wide.rows.len();
    let keys: Vec<ArrayRef> = long.columns[..own + wide.across.len()].iter().map(plain).collect();
    let body = long.body(wide, &keys)?;
    let known: Vec<bool> = long.parts.iter().map(|part| matches!(part, Part::Body | Part::Level)).collect();
    let mut order = Order {
        sorted: wide.options.sorted,
        strict: false,
        missing: match wide.options.missing {
            MissingKeys::First => Some(false),
            MissingKeys::Last => Some(true),
            MissingKeys::Leave | MissingKeys::Refuse => None,
        },
        known: &known,
        used: &body,
    };
    let down = keys[..own].iter().map(|key| Level::new(key, &order)).collect::<Result<Vec<_>>>()?;
    order.strict = wide.options.sorted_columns;
    let across = keys[own..].iter().map(|key| Level::new(key, &order)).collect::<Result<Vec<_>>>()?;
    let (down_keys, across_keys) =
        (Tuples::new(&down, &body, true), Tuples::new(&across, &body, wide.options.sorted_tuples));
    let (rows, width) = (down_keys.len(), across_keys.len());
    let cells = rows.saturating_mul(width).saturating_mul(wide.values.len());
    if cells > MOST_CELLS || width.saturating_mul(wide.values.len()) > MOST_COLUMNS {
        return Err(too_many(rows, width));
    }
    control.check()?;

    // Nothing has no margins.
    let last_row = wide.options.margin.is_some() && (rows > 0 || wide.across.is_empty());
    let height = rows + usize::from(last_row);
    let mut plans: Vec<Plan> =
        across_keys.rows.values().iter().map(|key| Plan { key: *key, cells: vec![NONE; height] }).collect();
    if wide.across.is_empty() && plans.is_empty() {
        plans.push(Plan { key: NONE, cells: vec![NONE; height] });
    }
    let mut margin = Plan { key: NONE, cells: vec![NONE; height] };
    for (row, part) in long.parts.iter().enumerate() {
        let (down, across) = (down_keys.places[row] as usize, across_keys.places[row] as usize);
        let cell = match part {
            Part::Body if !body[row] => None,
            Part::Body => plans.get_mut(across).and_then(|plan| plan.cells.get_mut(down)),
            Part::Row => margin.cells.get_mut(down).filter(|_| down < rows),
            Part::Column => plans.get_mut(across).and_then(|plan| plan.cells.get_mut(rows)),
            // Without keys of columns the corner is below the only column.
            Part::Corner if wide.across.is_empty() => {
                plans.get_mut(0).and_then(|plan| plan.cells.get_mut(rows))
            }
            Part::Corner => margin.cells.get_mut(rows),
            Part::Level => None,
        };
        let Some(cell) = cell else { continue };
        if *cell != NONE {
            return Err(Error::new(
                Code::OperationFailed,
                "the index contains duplicate entries: two rows belong to the same cell of the wide table",
            )
            .hint("Aggregate them: `pivot_table(..., aggfunc=...)`"));
        }
        *cell = row as u32;
    }

    let has_margin = last_row && !wide.across.is_empty() && !plans.is_empty();
    let mut spread = Spread {
        index: down.iter().map(|level| level.take(&down_keys.rows)).collect::<Result<_>>()?,
        header: Vec::new(),
        values: Vec::new(),
        columns: Vec::new(),
        margins: Vec::new(),
        last_row,
    };
    let tables = long.tables(wide, &down_keys, &across_keys, &body);
    let mut keys = Vec::new();
    for value in 0..wide.values.len() {
        control.check()?;
        let values = long.value(value);
        let filling = long.filling(value);
        let table = tables.as_ref().map(|tables| &tables[value]);
        let all = plans.iter().map(|plan| (plan, false)).chain(has_margin.then_some((&margin, true)));
        for (number, (plan, is_margin)) in all.enumerate() {
            if table.is_some_and(|table| !is_margin && !table.columns[number]) {
                continue;
            }
            // What is filled in afterwards makes no column of an empty one.
            let empty = match wide.options.fill {
                Fill::All => Fill::Nothing,
                before => before,
            };
            let cells = |fill| cells_of(values, filling, plan, fill, is_margin, rows, table);
            let mut column = cells(empty)?;
            if wide.options.drop_empty && (0..column.len()).all(|row| is_missing(&column, row)) {
                continue;
            }
            if empty != wide.options.fill {
                column = cells(wide.options.fill)?;
            }
            keys.push(plan.key);
            spread.columns.push(column);
            spread.values.push(value);
            spread.margins.push(is_margin);
        }
    }
    if let Some(how) = wide.options.normalize {
        let (columns, column, row) = share::shares(&spread.columns, how, has_margin, wide.options.round)?;
        spread.columns = columns;
        spread.last_row = row;
        if !column && has_margin {
            keys.pop();
            spread.values.pop();
            spread.margins.pop();
        }
    }
    let keys: UInt32Array = keys.into_iter().map(|key| (key != NONE).then_some(key)).collect();
    let name = wide.options.margin.as_deref().unwrap_or_default();
    for (number, level) in across.iter().enumerate() {
        let text = if number == 0 { name } else { "" };
        spread.header.push(labelled(level.take(&keys)?, &spread.margins, text)?);
    }
    if spread.last_row {
        let mut flags = vec![false; rows];
        flags.push(true);
        for (number, level) in spread.index.iter_mut().enumerate() {
            let text = if number == 0 { name } else { "" };
            let longer = concat(&[level, &arrow::array::new_null_array(level.data_type(), 1)])?;
            *level = labelled(longer, &flags, text)?;
        }
    }
    Ok(spread)
}

fn too_many(rows: usize, width: usize) -> Error {
    Error::new(
        Code::OperationFailed,
        format!("the wide table would have {rows} rows and {width} columns for each value"),
    )
    .hint("Take a key of the columns with fewer values, or keep the rows long: `groupby([...])`")
}

/// The long table.
struct Long {
    columns: Vec<ArrayRef>,
    parts: Vec<Part>,
    /// Where the values begin, and how many there are.
    values: (usize, usize),
    filled: bool,
}

impl Long {
    fn new(schema: &SchemaRef, batches: &[RecordBatch], wide: &Wide) -> Result<Self> {
        let whole = arrow::compute::concat_batches(schema, batches)?;
        if whole.num_rows() >= NONE as usize {
            return Err(Error::new(
                Code::OperationFailed,
                format!("{} rows are too many to be spread out", whole.num_rows()),
            )
            .hint("Aggregate more, or keep the rows long: `groupby([...])`"));
        }
        let mut columns = whole.columns().to_vec();
        let keys = wide.rows.len() + wide.across.len();
        let parts = if wide.options.parts {
            let numbers = cast(&columns.remove(keys), &DataType::Int64)?;
            let numbers = numbers.as_primitive::<Int64Type>().values();
            let parts = numbers.iter().map(|number| Part::numbered(*number)).collect::<Option<Vec<_>>>();
            parts.ok_or_else(|| Error::internal("a long row of no part"))?
        } else {
            vec![Part::Body; whole.num_rows()]
        };
        Ok(Self {
            columns,
            parts,
            values: (keys, wide.values.len()),
            filled: wide.options.fill != Fill::Nothing,
        })
    }

    fn value(&self, number: usize) -> &ArrayRef {
        &self.columns[self.values.0 + number]
    }

    fn filling(&self, number: usize) -> Option<&ArrayRef> {
        self.filled.then(|| &self.columns[self.values.0 + self.values.1 + number])
    }

    /// Which rows have cells of their own.
    fn body(&self, wide: &Wide, keys: &[ArrayRef]) -> Result<Vec<bool>> {
        let mut body: Vec<bool> = self.parts.iter().map(|part| *part == Part::Body).collect();
        for key in keys.iter().filter(|key| key.null_count() > 0) {
            for (row, wanted) in body.iter_mut().enumerate().filter(|(_, wanted)| **wanted) {
                if key.is_null(row) {
                    match wide.options.missing {
                        MissingKeys::First | MissingKeys::Last => {}
                        MissingKeys::Leave => *wanted = false,
                        MissingKeys::Refuse => {
                            return Err(Error::new(
                                Code::OperationFailed,
                                "a level of the index has a missing value, whose place pandas leaves to chance",
                            )
                            .hint("Group with dropna=True, or fill the key first"));
                        }
                    }
                }
            }
        }
        if wide.options.drop_empty {
            for (row, wanted) in body.iter_mut().enumerate().filter(|(_, wanted)| **wanted) {
                *wanted = (0..self.values.1).any(|value| !is_missing(self.value(value), row));
            }
        }
        Ok(body)
    }

    /// Of each value which rows and columns its own table has; `None` where all are of one.
    fn tables(&self, wide: &Wide, down: &Tuples, across: &Tuples, body: &[bool]) -> Option<Vec<Rc<Extent>>> {
        let tables = &wide.options.tables;
        let count = tables.iter().max().map_or(0, |most| most + 1);
        if count < 2 {
            return None;
        }
        let extents = (0..count).map(|table| {
            let own: Vec<usize> =
                (0..self.values.1).filter(|value| tables.get(*value) == Some(&table)).collect();
            let mut extent = Extent { rows: vec![false; down.len()], columns: vec![false; across.len()] };
            for row in (0..body.len()).filter(|row| body[*row]) {
                if own.iter().any(|value| !is_missing(self.value(*value), row)) {
                    if let Some(there) = extent.rows.get_mut(down.places[row] as usize) {
                        *there = true;
                    }
                    if let Some(there) = extent.columns.get_mut(across.places[row] as usize) {
                        *there = true;
                    }
                }
            }
            Rc::new(extent)
        });
        let extents: Vec<Rc<Extent>> = extents.collect();
        tables.iter().map(|table| extents.get(*table).cloned()).collect()
    }
}

/// Which keys of rows and of columns a table has that is put beside others.
struct Extent {
    rows: Vec<bool>,
    columns: Vec<bool>,
}

/// A column of the wide table.
fn cells_of(
    values: &ArrayRef,
    filling: Option<&ArrayRef>,
    plan: &Plan,
    fill: Fill,
    margin: bool,
    rows: usize,
    table: Option<&Rc<Extent>>,
) -> Result<ArrayRef> {
    let Some(filling) = filling.filter(|filling| !filling.is_empty()) else {
        let cells: UInt32Array = plan.cells.iter().map(|cell| (*cell != NONE).then_some(*cell)).collect();
        return Ok(take(values, &cells, None)?);
    };
    let filled = values.len() as u32;
    let cells = plan.cells.iter().enumerate().map(|(row, cell)| {
        let absent = *cell == NONE;
        let missing = absent || is_missing(values, *cell as usize);
        let fills = match fill {
            Fill::Nothing => false,
            Fill::All => missing,
            _ if margin => false,
            // Rows that only other tables have are made when these are put together.
            _ if table.is_some_and(|table| table.rows.get(row) == Some(&false)) => false,
            Fill::Absent => absent,
            Fill::Missing if row >= rows => absent,
            Fill::Missing => missing,
        };
        if fills { Some(filled) } else { (!absent).then_some(*cell) }
    });
    let cells: UInt32Array = cells.collect();
    Ok(take(&concat(&[values, &filling.slice(0, 1)])?, &cells, None)?)
}

fn is_missing(values: &ArrayRef, row: usize) -> bool {
    values.is_null(row)
        || match values.data_type() {
            DataType::Float64 => values.as_primitive::<Float64Type>().value(row).is_nan(),
            DataType::Float32 => values.as_primitive::<Float32Type>().value(row).is_nan(),
            _ => false,
        }
}

/// Keys with the name of the margins where those are, if they are text; other types have nothing there.
fn labelled(keys: ArrayRef, margins: &[bool], name: &str) -> Result<ArrayRef> {
    if !margins.contains(&true) || *keys.data_type() != DataType::Utf8View {
        return Ok(keys);
    }
    let texts = keys.as_string_view().iter().zip(margins);
    let texts: StringViewArray =
        texts.map(|(text, margin)| if *margin { Some(name) } else { text }).collect();
    Ok(std::sync::Arc::new(texts))
}
