"""Items that are put aside after their last attempt: listed, run again, thrown away, and counted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rlm_hypervisor import (
    DeadLetters,
    InvalidTaskError,
    OperationFailedError,
    RLMClient,
    RLMError,
    WorkerCrashedError,
)

from tests.faults._workers import PRELUDE, books, linux, looked_after, task


@pytest.fixture
def client(tmp_path: Path) -> Iterator[RLMClient]:
    """Two workers and a directory of their own."""
    with RLMClient(threads=1, workers=2, state_dir=str(tmp_path / "state")) as client:
        yield client


def _files(folder: Path) -> list[Path]:
    return list((folder / "state" / "dead").glob("*"))


def test_items_are_put_aside_and_run_again(client: RLMClient, tmp_path: Path) -> None:
    def operation(item: int) -> int:
        if item % 10 == 3 and not (tmp_path / "repaired").exists():
            raise ValueError(f"no {item}")
        return item * 2

    run = client.submit(task(operation, range(50), onError="dead_letter", retries=1))
    counted = looked_after(run)
    assert (counted["succeeded"], counted["failed"], counted["dead_lettered"]) == (45, 0, 5)
    assert run.result() == [2 * item for item in range(50) if item % 10 != 3]
    assert list(run.failures()) == [3, 13, 23, 33, 43]
    assert "5 dead-lettered" in str(run.explain())

    letters = client.dead_letters()
    assert [letter.item for letter in letters] == [letter.input for letter in letters] == [3, 13, 23, 33, 43]
    letter = letters[1]
    assert (letter.attempts, letter.operation, letter.run) == (2, "operation", run.id)
    assert letter.began <= letter.failed
    assert isinstance(letter.error, OperationFailedError)
    assert 'raise ValueError(f"no {item}")' in letter.error.details["traceback"]
    assert "5 dead letters" in repr(letters)
    assert "OPERATION_FAILED" in repr(letters)
    assert letters._repr_html_().count("<tr>") == 6

    again = letters[:2].replay(retries=1, backoffMs=0)
    assert all(isinstance(error, OperationFailedError) for error in again)
    assert len(client.dead_letters()) == 5
    (tmp_path / "repaired").touch()
    assert letters[:2].replay() == [6, 26]
    assert [letter.item for letter in client.dead_letters()] == [23, 33, 43]
    assert letters[2].replay(lambda item: -item) == -23
    assert letters[3].discard()
    assert not letters[3].discard()
    assert client.dead_letters().where(lambda letter: letter.item > 33).discard() == 1
    assert len(client.dead_letters()) == 0
    assert not _files(tmp_path)
    with pytest.raises(InvalidTaskError, match="no dead letter"):
        _ = letters[4].input


def test_batches_rows_and_values_are_put_aside_whole(client: RLMClient, tmp_path: Path) -> None:
    data = pd.DataFrame({"n": range(30), "s": [str(n) for n in range(30)]})
    state = tmp_path / "repaired"

    def batch(found: list[int]) -> int:
        assert 5 not in found or state.exists()
        return sum(found)

    def rows(partition: Any) -> Any:
        assert partition["n"].iloc[0] != 20 or state.exists()
        return partition[partition["n"] % 2 == 0]

    def counted(partition: Any) -> int:
        assert partition["n"].iloc[0] != 10 or state.exists()
        return len(partition)

    def handler(event: dict[str, int], context: Any) -> int:
        assert state.exists()
        return event["n"]

    options = {"onError": "dead_letter", "mode": "python"}
    aside = {"onError": "dead_letter"}
    given = {"source": data, "chunkSize": 10}
    assert client.execute(task(batch, range(12), type="batch_processing", chunkSize=4, **aside)) == [6, 38]
    found = client.execute({"type": "parallel", "input": {**given, "operation": rows}, "options": options})
    assert len(found.to_pandas()) == 10
    listed = {**given, "operation": counted, "combine": "list"}
    assert client.execute({"type": "parallel", "input": listed, "options": options}) == [10, 10]
    with pytest.raises(OperationFailedError):
        client.execute({"type": "sequential", "operation": handler, "input": {"n": 7}, "options": aside})

    letters = client.dead_letters()
    assert [letter.operation for letter in letters] == ["batch", "rows", "counted", "handler"]
    assert letters[0].input == [4, 5, 6, 7]
    pd.testing.assert_frame_equal(letters[1].input, data.iloc[20:])
    assert letters[3].input == {"n": 7}
    failed = letters.replay()
    assert all(isinstance(error, RLMError) for error in failed)
    state.touch()
    batched, table, length, value = letters.replay()
    assert (batched, length, value) == (22, 10, 7)
    expected = data.iloc[20:]
    pd.testing.assert_frame_equal(table.to_pandas(), expected[expected["n"] % 2 == 0])
    assert not client.dead_letters()


def test_what_ends_its_worker_is_put_aside_and_the_budget_counts_it(client: RLMClient) -> None:
    def deadly(item: int) -> int:
        if item in (2, 6):
            os._exit(3)
        return item

    run = client.submit(task(deadly, range(8), onError="dead_letter"))
    looked_after(run)
    assert run.result() == [0, 1, 3, 4, 5, 7]
    letters = client.dead_letters()
    assert [type(letter.error) for letter in letters] == [WorkerCrashedError] * 2
    assert letters.replay(lambda item: "safe") == ["safe", "safe"]
    run = client.submit(task(deadly, range(8), onError="dead_letter", maxFailures=1, parallelism=1))
    looked_after(run)
    with pytest.raises(WorkerCrashedError, match="2 items failed, and the task allows 1"):
        run.result()
    assert books(run)["dead_lettered"] == 2
    assert len(client.dead_letters()) == 2


def test_models_and_options(client: RLMClient) -> None:
    given = {
        "items": range(4),
        "setup": lambda: 0,
        "operation": lambda model, batch: [n // model for n in batch],
        "chunkSize": 2,
    }
    document = {"type": "parallel_inference", "input": given, "options": {"onError": "dead_letter"}}
    assert client.execute(document) == []
    letters = client.dead_letters()
    assert [letter.input for letter in letters] == [[0, 1], [2, 3]]
    with pytest.raises(InvalidTaskError, match="`setup`"):
        letters.replay(lambda batch: batch)
    with pytest.raises(InvalidTaskError, match="`onError`"):
        letters.replay(onError="skip")
    with pytest.raises(InvalidTaskError, match="retrys"):
        letters.replay(retrys=1)
    assert len(letters.replay()) == letters.discard() == 2
    reduced = {"items": [1], "operation": abs, "reduce": sum}
    for kind, path in (("map_reduce", "options.onError"), ("recursive", "options.onError")):
        refused = {"type": kind, "options": {"onError": "dead_letter"}}
        refused.update({"input": reduced} if kind == "map_reduce" else {"operation": abs, "input": 1})
        with pytest.raises(InvalidTaskError) as raised:
            client.submit(refused)
        assert raised.value.details["path"] == path


@linux
def test_letters_outlive_a_process_that_is_killed(tmp_path: Path) -> None:
    program = (
        PRELUDE
        + """
def operation(item):
    if item % 2:
        raise ValueError("odd")
    if item == 40:
        time.sleep(60)
    return item

with RLMClient(threads=1, workers=1, state_dir=sys.argv[1]) as client:
    run = client.submit(task(operation, range(100), onError="dead_letter", chunkSize=1))
    until(lambda: books(run)["dead_lettered"] == 20 and len(client.dead_letters()) == 20)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    )
    state = tmp_path / "state"
    done = subprocess.run([sys.executable, "-c", program, str(state)], timeout=60, check=False)
    assert done.returncode == -9
    with RLMClient(threads=1, workers=1, state_dir=str(state)) as client:
        letters = client.dead_letters()
        assert isinstance(letters, DeadLetters)
        assert [letter.input for letter in letters] == list(range(1, 40, 2))
        assert letters.replay(lambda item: item) == list(range(1, 40, 2))
        assert not client.dead_letters()
    assert not _files(tmp_path)
