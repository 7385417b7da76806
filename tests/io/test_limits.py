"""The memory that a process really holds: what a run needs beyond the client's limit is little, whatever it does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

MIB = 1 << 20

LIMIT = 64 * MIB

# What threads, decoders, encoders and the allocator hold beside what is counted, and between two looks at it.
SLACK = {"filter": 32 * MIB, "group": 48 * MIB, "sort": 64 * MIB, "join": 64 * MIB}

ROWS = 3_000_000

CHILD = """
    import json
    import sys
    from rlm_hypervisor import RLMClient

    source, other, target, limit, kind = sys.argv[1:]

    OPERATIONS = {
        "filter": lambda p, q: p[p["x"] > -1.5],
        "group": lambda p, q: p.groupby("k", as_index=False)["x"].sum(),
        "sort": lambda p, q: p.sort_values("x").reset_index(drop=True),
        "join": lambda p, q: p.merge(q, on="k").reset_index(drop=True),
    }

    def resident(name):
        with open("/proc/self/status") as status:
            (line,) = (line for line in status if line.startswith(name))
        return int(line.split()[1]) * 1024

    with RLMClient(threads=2, memory_limit=int(limit), spill_dir=target, progress=False, grouping="auto") as client:
        q = client.table(other)

        def run(function, to):
            task = {"type": "parallel", "input": {"source": source, "operation": function}, "output": to}
            done = client.submit(task)
            return done.result().rows, done.metrics()

        run(lambda p: p.head(10), target + "/warm.parquet")
        with open("/proc/self/clear_refs", "w") as clear:
            clear.write("5")
        before = resident("VmRSS")
        rows, metrics = run(lambda p: OPERATIONS[kind](p, q), target + "/out.parquet")
        peak = resident("VmHWM") - before
    print(json.dumps({"rows": rows, "peak": peak, "counted": metrics["memory_peak_bytes"]}))
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A table of some 150 MiB, and one of as many keys, in many row groups."""
    folder = tmp_path_factory.mktemp("limits")
    random = np.random.default_rng(3)
    tables = {
        "left": {"k": random.permutation(ROWS), "x": random.normal(size=ROWS), "n": np.arange(ROWS)},
        "right": {"k": random.permutation(ROWS), "y": random.normal(size=ROWS)},
    }
    for name, columns in tables.items():
        text = pa.array([f"{name} {n % 1009:08}" for n in range(ROWS)])
        pq.write_table(pa.table({**columns, f"s_{name}": text}), folder / name, row_group_size=1 << 17)
    return folder / "left", folder / "right"


@pytest.mark.slow
@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="needs a peak that can be reset")
@pytest.mark.parametrize("kind", ["filter", "group", "sort", "join"])
def test_what_a_run_really_holds(sources: tuple[Path, Path], tmp_path: Path, kind: str) -> None:
    arguments = [*map(str, sources), str(tmp_path), str(LIMIT), kind]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["rows"] > ROWS // 2
    assert found["counted"] <= 1.05 * LIMIT
    assert found["peak"] <= LIMIT + SLACK[kind], f"{found['peak'] / MIB:.0f} MiB"
