"""Generates the tables of TPC-H with the `tpchgen-cli` package, and writes them as pandas users have them.

Amounts become float64 and dates timestamps; every table is a directory with one Parquet file of row groups of
1 Mi rows. The same scale gives the same bytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

TABLES = ("lineitem", "orders", "customer", "part", "partsupp", "supplier", "nation", "region")
ROW_GROUP_ROWS = 1 << 20


class NotInstalled(Exception):
    """The generator is not there: `pip install tpchgen-cli`."""


def generator() -> str:
    """The generator's program, beside this interpreter or on the PATH."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which("tpchgen-cli", path=places)
    if found is None:
        raise NotInstalled(f"{NotInstalled.__doc__}")
    return found


def ensure(scale: float, cache: Path, row_group: int = ROW_GROUP_ROWS) -> dict[str, Path]:
    """Directories of the eight tables by name; generated now if they are not there yet."""
    place = cache / f"tpch-v1-sf{scale:g}"
    if not place.is_dir():
        program = generator()
        partial = place.with_name(f".{place.name}.{os.getpid()}")
        raw = partial / "raw"
        try:
            raw.mkdir(parents=True)
            command = [
                program,
                "parquet",
                "--quiet",
                "--scale-factor",
                f"{scale:g}",
                "--output-dir",
                str(raw),
            ]
            subprocess.run(command, check=True)
            for table in TABLES:
                _convert(raw / f"{table}.parquet", partial / table, row_group)
                (raw / f"{table}.parquet").unlink()
            raw.rmdir()
            partial.rename(place)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return {table: place / table for table in TABLES}


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_date(kind):
        return pa.timestamp("us")
    return pa.string() if pa.types.is_string_view(kind) else kind


def _convert(file: Path, directory: Path, row_group: int) -> None:
    directory.mkdir()
    with pq.ParquetFile(file) as source:
        schema = pa.schema([(field.name, _plain(field.type)) for field in source.schema_arrow])
        target = directory / "part-00000.parquet"
        with pq.ParquetWriter(target, schema, compression="snappy") as writer:
            for batch in source.iter_batches(row_group):
                table = pa.Table.from_batches([batch]).cast(schema)
                writer.write_table(table, row_group_size=row_group)
