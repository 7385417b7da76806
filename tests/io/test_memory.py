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


def astray(kind: str) -> pa.Array:
    """A thousand texts, each second one missing; the views or codes of missing ones point at what is not there."""
    rows = 1000
    present = np.arange(rows) % 2 == 0
    valid = pa.py_buffer(np.packbits(present, bitorder="little").tobytes())
    if kind == "views":
        good = np.frombuffer(np.array([3], "<i4").tobytes() + b"abc" + bytes(9), np.uint8)
        bad = np.array([1 << 20, 0x41414141, 77, 1 << 30], "<i4").view(np.uint8)
        views = np.where(present[:, None], good, bad).astype(np.uint8)
        return pa.Array.from_buffers(pa.string_view(), rows, [valid, pa.py_buffer(views.tobytes())])
    codes = np.where(present, 0, -(1 << 30)).astype("int32")
    return pa.DictionaryArray.from_buffers(
        pa.dictionary(pa.int32(), pa.string()),
        rows,
        [valid, pa.py_buffer(codes.tobytes())],
        pa.array(["abc", "y"]),
    )


ASTRAY: dict[str, Any] = {
    "equal": lambda p: p[p["s"] == "abc"]["v"].sum(),
    "group": lambda p: p.groupby("s", dropna=False)["v"].sum().sum(),
    "sort": lambda p: p.sort_values("s")["v"].head(500).sum(),
    "distinct": lambda p: p.drop_duplicates("s")["v"].sum(),
    "isin": lambda p: p[p["s"].isin(["abc", "a text that is long"])]["v"].sum(),
    "upper": lambda p: p[p["s"].str.upper() == "ABC"]["v"].sum(),
    "join": lambda p: p.merge(p.drop_duplicates("s"), on="s")["v_x"].sum(),
    "count": lambda p: p["s"].nunique(),
}


@pytest.mark.parametrize("kind", ["views", "codes"])
@pytest.mark.parametrize("operation", ASTRAY)
def test_what_lies_below_missing_values_does_not_matter(client: RLMClient, kind: str, operation: str) -> None:
    values = pa.array(range(1000))
    texts = pa.array(["abc" if row % 2 == 0 else None for row in range(1000)])
    same = pa.table({"s": texts, "v": values})
    expected = client.execute(make_task(same, ASTRAY[operation]))
    table = pa.table({"s": astray(kind), "v": values})
    assert client.execute(make_task(table, ASTRAY[operation])) == expected


@pytest.mark.parametrize("kind", ["views", "codes"])
def test_what_lies_below_missing_values_is_no_answer(client: RLMClient, kind: str) -> None:
    answer = client.execute(make_task(pa.table({"s": astray(kind)}), lambda p: p)).to_pandas()
    assert answer["s"].tolist()[::2] == ["abc"] * 500
    assert answer["s"].isna().tolist() == [row % 2 == 1 for row in range(1000)]
