"""DataFusion's Python package: its data frame interface, the answer as an Arrow table."""

from __future__ import annotations

from collections.abc import Callable

import datafusion
import pyarrow as pa
from _spec import Spec
from datafusion import Expr, SessionConfig, SessionContext, col, functions as f, lit

from engines._base import Engine

FUNCTIONS: dict[str, Callable[[Expr], Expr]] = {
    "sum": f.sum,
    "mean": f.avg,
    "min": f.min,
    "max": f.max,
    "count": f.count,
}


class DataFusion(Engine):
    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.context = SessionContext(SessionConfig().with_target_partitions(threads))

    def versions(self) -> dict[str, str]:
        return {"datafusion": datafusion.__version__}

    def execute(self, spec: Spec) -> pa.Table:
        variant = spec.variant
        frame = self.context.read_parquet(f"{spec.directory}/")
        if variant.above is not None:
            frame = frame.filter(col("value") > lit(variant.above))
        outputs = [
            FUNCTIONS[aggregate](col("value")).alias(output)
            for output, aggregate in zip(variant.outputs, variant.aggregates, strict=True)
        ]
        return frame.aggregate([col(key) for key in variant.keys], outputs).to_arrow_table()


ENGINE: type[Engine] = DataFusion
