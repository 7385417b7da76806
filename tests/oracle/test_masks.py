"""A mask is the column as it was when it was taken, whatever becomes of the frame's column afterwards."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from rlm_hypervisor import RLMClient

from tests.oracle._run import check

DATA = pa.table({"b": [True, False, True, False], "x": [1.0, 2.0, 3.0, 4.0]})


def replaced(p: Any) -> Any:
    mask = p["b"]
    p = p.assign(b=~p["b"])
    return p[mask]


def dropped(p: Any) -> Any:
    mask = p["b"]
    return p.assign(z=p["x"] + 1).drop(columns="b")[mask]


def computed(p: Any) -> Any:
    mask = p["x"] > 2
    return p.assign(x=-p["x"])[mask]


@pytest.mark.parametrize("operation", [replaced, dropped, computed])
def test_a_mask_keeps_its_values(operation: Any) -> None:
    with RLMClient(threads=2) as client:
        check(client.execute, operation, DATA, DATA, 1)
