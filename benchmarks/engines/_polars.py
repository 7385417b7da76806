"""Polars: one lazy query for both of its engines."""

from __future__ import annotations

from typing import ClassVar, Literal

import polars as pl
import pyarrow as pa
from _spec import Spec

from engines._base import Engine, Unavailable, source_files


class Polars(Engine):
    engine: ClassVar[Literal["streaming", "in-memory"]]

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        # The pool is sized once, from POLARS_MAX_THREADS, which the driver sets before the start.
        if pl.thread_pool_size() != threads:
            raise Unavailable(f"Polars has {pl.thread_pool_size()} threads instead of {threads}")

    def versions(self) -> dict[str, str]:
        return {"polars": pl.__version__}

    def execute(self, spec: Spec) -> pl.DataFrame:
        variant = spec.variant
        query = pl.scan_parquet(source_files(spec))
        if variant.above is not None:
            query = query.filter(pl.col("value") > variant.above)
        value = pl.col("value")
        aggregates = {
            "sum": value.sum(),
            "mean": value.mean(),
            "min": value.min(),
            "max": value.max(),
            "count": value.count(),
        }
        named = zip(variant.outputs, variant.aggregates, strict=True)
        return (
            query.group_by(*variant.keys)
            .agg(**{output: aggregates[aggregate] for output, aggregate in named})
            .collect(engine=self.engine)
        )

    def to_arrow(self, result: pl.DataFrame) -> pa.Table:
        return result.to_arrow()
