"""Results that become one some at a time: aggregates and associative functions, against what one process computes."""

from __future__ import annotations

import functools
import operator
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import (
    InvalidTaskError,
    OperationFailedError,
    RLMClient,
    RLMError,
    associative,
    current_task,
)


class Moments:
    """Count, sum, and the values in their order."""

    def __init__(self) -> None:
        self.count, self.values = 0, ""

    def update(self, value: Any) -> None:
        self.count += 1
        self.values += f"{value} "

    def state(self) -> tuple[int, str]:
        return self.count, self.values

    def merge(self, state: tuple[int, str]) -> None:
        self.count += state[0]
        self.values += state[1]

    def finish(self) -> tuple[int, str]:
        return self.count, self.values.strip()


class Most(Counter[str]):
    """Words that a chunk has, counted; a class of ours that has an `update` already."""

    def state(self) -> dict[str, int]:
        return dict(self)

    def merge(self, state: dict[str, int]) -> None:
        self.update(state)

    def finish(self) -> list[tuple[str, int]]:
        return sorted(self.items())


@given(st.lists(st.integers(), max_size=300), st.sampled_from([1, 2, 7, 64]))
@settings(max_examples=25, deadline=None)
def test_some_at_a_time_is_all_together(crew: RLMClient, items: list[int], in_flight: int) -> None:
    def concatenated(parts: list[Any]) -> str:
        assert len(parts) <= 16 * 2_048
        return "".join(parts)

    document = {"items": items, "chunkSize": in_flight, "operation": str}
    base = {"type": "parallel", "input": document}
    joined = {**document, "combine": associative(concatenated), "operation": lambda n: f"{n} "}
    counted = {**document, "combine": Moments}
    words = " ".join(map(str, items))
    assert crew.execute({**base, "input": joined}).strip() == words
    assert crew.execute({**base, "input": counted}) == (len(items), words)


