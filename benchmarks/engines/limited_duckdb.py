"""DuckDB within the memory limit of the environment variable RLM_BENCH_LIMIT; what does not fit goes to a directory."""

from __future__ import annotations

import os
import tempfile

from engines._base import Engine
from engines.suite_duckdb import DuckDB


class LimitedDuckDB(DuckDB):
    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.folder = tempfile.TemporaryDirectory(prefix="rlm-bench-duckdb-")
        for name, value in (
            ("memory_limit", os.environ["RLM_BENCH_LIMIT"]),
            ("temp_directory", self.folder.name),
        ):
            self.connection.execute(f"SET {name} = '{value}'")

    def close(self) -> None:
        super().close()
        self.folder.cleanup()


ENGINE: type[Engine] = LimitedDuckDB
