"""Orders for the examples: a directory of Parquet files, written once and then reused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP_ROWS = 1 << 20
CATEGORIES = [f"category {number:03}" for number in range(100)]
REGIONS = ["north", "east", "south", "west", "Übersee"]


def data_dir() -> Path:
    """Where data lives: `RLM_DATA_DIR`, or the user's cache."""
    given = os.environ.get("RLM_DATA_DIR")
    return Path(given) if given else Path.home() / ".cache" / "rlm-hypervisor" / "data"


def orders(rows: int = 200_000, files: int = 4) -> Path:
    """A directory of orders: `category` (1 in 1,000 is missing), `region`, `value`, `quantity`."""
    directory = data_dir() / f"orders-{rows}-{files}"
    if directory.is_dir():
        return directory
    partial = directory.with_name(f".{directory.name}-{os.getpid()}")
    partial.mkdir(parents=True)
    for number in range(files):
        rows_here = rows * (number + 1) // files - rows * number // files
        random = np.random.default_rng([2026, rows, number])
        with pq.ParquetWriter(partial / f"part-{number}.parquet", SCHEMA, compression="snappy") as writer:
            for start in range(0, rows_here, ROW_GROUP_ROWS):
                writer.write_table(_some(random, min(ROW_GROUP_ROWS, rows_here - start)))
    try:
        partial.rename(directory)
    except OSError:  # another process was faster
        if not directory.is_dir():
            raise
        shutil.rmtree(partial)
    return directory


SCHEMA = pa.schema(
    [("category", pa.string()), ("region", pa.string()), ("value", pa.float64()), ("quantity", pa.int64())]
)


def _some(random: np.random.Generator, rows: int) -> pa.Table:
    category = pa.array(
        random.integers(0, len(CATEGORIES), rows, dtype=np.int32), mask=random.random(rows) < 0.001
    )
    region = pa.array(random.integers(0, len(REGIONS), rows, dtype=np.int32))
    return pa.table(
        [
            pa.DictionaryArray.from_arrays(category, CATEGORIES).cast(pa.string()),
            pa.DictionaryArray.from_arrays(region, REGIONS).cast(pa.string()),
            pa.array(np.round(random.normal(20, 30, rows), 2)),
            pa.array(random.integers(1, 10, rows)),
        ],
        schema=SCHEMA,
    )