@pytest.mark.parametrize("chunk", [1, 3, 50, 1_000])
def test_over_chunks_of_a_source(crew: RLMClient, chunk: int) -> None:
    data = pd.DataFrame({"w": [f"w{n * n % 7}" for n in range(300)], "n": range(300)})
    expected = sorted(Counter(data.loc[data["n"] > 9, "w"]).items())
    document = {
        "source": data,
        "chunkSize": chunk,
        "operation": lambda p: p.loc[p["n"] > 9, "w"].tolist(),
        "combine": Most,
    }
    task = {"type": "parallel", "input": document, "options": {"mode": "python"}}
    run = crew.submit(task)
    assert run.result() == expected
    # One call of 16 at least for each 16 of the level below.
    calls, level = 1, -(-300 // chunk)
    while level > 16:
        level = -(-level // 16)
        calls += level
    assert run.progress.accounting.accepted == -(-300 // chunk) + calls
    document.update(combine=associative(functools.partial(functools.reduce, operator.add)))
    document.update(operation=lambda p: p["n"].tolist())
    assert crew.execute(task) == list(range(300))


def test_batches_and_models_have_aggregates_too(crew: RLMClient) -> None:
    document = {"items": range(100), "chunkSize": 7, "combine": Moments}
    batches = {**document, "operation": sum}
    count, values = crew.execute({"type": "batch_processing", "input": batches})
    assert (count, sum(map(int, values.split()))) == (15, sum(range(100)))
    model = {**document, "setup": lambda: 2, "operation": lambda model, batch: [n * model for n in batch]}
    count, values = crew.execute({"type": "parallel_inference", "input": model})
    assert (count, eval(values.replace("] [", "]+["))) == (15, list(range(0, 200, 2)))


class Broken(Moments):
    """One that cannot take in some states."""

    def merge(self, state: tuple[int, str]) -> None:
        if " 57 " in f" {state[1]}":
            raise ArithmeticError("57")
        super().merge(state)


def test_errors_of_merging_name_what_was_merged(crew: RLMClient) -> None:
    document = {"items": range(400), "chunkSize": 1, "operation": str, "combine": Broken}
    with pytest.raises(OperationFailedError, match=r"`Broken` raised ArithmeticError on (all )?results.*57"):
        crew.execute({"type": "parallel", "input": document})


@pytest.mark.parametrize("missing", ["state", "finish"])
def test_a_class_that_lacks_a_method_is_refused(crew: RLMClient, missing: str) -> None:
    methods = {name: lambda *_: None for name in ("update", "merge", "state", "finish") if name != missing}
    document = {"items": [1], "operation": abs, "combine": type("Half", (), methods)}
    with pytest.raises(InvalidTaskError, match=f"`Half`, which lacks {missing}"):
        crew.execute({"type": "parallel", "input": document})
    document = {"items": [1], "operation": abs, "reduce": sum, "combine": Moments}
    with pytest.raises(InvalidTaskError, match="plain function"):
        crew.execute({"type": "map_reduce", "input": document})
    with pytest.raises(InvalidTaskError, match="cannot be called"):
        associative(3)  # type: ignore[arg-type]


def test_a_run_goes_on_with_states_that_are_kept(tmp_path: Path) -> None:
    def operation(n: int) -> int:
        if n == 150 and not (tmp_path / "fixed").exists():
            raise ValueError("not yet")
        return n

    document = {"items": range(300), "operation": operation, "combine": Moments, "chunkSize": 4}
    task = {"type": "parallel", "input": document, "options": {"idempotencyKey": "moments"}}
    with RLMClient(threads=1, workers=2, state_dir=str(tmp_path)) as client:
        with pytest.raises(RLMError, match="not yet"):
            client.execute(task)
        (tmp_path / "fixed").touch()
        run = client.submit(task)
        expected = (300, " ".join(map(str, range(300))))
        assert run.result() == expected
        assert run.progress.accounting.restored > 50
        assert client.execute(task) == expected


@pytest.mark.parametrize(
    "combine", ["concat", Moments, associative(functools.partial(functools.reduce, operator.add))]
)
def test_what_was_tried_again_is_in_its_place(crew: RLMClient, combine: Any) -> None:
    def operation(n: int) -> list[int]:
        if n % 7 == 3 and current_task().attempt == 1:
            raise ConnectionError
        return [n]

    document = {"items": range(500), "operation": operation, "combine": combine}
    options = {"retries": 1, "backoffMs": 1}
    found = crew.execute({"type": "parallel", "input": document, "options": options})
    if combine is Moments:
        assert found[0] == 500
        found = [int(text) for text in found[1].replace("[", "").replace("]", "").split()]
    assert found == list(range(500))


def test_versions_of_an_operation() -> None:
    with RLMClient(threads=1, workers=1) as client:
        for version in (2, "10", "1.9", "10-rc1", None):
            client.operation("work", version=version, description=f"version {version}")(
                functools.partial(lambda version, value: (version, value), version)
            )
        client.operation("other")(abs)

        def ask(name: str) -> Any:
            return client.execute({"type": "sequential", "operation": name, "input": 7})

        assert ask("work") == ask("work@10") == ("10", 7)
        assert ask("work@1.9") == ("1.9", 7)
        names = [name for name in client.operations() if name.startswith("work")]
        assert names == ["work", "work@10", "work@10-rc1", "work@2", "work@1.9"]
        assert client.operations()["work"] == "version 10"
        with pytest.raises(RLMError, match='version "3" of "work"') as raised:
            ask("work@3")
        assert raised.value.code == "OPERATION_NOT_FOUND"
        assert raised.value.details["versions"] == ["10", "10-rc1", "2", "1.9"]
        with pytest.raises(RLMError, match="registered without versions"):
            ask("other@1")
        found = {"type": "sequential", "description": "version 10", "input": 1}
        assert client.execute(found) == ("10", 1)
        for name, version in (("a@1", None), ("a", ""), ("a", "1@2")):
            with pytest.raises(InvalidTaskError):
                client.operation(name, version=version)(abs)
