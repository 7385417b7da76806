"""What workers are, for tests of what is to hold on processes and on threads alike."""

from __future__ import annotations

import pytest

from tests._on_threads import reason_of


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips, on threads, what only processes can do, and says why."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is None or callspec.params.get("worker_kind") != "threads":
            continue
        on = "-".join(part for part in callspec.id.split("-") if part != "threads")
        reason = reason_of(item.path.stem, getattr(item, "originalname", item.name), on)
        if reason is not None and item.get_closest_marker("skip") is None:
            item.add_marker(pytest.mark.skip(reason=f"on threads: {reason}"))


@pytest.fixture(scope="session", params=["processes", "threads"])
def worker_kind(request: pytest.FixtureRequest) -> str:
    """What the workers are."""
    return str(request.param)
