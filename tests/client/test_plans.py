"""The same question asked twice plans once, and whatever is not the same question is planned anew."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import RLMClient, SchemaMismatchError

from tests.conftest import make_task

DATA = pd.DataFrame(
    {"k": ["a", "b", "a", "c", "b", "a"], "x": [1.5, -2.0, 0.0, 4.0, math.nan, 8.0], "n": [1, 2, 3, 4, 5, 6]}
)


@pytest.fixture
def asked() -> Iterator[RLMClient]:
    with RLMClient(threads=2) as client:
        yield client


def ask(
    client: RLMClient, source: Any, operation: Callable[[Any], Any], **more: Any
) -> tuple[Any, dict[str, int]]:
    """The answer, as pandas has it, and how many parts of the plan were made and kept."""
    run = client.submit(make_task(source, operation, **more))
    answer = run.result()
    planning: dict[str, int] = run.explain().to_dict()["planning"]
    return (answer.to_pandas() if hasattr(answer, "to_pandas") else answer), planning


def same(found: Any, expected: Any) -> None:
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(found, expected)
    else:
        assert found == pytest.approx(expected, nan_ok=True)


def totals(p: Any) -> Any:
    return p[p["x"] > 0].groupby("k")["n"].sum()


def shares(p: Any) -> Any:
    """A scalar, a window function, a join with itself, a look-up."""
    p = p.assign(share=p["n"] / p["n"].sum(), before=p["n"].shift(1))
    p = p[p["k"].isin(p[p["x"] > 1]["k"])]
    return p.merge(p.groupby("k", as_index=False)["x"].max(), on="k", suffixes=("", "_most"))


@pytest.mark.parametrize("operation", [totals, shares, lambda p: p["x"].mean(), lambda p: p.head(2)])
def test_the_same_question_is_planned_once(asked: RLMClient, operation: Callable[[Any], Any]) -> None:
    first, planning = ask(asked, DATA, operation)
    assert planning["made"] > 0
    again, kept = ask(asked, DATA.copy(), operation)
    assert (kept["made"], kept["kept"]) == (0, planning["made"] + planning["kept"])
    same(first, operation(DATA))
    same(again, operation(DATA))
    assert asked.metrics()["plans"] == {"made": 1, "kept": 1}


def test_it_is_told(asked: RLMClient) -> None:
    first = asked.submit(make_task(DATA, totals))
    first.result()
    assert "planning: the plan was made\n" in str(first.explain())
    again = asked.submit(make_task(DATA, totals))
    again.result()
    assert "planning: none, the plan was kept from an earlier run\n" in str(again.explain())


def test_other_rows_of_the_same_columns_share_the_plan(asked: RLMClient, tmp_path: Path) -> None:
    other = DATA.assign(n=DATA["n"] * 10, x=-DATA["x"], k=DATA["k"] + "!")
    pq.write_table(
        pa.Table.from_pandas(other, preserve_index=False), tmp_path / "other.parquet", row_group_size=2
    )
    assert ask(asked, DATA, totals)[1]["made"] == 1
    for source, rows in (
        (other, other),
        (str(tmp_path / "other.parquet"), other),
        (DATA.head(0), DATA.head(0)),
    ):
        found, planning = ask(asked, source, totals)
        assert planning == {"made": 0, "kept": 1}
        same(found, totals(rows))


def test_two_tables_that_change_places(asked: RLMClient) -> None:
    """The plan is the same, the tables in it are not."""
    left, right = pa.table({"k": [1, 2, 3], "x": [1, 2, 3]}), pa.table({"k": [2, 3, 4], "x": [20, 30, 40]})

    def joined(one: Any, other: Any) -> Any:
        return one.merge(other, on="k")

    def over(source: pa.Table, table: pa.Table) -> tuple[Any, dict[str, int]]:
        return ask(asked, source, lambda p: joined(p, asked.table(table)))

    found, planning = over(left, right)
    same(found, joined(left.to_pandas(), right.to_pandas()))
    for one, other in ((right, left), (left, left), (left, right)):
        again, kept = over(one, other)
        same(again, joined(one.to_pandas(), other.to_pandas()))
        assert kept == {"made": 0, "kept": planning["made"]}


def test_one_table_twice_is_not_two_tables(asked: RLMClient) -> None:
    table, other = pa.table({"k": [1, 2], "x": [1, 2]}), pa.table({"k": [1, 2], "x": [5, 6]})

    def twice(p: Any) -> Any:
        return p.merge(p, on="k")

    same(ask(asked, table, twice)[0], twice(table.to_pandas()))
    found, planning = ask(asked, table, lambda p: p.merge(asked.table(other), on="k"))
    assert planning["made"] > 0
    same(found, table.to_pandas().merge(other.to_pandas(), on="k"))


CHANGES: list[Callable[[Any], Any]] = [
    lambda p: p["x"] > 0,
    lambda p: p["x"] > 0.0,
    lambda p: p["x"] > -0.0,
    lambda p: p["x"] > math.nan,
    lambda p: p["x"] > 1,
    lambda p: p["x"] >= 1,
    lambda p: p["n"] > 1,
    lambda p: 1 / (p["x"] * 0.0),
    lambda p: 1 / (p["x"] * -0.0),
    lambda p: p["n"] * 2,
    lambda p: p["n"] * 2.0,
    lambda p: p["n"] * True,
    lambda p: p["x"].shift(1),
    lambda p: p["x"].shift(2),
    lambda p: p["x"].isin([0.0, 4.0]),
    lambda p: p["x"].isin([0.0]),
    lambda p: p["k"] == "a",
    lambda p: p["k"] == "b",
    lambda p: p["x"].quantile(0.5),
    lambda p: p["x"].quantile(0.25),
    lambda p: p["x"].std(),
    lambda p: p["x"].std(ddof=0),
]


def test_what_differs_in_a_constant_is_another_question(asked: RLMClient) -> None:
    for operation in CHANGES:
        found, planning = ask(asked, DATA, operation)
        assert planning["made"] > 0, operation.__code__
        same(found, operation(DATA))
    for operation in reversed(CHANGES):
        found, planning = ask(asked, DATA, operation)
        assert planning["made"] == 0
        same(found, operation(DATA))


def test_the_value_of_a_closure_is_a_constant(asked: RLMClient) -> None:
    def above(least: float) -> Callable[[Any], Any]:
        return lambda p: p[p["x"] > least].groupby("k")["n"].sum()

    for least, made in ((0.0, 1), (2.0, 1), (0.0, 0), (2.0, 0)):
        found, planning = ask(asked, DATA, above(least))
        assert planning["made"] == made
        same(found, above(least)(DATA))


def test_other_columns_and_types_are_another_question(asked: RLMClient) -> None:
    tables = [
        DATA,
        DATA.assign(n=DATA["n"].astype("uint64")),
        DATA.assign(n=DATA["n"] / 2),
        DATA.assign(x=DATA["x"].astype("float32")),
        DATA.assign(more=1),
        DATA[["x", "k", "n"]],
    ]
    for rows in tables:
        found, planning = ask(asked, rows, totals)
        assert planning["made"] == 1
        same(found, totals(rows))
    for rows in tables:
        found, planning = ask(asked, rows, totals)
        assert planning == {"made": 0, "kept": 1}
        same(found, totals(rows))


def test_other_settings_do_not_change_what_is_kept() -> None:
    for settings in ({"grouping": "datafusion"}, {"grouping": "spilling"}, {"threads": 1}):
        with RLMClient(**settings) as client:
            for made in (1, 0):
                found, planning = ask(client, DATA, totals)
                assert planning["made"] == made
                same(found, totals(DATA))
            found, planning = ask(
                client, DATA, totals, options={"parallelism": 1, "memoryLimit": "64MB"}, chunkSize=2
            )
            assert planning["made"] == 0
            same(found, totals(DATA))


def test_the_oldest_plan_is_forgotten(asked: RLMClient) -> None:
    def plus(number: int) -> Callable[[Any], Any]:
        return lambda p: p["n"] + number

    assert ask(asked, DATA, plus(0))[1]["made"] == 1
    assert ask(asked, DATA, plus(0))[1]["made"] == 0
    for number in range(1, 257):
        asked.execute(make_task(DATA, plus(number)))
    found, planning = ask(asked, DATA, plus(0))
    assert planning["made"] == 1
    same(found, plus(0)(DATA))


def test_a_large_question_is_planned_every_time(asked: RLMClient) -> None:
    values = list(range(100_000))
    for _ in range(2):
        found, planning = ask(asked, DATA, lambda p: p[p["n"].isin(values)])
        assert planning == {"made": 1, "kept": 0}
        same(found, DATA)


def test_tables_are_let_go_while_their_plan_is_kept(asked: RLMClient) -> None:
    """Arrow's own count of what is allocated says that nothing holds the rows."""
    small, before = pa.table({"x": [1.0]}), pa.total_allocated_bytes()
    for query in (False, True):
        table: Any = pa.table({"x": pa.array(range(1_000_000), pa.float64())})

        def sums(source: Any, query: bool = query) -> float:
            if query:
                return float(
                    asked.sql("select sum(x) s from partition", source=source).to_arrow()["s"][0].as_py()
                )
            return float(asked.execute(make_task(source, lambda p: p["x"].sum())))

        assert sums(table) == 499_999_500_000.0
        del table
        assert sums(small) == 1.0
        assert pa.total_allocated_bytes() < before + 1_000_000


