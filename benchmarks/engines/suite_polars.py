"""Polars with its streaming engine: the question as a lazy query."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
from _job import SUITES, Job, load

from engines._base import Engine, Unavailable
from engines._suite import SuiteEngine


class Polars(SuiteEngine):
    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        # The pool is sized once, from POLARS_MAX_THREADS, which the driver sets before the start.
        if pl.thread_pool_size() != threads:
            raise Unavailable(f"Polars has {pl.thread_pool_size()} threads instead of {threads}")

    def versions(self) -> dict[str, str]:
        return {"polars": pl.__version__}

    def ask(self, job: Job) -> pl.DataFrame:
        query = load(SUITES[job.suite].polars)[job.question]
        frames = [pl.scan_parquet(f"{directory}/*.parquet") for directory in job.needs.values()]
        answer: pl.DataFrame = query(*frames).collect(engine="streaming")
        return answer

    def to_arrow(self, result: pl.DataFrame) -> pa.Table:
        return result.to_arrow()


ENGINE: type[Engine] = Polars
