"""DataFusion's Python package with a memory pool of the size that the environment variable RLM_BENCH_LIMIT gives."""

from __future__ import annotations

import os

import pyarrow as pa
from _job import Job
from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext

from engines._base import Engine
from engines.suite_datafusion import DataFusion

UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}


def in_bytes(size: str) -> int:
    """`1.2GB` as a number of bytes."""
    return int(float(size[:-2]) * UNITS[size[-2:].upper()])


class LimitedDataFusion(DataFusion):
    def ask(self, job: Job) -> pa.Table:
        runtime = RuntimeEnvBuilder().with_disk_manager_os()
        runtime = runtime.with_fair_spill_pool(in_bytes(os.environ["RLM_BENCH_LIMIT"]))
        context = SessionContext(SessionConfig().with_target_partitions(self.threads), runtime)
        for name, directory in job.needs.items():
            context.register_parquet(name, f"{directory}/")
        return context.sql(job.sql).to_arrow_table()


ENGINE: type[Engine] = LimitedDataFusion
