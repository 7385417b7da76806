"""Task documents through the client: what is wrong is refused by path and name, before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from rlm_hypervisor import InvalidTaskError, OperationNotFoundError, ParallelTask, RLMClient, RLMError

from tests.conftest import make_task

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def called() -> list[int]:
    """One entry for each time the operation of `task` was called."""
    return []


@pytest.fixture
def task(data: pa.Table, called: list[int]) -> dict[str, Any]:
    """A right task."""

    def operation(partition: Any) -> Any:
        called.append(1)
        return partition["i"].sum()

    return make_task(data, operation, chunkSize=2)


def _set(**values: Any) -> Change:
    return lambda task: task.update(values)


def _input(**values: Any) -> Change:
    return lambda task: task["input"].update(values)


def _options(**values: Any) -> Change:
    return lambda task: task.update(options=values)


WRONG: dict[str, tuple[Change, list[str]]] = {
    "misspelt key of the task": (_set(descripton="x"), ["descripton", "description"]),
    "misspelt key of the input": (_input(chunksize=1), ["input.chunksize", "chunkSize"]),
    "misspelt option": (_options(timeoutMS=1), ["options.timeoutMS", "timeoutMs"]),
    "unknown key": (_set(zebra=1), ["zebra"]),
    "both spellings": (_input(chunk_size=3), ["chunk_size", "chunkSize"]),
    "both spellings of an option": (_options(timeoutMs=1, timeout_ms=1), ["timeout_ms", "timeoutMs"]),
    "unknown type": (_set(type="paralel"), ["type", "paralel", "parallel"]),
    "no type": (lambda t: t.pop("type"), ["type"]),
    "no input": (lambda t: t.pop("input"), ["input"]),
    "no source": (lambda t: t["input"].pop("source"), ["input.source"]),
    "input not a dict": (_set(input=3), ["input"]),
    "chunk size zero": (_input(chunkSize=0), ["input.chunkSize"]),
    "chunk size negative": (_input(chunkSize=-1), ["input.chunkSize"]),
    "chunk size a float": (_input(chunkSize=1.5), ["input.chunkSize"]),
    "chunk size a bool": (_input(chunkSize=True), ["input.chunkSize"]),
    "chunk size a word": (_input(chunkSize="large"), ["input.chunkSize", "auto"]),
    "operation not callable": (_input(operation=3), ["input.operation"]),
    "two operations": (_set(operation=len), ["operation"]),
    "source and items": (_input(items=[1]), ["source", "items"]),
    "source a number": (_input(source=3), ["input.source"]),
    "no sources": (_input(source=[]), ["input.source"]),
    "combine a word": (_input(combine="glue"), ["input.combine", "glue"]),
    "timeout negative": (_options(timeoutMs=-5), ["options.timeoutMs"]),
    "parallelism zero": (_options(parallelism=0), ["options.parallelism"]),
    "priority": (_options(priority="urgent"), ["options.priority", "urgent", "high"]),
    "mode": (_options(mode="rust"), ["options.mode", "rust", "native"]),
    "options not a dict": (_set(options=[1]), ["options"]),
    "description a number": (_set(description=3), ["description"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_by_name(
    client: RLMClient, task: dict[str, Any], called: list[int], name: str
) -> None:
    change, words = WRONG[name]
    change(task)
    with pytest.raises(InvalidTaskError) as caught:
        client.execute(task)
    for word in words:
        assert word in str(caught.value)
    assert caught.value.code == "INVALID_TASK"
    assert not caught.value.retryable
    assert isinstance(caught.value, ValueError)
    assert not called


@pytest.mark.parametrize(
    "option", [{"retries": 2}, {"onError": "skip"}, {"priority": "high"}, {"secrets": ["token"]}]
)
def test_what_only_workers_do_is_refused_on_a_native_operation(
    client: RLMClient, task: dict[str, Any], called: list[int], option: dict[str, Any]
) -> None:
    task["options"] = option
    with pytest.raises(InvalidTaskError, match='mode: "python"') as caught:
        client.execute(task)
    assert f"options.{next(iter(option))}" in str(caught.value)
    assert not called


def test_a_type_that_does_not_run_is_still_checked(client: RLMClient, data: pa.Table) -> None:
    task = make_task(data, len, chunksize=3) | {"type": "map_reduce"}
    with pytest.raises(InvalidTaskError, match="chunksize"):
        client.execute(task)


@pytest.mark.parametrize("value", [None, 3, "parallel", [], [("type", "parallel")]], ids=repr)
def test_a_task_is_a_dict(client: RLMClient, value: Any) -> None:
    with pytest.raises(InvalidTaskError):
        client.execute(value)


def test_snake_case_is_the_same_task(client: RLMClient, data: pa.Table) -> None:
    spoken = {"source": data, "operation": lambda p: p["i"].sum(), "chunk_size": 2}
    task = {"type": "parallel", "input": spoken, "options": {"timeout_ms": 60_000, "memory_limit": "1GB"}}
    assert client.execute(task) == 21


def test_the_operation_may_be_beside_the_input(client: RLMClient, data: pa.Table) -> None:
    task = {"type": "parallel", "operation": lambda p: p["i"].max(), "input": {"source": data}}
    assert client.execute(task) == 6


def test_a_task_with_types_is_the_same_task(client: RLMClient, data: pa.Table) -> None:
    task = ParallelTask(data, lambda p: p["i"].sum(), chunk_size=2, options={"timeoutMs": 60_000})
    assert client.execute(task) == client.execute(task.to_dict()) == 21


def test_the_task_is_left_as_it_was(client: RLMClient, task: dict[str, Any]) -> None:
    before = {**task, "input": dict(task["input"])}
    client.execute(task)
    assert task == before


@pytest.fixture
def registered(data: pa.Table) -> Iterator[tuple[RLMClient, dict[str, Any]]]:
    """A client with two operations, and a task that names none."""
    with RLMClient() as client:

        @client.operation
        def total_amount(partition: Any) -> Any:
            """The sum of everything."""
            return partition["i"].sum()

        @client.operation("largest")
        def anything(partition: Any) -> Any:
            return partition["i"].max()

        yield client, {"type": "parallel", "input": {"source": data}}


def test_operations_by_name(registered: tuple[RLMClient, dict[str, Any]]) -> None:
    client, task = registered
    task["input"]["operation"] = "total_amount"
    assert client.execute(task) == 21
    task["input"]["operation"] = "largest"
    assert client.execute(task) == 6


def test_the_description_is_the_last_resort(registered: tuple[RLMClient, dict[str, Any]]) -> None:
    client, task = registered
    assert client.execute(task | {"description": "total amount"}) == 21


def test_operations_that_are_not_there(registered: tuple[RLMClient, dict[str, Any]]) -> None:
    client, task = registered
    task["input"]["operation"] = "total_amuont"
    with pytest.raises(OperationNotFoundError) as caught:
        client.execute(task)
    assert "total_amount" in str(caught.value)
    assert isinstance(caught.value, LookupError)
    del task["input"]["operation"]
    with pytest.raises(OperationNotFoundError) as caught:
        client.execute(task | {"description": "nothing of the kind"})
    assert "total_amount" in str(caught.value)
    assert "largest" in str(caught.value)


def test_what_the_operation_raises_is_the_cause(client: RLMClient, data: pa.Table) -> None:
    def operation(partition: Any) -> Any:
        raise ZeroDivisionError("mine")

    with pytest.raises(RLMError) as caught:
        client.execute(make_task(data, operation))
    assert caught.value.code == "OPERATION_FAILED"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert "mine" in str(caught.value)


@pytest.mark.parametrize("setting", ["thread", "memorylimit", "zebra"])
def test_settings_of_the_client_are_checked(setting: str) -> None:
    settings: dict[str, Any] = {setting: 1}
    with pytest.raises(InvalidTaskError, match=setting):
        RLMClient(**settings)


@pytest.mark.parametrize(
    "settings", [{"threads": 0}, {"threads": "many"}, {"memory_limit": "a lot"}], ids=repr
)
def test_values_of_settings_are_checked(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidTaskError, match=next(iter(settings))):
        RLMClient(**settings)


def test_a_timeout_stops_the_run(client: RLMClient, slow: dict[str, Any]) -> None:
    with pytest.raises(TimeoutError) as caught:
        client.execute(slow | {"options": {"timeoutMs": 1_000}})
    assert isinstance(caught.value, RLMError)
    assert caught.value.code == "TIMEOUT"
    assert caught.value.retryable
    assert caught.value.task_id


@pytest.mark.parametrize("source", [pd.Series([1.0], name="v"), pa.array([1, 2])])
def test_what_is_no_table_is_no_source(client: RLMClient, source: Any) -> None:
    with pytest.raises(InvalidTaskError, match="cannot be taken as a table") as caught:
        client.execute(make_task(source, lambda p: p))
    assert type(source).__name__ in str(caught.value)


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InvalidTaskError, match="no directory"):
        RLMClient(spill_dir=tmp_path / "nowhere")
    with pytest.raises(InvalidTaskError, match="storage_options"):
        RLMClient(storage_options="region=eu")  # type: ignore[arg-type]
    RLMClient(storage_options={"region": None}).close()


def test_a_format_of_a_table_in_memory_is_refused(client: RLMClient) -> None:
    with pytest.raises(InvalidTaskError, match="in memory"):
        client.table(pd.DataFrame({"a": [1]}), format="csv")
