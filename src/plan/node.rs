//! Nodes: relations with named columns, whose rows have an order.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::draw::Draw;
use super::dtype::DType;
use super::expr::Expr;
use super::window::WindowCall;
use crate::error::Result;

/// The virtual column of a scan: the row's number in the whole source, from 0, as int64.
pub const ROW: &str = "__row";

/// The columns of [`Node::Draw`], as int64: the number of a table or group, that of a chosen row in it, and where it comes.
pub const GROUP: &str = "__group";
pub const DRAWN: &str = "__drawn";
pub const PLACE: &str = "__place";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    pub name: Arc<str>,
    pub dtype: DType,
}

/// A relation. Every node defines its rows' order; none of the operators may lose it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Node {
    /// A source, in source order. Offers [`ROW`] beside its own fields.
    Scan {
        source: usize,
        fields: Arc<[Field]>,
    },
    /// One row, no columns: what constants are computed over.
    Unit,
    /// The places of rows that are chosen among as many as each row of `input` says: [`GROUP`], [`DRAWN`] and [`PLACE`],
    /// in the order of the latter.
    Draw {
        input: Arc<Node>,
        counts: Arc<str>,
        draw: Draw,
    },
    Project {
        input: Arc<Node>,
        columns: Vec<(Arc<str>, Expr)>,
    },
    /// Keeps the rows where `predicate` is true (a missing value is not).
    Filter {
        input: Arc<Node>,
        predicate: Expr,
    },
    /// The input and a column `name` that numbers its rows from 0, as int64.
    RowNumber {
        input: Arc<Node>,
        name: Arc<str>,
    },
    /// The input and a column for each call of a window function over its rows.
    Window {
        input: Arc<Node>,
        calls: Vec<(Arc<str>, Arc<WindowCall>)>,
    },
    /// One row per distinct combination of keys; exactly one row where there are no keys.
    Group {
        input: Arc<Node>,
        keys: Vec<(Arc<str>, Expr)>,
        aggregates: Vec<Aggregation>,
        /// By key, missing keys last; else in order of first appearance.
        sorted: bool,
        /// Leave out rows with a missing key.
        dropna: bool,
    },
    /// A grouping whose last key is one of bins of time, in order of its keys, with a row for each bin between the first
    /// and the last that has the same other keys.
    Fill {
        input: Arc<Node>,
        freq: Arc<str>,
    },
    /// Stable.
    Sort {
        input: Arc<Node>,
        keys: Vec<SortKey>,
    },
    Limit {
        input: Arc<Node>,
        rows: usize,
    },
    /// Rows from one place to before another; negative places count from the end.
    Slice {
        input: Arc<Node>,
        start: i64,
        stop: Option<i64>,
    },
    /// The rows as a function of each group sees them. Only while tracing: such a function's answer is over the input.
    Scope {
        input: Arc<Node>,
        by: Vec<Expr>,
        dropna: bool,
    },
    /// Keeps one row (or none) of each set of rows that agree on `subset`; missing values agree.
    Distinct {
        input: Arc<Node>,
        subset: Vec<Arc<str>>,
        keep: Keep,
    },
    /// A query with SQL's semantics; its rows have the order that it asks for.
    Sql {
        query: Arc<str>,
        tables: Vec<(Arc<str>, Arc<Node>)>,
        /// The columns of the answer.
        fields: Arc<[Field]>,
    },
    /// Pairs of rows of two relations whose keys agree; missing keys agree with missing ones.
    Join(Box<Join>),
    /// A row for each value of the lists in some columns, which are as long as each other; other columns are repeated.
    Explode {
        input: Arc<Node>,
        lists: Vec<Arc<str>>,
        /// A row with a missing value for lists that are empty or missing; else none.
        keep_empty: bool,
        /// A further column of this name: the value's place in its list, from 0.
        place: Option<Arc<str>>,
    },
    /// The rows of several relations one after the other: of each the columns of these names.
    Concat {
        inputs: Vec<Arc<Node>>,
        fields: Arc<[Field]>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aggregation {
    /// The output column.
    pub name: Arc<str>,
    /// A function of `plan::reduce::AGGREGATES`.
    pub function: Arc<str>,
    pub args: Vec<Expr>,
    #[serde(default)]
    pub params: Params,
    pub dtype: DType,
}

/// What aggregates can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Params {
    /// Delta degrees of freedom of `std` and `var`.
    pub ddof: u32,
    /// Fewer values than this give a missing `sum` or `prod`; fewer pairs a missing `corr` or `cov`.
    pub min_count: i64,
    /// Within a group-by rather than over a whole column: pandas' rules differ slightly.
    pub grouped: bool,
    /// Missing values are passed over; else one of them makes the answer missing.
    pub skipna: bool,
    /// Which `quantile`, from 0 to 1.
    pub q: f64,
    /// What a `quantile` between two values is.
    pub interpolation: Interpolation,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            ddof: 1,
            min_count: 0,
            grouped: true,
            skipna: true,
            q: 0.5,
            interpolation: Interpolation::Linear,
        }
    }
}

