"""Queries as tasks: what is refused and where, what a scan reads, names, memory, stops."""

from __future__ import annotations

import datetime as dt
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import (
    InvalidTaskError,
    OperationFailedError,
    OutOfMemoryError,
    RLMClient,
    RLMError,
    SchemaMismatchError,
    TaskTimeoutError,
)


def task(query: str, source: Any, **options: Any) -> dict[str, Any]:
    return {"type": "parallel", "input": {"source": source, "operation": {"sql": query}}, "options": options}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten row groups of a thousand rows, in order of `n` and of `t`."""
    folder = tmp_path_factory.mktemp("sql")
    rows = range(10_000)
    data = pa.table(
        {
            "n": pa.array(rows),
            "k": [f"key {n % 7}" for n in rows],
            "x": [n / 4 for n in rows],
            "t": pa.array(
                [dt.datetime(2024, 1, 1) + dt.timedelta(minutes=n) for n in rows], pa.timestamp("us")
            ),
        }
    )
    pq.write_table(data, folder / "a.parquet", row_group_size=1000)
    return folder


WRONG = [
    ("select nope from partition", SchemaMismatchError, "no column `nope` (line 1, column 8)", None),
    ("select\n  kk\nfrom partition", SchemaMismatchError, "no column `kk` (line 2, column 3)", "k"),
    (
        "select p.i, p.zzzz from partition p",
        SchemaMismatchError,
        "no column `p.zzzz` (line 1, column 13)",
        None,
    ),
    ("select k from partition a, partition b", SchemaMismatchError, "several tables have a column `k`", None),
    ("select * from partitoin", InvalidTaskError, "no table `partitoin` (line 1, column 15)", "partition"),
    ("select * from information_schema.tables", InvalidTaskError, "no table", None),
    ("select * from 'a.parquet'", InvalidTaskError, "no table `a.parquet`", None),
    ("selct 1", InvalidTaskError, "begins with `selct` (line 1, column 1)", "SELECT"),
    ("select i +* 2 from partition", InvalidTaskError, "found: * (line 1, column 11)", None),
    ("select i from", InvalidTaskError, "the end of the query", None),
    ("select 'x", InvalidTaskError, "Unterminated string literal", None),
    ("select sun(i) from partition", InvalidTaskError, "no function `sun` (line 1, column 8)", "sum"),
    ("select k, i from partition group by k", InvalidTaskError, "neither grouped by nor aggregated", None),
    ("select i, i from partition", InvalidTaskError, "the same name", None),
    ("select i from partition where k", InvalidTaskError, "cannot be planned", None),
    ("select (select i from partition) s from partition", OperationFailedError, "", None),
    ("select regexp_like(k, '(') from partition", InvalidTaskError, "regex parse error", None),
    ("-- nothing", InvalidTaskError, "the SQL is empty", None),
    ("select 1; select 2", InvalidTaskError, "several statements (line 1, column 11)", None),
    ("select $1", InvalidTaskError, "parameter, `$1` (line 1, column 8)", None),
    ("select ?", InvalidTaskError, "parameter", None),
    ("drop table partition", InvalidTaskError, "of kind DROP", None),
    ("  /* c */ insert into partition values (1)", InvalidTaskError, "of kind INSERT", None),
    ("update partition set i = 1", InvalidTaskError, "of kind UPDATE", None),
    ("explain select 1", InvalidTaskError, "of kind EXPLAIN", None),
    ("copy partition to 'x'", InvalidTaskError, "of kind COPY", None),
    ("set x = 1", InvalidTaskError, "of kind SET", None),
    ("create external table t stored as csv location 'x'", InvalidTaskError, "of kind CREATE", None),
    ("with t as (select 1) insert into partition select * from t", InvalidTaskError, "of kind INSERT", None),
    ("select * into t from partition", InvalidTaskError, "SELECT INTO", None),
    ("select * from partition for update", InvalidTaskError, "SELECT FOR UPDATE", None),
    ("select * from (select * from partition for update) q", InvalidTaskError, "SELECT FOR UPDATE", None),
    ("select * from partition tablesample (10)", InvalidTaskError, "TABLESAMPLE", None),
    ("select k from partition group by k with rollup", InvalidTaskError, "GROUP BY ... WITH", None),
    ("select * from partition distribute by k", InvalidTaskError, "DISTRIBUTE BY", None),
    ("select * from partition fetch first 3 rows only", InvalidTaskError, "not supported", None),
    ("select" + " 1 +" * 20_000 + " 1", InvalidTaskError, "deeper than", None),
    ("select " + "(" * 5_000 + "1" + ")" * 5_000, InvalidTaskError, "deeper than", None),
    (
        "select " + "case when true then " * 3_000 + "1" + " end" * 3_000,
        InvalidTaskError,
        "deeper than",
        None,
    ),
    ("select 1" + " union all select 1" * 3_000, InvalidTaskError, "deeper than", None),
    (
        "select 1 from " + ", ".join(f"partition t{n}" for n in range(3_000)),
        InvalidTaskError,
        "joins more",
        None,
    ),
]


@pytest.mark.parametrize(("query", "error", "message", "nearest"), WRONG, ids=[row[0][:40] for row in WRONG])
def test_what_is_wrong_is_told_with_its_place(
    client: RLMClient, data: pa.Table, query: str, error: type[RLMError], message: str, nearest: str | None
) -> None:
    with pytest.raises(error) as caught:
        client.execute(task(query, data))
    assert message in str(caught.value)
    assert caught.value.code != "INTERNAL"
    assert caught.value.details.get("nearest") == nearest
    if "(line" in message:
        assert {"line", "position"} <= set(caught.value.details)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select i / (i - 3) from partition", "division by zero"),
        ("select i % 0 from partition", "division by zero"),
        ("select cast(k as int) from partition", "Cannot cast string 'b'"),
        ("select sqrt(-i) from partition", "square root"),
        ("select sum(i / 0) over (order by i) from partition", "division by zero"),
    ],
)
def test_values_that_cannot_be_computed_for(client: RLMClient, data: pa.Table, query: str, said: str) -> None:
    with pytest.raises(OperationFailedError, match=said):
        client.execute(task(query, data))


@pytest.mark.parametrize("group", ["", " group by k"])
def test_arguments_that_are_looked_at_when_a_query_runs(
    client: RLMClient, data: pa.Table, group: str
) -> None:
    with pytest.raises(
        InvalidTaskError, match=r"the SQL cannot be planned: Percentile value must be between"
    ):
        client.execute(task(f"select approx_percentile_cont(i, 2.0) from partition{group}", data))


def test_the_document(client: RLMClient, data: pa.Table) -> None:
    query = "select count(*) n from partition"
    sql = {"sql": query}
    for document in [
        {"input": {"source": data, "operation": sql}},
        {"input": {"source": data}, "operation": sql},
        {"operation": {"sql": "select count(*) n from d", "tables": {"d": data}}},
        {"input": {"source": data}, "operation": {**sql, "tables": None}},
    ]:
        assert client.execute({"type": "parallel", **document}).to_arrow().to_pylist() == [{"n": 6}]
    for wrong, path in [
        ({"sq": query}, "operation.sq"),
        ({**sql, "table": {}}, "operation.table"),
        ({**sql, "tables": {"a": 3}}, "operation.tables.a"),
        ({**sql, "tables": {"partition": data}}, "operation.tables.partition"),
        ({}, "operation.sql"),
    ]:
        with pytest.raises(InvalidTaskError) as caught:
            client.execute({"type": "parallel", "input": {"source": data}, "operation": wrong})
        assert caught.value.details["path"] == path
    with pytest.raises(InvalidTaskError, match=r"input\.source is missing"):
        client.sql("select 1")


def test_names_are_the_same_whatever_their_case(client: RLMClient) -> None:
    data = pd.DataFrame(
        {"VendorID": [1, 2], 'we"ird; name': [3, 4], "a.b": [5, 6], "select": [7, 8], "ключ": [9, 10]}
    )
    answer = client.sql(
        'SELECT vendorid, Vendorid + 1 AS Next, "we""ird; name", "a.b", p."select", КЛЮЧ FROM Partition P ORDER BY next DESC',
        source=data,
    )
    expected = pd.DataFrame(
        {
            "VendorID": [2, 1],
            "Next": [3, 2],
            'we"ird; name': [4, 3],
            "a.b": [6, 5],
            "select": [8, 7],
            "ключ": [10, 9],
        }
    )
    pd.testing.assert_frame_equal(answer.to_pandas(), expected)
    both = pd.DataFrame({"a": [1], "A": [2]})
    assert client.sql("select A, a from partition", source=both).to_pandas().to_numpy().tolist() == [[2, 1]]
    tables = {'odd "name"': both, "x.y": both}
    query = 'select count(*) n from "odd ""name""" o join "x.y" using (a)'
    assert client.sql(query, tables=tables).to_arrow().to_pylist() == [{"n": 1}]


