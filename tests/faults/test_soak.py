"""Some seconds of the soak, which `python -m tests.faults.soak` runs for as long as one likes."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.faults._workers import linux


@linux
@pytest.mark.slow
@pytest.mark.parametrize(("workers", "minutes"), [("processes", 0.4), ("threads", 0.1)])
def test_nothing_is_wrong_after_some_seconds_of_random_faults(workers: str, minutes: float) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    command = [sys.executable, "-m", "tests.faults.soak", "--seed", str(seed)]
    command += ["--minutes", str(minutes), "--workers", workers]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing wrong after" in done.stdout
