"""What must be exact: integers beyond 2^53, and float sums that do not depend on how the rows were cut."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rlm_hypervisor import RLMClient

from tests.conftest import make_task
from tests.oracle._run import COMBINATIONS
from tests.oracle._tables import write_files

Clients = Callable[[int], RLMClient]

BIG = [2**53 + 1, 2**62 + 3, -(2**61) - 1, 2**63 - 1, -(2**63), 7, -(2**53) - 3, 1] * 9
KEYS = [f"key {n % 4}" for n in range(len(BIG))]
HOLES = [None if n % 5 == 3 else value for n, value in enumerate(BIG)]


def _wrapped(values: list[int | None]) -> int:
    """The sum as int64 arithmetic gives it."""
    return (sum(v for v in values if v is not None) + 2**63) % 2**64 - 2**63


@pytest.mark.parametrize("values", [BIG, HOLES], ids=["full", "with nulls"])
@pytest.mark.parametrize("how", COMBINATIONS, ids=str)
def test_integer_sums_are_exact(
    clients: Clients, tmp_path: Path, how: tuple[int | str, int], values: list[int | None]
) -> None:
    chunk, threads = how
    data = pa.table({"k": KEYS, "i": pa.array(values, pa.int64())})
    source = str(write_files(data, tmp_path / "t"))
    run = clients(threads).execute

    assert run(make_task(source, lambda p: p["i"].sum(), chunkSize=chunk)) == _wrapped(values)
    got = run(make_task(source, lambda p: p.groupby("k")["i"].sum(), chunkSize=chunk)).to_pandas()
    for key in sorted(set(KEYS)):
        mine = [v for k, v in zip(KEYS, values, strict=True) if k == key]
        assert int(got[key]) == _wrapped(mine)


@pytest.mark.parametrize("function", ["min", "max", "first", "last"])
def test_other_integer_aggregates_are_exact(clients: Clients, function: str) -> None:
    data = pa.table({"k": KEYS, "i": pa.array(HOLES, pa.int64())})
    task = make_task(data, lambda p: getattr(p.groupby("k")["i"], function)(), chunkSize=7)
    got = clients(2).execute(task).to_arrow()
    picks: dict[str, Callable[[list[Any]], Any]] = {
        "min": min,
        "max": max,
        "first": lambda v: v[0],
        "last": lambda v: v[-1],
    }
    pick = picks[function]
    for row in got.to_pylist():
        mine = [v for k, v in zip(KEYS, HOLES, strict=True) if k == row["k"] and v is not None]
        assert row["i"] == pick(mine)


def test_integers_with_nulls_stay_integers(clients: Clients) -> None:
    data = pa.table({"i": pa.array([2**53 + 1, None, -5], pa.int64())})
    answer = clients(1).execute(make_task(data, lambda p: p["i"] + 1, chunkSize=1))
    assert answer.to_arrow()["i"].to_pylist() == [2**53 + 2, None, -4]
    assert [int(v) for v in answer.to_pandas().dropna()] == [2**53 + 2, -4]


def test_float_sums_do_not_depend_on_the_chunks(clients: Clients) -> None:
    chance = random.Random(7)
    values = [chance.uniform(-1, 1) * 10.0 ** chance.randint(-8, 8) for _ in range(5000)]
    keys = [n % 3 for n in range(len(values))]
    data = pa.table({"k": keys, "x": values})
    bound = 1e-12 * sum(map(abs, values))
    true = {key: math.fsum(v for k, v in zip(keys, values, strict=True) if k == key) for key in range(3)}
    for chunk, threads in COMBINATIONS[1:]:
        run = clients(threads).execute
        assert abs(run(make_task(data, lambda p: p["x"].sum(), chunkSize=chunk)) - math.fsum(values)) <= bound
        grouped = run(make_task(data, lambda p: p.groupby("k")["x"].sum(), chunkSize=chunk)).to_pandas()
        for key, total in true.items():
            assert abs(float(grouped[key]) - total) <= bound


def test_the_same_run_twice_gives_the_same_bits(clients: Clients) -> None:
    chance = random.Random(11)
    data = pa.table({"k": [n % 50 for n in range(9000)], "x": [chance.gauss(0, 1e6) for _ in range(9000)]})
    task = make_task(data, lambda p: p.groupby("k")["x"].agg(["sum", "mean", "std"]), chunkSize=100)
    answers = [clients(4).execute(task).to_arrow() for _ in range(3)]
    assert answers[0].equals(answers[1])
    assert answers[1].equals(answers[2])


def test_std_of_values_far_from_zero(clients: Clients) -> None:
    values = [1e9 + n % 7 for n in range(3000)]
    data = pa.table({"x": values})
    task = make_task(data, lambda p: p["x"].std(), chunkSize=7)
    mean = math.fsum(values) / len(values)
    true = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
    assert clients(2).execute(task) == pytest.approx(true, rel=1e-9)
