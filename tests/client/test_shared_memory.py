"""The memory limit of a client is that of all its runs together: none of several at once fails for the others' sake."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rlm_hypervisor import InvalidTaskError, RLMClient

from tests.conftest import make_task

ROWS = 150_000


def _data() -> pd.DataFrame:
    ids = np.random.default_rng(7).permutation(ROWS)
    return pd.DataFrame({"k": [f"a longer key number {n}" for n in ids], "x": ids, "g": ids % 1000})


def _grouped(p: Any) -> Any:
    return p.groupby("k", as_index=False).agg(x=("x", "sum"), g=("g", "max"))


def _sorted(p: Any) -> Any:
    return p.sort_values(["g", "k"], ascending=[False, True])


@pytest.mark.parametrize("operation", [_grouped, _sorted])
def test_runs_at_once_share_a_limit_that_holds_one(operation: Any) -> None:
    data = _data()
    expected = operation(data).reset_index(drop=True)
    with RLMClient(threads=2, memory_limit="48MB") as client:
        alone = client.execute(make_task(data, operation)).to_pandas().reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, expected, check_dtype=False)
        with ThreadPoolExecutor(6) as callers:
            answers = list(callers.map(lambda _: client.execute(make_task(data, operation)), range(6)))
        for answer in answers:
            found = answer.to_pandas().reset_index(drop=True)
            pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_a_run_may_not_hold_more_than_the_client() -> None:
    with RLMClient(memory_limit="48MB") as client:
        for mode in ("native", "python"):
            options = {"memoryLimit": "49MB", "mode": mode}
            with pytest.raises(InvalidTaskError, match="memory_limit") as caught:
                client.execute(make_task(_data(), lambda p: p[["x"]], options=options))
            assert caught.value.details["path"] == "options.memoryLimit"
