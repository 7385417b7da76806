"""Fixtures shared by the whole suite: clients that live as long as the session."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from rlm_hypervisor import RLMClient

# What is refused as native is to be seen as refused; tests of Python mode ask for it.
os.environ["RLM_MODE"] = "native"

# The same draws every time, and as much time for each as it takes, so that a build does not fail by chance;
# RLM_EXPLORE=1 draws others.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fixed", patient, derandomize=True)
settings.register_profile("explored", patient)
settings.load_profile("explored" if os.environ.get("RLM_EXPLORE") else "fixed")

ROOT = Path(__file__).resolve().parent.parent


def pytest_sessionstart() -> None:
    """A worker that is a thread may be stopped where nobody can catch it, in a weak reference's callback for one: no test
    fails for that. All else goes to pytest, which makes it an error."""
    given = sys.unraisablehook

    def told(found: Any) -> None:
        if getattr(found.exc_type, "__module__", "") != "rlm_hypervisor.worker.threads":
            given(found)

    sys.unraisablehook = told


def make_task(source: Any, operation: Callable[..., Any], **more: Any) -> dict[str, Any]:
    """A parallel task; `chunkSize`, `combine` and the like go into its input, `options` beside it."""
    options = more.pop("options", None)
    task: dict[str, Any] = {
        "type": "parallel",
        "description": "a test",
        "input": {"source": source, "operation": operation, **more},
    }
    if options is not None:
        task["options"] = options
    return task


@pytest.fixture(scope="session")
def clients() -> Iterator[Callable[[int], RLMClient]]:
    """One client per number of threads, made when first asked for and kept."""
    made: dict[int, RLMClient] = {}

    def get(threads: int) -> RLMClient:
        if threads not in made:
            made[threads] = RLMClient(threads=threads)
        return made[threads]

    yield get
    for client in made.values():
        client.close()


@pytest.fixture(scope="session")
def client(clients: Callable[[int], RLMClient]) -> RLMClient:
    """The client of tests that do not care how many threads it has."""
    return clients(2)