def test_callers_at_the_same_time(asked: RLMClient) -> None:
    questions = [(number, DATA.assign(n=DATA["n"] + number)) for number in range(8)]
    wrong: list[object] = []

    def work(number: int, rows: pd.DataFrame) -> None:
        try:
            for turn in range(12):
                least = (number + turn) % 3
                operation = lambda p, least=least: p[p["x"] > least].groupby("k")["n"].sum()  # noqa: E731
                same(ask(asked, rows, operation)[0], operation(rows))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=question) for question in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    plans = asked.metrics()["plans"]
    assert plans["made"] + plans["kept"] == 8 * 12
    assert 3 <= plans["made"] <= 3 * len(threads)


QUERY = "select k, sum(n) s from partition where x > 0 group by k order by k"


def test_a_query_is_planned_once(asked: RLMClient) -> None:
    other = DATA.assign(n=DATA["n"] * 7)
    for rows, plans in ((DATA, (1, 0)), (DATA, (1, 1)), (other, (1, 2))):
        expected = rows[rows["x"] > 0].groupby("k", as_index=False)["n"].sum().rename(columns={"n": "s"})
        same(asked.sql(QUERY, source=rows).to_pandas(), expected)
        assert asked.metrics()["plans"] == dict(zip(("made", "kept"), plans, strict=True))


