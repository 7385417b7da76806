"""Random damage to files of every format, the same every time; `tests/faults/_fuzz.py` goes on for longer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

CASES = 800
"""These take some seconds. RLM_EXPLORE=1 tries as many as there come in four seconds."""

MORE = "seconds=4" if os.environ.get("RLM_EXPLORE") else f"cases={CASES}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_files(tmp_path: Path, seed: int) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.faults._fuzz import fuzz;"
        f"print(fuzz({seed}, Path(sys.argv[1]), {MORE}))"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "python"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=570,
        check=False,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stdout + done.stderr
