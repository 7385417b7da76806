"""Some seconds of the soak, which `python -m tests.faults.soak` runs for as long as one likes."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT
from tests.faults._workers import linux


@linux
def test_nothing_is_wrong_after_some_seconds_of_random_faults() -> None:
    command = [sys.executable, "-m", "tests.faults.soak", "--minutes", "0.1", "--seed", "20261126"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing wrong after" in done.stdout