def test_columns_are_called_what_the_query_wrote(client: RLMClient, data: pa.Table) -> None:
    answer = client.sql("select i + 1, p.*, 'a', count(*) over () from partition p", source=data).to_arrow()
    assert answer.column_names == ["i + 1", "k", "i", "x", "s", "'a'", "count(*) OVER ()"]
    twice = client.sql(
        "select a.i, b.i from partition a join partition b on a.i = b.i", source=data
    ).to_pandas()
    assert list(twice.columns) == ["i", "i"]
    assert list(twice.index) == list(range(6))


def test_only_what_is_needed_is_read(client: RLMClient, folder: Path) -> None:
    run = client.submit(task("select k, sum(n) s from partition where n >= 8000 group by k", str(folder)))
    assert run.result().to_arrow().num_rows == 7
    (scan,) = run.explain().to_dict()["scans"]
    assert (scan["row_groups"], scan["row_groups_pruned"]) == (10, 8)
    assert sorted(scan["columns_read"]) == ["k", "n"]
    assert run.progress.rows_done == 2000
    text = str(run.explain())
    assert "filter pushed down" in text
    assert "SQL over partition" in text
    assert "ScanExec" in text
    accounting = run.progress.accounting
    assert accounting.accepted == accounting.succeeded > 0
    run = client.submit(
        task("select x from partition where t < timestamp '2024-01-01 02:00:00'", str(folder))
    )
    assert run.result().to_arrow().num_rows == 120
    assert run.explain().to_dict()["scans"][0]["row_groups_pruned"] == 9
    run = client.submit(task("select count(*) n from partition", str(folder)))
    assert run.result().to_arrow()["n"].to_pylist() == [10_000]
    assert run.progress.rows_done == 0


