"""Inference: the model is set up once in each worker, batches are as large as asked, results are one for one."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pandas as pd
import pytest
from rlm_hypervisor import OperationFailedError, RLMClient


@pytest.mark.parametrize("size", [1, 4, 100])
def test_results_are_one_for_each_item_and_the_model_is_made_once_a_worker(
    crew: RLMClient, tmp_path: Path, size: int
) -> None:
    def setup() -> int:
        (tmp_path / f"{os.getpid()} {threading.get_native_id()}-{os.urandom(4).hex()}").touch()
        return 10

    def predict(model: int, batch: list[int]) -> list[int]:
        assert len(batch) <= size
        return [model * value for value in batch]

    document = {
        "type": "parallel_inference",
        "input": {"items": range(50), "setup": setup, "operation": predict, "chunkSize": size},
    }
    assert crew.execute(document) == [10 * value for value in range(50)]
    made = [path.name.partition("-")[0] for path in tmp_path.iterdir()]
    assert len(made) == len(set(made)) <= 2


def test_a_wrong_number_of_results_is_an_error(crew: RLMClient) -> None:
    document = {
        "type": "parallel_inference",
        "input": {"items": [1, 2], "operation": lambda batch: batch[:1]},
    }
    with pytest.raises(OperationFailedError, match="1 results for a batch of 2"):
        crew.execute(document)


def test_a_setup_that_fails_is_an_error(crew: RLMClient) -> None:
    def setup() -> None:
        raise OSError("no model")

    document = {
        "type": "parallel_inference",
        "input": {"items": [1], "setup": setup, "operation": lambda model, batch: batch},
    }
    with pytest.raises(OperationFailedError, match="the `setup` of `<lambda>` raised OSError: no model"):
        crew.execute(document)


@pytest.mark.parametrize("on_error", ["skip", "collect"])
def test_a_setup_that_fails_for_good_is_the_runs_failure_and_no_batchs(
    crew: RLMClient, tmp_path: Path, on_error: str
) -> None:
    def setup() -> None:
        (tmp_path / os.urandom(4).hex()).touch()
        raise OSError("no model")

    document = {
        "type": "parallel_inference",
        "input": {
            "items": range(500),
            "setup": setup,
            "operation": lambda model, batch: batch,
            "chunkSize": 5,
        },
        "options": {"onError": on_error, "retries": 2, "backoffMs": 1},
    }
    with pytest.raises(
        OperationFailedError, match=r"the `setup` of `<lambda>` raised OSError .attempt 3.: no"
    ):
        crew.execute(document)
    # No batch is tried for nothing that was not with a worker yet.
    assert len(list(tmp_path.iterdir())) < 50


def test_a_setup_that_fails_at_first_is_tried_again_with_the_batch(crew: RLMClient, tmp_path: Path) -> None:
    def setup() -> int:
        mark = tmp_path / str(len(list(tmp_path.iterdir())))
        mark.touch()
        if int(mark.name) < 3:
            raise ConnectionError("not yet")
        return 2

    document = {
        "type": "parallel_inference",
        "input": {
            "items": range(20),
            "setup": setup,
            "operation": lambda model, batch: [model * value for value in batch],
            "chunkSize": 4,
        },
        "options": {"retries": 5, "backoffMs": 1},
    }
    assert crew.execute(document) == [2 * value for value in range(20)]


def test_partitions_get_predictions(crew: RLMClient) -> None:
    data = pd.DataFrame({"x": range(100)})
    document = {
        "type": "parallel_inference",
        "input": {
            "source": data,
            "setup": lambda: 3,
            "operation": lambda model, p: p.assign(y=p["x"] * model),
            "chunkSize": 30,
        },
        "options": {"mode": "python"},
    }
    pd.testing.assert_frame_equal(crew.execute(document).to_pandas(), data.assign(y=data["x"] * 3))
