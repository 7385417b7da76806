//! About how many rows a node has, by the sources' sizes and statistics: joins begin with the side that has fewer.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use datafusion::common::ScalarValue;
use parquet::file::statistics::Statistics;

use super::Lowering;
use super::pipeline::Pipeline;
use crate::io::source::parquet::ParquetFile;
use crate::io::source::reconcile::Origin;
use crate::io::source::{ParquetSource, Source};
use crate::plan::dtype::Unit;
use crate::plan::lookup::{LOOKUP, is_key_filter};
use crate::plan::node::{Join, JoinKind};
use crate::plan::{DType, Expr, Literal, Node};

/// The share of rows that a condition keeps, where nothing is known.
const COMPARED: f64 = 0.33;
const EQUAL: f64 = 0.1;
const FOUND: f64 = 0.2;
/// Groups for each row.
const GROUPED: f64 = 0.25;

impl Lowering {
    /// About how many rows a node has.
    pub(super) fn rows(&self, node: &Arc<Node>) -> f64 {
        if let Some(pipeline) = Pipeline::of(node) {
            let Ok(source) = self.sources.get(pipeline.source) else { return 0.0 };
            let conditions: Vec<&Expr> = pipeline.predicates.iter().collect();
            return source.rows() as f64 * all(&conditions, Some(source));
        }
        match &**node {
            Node::Filter { input, predicate } => self.rows(input) * share(predicate, None),
            Node::Group { keys, .. } if keys.is_empty() => 1.0,
            Node::Group { input, .. } | Node::Distinct { input, .. } => self.rows(input) * GROUPED,
            Node::Limit { input, rows } => self.rows(input).min(*rows as f64),
            Node::Join(join) => self.joined(join),
            Node::Unit => 1.0,
            other => other.inputs().into_iter().map(|input| self.rows(input)).sum(),
        }
    }

    /// The rows of the sources below a node: what it costs to have it.
    pub(super) fn read(&self, node: &Arc<Node>) -> f64 {
        match &**node {
            Node::Scan { source, .. } => self.sources.get(*source).map_or(0.0, |source| source.rows() as f64),
            other => other.inputs().into_iter().map(|input| self.read(input)).sum(),
        }
    }

    /// As if the keys of one side were those of the other one, before that was filtered.
    fn joined(&self, join: &Join) -> f64 {
        let (left, right) = (self.rows(&join.left), self.rows(&join.right));
        let share = |side: &Arc<Node>, rows: f64| (rows / self.largest(side).max(1.0)).min(1.0);
        match join.kind {
            JoinKind::Cross => left * right,
            JoinKind::Left | JoinKind::Anti => left,
            JoinKind::Right => right,
            JoinKind::Outer => left + right,
            JoinKind::Inner | JoinKind::Semi if left >= right => left * share(&join.right, right),
            JoinKind::Semi => left * share(&join.right, right),
            JoinKind::Inner => (right * share(&join.left, left)).min(left.max(right)),
        }
    }

    /// The rows of the source that leads a node's rows, unfiltered.
    fn largest(&self, node: &Arc<Node>) -> f64 {
        match &**node {
            Node::Scan { .. } => self.read(node),
            Node::Group { input, .. } => self.largest(input) * GROUPED,
            other => other.inputs().into_iter().map(|input| self.largest(input)).fold(0.0, f64::max),
        }
    }
}

/// The share of rows that a condition keeps.
fn share(predicate: &Expr, source: Option<&Source>) -> f64 {
    let Expr::Call { op, args, .. } = predicate else { return COMPARED };
    match (&**op, args.as_slice()) {
        ("and", args) => all(&args.iter().collect::<Vec<_>>(), source),
        ("or", [a, b]) => (share(a, source) + share(b, source)).min(1.0),
        ("not", [a]) => 1.0 - share(a, source),
        ("eq", [Expr::Column(name, _), Expr::Literal(_)]) => one_of(name, source),
        ("eq", _) => EQUAL,
        ("ne", _) | ("notna", _) => 1.0 - EQUAL,
        ("isna", _) => EQUAL,
        ("isin", [Expr::Column(name, _), Expr::Literal(Literal::List(values)), ..]) => {
            (one_of(name, source) * values.len() as f64).min(0.9)
        }
        ("lt" | "le", [Expr::Column(name, _), Expr::Literal(literal)]) => below(name, literal, source),
        ("gt" | "ge", [Expr::Column(name, _), Expr::Literal(literal)]) => 1.0 - below(name, literal, source),
        ("between", [Expr::Column(name, _), Expr::Literal(low), Expr::Literal(high), ..]) => {
            (below(name, high, source) - below(name, low, source)).max(0.01)
        }
        // What one side of a join will know of the other one's keys is not known yet.
        _ if is_key_filter(predicate) => 1.0,
        (op, _) if op == LOOKUP => FOUND,
        (op, _) if op.starts_with("str_") => EQUAL,
        _ => COMPARED,
    }
}