def test_order_by_is_kept_and_rows_come_in_source_order(clients: Any, folder: Path) -> None:
    for threads in (1, 4):
        rows = clients(threads).sql("select n from partition where x > 3", source=str(folder)).to_arrow()
        assert rows["n"].to_pylist() == list(range(13, 10_000))
        rows = (
            clients(threads).sql("select n from partition order by k desc, n", source=str(folder)).to_arrow()
        )
        keys = [(-(n % 7), n) for n in rows["n"].to_pylist()]
        assert keys == sorted(keys)


def test_types_that_are_only_carried_along(client: RLMClient) -> None:
    data = pa.table(
        {
            "word": pa.array(["a", None, "b"]).dictionary_encode(),
            "items": pa.array([[1, 2], None, []]),
            "both": pa.array([{"x": 1, "y": "p"}, None, {"x": None, "y": "q"}]),
            "clock": pa.array([dt.time(1, 2), None, dt.time(3)], pa.time64("us")),
            "money": pa.array([Decimal("1.50"), None, Decimal("-2.25")], pa.decimal128(20, 2)),
            "large": pa.array([Decimal("1.5"), None, Decimal("2.5")], pa.decimal256(50, 2)),
            "day": pa.array([dt.date(2024, 2, 29), None, dt.date(1969, 1, 1)], pa.date64()),
            "zone": pa.array(
                [dt.datetime(2024, 7, 1), None, dt.datetime(2024, 1, 1)], pa.timestamp("ns", "Europe/Berlin")
            ),
            "raw": pa.array([b"a", None, b"\xff"]),
            "span": pa.array([dt.timedelta(seconds=1), None, dt.timedelta(days=2)], pa.duration("ms")),
        }
    )
    same = client.sql("select * from partition", source=data).to_arrow()
    assert same.to_pylist() == data.to_pylist()
    query = (
        "select word, items[1] first, money * 2 twice, large + 1 more, day + interval '1 day' next, "
        "date_part('hour', zone) h from partition"
    )
    first, missing, last = client.sql(query, source=data).to_arrow().to_pylist()
    assert set(missing.values()) == {None}
    assert (first["word"], first["first"], first["h"]) == ("a", 1, 2)
    assert (last["twice"], last["more"], last["next"]) == (
        Decimal("-4.50"),
        Decimal("3.50"),
        dt.date(1969, 1, 2),
    )
    lists = client.sql("select array_agg(word order by word) w from partition", source=data)
    assert [list(row) for row in lists.to_pandas()["w"]] == [["a", "b", None]]


