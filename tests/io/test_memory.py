"""What a run says of its memory: peak, spilled bytes, who lacked what; and what a killed process left is swept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from rlm_hypervisor import OutOfMemoryError, RLMClient

from tests.conftest import make_task


def data(rows: int) -> pa.Table:
    keys = np.random.default_rng(7).permutation(rows)
    return pa.table({"k": [f"key {key:09}" for key in keys], "v": keys.astype("float64")})


OPERATIONS: dict[str, Any] = {
    "group": lambda p: p.groupby("k")["v"].sum(),
    "sort": lambda p: p.sort_values("k"),
}


@pytest.mark.parametrize(
    ("kind", "rows", "limit"), [("group", 200_000, 15_000_000), ("sort", 300_000, 18_000_000)]
)
def test_peak_and_spilled_bytes_are_told(tmp_path: Path, kind: str, rows: int, limit: int) -> None:
    table = data(rows)
    with RLMClient(threads=2, memory_limit=limit, spill_dir=str(tmp_path)) as client:
        run = client.submit(make_task(table, OPERATIONS[kind]))
        answer = run.result().to_pandas()
        metrics, explained = run.metrics(), run.explain()
    # A sort counts the batch that it is at without asking.
    assert 0 < metrics["memory_peak_bytes"] <= 1.05 * limit
    assert metrics["spilled_bytes"] > 1_000_000
    assert explained.to_dict()["progress"]["memory_peak"] == metrics["memory_peak_bytes"]
    assert "spilled: " in str(explained)
    assert f"of {limit / 2**20:.1f} MiB" in str(explained)
    assert answer.equals(OPERATIONS[kind](table.to_pandas()))
    assert not list(tmp_path.iterdir()), "nothing is left when the client goes"


def test_what_fits_spills_nothing(tmp_path: Path) -> None:
    with RLMClient(threads=2, spill_dir=str(tmp_path)) as client:
        run = client.submit(make_task(data(10_000), OPERATIONS["group"]))
        run.result()
        metrics = run.metrics()
    assert metrics["spilled_bytes"] == 0
    assert metrics["memory_peak_bytes"] > 0


def test_who_lacked_memory_is_named_with_the_bytes() -> None:
    table = pd.DataFrame({"k": np.arange(400_000), "s": ["a text of some length"] * 400_000})
    with RLMClient(threads=2, memory_limit=2_000_000) as client, pytest.raises(OutOfMemoryError) as caught:
        client.execute(make_task(table, lambda p: p.merge(p, how="cross")["s_x"].max()))
    text = str(caught.value)
    assert "operator `" in text
    assert "asked for" in text
    assert "MiB" in text
    assert "memory_limit" in text


VICTIM = """
    import sys
    import numpy as np
    import pyarrow as pa
    from rlm_hypervisor import RLMClient

    keys = np.random.default_rng(7).permutation(150_000)
    table = pa.table({"k": [f"key {key:09}" for key in keys], "v": keys})
    client = RLMClient(threads=2, memory_limit=11_500_000, spill_dir=sys.argv[1])
    task = {"type": "parallel", "input": {"source": table, "operation": lambda p: p.groupby("k")["v"].sum()}}
    client.execute(task)
    print("ready", flush=True)
    while True:
        client.execute(task)
"""


@pytest.mark.timeout(300)
def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    command = [sys.executable, "-c", textwrap.dedent(VICTIM), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) as victim:
        assert victim.stdout is not None
        try:
            assert victim.stdout.readline() == b"ready\n"
            (left,) = tmp_path.glob("rlm-spill-*")
            with RLMClient(threads=1, spill_dir=str(tmp_path)):
                assert left.is_dir(), "that of a process that lives is not touched"
        finally:
            victim.send_signal(signal.SIGKILL)
    assert left.is_dir()
    with RLMClient(threads=1, spill_dir=str(tmp_path)):
        assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_client_that_is_not_closed_leaves_nothing(tmp_path: Path) -> None:
    code = VICTIM.split("print")[0]
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], check=True, env=os.environ)
    assert not list(tmp_path.iterdir())
