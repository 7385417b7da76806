"""DuckDB: SQL over the files, the answer as an Arrow table."""

from __future__ import annotations

import duckdb
import pyarrow as pa
from _spec import Spec

from engines._base import Engine, source_files
from engines._sql import query


class DuckDB(Engine):
    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.connection = duckdb.connect(config={"threads": threads})

    def versions(self) -> dict[str, str]:
        return {"duckdb": duckdb.__version__}

    def execute(self, spec: Spec) -> pa.Table:
        path = source_files(spec).replace("'", "''")
        sql = query(spec.variant, f"read_parquet('{path}')")
        return self.connection.sql(sql).to_arrow_table()

    def close(self) -> None:
        self.connection.close()


ENGINE: type[Engine] = DuckDB