def test_numbers_are_those_of_sql(client: RLMClient) -> None:
    data = pa.table({"x": [float("nan"), -0.0, 0.0, None, 3.0], "i": [5, -5, 0, None, 1]})
    rows = client.sql(
        "select x > 1 big, x = 0 zero, i / 2 half, x is null gone from partition", source=data
    ).to_arrow()
    assert rows["big"].to_pylist() == [True, False, False, None, True]
    assert rows["zero"].to_pylist() == [False, True, True, None, False]
    assert rows["half"].to_pylist() == [2, -2, 0, None, 0]
    assert rows["gone"].to_pylist() == [False, False, False, True, False]
    groups = client.sql(
        "select x, count(*) n from partition group by x order by n desc, x", source=data
    ).to_arrow()
    assert groups["n"].to_pylist() == [2, 1, 1, 1]
    same = client.sql("select min(now()) = max(now()) a from partition", source=data).to_arrow()
    assert same.to_pylist() == [{"a": True}]


def test_memory(tmp_path: Path) -> None:
    """Sorts and groups beyond the limit spill; what cannot spill says that memory is too small."""
    rows = 300_000
    chance = np.random.default_rng(2)
    data = pa.table({"n": chance.permutation(rows), "s": [f"a longer text, number {n}" for n in range(rows)]})
    pq.write_table(data, tmp_path / "a.parquet", row_group_size=20_000)
    with RLMClient(threads=2) as client:
        limit = {"memoryLimit": "24MB"}
        run = client.submit(task("select n, s from partition order by n", str(tmp_path), **limit))
        assert run.result().to_arrow()["n"].to_pylist() == list(range(rows))
        assert "operators that spill" in str(run.explain())
        query = "select s, count(*) c, sum(n) t from partition group by s"
        answer = client.execute(task(query, str(tmp_path), **limit)).to_arrow()
        assert answer.num_rows == rows
        assert sum(answer["t"].to_pylist()) == rows * (rows - 1) // 2
        query = "select count(*) from partition a join partition b on a.s = b.s and a.n < b.n"
        with pytest.raises(OutOfMemoryError):
            client.execute(task(query, str(tmp_path), memoryLimit="4MB"))


ENDLESS = "select count(*) c from partition a, partition b, partition c, partition d where a.x + b.x + c.x + d.x < -1"


def test_a_deadline_stops_a_query(client: RLMClient, folder: Path) -> None:
    started = time.monotonic()
    with pytest.raises(TaskTimeoutError):
        client.execute(task(ENDLESS, str(folder), timeoutMs=1500))
    assert time.monotonic() - started < 10


def test_a_query_is_cancelled(folder: Path) -> None:
    with RLMClient(threads=2) as client:
        run = client.submit(task(ENDLESS, str(folder)))
        time.sleep(0.3)
        run.cancel()
        with pytest.raises(RLMError, match="cancelled"):
            run.result(timeout=10)
        answer = client.sql("select max(n) m from partition", source=str(folder)).to_arrow()
        assert answer["m"].to_pylist() == [9999]


