"""Files and directories that this process has no right to read or to write: named, with what to do."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults._damage import small_file

PROGRAM = """
import json, sys
from rlm_hypervisor import RLMClient, RLMError

found = {}
with RLMClient(threads=1) as client:
    for source in sys.argv[2:]:
        try:
            client.execute({"type": "parallel", "input": {"source": source, "operation": lambda p: p["x"].sum()}})
        except RLMError as error:
            found[source] = [error.code, isinstance(error, OSError), str(error), error.details.get("file")]
    task = {"type": "parallel", "input": {"source": sys.argv[1], "operation": lambda p: p}}
    try:
        client.execute(task | {"output": {"url": sys.argv[1].rpartition("/")[0] + "/closed/out.parquet"}})
    except RLMError as error:
        found["output"] = [error.code, isinstance(error, OSError), str(error), error.details.get("file")]
print(json.dumps(found))
"""


def _without_the_rights_of_root() -> None:
    """Of root: to read and write what its permissions forbid (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH)."""
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A file that is readable, one that is not, and a directory that is not."""
    small_file(tmp_path / "open.parquet")
    small_file(tmp_path / "part-1.parquet")
    (tmp_path / "closed").mkdir()
    small_file(tmp_path / "closed" / "part-2.parquet")
    (tmp_path / "part-1.parquet").chmod(0)
    (tmp_path / "closed").chmod(0)
    yield tmp_path
    (tmp_path / "closed").chmod(0o700)


@pytest.mark.skipif(sys.platform != "linux", reason="drops capabilities as Linux has them")
def test_what_may_not_be_read(closed: Path) -> None:
    sources = {
        str(closed): "",
        str(closed / "part-1.parquet"): "part-1.parquet",
        str(closed / "part-*.parquet"): "part-1.parquet",
        str(closed / "closed"): "closed",
        str(closed / "closed" / "part-2.parquet"): "part-2.parquet",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(closed / "open.parquet"), *sources],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=_without_the_rights_of_root,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for source, name in sources.items():
        code, is_os_error, said, file = found[source]
        assert (code, is_os_error) == ("SOURCE_UNREADABLE", True), said
        assert "Permission denied" in said
        assert "the right to read it" in said
        assert name in file and name in said
    code, is_os_error, said, _ = found["output"]
    assert (code, is_os_error) == ("OUTPUT_FAILED", True)
    assert "closed" in said
