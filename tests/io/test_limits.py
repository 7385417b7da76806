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
from rlm_hypervisor import RLMClient

from tests.io._peaks import MIB, least_of_three

LIMIT = 64 * MIB

# What threads, decoders, encoders and the allocator hold beside what is counted, and between two looks at it.
SLACK = {"filter": 32 * MIB, "group": 48 * MIB, "sort": 64 * MIB, "join": 64 * MIB}

ROWS = 3_000_000

# Rows of long texts, of which there are some GiB where they are numbers in as many rows.
LONG_ROWS = 1_000_000
LONG = 80

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
        "job": lambda p, q: job(p[p["x"] > 0.1]),
    }

    def job(p):
        sums = p.groupby("k", as_index=False)["x"].sum().rename(columns={"x": "total"})
        return p.merge(sums, on="k").sort_values("x").reset_index(drop=True)

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


@pytest.fixture(scope="module")
def long_texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of some 170 MiB: texts that come again, in dictionaries, and texts that do not, in pages of their own."""
    path = tmp_path_factory.mktemp("long") / "long"
    random = np.random.default_rng(5)
    keys = pa.array([f"{key:0{LONG}}" for key in range(LONG_ROWS // 20)])
    texts = np.char.add(np.char.zfill(random.permutation(LONG_ROWS).astype("S8"), 8), b"-" * (LONG - 8))
    columns = {
        "k": keys.take(pa.array(random.integers(0, len(keys), LONG_ROWS))),
        "s": pa.array(texts).cast(pa.binary()).cast(pa.string()),
        "x": random.random(LONG_ROWS),
    }
    pq.write_table(pa.table(columns), path, row_group_size=1 << 17, use_dictionary=["k"])
    return path


needs_a_peak = pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="needs a peak that can be reset"
)


@pytest.mark.slow
@pytest.mark.timeout(600)
@needs_a_peak
@pytest.mark.parametrize("kind", ["filter", "group", "sort", "join"])
def test_what_a_run_really_holds(sources: tuple[Path, Path], tmp_path: Path, kind: str) -> None:
    check(sources, tmp_path, kind, SLACK[kind], ROWS // 2)


@pytest.mark.slow
@pytest.mark.timeout(600)
@needs_a_peak
@pytest.mark.parametrize("kind", ["sort", "job"])
def test_what_a_run_of_long_texts_really_holds(long_texts: Path, tmp_path: Path, kind: str) -> None:
    """Filter, group, join, sort and write of texts that take many times what numbers take."""
    check((long_texts, long_texts), tmp_path, kind, 64 * MIB, LONG_ROWS * 8 // 10)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_single_wide_file_says_less_of_its_row_groups_than_they_hold(tmp_path: Path) -> None:
    """What is said of them is held to the end of the file: it must not grow as the file does."""
    columns, rows, described = 1000, 20_000, 1 << 10
    random = np.random.default_rng(7)
    wide = pa.table({f"c{n}": random.normal(size=rows) for n in range(columns)})
    pq.write_table(wide, tmp_path / "wide", row_group_size=1000, use_dictionary=False)
    with RLMClient(threads=2, memory_limit=LIMIT, spill_dir=tmp_path, progress=False) as client:
        task = {
            "type": "parallel",
            "input": {"source": tmp_path / "wide", "operation": lambda p: p[p["c0"] > -9]},
        }
        client.submit({**task, "output": tmp_path / "out.parquet"}).result()
    footer = pq.read_metadata(tmp_path / "out.parquet")
    assert footer.num_rows == rows
    sizes = [footer.row_group(number).total_byte_size for number in range(footer.num_row_groups)]
    assert len(sizes) > 2, "memory sufficed for all rows: nothing was asked"
    assert len(sizes) * columns * described <= 2 * max(sizes)


def check(sources: tuple[Path, Path], tmp_path: Path, kind: str, slack: int, rows: int) -> None:
    def peak(folder: Path) -> int:
        arguments = [*map(str, sources), str(folder), str(LIMIT), kind]
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(CHILD), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["rows"] > rows
        assert found["counted"] <= 1.05 * LIMIT
        return int(found["peak"])

    least_of_three(peak, LIMIT + slack, tmp_path)
