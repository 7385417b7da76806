"""Functions of SQL that make large values of small arguments ask first; what is small they answer as ever."""

from __future__ import annotations

import itertools
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from rlm_hypervisor import OutOfMemoryError, RLMClient

TEXTS = ["", "a", "héé", None]
NUMBERS = [-2, 0, 1, 5, None]


def _rows(query: str, table: Any) -> list[Any]:
    with RLMClient(threads=1) as client:
        return client.sql(query, source=table).to_arrow().column(0).to_pylist()


def _pairs(texts: list[str | None], numbers: list[int | None]) -> tuple[pa.Table, list[Any]]:
    rows = list(itertools.product(texts, numbers))
    table = pa.table(
        {
            "s": pa.array([row[0] for row in rows], pa.string()),
            "n": pa.array([row[1] for row in rows], pa.int64()),
        }
    )
    return table, rows


def _padded(text: str, length: int, left: bool) -> str:
    text = text[: max(length, 0)]
    fill = "xy" * length
    missing = max(length, 0) - len(text)
    return fill[:missing] + text if left else text + fill[:missing]


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        ("repeat(s, n)", lambda s, n: s * max(n, 0)),
        ("lpad(s, n, 'xy')", lambda s, n: _padded(s, n, True)),
        ("rpad(s, n, 'xy')", lambda s, n: _padded(s, n, False)),
    ],
)
def test_texts_are_what_they_were(call: str, meant: Any) -> None:
    table, rows = _pairs(TEXTS, [*NUMBERS, -(2**63)])
    expected = [None if None in row else meant(*row) for row in rows]
    assert _rows(f"select {call} from partition", table) == expected


@pytest.mark.parametrize("name", ["range", "generate_series"])
@pytest.mark.parametrize("step", [-3, -1, 1, 2])
def test_ranges_are_what_they_were(name: str, step: int) -> None:
    rows = list(itertools.product(NUMBERS, NUMBERS))
    table = pa.table({"a": [row[0] for row in rows], "b": [row[1] for row in rows]})
    more = (1 if step > 0 else -1) if name == "generate_series" else 0
    expected = [None if None in row else list(range(row[0], row[1] + more, step)) for row in rows]
    assert _rows(f"select {name}(a, b, {step}) from partition", table) == expected


@pytest.mark.parametrize("name", ["array_repeat", "list_repeat"])
def test_copies_are_what_they_were(name: str) -> None:
    table, rows = _pairs(TEXTS, NUMBERS)
    expected = [None if n is None else [s] * max(n, 0) for s, n in rows]
    assert _rows(f"select {name}(s, n) from partition", table) == expected


@pytest.mark.parametrize("name", ["array_resize", "list_resize"])
def test_lists_are_what_they_were(name: str) -> None:
    table = pa.table({"n": pa.array([0, 1, 5, None], pa.int64())})
    expected = [[], [1], [1, 2, 7, 7, 7], None]
    assert _rows(f"select {name}(make_array(1, 2), n, 7) from partition", table) == expected


def test_nothing_is_padded_where_there_is_no_text() -> None:
    table = pa.table({"s": pa.array([None, "a"]), "n": pa.array([2**62, 2], pa.int64())})
    assert _rows("select lpad(s, n) from partition", table) == [None, " a"]


def test_ranges_of_days() -> None:
    days = "select generate_series(date '2020-01-31', date '2020-05-01', interval '1' month)"
    assert len(_rows(days, pd.DataFrame({"a": [1]}))[0]) == 4


HUGE = 2_000_000_000
CALLS = [
    "range(1, a * 1000000000000)",
    "generate_series(a * 1000000000000, 1, -1)",
    "range(a)",
    f"repeat('x', a * {HUGE})",
    f"lpad('x', a * {HUGE}, 'b')",
    f"rpad('x', a * {HUGE})",
    "array_repeat(a, a * 1000000000)",
    "list_repeat('abc', a * 1000000000)",
    f"array_resize(make_array(1), a * {HUGE})",
    f"list_resize(make_array(1), a * {HUGE}, 5)",
    "range(timestamp '1970-01-01', to_timestamp(a * 1577836800), interval '1 microsecond')",
]


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("call", CALLS)
def test_what_is_too_large_is_not_made(call: str, constant: bool) -> None:
    value = HUGE if call == "range(a)" else 1
    asked = call.replace("(a)", f"({value})").replace("(a,", f"({value},").replace("a * ", "1 * ")
    with RLMClient(threads=1, memory_limit="300MB") as client:
        source = pd.DataFrame({"a": [value]})
        with pytest.raises(OutOfMemoryError, match=call.split("(")[0].replace("list_", "array_")) as met:
            client.sql(f"select {asked if constant else call} as x from partition", source=source)
        assert "raise the memory limit" in str(met.value)


def test_the_limit_of_the_run_counts() -> None:
    """What one limit refuses a larger one allows, of the same question, whose plan may be kept."""
    source = pd.DataFrame({"a": [40_000_000]})
    query = "select array_length(range(a)) as n from partition"
    with RLMClient(threads=1, memory_limit="500MB") as client:
        task = {"type": "parallel", "input": {"source": source}, "operation": {"sql": query}}
        with pytest.raises(OutOfMemoryError):
            client.execute({**task, "options": {"memoryLimit": "100MB"}})
        assert client.execute(task).to_pandas()["n"].tolist() == [40_000_000]
