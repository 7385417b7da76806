"""Generates the benchmark's tables and, without reading them back, the right answers.

python benchmarks/data.py --rows 20_000_000 --keys 100 10_000   generates ahead of a run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from _spec import REGIONS, ROW_GROUP_ROWS, Dataset, Variant

SEED = 20_260_101

Codes = npt.NDArray[np.int32]
Regions = npt.NDArray[np.int8]
Values = npt.NDArray[np.float64]


def cache_dir() -> Path:
    """Where generated data lives: outside the checkout, shared by all runs."""
    configured = os.environ.get("RLM_BENCH_DATA")
    if configured:
        return Path(configured).expanduser().resolve()
    return Path.home() / ".cache" / "rlm-hypervisor" / "bench-data"


def files_of(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.parquet"))


def row_groups(dataset: Dataset) -> Iterator[tuple[int, Codes, Regions, Values]]:
    """The table as numbers, one row group at a time: file, key numbers, region numbers, values.

    Every row group has a random stream of its own, so that the writer and the reference see the
    same rows without sharing anything but this function.
    """
    for file, file_rows in enumerate(dataset.file_rows()):
        for group, start in enumerate(range(0, file_rows, ROW_GROUP_ROWS)):
            rows = min(ROW_GROUP_ROWS, file_rows - start)
            random = np.random.default_rng([SEED, dataset.rows, dataset.keys, file, group])
            codes = random.integers(0, dataset.keys, rows, dtype=np.int32)
            regions = random.integers(0, len(REGIONS), rows, dtype=np.int8)
            yield file, codes, regions, random.random(rows)


def key_strings(dataset: Dataset) -> pa.StringArray:
    """The distinct keys; their order as strings is their order as numbers."""
    return pa.array([f"id{key:0{dataset.key_digits}d}" for key in range(dataset.keys)], pa.string())


def ensure(dataset: Dataset) -> Path:
    """The directory with the data set's files, generated now if it is not there yet."""
    directory = cache_dir() / dataset.name
    if directory.is_dir():
        return directory
    started = time.perf_counter()
    print(f"generating {dataset.name} in {directory.parent}", file=sys.stderr, flush=True)
    partial = directory.with_name(f".{directory.name}.{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        _write(dataset, partial)
        partial.rename(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    size = sum(file.stat().st_size for file in files_of(directory))
    seconds = time.perf_counter() - started
    print(f"generated {size / 1e6:,.0f} MB in {seconds:.0f} s", file=sys.stderr, flush=True)
    return directory


def _write(dataset: Dataset, directory: Path) -> None:
    schema = pa.schema([("category", pa.string()), ("region", pa.string()), ("value", pa.float64())])
    categories = key_strings(dataset)
    regions = pa.array(REGIONS, pa.string())
    writer: pq.ParquetWriter | None = None
    open_file = -1
    try:
        for file, codes, region_codes, values in row_groups(dataset):
            if file != open_file:
                if writer is not None:
                    writer.close()
                path = directory / f"part-{file:05d}.parquet"
                writer = pq.ParquetWriter(path, schema, compression="snappy")
                open_file = file
            assert writer is not None
            table = pa.table(
                [categories.take(pa.array(codes)), regions.take(pa.array(region_codes)), values],
                schema=schema,
            )
            writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
    finally:
        if writer is not None:
            writer.close()


def reference(dataset: Dataset, variant: Variant) -> pa.Table:
    """The right answer, sorted by its keys, from the generator's numbers alone.

    Sums are taken per row group first and then over row groups, which keeps their relative error
    near 1e-13 for these positive values.
    """
    path = cache_dir() / "answers" / f"{dataset.name}-{variant.name}.arrow"
    if path.exists():
        with pa.memory_map(str(path)) as source:
            return pa.ipc.open_file(source).read_all()
    table = _reference(dataset, variant)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    with pa.ipc.new_file(partial, table.schema) as writer:
        writer.write_table(table)
    partial.rename(path)
    return table


def _reference(dataset: Dataset, variant: Variant) -> pa.Table:
    by_region = "region" in variant.keys
    groups = dataset.keys * (len(REGIONS) if by_region else 1)
    counts = np.zeros(groups, np.int64)
    sums = np.zeros(groups)
    lows = np.full(groups, np.inf)
    highs = np.full(groups, -np.inf)
    for _, codes, regions, values in row_groups(dataset):
        group = codes.astype(np.int64)
        if by_region:
            group = group * len(REGIONS) + regions
        if variant.above is not None:
            kept = values > variant.above
            group, values = group[kept], values[kept]
        counts += np.bincount(group, minlength=groups)
        sums += np.bincount(group, weights=values, minlength=groups)
        if "min" in variant.aggregates:
            np.minimum.at(lows, group, values)
            np.maximum.at(highs, group, values)

    present = np.flatnonzero(counts)
    category = present // len(REGIONS) if by_region else present
    columns: dict[str, pa.Array] = {"category": key_strings(dataset).take(pa.array(category))}
    if by_region:
        columns["region"] = pa.array(REGIONS).take(pa.array(present % len(REGIONS)))
    aggregates = {
        "sum": sums[present],
        "mean": sums[present] / counts[present],
        "min": lows[present],
        "max": highs[present],
        "count": counts[present],
    }
    for output, aggregate in zip(variant.outputs, variant.aggregates, strict=True):
        columns[output] = pa.array(aggregates[aggregate])
    return pa.table(columns)


def warm(directory: Path) -> None:
    """Brings the files into the page cache, so that every run starts from the same place."""
    buffer = bytearray(1 << 20)
    for path in files_of(directory):
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def main() -> None:
    parser = argparse.ArgumentParser(description="Generate benchmark data ahead of a run.")
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000_000])
    parser.add_argument("--keys", type=int, nargs="+", default=[100, 10_000, 1_000_000])
    parser.add_argument("--key-bytes", type=int, nargs="+", default=[12])
    arguments = parser.parse_args()
    for rows in arguments.rows:
        for keys in arguments.keys:
            for key_bytes in arguments.key_bytes:
                print(ensure(Dataset(rows, keys, key_bytes)))


if __name__ == "__main__":
    main()
