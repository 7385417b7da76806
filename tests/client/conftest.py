"""Fixtures of the client tests: a small table and a long task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.client._helpers import long_source, long_task


@pytest.fixture(scope="session")
def data() -> pa.Table:
    """Six rows: keys, integers, floats, text with markup in it."""
    return pa.table(
        {
            "k": ["b", "a", "b", None, "c", "a"],
            "i": [1, 2, 3, 4, 5, 6],
            "x": [0.5, None, 1.5, 2.0, -1.0, 4.0],
            "s": ["<script>alert(1)</script>", "a&b", '"quoted"', "", "ключ", None],
        }
    )


@pytest.fixture(scope="session")
def slow_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the file of the long task is."""
    folder = tmp_path_factory.mktemp("long")
    long_source(folder, 1)
    return folder


@pytest.fixture
def slow(slow_folder: Path) -> dict[str, Any]:
    """A task that goes on until it is stopped."""
    return long_task(slow_folder)
