"""Runs with a key: what is done is not done again, the answer is the same, and another task is refused."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from rlm_hypervisor import InvalidTaskError, QuotaExceededError, RLMClient, RLMError
from rlm_hypervisor.fingerprint import print_of

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RLMClient]:
    """Two workers, and a directory for what they have done."""
    with RLMClient(threads=1, workers=2, state_dir=str(tmp_path_factory.mktemp("state"))) as client:
        yield client


def _fails_once(folder: Path, at: Any) -> Callable[[Any], Any]:
    """Notes what it is called on, and raises at one of them until a file says that it may not."""

    def operation(item: Any) -> Any:
        name = (
            item.index[0] if isinstance(item, pd.DataFrame) else item[0] if isinstance(item, list) else item
        )
        with open(folder / "calls", "a") as file:
            file.write(f"{name}\n")
        if name == at and not (folder / "fixed").exists():
            raise ValueError("not yet")
        if isinstance(item, pd.DataFrame):
            return item[item["n"] % 3 > 0]
        return [value * 2 for value in item] if isinstance(item, list) else item * 2

    return operation


def _calls(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "calls").read_text().split()]


DATA = pd.DataFrame({"n": range(1000), "s": [str(n) for n in range(1000)]})

KINDS: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "items": ({"type": "parallel", "input": {"items": range(40)}}, {}, 20),
    "generator": ({"type": "parallel", "input": {"items": None}}, {}, 20),
    "combined": ({"type": "parallel", "input": {"items": range(40), "combine": sum}}, {}, 20),
    "sequential": ({"type": "sequential", "input": {"items": range(40)}}, {}, 20),
    "batches": ({"type": "batch_processing", "input": {"items": range(400), "chunkSize": 10}}, {}, 200),
    "inference": ({"type": "parallel_inference", "input": {"items": range(400), "chunkSize": 10}}, {}, 200),
    "mapped": (
        {"type": "map_reduce", "input": {"items": range(40), "key": lambda n: n % 3, "reduce": sum}},
        {},
        20,
    ),
    "rows": ({"type": "parallel", "input": {"source": DATA, "chunkSize": 50}}, {"mode": "python"}, 500),
    "listed": (
        {"type": "batch_processing", "input": {"source": DATA, "chunkSize": 50, "combine": "list"}},
        {"mode": "python"},
        500,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_failed_goes_on_where_it_was(client: RLMClient, tmp_path: Path, kind: str) -> None:
    document, options, at = KINDS[kind]

    def task() -> dict[str, Any]:
        given = dict(document["input"], operation=_fails_once(tmp_path, at))
        if "items" in given and given["items"] is None:
            given["items"] = (n for n in range(40))
        return {**document, "input": given, "options": {**options, "idempotencyKey": kind}}

    with pytest.raises(RLMError, match="not yet"):
        client.execute(task())
    first = _calls(tmp_path)
    (tmp_path / "fixed").touch()
    run = client.submit(task())
    answer = run.result()
    again = _calls(tmp_path)[len(first) :]
    accounting = run.progress.accounting
    assert accounting.restored > 0
    assert at in again
    # What was on its way when the run failed may run twice, what was done does not.
    calls = 20 if options else 40
    assert len(again) == calls - accounting.restored
    assert "done by an earlier run" in str(run.explain())

    once_more = client.submit(task())
    repeated = once_more.result()
    assert len(_calls(tmp_path)) == len(first) + len(again)
    accounting = once_more.progress.accounting
    assert accounting.restored == accounting.accepted == accounting.succeeded == calls
    plain = dict(task(), options=options)
    fresh = client.execute(plain)
    for found in (answer, repeated):
        if kind == "rows":
            pd.testing.assert_frame_equal(found.to_pandas(), fresh.to_pandas())
        elif kind == "listed":
            for one, other in zip(found, fresh, strict=True):
                pd.testing.assert_frame_equal(one, other)
        else:
            assert found == fresh
    assert client.forget(kind)
    assert not client.forget(kind)
    assert client.submit(task()).wait(20)
    assert len(_calls(tmp_path)) == len(first) + len(again) + 2 * calls


def test_one_value_runs_once(client: RLMClient, tmp_path: Path) -> None:
    def charge(event: dict[str, Any]) -> int:
        with open(tmp_path / "calls", "a") as file:
            file.write("1\n")
        return event["amount"] + 1

    def task(amount: int) -> dict[str, Any]:
        options = {"idempotencyKey": "charge"}
        return {"type": "sequential", "operation": charge, "input": {"amount": amount}, "options": options}

    assert client.execute(task(1)) == client.execute(task(1)) == 2
    assert _calls(tmp_path) == [1]
    with pytest.raises(InvalidTaskError, match="the input is not the same"):
        client.execute(task(2))


def test_failures_of_a_run_that_ended_are_part_of_its_answer(client: RLMClient, tmp_path: Path) -> None:
    def task(on_error: str) -> dict[str, Any]:
        given = {"items": range(9), "operation": _fails_once(tmp_path, 4)}
        return {
            "type": "parallel",
            "input": given,
            "options": {"onError": on_error, "idempotencyKey": "some"},
        }

    first = client.submit(task("skip"))
    assert first.result() == [0, 2, 4, 6, 10, 12, 14, 16]
    (tmp_path / "fixed").touch()
    again = client.submit(task("skip"))
    assert again.result() == first.result()
    assert list(again.failures()) == [4]
    assert again.failures()[4].message == first.failures()[4].message
    assert again.progress.accounting.failed == 1
    assert len(_calls(tmp_path)) == 9


def _double(n: int) -> int:
    return 2 * n


def _helped(n: int) -> int:
    return _double(n)


OTHER: dict[str, Callable[[dict[str, Any]], Any]] = {
    "code": lambda task: task["input"].update(operation=lambda n: n * 3),
    "type": lambda task: task.update(type="sequential"),
    "an item": lambda task: task["input"].update(items=[*range(9), 10]),
    "more items": lambda task: task["input"].update(items=range(11)),
    "fewer items": lambda task: task["input"].update(items=range(9)),
    "combine": lambda task: task["input"].update(combine=sum),
}


@pytest.mark.parametrize("change", OTHER)
def test_another_task_under_the_same_key_is_refused(client: RLMClient, change: str) -> None:
    def task() -> dict[str, Any]:
        given = {"items": range(10), "operation": _helped}
        return {"type": "parallel", "input": given, "options": {"idempotencyKey": "mine", "retries": 1}}

    assert client.execute(task()) == list(range(0, 20, 2))
    other = task()
    OTHER[change](other)
    with pytest.raises(InvalidTaskError, match='the key "mine" belongs to another task') as raised:
        client.execute(other)
    assert raised.value.details["key"] == "mine"
    same = task()
    same["options"].update(retries=3, timeoutMs=60_000, priority="high", tags=["again"])
    assert client.execute(same) == client.execute(task())


def test_a_file_that_has_changed_is_another_source(client: RLMClient, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    DATA.to_parquet(path, row_group_size=100)
    options = {"mode": "python", "idempotencyKey": "file"}
    given = {"source": str(path), "chunkSize": 30, "operation": lambda p: p[["n"]], "combine": "list"}
    task = {"type": "parallel", "input": given, "options": options}
    assert len(client.execute(task)) == len(client.execute(task)) == 40
    DATA.iloc[:999].to_parquet(path, row_group_size=100)
    with pytest.raises(InvalidTaskError, match="the input is not the same"):
        client.execute(task)
    data = DATA.copy()
    task["options"], given["source"] = {**options, "idempotencyKey": "memory"}, data
    assert len(client.execute(task)) == 34
    data.loc[7, "s"] = "changed"
    with pytest.raises(InvalidTaskError, match="the input is not the same"):
        client.execute(task)


def test_a_key_has_one_run_at_a_time(client: RLMClient, tmp_path: Path) -> None:
    import time

    def waits(item: int) -> int:
        while not (tmp_path / "go").exists():
            time.sleep(0.01)
        return item

    task = {
        "type": "parallel",
        "input": {"items": [1], "operation": waits},
        "options": {"idempotencyKey": "one"},
    }
    run = client.submit(task)
    with pytest.raises(InvalidTaskError, match="another run has the key"):
        client.submit(task)
    with pytest.raises(InvalidTaskError, match="another run has the key"):
        client.forget("one")
    (tmp_path / "go").touch()
    assert run.result(20) == [1] == client.execute(task)


def test_what_is_kept_has_a_limit_and_rubbish_is_refused(tmp_path: Path) -> None:
    with RLMClient(threads=1, workers=1, state_dir=str(tmp_path), state_limit=1_000_000) as client:
        given = {"items": range(30), "operation": lambda n: bytes(100_000)}
        task = {"type": "parallel", "input": given, "options": {"idempotencyKey": "large"}}
        with pytest.raises(QuotaExceededError, match=r"takes [1-9] MiB to keep"):
            client.execute(task)
        (tmp_path / "runs" / "bad.log").write_text("not one of ours, and long enough")
        task["options"] = {"idempotencyKey": "bad"}
        with pytest.raises(RLMError, match="cannot be used to keep"):
            client.execute(task)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"type": "recursive", "input": 3, "operation": abs}, "options.idempotencyKey"),
        ({"type": "parallel", "input": {"source": DATA, "operation": len}}, "options.idempotencyKey"),
    ],
)
def test_where_it_means_nothing_it_is_refused(client: RLMClient, change: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidTaskError) as raised:
        client.submit({**change, "options": {"idempotencyKey": "k"}})
    assert raised.value.details["path"] == path


def test_what_cannot_be_told_from_others_is_refused(client: RLMClient) -> None:
    given = {"items": [(n for n in [1])], "operation": list}
    with pytest.raises(InvalidTaskError, match="item 0 cannot be told from others"):
        client.execute({"type": "parallel", "input": given, "options": {"idempotencyKey": "unknown"}})


class _Thing:
    def __init__(self, value: Any) -> None:
        self.value = value

    def method(self, item: Any) -> Any:
        return item, self.value


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(), inner, max_size=4)
        | st.builds(_Thing, inner)
    ),
    max_leaves=12,
)


@given(plain, plain)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_equal_values_have_equal_prints_and_others_do_not(one: Any, other: Any) -> None:
    import pickle

    assert print_of(one) == print_of(pickle.loads(pickle.dumps(one)))
    if pickle.dumps(one) != pickle.dumps(other) and repr(one) != repr(other) and "_Thing" not in repr(one):
        assert print_of(one) != print_of(other)


PRINTS = """
import sys; sys.path.insert(0, {root!r})
from tests.tasks.test_resume import *
print([print_of(value).hex() for value in values()])
"""


def values() -> list[Any]:
    """Things whose pickles differ from process to process."""
    words = {"a", "b", "c", "d", "e"}
    thing = _Thing(words)
    return [
        words,
        _helped,
        lambda n: n in {"x", "y", "z"},
        functools.partial(_helped, n=3),
        thing.method,
        _Thing,
        DATA,
        DATA["s"],
        {"n": DATA["n"].to_numpy()},
        Path("/tmp"),
        len,
        abs,
    ]


def test_prints_are_the_same_in_every_process() -> None:
    found = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", PRINTS.format(root=str(ROOT))],
            env=environment, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        found.add(done.stdout)
    assert found == {f"{[print_of(value).hex() for value in values()]}\n"}
    assert len(set(map(print_of, values()))) == len(values())
