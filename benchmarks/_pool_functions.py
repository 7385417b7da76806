"""What is called in the workers of all pools, ours and the peers'."""

from __future__ import annotations

from typing import Any


def noop(item: Any) -> None:
    """Nothing."""


def absolute(item: int) -> int:
    """A number without its sign."""
    return abs(item)


def work(frame: Any) -> Any:
    """Text and float work of pandas, row by row."""
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame(frame)
    frame["name"] = frame["name"].str.upper().str.replace("A", "-", regex=False)
    frame["value"] = np.sqrt(frame["value"].abs()) * 2 + frame["value"].round(1)
    return frame[frame["value"] > 0.5]
