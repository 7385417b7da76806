"""Some seconds of the soak, which `python -m tests.faults.soak` runs for as long as one likes; and its look at memory."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest
from rlm_hypervisor import _core

from tests.conftest import ROOT
from tests.faults._machine import ENOUGH, grows
from tests.faults._workers import linux

pytestmark = pytest.mark.timeout(600)

MIB = 1 << 20
SEED = 20
counting = pytest.mark.skipif(
    _core.allocated() is None, reason="a release build does not count what it allocates"
)


def soaked(*arguments: str) -> tuple[int, str]:
    """How the soak ends with these arguments, and what it says."""
    # The same every time, so that a build does not fail by chance; RLM_EXPLORE=1 draws others.
    seed = random.randrange(1 << 30) if os.environ.get("RLM_EXPLORE") else SEED
    print(f"seed {seed}")
    command = [sys.executable, "-m", "tests.faults.soak", "--seed", str(seed), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=570, check=False)
    return done.returncode, done.stdout + done.stderr


@linux
@pytest.mark.slow
@pytest.mark.parametrize(("workers", "minutes"), [("processes", 0.3), ("threads", 0.1)])
def test_nothing_is_wrong_after_some_seconds_of_random_faults(workers: str, minutes: float) -> None:
    status, said = soaked("--minutes", str(minutes), "--workers", workers)
    assert status == 0 and "nothing wrong after" in said, said


@linux
@counting
@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "kinds"),
    [("processes", ["shared", "rows"]), ("threads", ["items", "rows", "tree", "shared"])],
)
def test_memory_is_flat_over_many_clients(workers: str, kinds: list[str]) -> None:
    status, said = soaked("--clients", "36", "--workers", workers, "--only", *kinds)
    assert status == 0 and "36 looks at memory" in said, said


@linux
@counting
@pytest.mark.slow
@pytest.mark.parametrize("workers", ["processes", "threads"])
def test_what_every_client_leaves_is_found(workers: str) -> None:
    status, said = soaked("--clients", "36", "--workers", workers, "--only", "items", "rows", "--leak", "0.2")
    assert status == 1 and "memory grows: 36 looks at memory" in said, said


def drawn(chance: random.Random, looks: int, leak: float) -> list[int]:
    """Looks at a process that leaks so many MiB each time, and has more in use now and then."""
    return [int((30 + leak * place + chance.choice([0, 0, 0, 0.1, 1, 5])) * MIB) for place in range(looks)]


@pytest.mark.parametrize("seed", range(50))
def test_growth_is_told_from_noise_and_from_what_is_needed_for_the_first_time(seed: int) -> None:
    chance = random.Random(seed)
    looks = chance.randrange(ENOUGH, 200)
    assert grows(drawn(chance, looks, 0)) is None
    when, step = chance.randrange(looks), 60 * MIB
    assert (
        grows([held + step * (place >= when) for place, held in enumerate(drawn(chance, looks, 0))]) is None
    )
    assert grows(drawn(chance, max(looks, 36), 0.3)) is not None
    assert grows(drawn(chance, ENOUGH - 1, 10)) is None, "too few looks say nothing"