/// The share of rows that all of these conditions keep: those that bound one column from both sides are taken together.
fn all(conditions: &[&Expr], source: Option<&Source>) -> f64 {
    fn flat<'a>(condition: &'a Expr, to: &mut Vec<&'a Expr>) {
        match condition {
            Expr::Call { op, args, .. } if &**op == "and" => args.iter().for_each(|arg| flat(arg, to)),
            other => to.push(other),
        }
    }
    let mut parts = Vec::new();
    conditions.iter().for_each(|condition| flat(condition, &mut parts));
    let mut ranges: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    let mut kept = 1.0;
    for part in parts {
        let bound = match part {
            Expr::Call { op, args, .. } => match (&**op, args.as_slice()) {
                ("lt" | "le", [Expr::Column(name, _), Expr::Literal(literal)]) => Some((name, literal, true)),
                ("gt" | "ge", [Expr::Column(name, _), Expr::Literal(literal)]) => {
                    Some((name, literal, false))
                }
                _ => None,
            },
            _ => None,
        };
        match bound {
            None => kept *= share(part, source),
            Some((name, literal, is_end)) => {
                let (low, high) = ranges.entry(&**name).or_insert((0.0, 1.0));
                let place = below(name, literal, source);
                if is_end { *high = high.min(place) } else { *low = low.max(place) }
            }
        }
    }
    ranges.values().fold(kept, |kept, (low, high)| kept * (high - low).max(0.01))
}

fn of_file<'a>(
    name: &str,
    source: Option<&'a Source>,
) -> Option<(&'a ParquetSource, &'a ParquetFile, usize)> {
    let Some(Source::Parquet(source)) = source else { return None };
    let column = source.columns.iter().position(|column| *column.field.name == *name)?;
    let held = |file: &'a ParquetFile| {
        file.leaf(column).filter(|_| !file.widens(&source.columns, column)).map(|leaf| (file, leaf))
    };
    let (file, leaf) = source.files.iter().find_map(held)?;
    Some((source, file, leaf))
}

/// The share of rows that have one certain value: by the size of the dictionary, where there is one.
fn one_of(name: &str, source: Option<&Source>) -> f64 {
    let distinct = || -> Option<f64> {
        let (_, file, leaf) = of_file(name, source)?;
        let chunk = file.footer.row_groups().first()?.column(leaf);
        let bytes = chunk.data_page_offset() - chunk.dictionary_page_offset()?;
        let each = match chunk.statistics()? {
            Statistics::ByteArray(values) => 4 + values.min_opt()?.len().max(values.max_opt()?.len()),
            Statistics::Int32(_) | Statistics::Float(_) => 4,
            _ => 8,
        };
        // A page has a header of about this size.
        Some(((bytes - 24).max(1) as f64 / each as f64).max(2.0))
    };
    by_files(name, source).or_else(distinct).map_or(EQUAL, |distinct| 1.0 / distinct)
}

/// How many values a column has that stands in the names of directories.
fn by_files(name: &str, source: Option<&Source>) -> Option<f64> {
    let (columns, origins) = (source?.columns(), source?.origins());
    let column = columns.iter().position(|column| *column.field.name == *name)?;
    let values = origins.iter().map(|file| match &file[column] {
        Origin::Value(value) => ScalarValue::try_from_array(value, 0).ok(),
        Origin::At(_) | Origin::Missing => None,
    });
    let values = values.collect::<Option<HashSet<_>>>()?.len();
    (values > 0).then_some(values as f64)
}

/// The share of rows below a constant, as if the values were spread evenly between the least and the largest one.
fn below(name: &str, literal: &Literal, source: Option<&Source>) -> f64 {
    let found = || -> Option<f64> {
        let (source, ..) = of_file(name, source)?;
        let column = source.columns.iter().position(|column| *column.field.name == *name)?;
        let plain = match literal {
            Literal::Typed(plain, _) => plain,
            other => other,
        };
        let value = match plain {
            Literal::Int(value) => *value as f64,
            Literal::Float(value) => *value,
            Literal::Date(days) => f64::from(*days),
            Literal::Timestamp(count, unit, _) => {
                let DType::Timestamp(own, _) = source.columns[column].field.dtype else { return None };
                *count as f64 * (per_second(own) / per_second(*unit))
            }
            _ => return None,
        };
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for file in &source.files {
            if let Origin::Missing = file.origins[column] {
                continue;
            }
            let leaf = file.leaf(column).filter(|_| !file.widens(&source.columns, column))?;
            for group in file.footer.row_groups() {
                let (low, high) = match group.column(leaf).statistics()? {
                    Statistics::Int32(values) => {
                        (f64::from(*values.min_opt()?), f64::from(*values.max_opt()?))
                    }
                    Statistics::Int64(values) => (*values.min_opt()? as f64, *values.max_opt()? as f64),
                    Statistics::Float(values) => {
                        (f64::from(*values.min_opt()?), f64::from(*values.max_opt()?))
                    }
                    Statistics::Double(values) => (*values.min_opt()?, *values.max_opt()?),
                    _ => return None,
                };
                (least, most) = (least.min(low), most.max(high));
            }
        }
        (least < most).then(|| ((value - least) / (most - least)).clamp(0.0, 1.0))
    };
    found().unwrap_or(COMPARED)
}

fn per_second(unit: Unit) -> f64 {
    match unit {
        Unit::Second => 1e0,
        Unit::Milli => 1e3,
        Unit::Micro => 1e6,
        Unit::Nano => 1e9,
    }
}
