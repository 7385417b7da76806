"""Clients with workers that live as long as the session: processes, and threads, on which the same is to hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from rlm_hypervisor import RLMClient

from tests._kinds import pytest_collection_modifyitems, worker_kind

__all__ = ["pytest_collection_modifyitems", "worker_kind"]


@pytest.fixture(scope="session")
def crews(worker_kind: str) -> Iterator[Callable[[int], RLMClient]]:
    """One client per number of workers."""
    made: dict[int, RLMClient] = {}

    def get(workers: int) -> RLMClient:
        if workers not in made:
            made[workers] = RLMClient(workers=workers, worker_kind=worker_kind)
        return made[workers]

    yield get
    for client in made.values():
        client.close()


@pytest.fixture(scope="session")
def crew(crews: Callable[[int], RLMClient]) -> RLMClient:
    """The client of tests that do not care how many workers it has."""
    return crews(2)
