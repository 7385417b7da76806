"""Queries against DuckDB, over the same tables, at every chunk size and number of threads."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import RLMClient

Clients = Callable[[int], RLMClient]

ROWS = 900
COMBINATIONS: list[tuple[int | str, int]] = [(1, 1), (7, 2), (100, 4), ("auto", 1), ("auto", 3)]


def _orders(rows: int) -> pa.Table:
    """Keys with holes and unicode, integers, multiples of 0.25 with holes, dates, times, decimals."""
    chance = np.random.default_rng(11)

    def holes(share: float) -> Any:
        return chance.random(rows) < share

    start = dt.datetime(2024, 2, 27)
    return pa.table(
        {
            "id": pa.array(np.arange(rows)),
            "k": pa.array(
                [
                    ["b", "a", "Zürich", "", "日本", "a name longer than a view holds"][n % 6]
                    for n in range(rows)
                ],
                mask=holes(0.1),
            ),
            "g": pa.array(chance.integers(-3, 4, rows), pa.int32(), mask=holes(0.2)),
            "i": pa.array(chance.integers(-1000, 1000, rows), mask=holes(0.1)),
            "x": pa.array(chance.integers(-400, 400, rows) / 4, mask=holes(0.15)),
            "b": pa.array(chance.random(rows) < 0.4, mask=holes(0.1)),
            "d": pa.array([(start + dt.timedelta(days=n % 50)).date() for n in range(rows)], mask=holes(0.1)),
            "t": pa.array([start + dt.timedelta(minutes=37 * n) for n in range(rows)], pa.timestamp("us")),
            "m": pa.array(
                [Decimal(n * 7 % 1000) / 100 for n in range(rows)], pa.decimal128(10, 2), mask=holes(0.1)
            ),
        }
    )


REGIONS = pa.table(
    {
        "g": pa.array([-3, -1, 0, 2, 2, None], pa.int32()),
        "Name": ["north", "east", "south", "west", "far west", "nowhere"],
        "weight": [1.5, 2.0, None, 0.25, 8.0, 1.0],
    }
)

QUERIES = [
    # Rows.
    "select * from partition",
    "select id, k, x from partition where x > 12.5 and k <> 'a'",
    "select id, I, X from Partition where not (i > 3 or b)",
    "select id, coalesce(i, -1) i, nullif(g, 0) g, case when x > 0 then 'p' when x < 0 then 'n' else k end c from partition",
    "select id, i % 7 as r, i * 2 - g as s, -i n from partition where i >= 0",
    "select id, x is null u, b is not true v, i between -5 and 9 w, k in ('a', 'b', null) z from partition",
    "select id, upper(k) u, length(k) l, k || '!' c, substring(k, 2, 3) s, replace(k, 'a', 'o') r, k like '%a%' y from partition",
    "select id, trim('  ' || k || ' ') t, left(k, 2) l, strpos(k, 'r') p, reverse(k) r, lpad(k, 4, '*') d from partition where k <> ''",
    "select id, d + interval '1 day' as n, date_trunc('month', t) as m, extract(year from t) as y, extract(dow from d) as w from partition",
    "select id, abs(x) a, round(x) r, floor(x) f, ceil(x) c, sqrt(abs(x)) q, power(g, 2) p from partition where x <> 0.5",
    "select id, cast(i as varchar) c, cast(trunc(x) as bigint) n, try_cast(k as int) z, cast(m as double) m from partition where x > 0.5",
    "select id, m, m + 1 as n, m > 2.5 as c from partition where m between 1.25 and 7.00",
    "select id from partition where d >= date '2024-03-10' and t < timestamp '2024-03-14 00:00:00'",
    "select id from partition where id >= 500 and id < 510",
    "select id from partition where k = 'Zürich' or g = 2",
    "select id from partition where k is null",
    "select id from partition where false",
    # Aggregates.
    "select count(*), count(x) c, sum(i) s, avg(x) a, min(k) lo, max(d) hi from partition",
    "select k, count(*) n, sum(i) s, min(x) lo, max(x) hi, avg(i) a from partition group by k",
    "select g, k, sum(x) s, count(distinct i) u from partition group by 1, 2 having count(*) > 3",
    "select count(distinct k) a, sum(distinct g) b, bool_or(b) c, bool_and(b) d from partition",
    "select k, stddev_samp(x) s, var_pop(i) v, median(x) m, corr(x, i) c from partition group by k",
    "select date_trunc('month', d) mon, sum(m) total from partition group by mon",
    "select k, sum(i) filter (where x > 0) p, count(*) filter (where b) n from partition group by k",
    "select k, g, sum(i) s, grouping(k) l from partition group by rollup (k, g)",
    "select sum(i) s from partition where id < 0",
    "select k from partition group by k having sum(i) is null or sum(i) > 100",
    "select distinct g, b from partition",
    # Order.
    "select id, x from partition order by x desc nulls last, id limit 17 offset 3",
    "select k, id from partition order by k nulls first, id desc",
    "select g, sum(i) total from partition group by g order by total desc nulls last limit 3",
    # Joins.
    "select id, name, weight from partition join regions using (g)",
    "select p.id, r.name from partition p left join regions r on p.g = r.g and p.x > 0",
    "select p.id, r.name from partition p right join regions r on p.g = r.g",
    "select p.id, r.name from partition p full join regions r on p.g = r.g",
    "select r.name, sum(p.i) s, count(p.id) n from regions r left join partition p on p.g = r.g group by 1",
    "select id from partition p where exists (select 1 from regions r where r.g = p.g and r.weight > 1)",
    "select id from partition where g not in (select g from regions where g is not null)",
    "select id from partition p where x > (select avg(x) from partition q where q.g = p.g)",
    "select a.id, b.id as o from partition a join partition b on a.id + 1 = b.id where a.g < b.g",
    "select p.id, r.name from partition p cross join regions r where p.id < 5",
    "select p.id, r.name from partition p join regions r on p.g < r.g where p.id < 40",
    # Windows.
    "select id, sum(i) over (partition by k order by id) s, row_number() over (partition by k order by id) n from partition",
    "select id, rank() over (order by g) r, dense_rank() over (order by g) d, lag(i) over (order by id) l, lead(i, 2, 0) over (order by id) e from partition",
    "select id, avg(x) over (order by id rows between 3 preceding and 1 following) a, first_value(k) over (partition by g order by id) f from partition",
    "select id, i - avg(i) over (partition by k) c, ntile(4) over (order by id) q from partition",
    "select * from (select id, k, row_number() over (partition by k order by x desc nulls last, id) n from partition) where n <= 2",
    # Common tables and sets.
    "with t as (select k, sum(i) s from partition group by k), u as (select max(s) m from t) select t.k from t, u where t.s = u.m",
    "with recursive f as (select 1 n union all select n + 1 from f where n < 6) select n, count(id) c from f left join partition on g = n group by n",
    "select k from partition union select name from regions",
    "select g from partition intersect select g from regions",
    "select g from partition except select g from regions",
    "select g from partition union all select g from regions",
    "select * from (values (1, 'a'), (2, null)) v (n, t)",
    "select 1 + 1 as two, 'x' as t, null as n",
]


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return {"partition": _orders(ROWS), "regions": REGIONS}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, tables: dict[str, pa.Table]) -> dict[str, str]:
    """The same tables as files of several row groups."""
    folder = tmp_path_factory.mktemp("sql")
    orders = tables["partition"]
    for n, (start, stop) in enumerate(itertools.pairwise([0, 400, 401, ROWS])):
        pq.write_table(orders.slice(start, stop - start), folder / f"{n}.parquet", row_group_size=150)
    (folder / "regions").mkdir()
    pq.write_table(tables["regions"], folder / "regions" / "r.parquet")
    return {"partition": str(folder / "*.parquet"), "regions": str(folder / "regions")}


def by_duckdb(query: str, tables: dict[str, pa.Table]) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The names of the columns and the rows. `partition` is a keyword there."""
    with duckdb.connect() as connection:
        connection.execute("set default_null_order = 'nulls_last'")
        for name, table in tables.items():
            connection.register(name, table)
        found = connection.execute(
            query.replace("Partition", "partition")
            .replace(" partition", ' "partition"')
            .replace('over ("partition" by', "over (partition by")
        )
        return [column[0] for column in found.description or []], found.fetchall()


