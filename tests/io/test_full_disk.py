"""A disk that is really full: a file system of a few MB in memory, on which writing and spilling run out of room."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import ROOT

ROWS = 400_000
MOUNT = 'mount -t tmpfs -o size=3m none "$0" && exec "$@"'
AWAY = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]

PROGRAM = """
    import json, os, sys
    from pathlib import Path
    from rlm_hypervisor import RLMClient
    disk, source, case = Path(sys.argv[1]), *sys.argv[2:]
    told = {}

    def task(operation, output=None):
        task = {"type": "parallel", "input": {"source": source, "operation": operation}}
        return task | ({"output": output} if output else {})

    def files():
        return sorted(str(path.relative_to(disk)) for path in disk.rglob("*"))

    def numbers(client):
        place = str(disk / "out")
        return client.execute({"type": "parallel", "input": {"source": place, "operation": lambda p: p["n"].sum()}})

    spill = case == "spill"
    with RLMClient(threads=2, memory_limit="24MB" if spill else "2GB", **({"spill_dir": str(disk)} if spill else {})) as client:
        if not spill:
            few = {"url": str(disk / "out"), "compression": "none"}
            if case == "partitioned":
                few["partitionBy"] = "k"
            client.execute(task(lambda p: p[p["n"] < 100], few))
            before = files(), numbers(client)
        try:
            if spill:
                client.execute(task(lambda p: p.sort_values("s"), {"url": sys.argv[2] + ".sorted.parquet"}))
            else:
                client.execute(task(lambda p: p[p["n"] >= 0], few | {"mode": "append" if case == "append" else "overwrite"}))
        except Exception as error:
            told |= {"type": type(error).__name__, "code": error.code, "text": str(error)}
        if spill:
            told["left"] = [name for name in files() if (disk / name).is_file()]
            told["bytes"] = sum((disk / name).stat().st_size for name in told["left"])
        else:
            told["same"] = (files(), numbers(client)) == before
        # It lives on.
        told["rows"] = client.execute(task(lambda p: p["n"].count()))
    print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("full") / "source.parquet"
    at = range(ROWS)
    table = {"n": list(at), "k": [n % 5 for n in at], "s": [f"text {n * 7919 % ROWS}" for n in at]}
    pq.write_table(pa.table(table), path)
    return path


def told(tmp_path: Path, source: Path, case: str) -> dict[str, Any]:
    """What the program says, which alone sees the disk."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if not shutil.which("unshare") or subprocess.run([*AWAY, MOUNT, disk, "true"], check=False).returncode:
        pytest.skip("no file system may be mounted here")
    command = [*AWAY, MOUNT, disk, sys.executable, "-c", textwrap.dedent(PROGRAM), disk, source, case]
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT / 'python'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    }
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=300)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["rows"] == ROWS
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", ["overwrite", "append", "partitioned"])
def test_what_was_there_stays(tmp_path: Path, source: Path, case: str) -> None:
    found = told(tmp_path, source, case)
    assert found["code"] == "OUTPUT_FAILED" and found["same"], found
    assert "room on the disk" in found["text"] and str(tmp_path / "disk") in found["text"], found


@pytest.mark.timeout(600)
def test_a_sort_that_has_no_room_to_spill_says_where(tmp_path: Path, source: Path) -> None:
    found = told(tmp_path, source, "spill")
    assert found["code"] in ("OUT_OF_MEMORY", "INTERNAL", "OUTPUT_FAILED"), found
    assert "room" in found["text"] or "space" in found["text"].lower(), found
    assert found["bytes"] == 0, found
    assert not source.with_name("source.parquet.sorted.parquet").exists()
