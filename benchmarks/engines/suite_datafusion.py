"""DataFusion's Python package: the question in SQL over the files, the answer as an Arrow table."""

from __future__ import annotations

import datafusion
import pyarrow as pa
from _job import Job
from datafusion import SessionConfig, SessionContext

from engines._base import Engine
from engines._suite import SuiteEngine


class DataFusion(SuiteEngine):
    def versions(self) -> dict[str, str]:
        return {"datafusion": datafusion.__version__}

    def ask(self, job: Job) -> pa.Table:
        context = SessionContext(SessionConfig().with_target_partitions(self.threads))
        for name, directory in job.needs.items():
            context.register_parquet(name, f"{directory}/")
        return context.sql(job.sql).to_arrow_table()


ENGINE: type[Engine] = DataFusion