def plain(value: Any) -> Any:
    """A value as both sides have it: numbers of one kind, times without zones, floats rounded."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, Decimal | int):
        return round(float(value), 9)
    if isinstance(value, float):
        return value if not math.isfinite(value) else float(f"{value:.11g}") + 0.0
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day)
    return value


def rows(found: Iterable[Iterable[Any]], ordered: bool) -> list[tuple[Any, ...]]:
    plainly = [tuple(plain(value) for value in row) for row in found]
    return (
        plainly
        if ordered
        else sorted(plainly, key=lambda row: [(value is None, str(value)) for value in row])
    )


def answer(
    client: RLMClient, query: str, sources: dict[str, Any], chunk: int | str = "auto", **options: Any
) -> pa.Table:
    """The answer of a query whose tables are these sources."""
    others = {name: source for name, source in sources.items() if name != "partition"}
    document = {
        "type": "parallel",
        "input": {"source": sources["partition"], "chunkSize": chunk},
        "operation": {"sql": query, "tables": others},
        "options": options,
    }
    return client.execute(document).to_arrow()


def assert_equal(got: pa.Table, query: str, tables: dict[str, pa.Table]) -> None:
    names, expected = by_duckdb(query, tables)
    if "count(*)," not in query:
        assert [name.lower() for name in got.column_names] == [
            name.lower().replace("g_1", "g") for name in names
        ] or len(set(names)) < len(names)
    ordered = "order by" in query.rpartition(")")[2]
    columns = [column.to_pylist() for column in got.columns]
    assert rows(zip(*columns, strict=True), ordered) == rows(expected, ordered)


@pytest.mark.parametrize("query", QUERIES)
def test_queries_equal_duckdb(
    clients: Clients, tables: dict[str, pa.Table], files: dict[str, str], query: str
) -> None:
    for (chunk, threads), source in zip(COMBINATIONS, itertools.cycle([files, tables])):
        assert_equal(answer(clients(threads), query, dict(source), chunk), query, tables)


@pytest.mark.parametrize("query", QUERIES)
def test_empty_tables(client: RLMClient, tables: dict[str, pa.Table], query: str) -> None:
    empty = {name: table.slice(0, 0) for name, table in tables.items()}
    assert_equal(answer(client, query, dict(empty)), query, empty)