/// Where a quantile lies between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    Linear,
    Lower,
    Higher,
    Midpoint,
    Nearest,
}

impl Interpolation {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "linear" => Self::Linear,
            "lower" => Self::Lower,
            "higher" => Self::Higher,
            "midpoint" => Self::Midpoint,
            "nearest" => Self::Nearest,
            _ => return None,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SortKey {
    pub expr: Expr,
    pub descending: bool,
    pub missing_first: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    First,
    Last,
    None,
}

/// Two relations and how their rows meet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Join {
    pub left: Arc<Node>,
    pub right: Arc<Node>,
    pub kind: JoinKind,
    /// Pairs of expressions of one type, over the left and over the right relation.
    pub keys: Vec<(Expr, Expr)>,
    /// What comes out: a name, the relation it is a column of, and which.
    pub columns: Vec<JoinColumn>,
    /// Refuse several rows of one key on the left, on the right.
    #[serde(default)]
    pub unique: (bool, bool),
}

impl Join {
    /// Whether it can be made of sorted sides: it has keys, and none that are to be unique.
    pub fn is_merged(&self) -> bool {
        !self.keys.is_empty() && self.unique == (false, false) && self.kind != JoinKind::Cross
    }
}

/// Which rows come out, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JoinKind {
    /// Pairs that agree, in the left one's order, then the right one's.
    Inner,
    /// As inner, and the left rows without a partner in their places.
    Left,
    /// As left, with the sides changed.
    Right,
    /// As left, and after it the right rows without a partner in their order.
    Outer,
    /// All pairs.
    Cross,
    /// Left rows that have a partner, once.
    Semi,
    /// Left rows that have none.
    Anti,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JoinColumn {
    pub name: Arc<str>,
    pub from: JoinSide,
    /// Its name there; of [`JoinSide::Which`] nothing.
    pub column: Arc<str>,
    pub dtype: DType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JoinSide {
    Left,
    Right,
    /// A column that says which sides a row has: 1 the left, 2 the right, 3 both, as int8.
    Which,
}

impl Node {
    /// The columns a node offers, in order. A scan's [`ROW`] is not listed.
    pub fn fields(&self) -> Vec<Field> {
        match self {
            Node::Scan { fields, .. } | Node::Sql { fields, .. } => fields.to_vec(),
            Node::Unit => Vec::new(),
            Node::Draw { .. } => {
                [GROUP, DRAWN, PLACE].map(|name| Field { name: name.into(), dtype: DType::Int64 }).to_vec()
            }
            Node::Project { columns, .. } => {
                columns.iter().map(|(name, expr)| Field { name: name.clone(), dtype: expr.dtype() }).collect()
            }
            Node::RowNumber { input, name } => {
                let mut fields = input.fields();
                fields.push(Field { name: name.clone(), dtype: DType::Int64 });
                fields
            }
            Node::Window { input, calls } => {
                let mut fields = input.fields();
                let dtype = |call: &WindowCall| call.infer().unwrap_or(DType::Null);
                fields.extend(
                    calls.iter().map(|(name, call)| Field { name: name.clone(), dtype: dtype(call) }),
                );
                fields
            }
            Node::Group { keys, aggregates, .. } => {
                let keys = keys.iter().map(|(name, expr)| Field { name: name.clone(), dtype: expr.dtype() });
                let aggregates =
                    aggregates.iter().map(|a| Field { name: a.name.clone(), dtype: a.dtype.clone() });
                keys.chain(aggregates).collect()
            }
            Node::Filter { input, .. }
            | Node::Fill { input, .. }
            | Node::Sort { input, .. }
            | Node::Limit { input, .. }
            | Node::Slice { input, .. }
            | Node::Scope { input, .. }
            | Node::Distinct { input, .. } => input.fields(),
            Node::Explode { input, lists, place, .. } => {
                let mut fields = input.fields();
                for field in &mut fields {
                    if let DType::List(item) = &field.dtype
                        && lists.contains(&field.name)
                    {
                        field.dtype = (**item).clone();
                    }
                }
                fields.extend(place.iter().map(|name| Field { name: name.clone(), dtype: DType::Int64 }));
                fields
            }
            Node::Join(join) => {
                let field =
                    |column: &JoinColumn| Field { name: column.name.clone(), dtype: column.dtype.clone() };
                join.columns.iter().map(field).collect()
            }
            Node::Concat { fields, .. } => fields.to_vec(),
        }
    }

    /// The nodes right below.
    pub fn inputs(&self) -> Vec<&Arc<Node>> {
        match self {
            Node::Scan { .. } | Node::Unit => Vec::new(),
            Node::Sql { tables, .. } => tables.iter().map(|(_, table)| table).collect(),
            Node::Project { input, .. }
            | Node::Filter { input, .. }
            | Node::RowNumber { input, .. }
            | Node::Window { input, .. }
            | Node::Group { input, .. }
            | Node::Fill { input, .. }
            | Node::Sort { input, .. }
            | Node::Limit { input, .. }
            | Node::Slice { input, .. }
            | Node::Draw { input, .. }
            | Node::Scope { input, .. }
            | Node::Distinct { input, .. }
            | Node::Explode { input, .. } => vec![input],
            Node::Join(join) => vec![&join.left, &join.right],
            Node::Concat { inputs, .. } => inputs.iter().collect(),
        }
    }

    /// Whether a query is in it, or below it.
    pub fn has_sql(&self) -> bool {
        self.any(&|node| matches!(node, Node::Sql { .. }))
    }

    pub fn has_groups(&self) -> bool {
        self.any(&|node| matches!(node, Node::Group { .. } | Node::Distinct { .. }))
    }

    /// Whether a join is in it, or below it, that can be made of sorted sides.
    pub fn has_merged_joins(&self) -> bool {
        self.any(&|node| matches!(node, Node::Join(join) if join.is_merged()))
    }

    fn any(&self, test: &impl Fn(&Node) -> bool) -> bool {
        test(self) || self.inputs().iter().any(|input| input.any(test))
    }

    /// The same node with every expression in it, and below it, replaced.
    pub fn map_exprs(&self, replace: &mut dyn FnMut(&Expr) -> Result<Expr>) -> Result<Node> {
        let node = self.map_inputs(&mut |input| Ok(Arc::new(input.map_exprs(replace)?)))?;
        node.map_own_exprs(replace)
    }

    /// The same node over other inputs.
    pub fn map_inputs(&self, replace: &mut dyn FnMut(&Arc<Node>) -> Result<Arc<Node>>) -> Result<Node> {
        let mut node = self.clone();
        for input in node.inputs_mut() {
            *input = replace(input)?;
        }
        Ok(node)
    }

    /// The same node with every expression in it replaced; those below stay.
    pub fn map_own_exprs(&self, replace: &mut dyn FnMut(&Expr) -> Result<Expr>) -> Result<Node> {
        let mut node = self.clone();
        match &mut node {
            Node::Scan { .. }
            | Node::Unit
            | Node::RowNumber { .. }
            | Node::Fill { .. }
            | Node::Limit { .. }
            | Node::Slice { .. }
            | Node::Draw { .. }
            | Node::Scope { .. }
            | Node::Distinct { .. }
            | Node::Explode { .. }
            | Node::Sql { .. }
            | Node::Concat { .. } => {}
            Node::Project { columns, .. } => {
                for (_, expr) in columns {
                    *expr = replace(expr)?;
                }
            }
            Node::Filter { predicate, .. } => *predicate = replace(predicate)?,
            Node::Window { calls, .. } => {
                for (_, call) in calls {
                    *call = Arc::new(call.try_map(replace)?);
                }
            }
            Node::Group { keys, aggregates, .. } => {
                for (_, expr) in keys {
                    *expr = replace(expr)?;
                }
                for expr in aggregates.iter_mut().flat_map(|aggregate| &mut aggregate.args) {
                    *expr = replace(expr)?;
                }
            }
            Node::Sort { keys, .. } => {
                for key in keys {
                    key.expr = replace(&key.expr)?;
                }
            }
            Node::Join(join) => {
                for (left, right) in &mut join.keys {
                    (*left, *right) = (replace(left)?, replace(right)?);
                }
            }
        }
        Ok(node)
    }

    /// Calls `visit` for every expression in the node and below it.
    pub fn each_expr<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        self.each_own_expr(visit);
        for input in self.inputs() {
            input.each_expr(visit);
        }
    }

    /// Calls `visit` for every expression in the node itself.
    pub fn each_own_expr<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match self {
            Node::Scan { .. }
            | Node::Unit
            | Node::RowNumber { .. }
            | Node::Fill { .. }
            | Node::Limit { .. }
            | Node::Slice { .. }
            | Node::Draw { .. }
            | Node::Scope { .. }
            | Node::Distinct { .. }
            | Node::Explode { .. }
            | Node::Sql { .. }
            | Node::Concat { .. } => {}
            Node::Project { columns, .. } => columns.iter().for_each(|(_, expr)| visit(expr)),
            Node::Filter { predicate, .. } => visit(predicate),
            Node::Group { keys, aggregates, .. } => {
                keys.iter().for_each(|(_, expr)| visit(expr));
                aggregates.iter().flat_map(|aggregate| &aggregate.args).for_each(&mut *visit);
            }
            Node::Window { calls, .. } => {
                calls.iter().flat_map(|(_, call)| call.exprs()).for_each(&mut *visit);
            }
            Node::Sort { keys, .. } => keys.iter().for_each(|key| visit(&key.expr)),
            Node::Join(join) => join.keys.iter().for_each(|(left, right)| {
                visit(left);
                visit(right);
            }),
        }
    }

    pub fn inputs_mut(&mut self) -> Vec<&mut Arc<Node>> {
        match self {
            Node::Scan { .. } | Node::Unit => Vec::new(),
            Node::Sql { tables, .. } => tables.iter_mut().map(|(_, table)| table).collect(),
            Node::Project { input, .. }
            | Node::Filter { input, .. }
            | Node::RowNumber { input, .. }
            | Node::Window { input, .. }
            | Node::Group { input, .. }
            | Node::Fill { input, .. }
            | Node::Sort { input, .. }
            | Node::Limit { input, .. }
            | Node::Slice { input, .. }
            | Node::Draw { input, .. }
            | Node::Scope { input, .. }
            | Node::Distinct { input, .. }
            | Node::Explode { input, .. } => vec![input],
            Node::Join(join) => vec![&mut join.left, &mut join.right],
            Node::Concat { inputs, .. } => inputs.iter_mut().collect(),
        }
    }
}
