"""Generates the tables of H2O.ai's db-benchmark: the same distributions, deterministic, as Parquet.

G1 is the table of the group-by questions (`G1_1e7_1e2_0_0` with ten million rows); J1 are the four tables of the
joins. Every row group has a random stream of its own, so that memory stays small at any scale.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20_260_102
ROW_GROUP_ROWS = 1 << 20
GROUPS = 100
"""K of the group-by table: distinct values of its few-valued ids."""

Ints = npt.NDArray[np.int64]


def _chance(*key: int) -> np.random.Generator:
    return np.random.default_rng([SEED, *key])


def _names(numbers: Ints, digits: int) -> pa.Array:
    """`id` and the number: each distinct one is formatted once."""
    distinct, codes = np.unique(numbers, return_inverse=True)
    texts = pa.array([f"id{number:0{digits}d}" for number in distinct.tolist()], pa.string())
    return texts.take(pa.array(codes))


def _values(chance: np.random.Generator, rows: int) -> npt.NDArray[np.float64]:
    return np.round(chance.uniform(0, 100, rows), 6)


def _blocks(rows: int) -> Iterator[tuple[int, int, int]]:
    for number, start in enumerate(range(0, rows, ROW_GROUP_ROWS)):
        yield number, start, min(ROW_GROUP_ROWS, rows - start)


def grouped(rows: int) -> Iterator[pa.Table]:
    """The table of the group-by questions, one row group at a time."""
    many = max(rows // GROUPS, 1)
    for number, _, size in _blocks(rows):
        chance = _chance(1, rows, number)

        def draw(most: int, chance: np.random.Generator = chance, size: int = size) -> Ints:
            return chance.integers(1, most, size, endpoint=True, dtype=np.int64)

        yield pa.table(
            {
                "id1": _names(draw(GROUPS), 3),
                "id2": _names(draw(GROUPS), 3),
                "id3": _names(draw(many), 10),
                "id4": draw(GROUPS),
                "id5": draw(GROUPS),
                "id6": draw(many),
                "v1": draw(5),
                "v2": draw(15),
                "v3": _values(chance, size),
            }
        )


def join_sizes(rows: int) -> tuple[int, int, int]:
    """Rows of the small, medium and big table beside one of `rows` rows."""
    return max(rows // 1_000_000, 10), max(rows // 1000, 10), rows


def _keys(rows: int, size: int, which: int) -> tuple[Ints, Ints]:
    """The keys of the left and of the right side: nine in ten are in both."""
    keys = _chance(2, rows, which).permutation(size + max(size // 10, 1)) + 1
    own = max(size // 10, 1)
    return keys[:size], np.concatenate([keys[: size - own], keys[size:]])


def _side(rows: int, keys: list[Ints], value: str, stream: int) -> Iterator[pa.Table]:
    """Rows with an integer and a string id for every list of keys; all of the last list occur."""
    last = _chance(3, stream, rows).permutation(np.resize(keys[-1], rows))
    for number, start, size in _blocks(rows):
        chance = _chance(4, stream, rows, number)
        ids = [chance.choice(each, size) for each in keys[:-1]] + [last[start : start + size]]
        columns: dict[str, object] = {f"id{n}": each for n, each in enumerate(ids, 1)}
        columns |= {f"id{n}": _names(each, 1) for n, each in enumerate(ids, 4)}
        yield pa.table({**columns, value: _values(chance, size)})


def joined(rows: int) -> dict[str, Callable[[], Iterator[pa.Table]]]:
    """The tables of the joins by name."""
    small, medium, big = join_sizes(rows)
    lefts, rights = zip(*(_keys(rows, size, n) for n, size in enumerate((small, medium, big))), strict=True)
    return {
        "x": lambda: _side(rows, list(lefts), "v1", 0),
        "small": lambda: _side(small, list(rights[:1]), "v2", 1),
        "medium": lambda: _side(medium, list(rights[:2]), "v2", 2),
        "big": lambda: _side(big, list(rights), "v2", 3),
    }


def ensure_grouped(rows: int, cache: Path, row_group: int = ROW_GROUP_ROWS) -> dict[str, Path]:
    """Directory of the table by its name; generated now if it is not there yet."""
    return _ensure(cache / f"h2o-v1-g1-{rows}", {"x": lambda: grouped(rows)}, row_group)


def ensure_joined(rows: int, cache: Path, row_group: int = ROW_GROUP_ROWS) -> dict[str, Path]:
    """Directories of the four tables by name; generated now if they are not there yet."""
    return _ensure(cache / f"h2o-v1-j1-{rows}", joined(rows), row_group)


def _ensure(
    place: Path, tables: dict[str, Callable[[], Iterator[pa.Table]]], row_group: int
) -> dict[str, Path]:
    """Writes every table into a directory of its own below `place`, all of them or none."""
    if not place.is_dir():
        partial = place.with_name(f".{place.name}.{os.getpid()}")
        try:
            for name, blocks in tables.items():
                _write(blocks(), partial / name, row_group)
            partial.rename(place)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return {name: place / name for name in tables}


def _write(blocks: Iterator[pa.Table], directory: Path, row_group: int) -> None:
    directory.mkdir(parents=True)
    first = next(blocks)
    with pq.ParquetWriter(directory / "part-00000.parquet", first.schema, compression="snappy") as writer:
        writer.write_table(first, row_group_size=row_group)
        for block in blocks:
            writer.write_table(block, row_group_size=row_group)