def test_queries_side_by_side(client: RLMClient, folder: Path) -> None:
    wrong: list[BaseException] = []

    def ask(key: int) -> None:
        try:
            query = f"select sum(n) s from partition where k = 'key {key}'"
            answer = client.sql(query, source=str(folder)).to_arrow()["s"].to_pylist()
            assert answer == [sum(range(key, 10_000, 7))]
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=ask, args=(n % 7,)) for n in range(21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_deep_queries_that_are_allowed(client: RLMClient, data: pa.Table) -> None:
    sums = "select " + " + ".join(["i"] * 390) + " s from partition order by 1"
    assert client.sql(sums, source=data).to_arrow()["s"].to_pylist() == [390 * n for n in range(1, 7)]
    either = "select i from partition where " + " or ".join(f"x = {n}.5" for n in range(190))
    assert client.sql(either, source=data).to_arrow().num_rows == 2
    listed = "select i from partition where i in (" + ", ".join(str(n) for n in range(5_000)) + ")"
    assert client.sql(listed, source=data).to_arrow().num_rows == 6
    cases = "select case " + " ".join(f"when i = {n} then {n}" for n in range(300)) + " end c from partition"
    assert client.sql(cases, source=data).to_arrow()["c"].to_pylist() == [1, 2, 3, 4, 5, 6]
    nested = "select " + "abs(" * 40 + "i" + ")" * 40 + " a from partition"
    assert client.sql(nested, source=data).to_arrow()["a"].to_pylist() == [1, 2, 3, 4, 5, 6]
    union = "select 1 one" + " union all select 1" * 150
    assert client.sql(union, source=data).to_arrow().num_rows == 151


STRUCTS = pa.table(
    {
        "i": [1, 2, 3, 4],
        "s": pa.StructArray.from_arrays(
            [
                pa.array([5, 6, 7, None]),
                pa.array(["a", "b", "c", "d"]),
                pa.StructArray.from_arrays(
                    [pa.array([1, 2, 3, 4])], ["e"], mask=pa.array([False, False, False, True])
                ),
            ],
            ["a", "b", "c"],
            # The field of a struct that is missing has a value below it.
            mask=pa.array([False, True, False, False]),
        ),
        "l": pa.array([[{"x": 1}, None], [], None, [{"x": None}]], pa.list_(pa.struct([("x", pa.int64())]))),
    }
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select s.a from partition order by i", [5, None, 7, None]),
        ("select (s)['b'] from partition order by i", ["a", None, "c", "d"]),
        ("select s.c.e from partition order by i", [1, None, 3, None]),
        ("select i from partition where s.a is null order by i", [2, 4]),
        ("select i from partition where s.a > 5", [3]),
        ("select sum(s.a) from partition", [12]),
        ("select count(s.c.e) from partition", [2]),
        ("select max(i) from partition group by s.b order by s.b", [1, 3, 4, 2]),
        ("select i from partition order by s.a desc nulls last, i limit 2", [3, 1]),
        ("select l[1]['x'] from partition order by i", [1, None, None, None]),
        ("select p.s.a from (select * from partition) p order by i", [5, None, 7, None]),
        (
            "select r.s.a from partition l left join partition r on l.i = r.i + 1 order by l.i",
            [None, 5, None, 7],
        ),
        (
            "select nullif(s, (select s from partition where i = 1))['a'] from partition order by i",
            [None, None, 7, None],
        ),
        ("select (case when i > 1 then s end)['b'] from partition order by i", [None, None, "c", "d"]),
        ("select (lag(s) over (order by i))['b'] from partition order by i", [None, "a", None, "c"]),
        ("select named_struct('q', i)['q'] from partition order by i", [1, 2, 3, 4]),
        ("select named_struct('q', s)['q']['b'] from partition order by i", ["a", None, "c", "d"]),
        (
            "with t as (select s.c inner_struct from partition) select inner_struct.e from t order by 1",
            [1, 3, None, None],
        ),
        ("select first_value(s order by i desc)['b'] from partition", ["d"]),
    ],
)
def test_fields_of_missing_structs_are_missing(client: RLMClient, query: str, expected: list[Any]) -> None:
    for chunk in (1, "auto"):
        asked = task(query, STRUCTS)
        asked["input"]["chunkSize"] = chunk
        answer = client.execute(asked).to_arrow()
        assert answer.column(answer.num_columns - 1).to_pylist() == expected


def test_structs_in_columns_of_their_own(client: RLMClient) -> None:
    answer = client.execute(task("select i, unnest(s) from partition order by i", STRUCTS)).to_arrow()
    assert [column.to_pylist()[1] for column in answer.columns] == [2, None, None, None]
    assert answer.column(1).to_pylist() == [5, None, 7, None]


def test_fields_that_are_not_there(client: RLMClient) -> None:
    for query in ("select s.z from partition", "select i.a from partition", "select (i)['a'] from partition"):
        with pytest.raises(RLMError):
            client.execute(task(query, STRUCTS))
