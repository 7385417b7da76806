//! Fields of structs in queries: those of a struct that is missing are missing, which DataFusion 55 does not see to.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result as DataFusionResult, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr as LogicalExpr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};

use crate::plan::op::lists::masked;

const NAME: &str = "get_field";

/// The same plan with fields read by a function of ours.
pub fn read_rightly(logical: LogicalPlan) -> DataFusionResult<LogicalPlan> {
    let rewritten = logical.transform_up_with_subqueries(|plan| {
        plan.map_expressions(|expr| {
            expr.transform_up(|expr| match expr {
                LogicalExpr::ScalarFunction(mut call) if call.func.name() == NAME => {
                    let theirs = call.func.clone();
                    call.func = Arc::new(ScalarUDF::from(Fields { theirs }));
                    Ok(Transformed::yes(LogicalExpr::ScalarFunction(call)))
                }
                other => Ok(Transformed::no(other)),
            })
        })
    });
    Ok(rewritten?.data)
}

/// DataFusion's own function but for what it computes.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Fields {
    theirs: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Fields {
    fn name(&self) -> &str {
        NAME
    }

    fn schema_name(&self, args: &[LogicalExpr]) -> DataFusionResult<String> {
        self.theirs.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.theirs.signature()
    }

    fn return_type(&self, _: &[DataType]) -> DataFusionResult<DataType> {
        plan_err!("a field of a struct has the type that the struct says")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> DataFusionResult<FieldRef> {
        let base = args.arg_fields.first().map(|field| field.data_type());
        if !matches!(base, Some(DataType::Struct(_) | DataType::Null)) {
            return plan_err!("the query reads a value of what is no struct by a name");
        }
        let found = self.theirs.return_field_from_args(args)?;
        Ok(Arc::new(found.as_ref().clone().with_nullable(true)))
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let ScalarFunctionArgs { args, number_rows, .. } = args;
        let Some((base, names)) = args.split_first() else { return exec_err!("a field of nothing") };
        let mut current = base.to_array(number_rows)?;
        for name in names {
            let ColumnarValue::Scalar(
                ScalarValue::Utf8(Some(name))
                | ScalarValue::Utf8View(Some(name))
                | ScalarValue::LargeUtf8(Some(name)),
            ) = name
            else {
                return exec_err!("a field is asked for by what is no name");
            };
            if *current.data_type() == DataType::Null {
                break;
            }
            let Some(structs) = current.as_struct_opt() else {
                return exec_err!("a field `{name}` of what is no struct");
            };
            let Some(field) = structs.column_by_name(name) else {
                return exec_err!("the structs have no field `{name}`");
            };
            current = masked(field, structs.nulls())?;
        }
        Ok(ColumnarValue::Array(current))
    }
}