def test_what_differs_in_a_query_is_another_one(asked: RLMClient) -> None:
    queries = [QUERY, QUERY.replace("0", "1"), QUERY.replace("sum", "max")]
    for number, query in enumerate(queries):
        asked.sql(query, source=DATA)
        assert asked.metrics()["plans"] == {"made": number + 1, "kept": 0}
    # The same words over columns of other types; and on another number of threads.
    floats = asked.sql(QUERY, source=DATA.assign(n=DATA["n"] / 2)).to_pandas()
    assert floats["s"].tolist() == [3.5, 2.0]
    assert asked.metrics()["plans"]["made"] == 4
    assert asked.sql(QUERY, source=DATA, parallelism=1).to_pandas()["s"].tolist() == [7, 4]
    assert asked.metrics()["plans"]["made"] == 5
    assert asked.sql(QUERY, source=DATA).to_pandas()["s"].tolist() == [7, 4]
    assert asked.metrics()["plans"] == {"made": 5, "kept": 1}


def test_tables_of_a_query_that_change_places(asked: RLMClient) -> None:
    one, two = pa.table({"k": [1, 2], "v": [10, 20]}), pa.table({"k": [2, 3], "v": [200, 300]})
    query = "select a.k, a.v av, b.v bv from a left join b using (k) order by a.k"
    for first, second, expected in (
        (one, two, [(1, 10, None), (2, 20, 200)]),
        (two, one, [(2, 200, 20), (3, 300, None)]),
        (one, one, [(1, 10, 10), (2, 20, 20)]),
    ):
        found = asked.sql(query, tables={"a": first, "b": second}).to_arrow().to_pylist()
        assert [tuple(row.values()) for row in found] == expected
    assert asked.metrics()["plans"] == {"made": 1, "kept": 2}


def test_a_query_that_asks_for_the_time_or_for_chance_is_planned_every_time(asked: RLMClient) -> None:
    found = [
        asked.sql("select now() t from partition limit 1", source=DATA).to_arrow()["t"][0] for _ in range(2)
    ]
    assert found[0].value < found[1].value
    drawn = [asked.sql("select random() r", source=DATA).to_arrow()["r"][0].as_py() for _ in range(2)]
    assert drawn[0] != drawn[1]
    assert asked.metrics()["plans"] == {"made": 4, "kept": 0}


def test_a_wrong_query_is_wrong_again(asked: RLMClient) -> None:
    for _ in range(2):
        with pytest.raises(SchemaMismatchError, match="nope"):
            asked.sql("select nope from partition", source=DATA)
    assert asked.metrics()["plans"] == {"made": 0, "kept": 0}
