"""DuckDB: the question in SQL over the files, the answer as an Arrow table."""

from __future__ import annotations

import duckdb
import pyarrow as pa
from _job import Job

from engines._base import Engine
from engines._suite import SuiteEngine


class DuckDB(SuiteEngine):
    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.connection = duckdb.connect(config={"threads": threads})

    def versions(self) -> dict[str, str]:
        return {"duckdb": duckdb.__version__}

    def ask(self, job: Job) -> pa.Table:
        for name, directory in job.needs.items():
            path = f"{directory}/*.parquet".replace("'", "''")
            self.connection.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_parquet('{path}')")
        return self.connection.sql(job.sql).to_arrow_table()

    def close(self) -> None:
        self.connection.close()


ENGINE: type[Engine] = DuckDB
