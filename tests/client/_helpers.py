"""Sources big enough to be caught in the middle, and Python programs run in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.conftest import ROOT, make_task

PRELUDE = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from rlm_hypervisor import *
import rlm_hypervisor
from tests.client._helpers import long_source, long_task
from tests.conftest import make_task
"""


def long_source(folder: Path, files: int = 4000) -> list[str]:
    """One file of 100,000 rows many times over: minutes of work for a debug build, little disk."""
    path = folder / "again.parquet"
    if not path.exists():
        rows = range(100_000)
        data = pa.table({"k": [f"key {n * 7919 % 9973}" for n in rows], "x": [float(n) for n in rows]})
        pq.write_table(data, path, row_group_size=25_000)
    return [str(path)] * files


def _by_key(partition: Any) -> Any:
    return partition.groupby("k")["x"].sum()


def long_task(folder: Path | str, **more: Any) -> dict[str, Any]:
    """A task that goes on until it is stopped."""
    return make_task(long_source(Path(folder)), _by_key, **more)


def python(
    program: str, *args: str, timeout: float = 60, warnings: str = "error"
) -> subprocess.CompletedProcess[str]:
    """Runs a program with the package and these helpers imported; its output is text."""
    code = PRELUDE + textwrap.dedent(program)
    command = [sys.executable, "-W", warnings, "-c", code, *args]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, env=os.environ.copy(), check=False
    )
