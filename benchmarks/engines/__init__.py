"""The engines that are compared: one adapter file each, one process each."""

from __future__ import annotations

OURS = "rlm"
OURS_IN_CHUNKS = "rlm_10k"
SPARK = "pyspark"
READ = "physical_read"
DECODE = "physical_decode"

TITLES = {
    READ: "read bytes",
    DECODE: "decode only",
    OURS: "**ours**",
    OURS_IN_CHUNKS: "ours, chunkSize 10,000",
    "polars_streaming": "Polars streaming",
    "polars_memory": "Polars in-memory",
    "duckdb": "DuckDB",
    "datafusion": "DataFusion (Python)",
    "pyarrow": "pyarrow Acero",
    "pandas": "pandas",
    SPARK: "PySpark",
}
"""Every engine by the name of its file, in the order of the report."""

LIMITS = (READ, DECODE)
"""Not engines: what the machine and our own reader need before anything is computed."""

PEERS = tuple(name for name in TITLES if name not in (*LIMITS, OURS, OURS_IN_CHUNKS))

SUITE_OURS = "suite_rlm"

SUITE_TITLES = {
    SUITE_OURS: "**ours**",
    "suite_polars": "Polars streaming",
    "suite_duckdb": "DuckDB",
    "suite_datafusion": "DataFusion (SQL)",
    "suite_pandas": "pandas",
}
"""The engines that answer the questions of the suites, by the name of their file, in the order of the report."""
