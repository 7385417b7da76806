//! Expressions as a person would write them, for `explain()` and error messages.

use std::fmt;

use arrow::datatypes::{Decimal128Type, DecimalType};

use super::dtype::Unit;
use super::expr::{Expr, Literal};
use super::lookup::is_key_filter;
use super::op;
use super::window::WindowCall;

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Column(name, _) => f.write_str(name),
            Expr::Literal(literal) => literal.fmt(f),
            Expr::Call { args, .. } if is_key_filter(self) => {
                write!(f, "{} is a key of the other side", args[0])
            }
            Expr::Call { op: name, args, .. } => {
                let args: Vec<_> = args.iter().map(Expr::to_string).collect();
                match op::find(name) {
                    Ok(operator) => f.write_str(&operator.display(&args)),
                    Err(_) => write!(f, "{name}({})", args.join(", ")),
                }
            }
            Expr::Scalar(..) => f.write_str("<scalar>"),
            Expr::Table(_) => f.write_str("<table>"),
            Expr::Window(call, _) => call.fmt(f),
        }
    }
}

impl fmt::Display for WindowCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args = self.args.iter().map(Expr::to_string);
        let args: Vec<_> = args.chain(self.options.iter().map(Literal::to_string)).collect();
        write!(f, "{}({})", self.function, args.join(", "))?;
        if !self.by.is_empty() {
            let by: Vec<_> = self.by.iter().map(Expr::to_string).collect();
            write!(f, " by {}", by.join(", "))?;
        }
        Ok(())
    }
}

/// As Python writes it.
impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Null => f.write_str("None"),
            Literal::Bool(v) => f.write_str(if *v { "True" } else { "False" }),
            Literal::Int(v) => write!(f, "{v}"),
            Literal::UInt(v) => write!(f, "{v}"),
            Literal::Float(v) if v.is_nan() => f.write_str("nan"),
            Literal::Float(v) => write!(f, "{v:?}"),
            Literal::Str(text) => write!(f, "{text:?}"),
            Literal::Date(days) => write!(f, "{}", Moment(i64::from(*days) * 86_400, Unit::Second, true)),
            Literal::Decimal(value, precision, scale) => {
                write!(f, "Decimal('{}')", Decimal128Type::format_decimal(*value, *precision, *scale))
            }
            Literal::Bytes(bytes) => write!(f, "b\"{}\"", bytes.escape_ascii()),
            Literal::Timestamp(value, unit, None) => write!(f, "{}", Moment(*value, *unit, false)),
            Literal::Timestamp(value, unit, Some(tz)) => {
                write!(f, "{} ({tz})", Moment(*value, *unit, false))
            }
            Literal::Duration(value, unit) => write!(f, "{value} {}", unit_name(*unit)),
            Literal::List(values) => {
                f.write_str("[")?;
                for (position, value) in values.iter().enumerate() {
                    if position == 10 {
                        return write!(f, ", … {} more]", values.len() - 10);
                    }
                    write!(f, "{}{value}", if position > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Literal::Typed(value, _) => value.fmt(f),
        }
    }
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Second => "s",
        Unit::Milli => "ms",
        Unit::Micro => "us",
        Unit::Nano => "ns",
    }
}

/// A count since 1970, in UTC; the third part asks for the day alone.
struct Moment(i64, Unit, bool);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Moment(value, unit, day_only) = *self;
        let per_second = op::time::per_second(unit);
        let (seconds, rest) = (value.div_euclid(per_second), value.rem_euclid(per_second));
        let (year, month, day) = op::time::civil(seconds.div_euclid(op::time::SECONDS_PER_DAY));
        write!(f, "{year:04}-{month:02}-{day:02}")?;
        let second = seconds.rem_euclid(op::time::SECONDS_PER_DAY);
        if day_only || (second == 0 && rest == 0) {
            return Ok(());
        }
        write!(f, " {:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)?;
        if rest > 0 {
            let digits = per_second.ilog10() as usize;
            write!(f, ".{rest:0digits$}")?;
        }
        Ok(())
    }
}
