"""Compares whole answers of any size, in any order of rows, by sums over hashes; DuckDB does the work.

Exact columns (numbers without a fraction, text, times) are hashed row by row. Floats are summed, once as they are
and once weighted by the hash of their row, so that a value in the wrong row is seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import duckdb
import pyarrow as pa

RELATIVE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Digest:
    """What is kept of an answer."""

    columns: tuple[str, ...]
    rows: int
    hashes: int
    floats: dict[str, tuple[int, float, float, float]]
    """Known values, their sum, their weighted sum, the sum of their absolute values."""

    def difference(self, reference: Digest) -> str | None:
        """What is wrong with this answer, in one sentence; None if nothing is."""
        if self.columns != reference.columns:
            return f"columns are {list(self.columns)} instead of {list(reference.columns)}"
        if self.rows != reference.rows:
            return f"{self.rows:,} rows instead of {reference.rows:,}"
        if self.floats.keys() != reference.floats.keys():
            return f"floats are {sorted(self.floats)} instead of {sorted(reference.floats)}"
        if self.hashes != reference.hashes:
            return "exact columns differ"
        for name, (count, total, weighted, size) in reference.floats.items():
            known, mine, mine_weighted, _ = self.floats[name]
            if known != count:
                return f"column {name} has {known:,} values instead of {count:,}"
            near = RELATIVE_TOLERANCE * size
            if not math.isclose(mine, total, rel_tol=0.0, abs_tol=near):
                return f"the sum of column {name} is {mine!r} instead of {total!r}"
            if not math.isclose(mine_weighted, weighted, rel_tol=0.0, abs_tol=near * WEIGHTS):
                return f"values of column {name} are in other rows"
        return None


WEIGHTS = 1000


def digest(table: pa.Table, threads: int) -> Digest:
    """The digest of an answer. Types of the same values (int32 and int64, views and plain text) are one."""
    exact, floats = [], []
    for field in table.schema:
        name = '"' + field.name.replace('"', '""') + '"'
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            floats.append((field.name, f"CAST({name} AS DOUBLE)"))
        elif pa.types.is_integer(kind):
            exact.append(f"CAST({name} AS BIGINT)")
        elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            exact.append(f"CAST({name} AS TIMESTAMP)")
        else:
            exact.append(f"CAST({name} AS VARCHAR)")
    weight = f"hash({', '.join(exact)})" if exact else "hash(0)"
    # Missing text, and a missing integer that is a float elsewhere, have the hash of null.
    select = ["count(*)", f"coalesce(sum({weight}::HUGEINT), 0)"]
    for _, value in floats:
        known = f"CASE WHEN isnan({value}) THEN NULL ELSE {value} END"
        select += [
            f"count({known})",
            f"coalesce(sum({known}), 0)",
            f"coalesce(sum({known} * ({weight} % {WEIGHTS})), 0)",
            f"coalesce(sum(abs({known})), 0)",
        ]
    with duckdb.connect(config={"threads": threads}) as connection:
        connection.register("answer", table)
        row = connection.execute(f"SELECT {', '.join(select)} FROM answer").fetchone()
    assert row is not None
    values = {
        name: (row[2 + 4 * n], row[3 + 4 * n], row[4 + 4 * n], row[5 + 4 * n])
        for n, (name, _) in enumerate(floats)
    }
    return Digest(tuple(table.column_names), row[0], int(row[1]), values)


def reference(sql: str, tables: dict[str, str], threads: int) -> Digest:
    """The digest of the right answer, which is DuckDB's; the tests hold it against pandas on small data."""
    with duckdb.connect(config={"threads": threads}) as connection:
        for name, directory in tables.items():
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{directory}/*.parquet')")
        return digest(connection.sql(sql).to_arrow_table(), threads)
