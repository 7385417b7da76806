//! Lowering of window functions to our own operator.

use std::sync::Arc;

use super::{Lowering, Names, Plan, arrow_of, columns_of};
use crate::engine::window::exec::WindowExec;
use crate::engine::window::{Call, WindowSpec};
use crate::error::Result;
use crate::plan::eval::Program;
use crate::plan::window::WindowCall;
use crate::plan::{Expr, Node};

impl Lowering {
    pub(super) fn window(
        &self,
        input: &Arc<Node>,
        calls: &[(Arc<str>, Arc<WindowCall>)],
        needed: &Names,
    ) -> Result<Plan> {
        let wanted: Vec<_> = calls.iter().filter(|(name, _)| needed.contains(name)).collect();
        let mut kept = needed.clone();
        for (name, _) in calls {
            kept.remove(name);
        }
        let mut below = kept.clone();
        below.extend(columns_of(wanted.iter().flat_map(|(_, call)| call.exprs())));
        let plan = self.lower(input, &below)?;
        self.window_over(plan, &wanted, &kept)
    }

    /// These calls over a plan's rows, beside the columns that are kept.
    pub(super) fn window_over(
        &self,
        plan: Plan,
        wanted: &[&(Arc<str>, Arc<WindowCall>)],
        kept: &Names,
    ) -> Result<Plan> {
        if wanted.is_empty() {
            return Ok(plan);
        }
        let schema = plan.schema();
        let mut exprs: Vec<Expr> = Vec::new();
        let mut place_of = |expr: &Expr| match exprs.iter().position(|known| known == expr) {
            Some(place) => place,
            None => {
                exprs.push(expr.clone());
                exprs.len() - 1
            }
        };
        let mut partitions: Vec<(Vec<usize>, bool)> = Vec::new();
        let mut made = Vec::with_capacity(wanted.len());
        for (name, call) in wanted {
            let args: Vec<usize> = call.args.iter().map(&mut place_of).collect();
            let partition = (!call.by.is_empty()).then(|| {
                let keys = (call.by.iter().map(&mut place_of).collect(), call.dropna);
                match partitions.iter().position(|known| *known == keys) {
                    Some(place) => place,
                    None => {
                        partitions.push(keys);
                        partitions.len() - 1
                    }
                }
            });
            made.push((name, call, args, partition));
        }
        let types = exprs.iter().map(|expr| arrow_of(expr, &schema)).collect::<Result<Vec<_>>>()?;
        let calls = made
            .iter()
            .map(|(name, call, args, partition)| {
                let arrow = match (call.infer()?.arrow(), args.first()) {
                    (Some(arrow), _) => arrow,
                    // What is only carried along comes out as it went in.
                    (None, Some(arg)) => types[*arg].clone(),
                    (None, None) => arrow::datatypes::DataType::Null,
                };
                let (window, args) = (call.create()?, args.clone());
                Ok(Call { name: (*name).clone(), window, args, partition: *partition, arrow })
            })
            .collect::<Result<Vec<_>>>()?;
        let kept = kept.iter().filter_map(|name| schema.index_of(name).ok()).collect();
        let programs = exprs.iter().map(|expr| Program::new(expr, &schema)).collect::<Result<Vec<_>>>()?;
        let shown: Vec<_> = made.iter().map(|(name, call, ..)| format!("{name} = {call}")).collect();
        let spec = WindowSpec { exprs: programs, types, partitions, calls, kept };
        let (control, threads) = (self.control.clone(), self.threads);
        Ok(Arc::new(WindowExec::new(plan, Arc::new(spec), control, threads, shown.join(", "))))
    }
}
