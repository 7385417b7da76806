"""What workers are, for tests of what is to hold on processes and on threads alike."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out, on threads, what only processes can do."""

    def fits(item: pytest.Item) -> bool:
        callspec = getattr(item, "callspec", None)
        kind = None if callspec is None else callspec.params.get("worker_kind")
        return kind != "threads" or item.get_closest_marker("processes") is None

    items[:] = [item for item in items if fits(item)]


@pytest.fixture(scope="session", params=["processes", "threads"])
def worker_kind(request: pytest.FixtureRequest) -> str:
    """What the workers are."""
    return str(request.param)
